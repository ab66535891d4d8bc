#include "node/shared_api.hpp"

#include <limits>

#include <fmt/format.h>

#include "node/metrics.hpp"
#include "node/units.hpp"
#include "node/view_json.hpp"

namespace monodon::node {
namespace {

HttpResponse unavailable_response(const CommitsUnavailable& unavailable, std::uint64_t from) {
    if (unavailable.why == CommitsUnavailable::Why::pruned) {
        return json_response(
            fmt::format(
                "{{\"error\":{{\"code\":\"pruned\",\"message\":\"commit {0} is not kept any more; ask from "
                "{1} on\"}},\"oldest\":{1}}}\n",
                from, unavailable.oldest),
            410);
    }
    return json_response(
        fmt::format("{{\"error\":{{\"code\":\"future\",\"message\":\"there is no commit {0} yet; the "
                    "newest is {1}\"}},\"newest\":{1}}}\n",
                    from, unavailable.newest),
        400);
}

HttpResponse commits(const NodeView& view, const HttpRequest& request) {
    const auto from = query_number(request, "from", 1, 1, std::numeric_limits<std::uint64_t>::max());
    if (const auto* refused = std::get_if<HttpResponse>(&from)) return *refused;
    const auto limit = query_number(request, "limit", kCommitsDefault, 1, kCommitsMax);
    if (const auto* refused = std::get_if<HttpResponse>(&limit)) return *refused;
    const std::uint64_t first = std::get<std::uint64_t>(from);

    const auto found = view.commits(first, std::get<std::uint64_t>(limit), kCommitBytesMax);
    if (!found) return unavailable_response(found.error(), first);
    HttpResponse response;
    response.content_type = "application/x-ndjson";
    for (const dag::CommitPtr& commit : *found) response.body += to_json(*commit);
    return response;
}

HttpResponse metrics(const NodeView& view) {
    HttpResponse response;
    response.content_type = kMetricsType;
    response.body = render_metrics(view);
    return response;
}

}  // namespace

HttpResponse json_response(std::string body, unsigned status) {
    HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

std::variant<std::uint64_t, HttpResponse> query_number(const HttpRequest& request, const std::string& name,
                                                       std::uint64_t otherwise, std::uint64_t least,
                                                       std::uint64_t most) {
    const auto given = request.query_value(name);
    if (!given) return otherwise;
    const auto number = parse_number(*given);
    if (number && *number >= least && *number <= most) return *number;
    return error_response(400, "bad_query",
                          fmt::format("{} must be a number from {} to {}", name, least, most));
}

std::vector<Route> shared_routes(const NodeViewPtr& view) {
    std::vector<Route> routes;
    routes.push_back({HttpMethod::get,
                      "/v1/status",
                      {},
                      "State, rounds, commits, peers and latency of this node.",
                      [view](const HttpRequest&, const Respond& respond) {
                          respond(json_response(to_json(view->status())));
                      }});
    routes.push_back(
        {HttpMethod::get,
         "/v1/commits",
         {"from", "limit"},
         "Commits in order, one JSON object a line, from an index on.",
         [view](const HttpRequest& request, const Respond& respond) { respond(commits(*view, request)); }});
    routes.push_back({HttpMethod::get,
                      "/metrics",
                      {},
                      "Metrics as Prometheus reads them.",
                      [view](const HttpRequest&, const Respond& respond) { respond(metrics(*view)); }});
    return routes;
}

}  // namespace monodon::node
