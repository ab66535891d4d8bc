#include "node/admin_api.hpp"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "net/transport/clock.hpp"
#include "node/shared_api.hpp"
#include "node/strict_json.hpp"
#include "node/view_json.hpp"

namespace monodon::node {
namespace {

namespace json = boost::json;

constexpr std::size_t kBodyMax = 1024 * 1024;
/// 100 rounds of 128 certificates with 86 parents each are about 5 MB of JSON.
constexpr std::uint64_t kDagRoundsMax = 100;
constexpr std::uint64_t kDagRoundsDefault = 20;

/// What is wanted of the DAG: `from` and `to`, or the last `rounds`.
std::variant<std::pair<std::uint64_t, std::uint64_t>, HttpResponse> dag_range(const HttpRequest& request,
                                                                              std::uint64_t highest) {
    const auto rounds = query_number(request, "rounds", kDagRoundsDefault, 1, kDagRoundsMax);
    if (const auto* refused = std::get_if<HttpResponse>(&rounds)) return *refused;
    const std::uint64_t count = std::get<std::uint64_t>(rounds);
    constexpr std::uint64_t kRoundMax = 1ULL << 62;
    const auto to = query_number(request, "to", std::max<std::uint64_t>(highest, 1), 1, kRoundMax);
    if (const auto* refused = std::get_if<HttpResponse>(&to)) return *refused;
    std::uint64_t last = std::get<std::uint64_t>(to);
    const auto from = query_number(request, "from", last > count ? last - count + 1 : 1, 1, kRoundMax);
    if (const auto* refused = std::get_if<HttpResponse>(&from)) return *refused;
    const std::uint64_t first = std::get<std::uint64_t>(from);
    if (!request.query_value("to")) last = std::min(std::max(first, last), first + count - 1);
    if (first > last || last - first >= kDagRoundsMax) {
        return error_response(400, "bad_query", fmt::format("from to to are 1 to {} rounds", kDagRoundsMax));
    }
    return std::pair{first, last};
}

void dag_window(const NodeViewPtr& view, const HttpRequest& request, const Respond& respond) {
    const StatusSnapshot status = view->status();
    const auto range = dag_range(request, status.highest_round);
    if (const auto* refused = std::get_if<HttpResponse>(&range)) return respond(*refused);
    const auto [first, last] = std::get<0>(range);
    std::vector<std::string> names;
    for (const ValidatorSnapshot& validator : status.validators) names.push_back(validator.name);
    view->dag(first, last,
              [first = first, last = last, names, respond](const std::vector<VertexSnapshot>& vertices) {
                  respond(json_response(dag_json(first, last, names, vertices)));
              });
}

void set_log_level(const NodeViewPtr& view, const HttpRequest& request, const Respond& respond) {
    const auto value = parse_strict_json(as_text(*request.body), kBodyMax);
    if (!value) return respond(error_response(400, "bad_json", value.error()));
    JsonObject object(*value, "");
    const std::string category_name = object.text("category", 32);
    const std::string level_name = object.text("level", 32);
    if (const auto error = object.finish()) return respond(error_response(400, "bad_json", *error));
    const auto category = log::parse_category(category_name);
    if (!category && category_name != "all") {
        return respond(
            error_response(400, "category",
                           "category is all, node, net, rpc, consensus, storage, worker, execution or api"));
    }
    const auto level = log::parse_level(level_name);
    if (!level) {
        return respond(error_response(400, "level", "level is trace, debug, info, warn, error or off"));
    }
    view->set_log_level(category, *level);
    respond(
        json_response(fmt::format("{{\"category\":\"{}\",\"level\":\"{}\"}}\n", category_name, level_name)));
}

void dial(const NodeViewPtr& view, const HttpRequest& request, const Respond& respond) {
    const auto value = parse_strict_json(as_text(*request.body), kBodyMax);
    if (!value) return respond(error_response(400, "bad_json", value.error()));
    JsonObject object(*value, "");
    const std::string address = object.text("address", 512);
    if (const auto error = object.finish()) return respond(error_response(400, "bad_json", *error));
    view->dial(address, [address, respond](const std::optional<std::string>& failed) {
        if (failed) return respond(error_response(400, "dial", *failed));
        respond(json_response(json::serialize(json::value{{"connected", address}}) + "\n"));
    });
}

std::string index_json(const std::vector<Route>& routes) {
    std::string out = "[";
    for (const Route& route : routes) {
        json::array query(route.query.begin(), route.query.end());
        const json::value row{{"method", route.method == HttpMethod::get ? "GET" : "POST"},
                              {"path", route.pattern},
                              {"query", std::move(query)},
                              {"help", route.help}};
        out += (out.size() > 1 ? ",\n " : "") + json::serialize(row);
    }
    return out + "]\n";
}

/// A route whose answer is one snapshot.
template <class Give>
Route snapshot_route(std::string path, std::string help, Give give) {
    return {HttpMethod::get,
            std::move(path),
            {},
            std::move(help),
            [give](const HttpRequest&, const Respond& respond) { respond(json_response(to_json(give()))); }};
}

/// Who the peers are, what they are worth, and what the operator does about them.
void add_peers(std::vector<Route>& routes, const NodeViewPtr& view) {
    const auto add_get = [&](std::string path, std::string help, auto answer) {
        routes.push_back({HttpMethod::get, std::move(path), {}, std::move(help), answer});
    };
    add_get("/v1/peers", "Members and clients: connection, round trip, bytes, queues, score term by term.",
            [view](const HttpRequest&, const Respond& respond) {
                respond(json_response(to_json(view->peers(), net::now())));
            });
    add_get("/v1/peers/{id}", "One peer by name or peer id, connected or not.",
            [view](const HttpRequest& request, const Respond& respond) {
                const auto peer = view->peer(request.params.at("id"));
                if (!peer) return respond(error_response(404, "peer", "no validator's name and no peer id"));
                respond(json_response(to_json(*peer, net::now())));
            });
    add_get("/v1/bans", "Peers that are banned, for how long and why.",
            [view](const HttpRequest&, const Respond& respond) {
                respond(json_response(to_json(view->bans())));
            });
    add_get("/v1/limits", "Limits of the network in force, of all and of each peer, and their use.",
            [view](const HttpRequest&, const Respond& respond) {
                respond(json_response(to_json(view->limits())));
            });
    const auto add_action = [&](const std::string& word, std::string help, PeerAction action) {
        routes.push_back({HttpMethod::post,
                          "/v1/peers/{id}/" + word,
                          {},
                          std::move(help),
                          [view, action](const HttpRequest& request, const Respond& respond) {
                              const auto refused = view->act_on_peer(request.params.at("id"), action);
                              if (refused) return respond(error_response(400, "peer", *refused));
                              respond(json_response(to_json(view->bans())));
                          },
                          kBodyMax});
    };
    add_action("disconnect", "Ends the connections to a peer, by name or peer id.", PeerAction::disconnect);
    add_action("ban", "The same, and has no other with it until it is unbanned.", PeerAction::ban);
    add_action("unban", "Lifts the operator's ban, or if there is none what a peer was charged with.",
               PeerAction::unban);
}

}  // namespace

std::vector<Route> admin_routes(NodeViewPtr view) {
    std::vector<Route> routes = shared_routes(view);
    const auto add = [&](Route route) { routes.push_back(std::move(route)); };
    add_peers(routes, view);
    add(snapshot_route("/v1/handshakes", "Connections to peers that did not come about: how many, and why.",
                       [view] { return view->handshake_failures(); }));
    add(snapshot_route("/v1/store",
                       "Environments of the store: sizes, queues, times of commits; commits held.",
                       [view] { return view->store(); }));
    add(snapshot_route("/v1/queues", "What waits between the parts of the node.",
                       [view] { return view->queues(); }));
    add(snapshot_route("/v1/state", "Applied commit and state root.", [view] { return view->state(); }));
    add(snapshot_route("/v1/config", "Every setting, where it came from and what it does.",
                       [view] { return view->config(); }));
    add({HttpMethod::get,
         "/v1/dag",
         {"from", "to", "rounds"},
         "The certificates of some rounds; of the last 20 if not said otherwise.",
         [view](const HttpRequest& request, const Respond& respond) { dag_window(view, request, respond); }});
    add(snapshot_route(
        "/v1/addresses",
        "The address book: who can be found where, by whose record, and when it last answered.",
        [view] { return view->addresses(); }));
    add({HttpMethod::post,
         "/v1/peers/dial",
         {},
         "Connects to a peer: {\"address\":\"host:port\"}, or peer-id@host:port to accept no other.",
         [view](const HttpRequest& request, const Respond& respond) { dial(view, request, respond); },
         kBodyMax});
    add({HttpMethod::get,
         "/v1/sync",
         {},
         "How far this node is behind, and how catching up goes.",
         [view](const HttpRequest&, const Respond& respond) {
             respond(json_response(sync_json(view->activity().engine, net::now())));
         }});
    add({HttpMethod::get,
         "/v1/why",
         {},
         "What keeps the lowest commit from being made or executed: what is missing, who holds it, who was "
         "asked and answered what.",
         [view](const HttpRequest&, const Respond& respond) {
             view->blockers([status = view->status(), respond](const dag::Blockers& found) {
                 respond(json_response(why_json(found, status, net::now())));
             });
         }});
    add({HttpMethod::post,
         "/v1/log",
         {},
         "Sets the level of a category of the log, or of all: {\"category\":\"net\",\"level\":\"debug\"}.",
         [view](const HttpRequest& request, const Respond& respond) {
             set_log_level(view, request, respond);
         },
         kBodyMax});
    add({HttpMethod::post,
         "/v1/shutdown",
         {},
         "Stops the node cleanly.",
         [view](const HttpRequest&, const Respond& respond) {
             respond(json_response("{\"state\":\"stopping\"}\n"));
             view->shutdown();
         },
         kBodyMax});
    std::sort(routes.begin(), routes.end(),
              [](const Route& a, const Route& b) { return a.pattern < b.pattern; });
    const std::string index = index_json(routes);
    add({HttpMethod::get, "/", {}, "This list.", [index](const HttpRequest&, const Respond& respond) {
             respond(json_response(index));
         }});
    return routes;
}

}  // namespace monodon::node
