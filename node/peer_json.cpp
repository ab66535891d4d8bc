#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "net/core/time.hpp"
#include "node/json_text.hpp"
#include "node/view_json.hpp"

namespace monodon::node {
namespace {

namespace json = boost::json;

std::string line(const json::value& value) { return json_text(value) + "\n"; }

json::string text(std::string_view text) { return json::string(text.data(), text.size()); }

json::value milliseconds_or_null(const std::optional<Duration>& duration) {
    return duration ? json::value(milliseconds_in(*duration)) : json::value(nullptr);
}

/// Each term with what it was made from.
json::object terms_json(const net::Standing& standing) {
    json::object terms;
    terms["useful"] = {{"points", standing.useful}, {"replies", standing.useful_replies}};
    terms["latency"] = {{"points", standing.latency},
                        {"first_byte_ms", milliseconds_or_null(standing.first_byte)},
                        {"median_ms", milliseconds_or_null(standing.median_first_byte)}};
    const auto rate = [](const std::optional<double>& measured) {
        return measured ? json::value(*measured) : json::value(nullptr);
    };
    terms["throughput"] = {{"points", standing.throughput},
                           {"bytes_per_s", rate(standing.bytes_per_second)},
                           {"median_bytes_per_s", rate(standing.median_bytes_per_second)}};
    terms["failures"] = {
        {"points", -standing.failures}, {"failed", standing.failed}, {"requests", standing.requests}};
    json::object faults;
    for (std::size_t at = 0; at < net::kFaults; ++at) {
        if (standing.faults[at] > 0) faults[name(static_cast<net::Fault>(at))] = standing.faults[at];
    }
    terms["penalties"] = {{"points", -standing.penalties}, {"faults", std::move(faults)}};
    return terms;
}

json::object standing_json(const net::Standing& standing, Time now) {
    json::array recent;
    for (const net::Standing::Incident& each : standing.recent) {
        recent.push_back({{"ago_s", seconds_in(now - each.at)},
                          {"fault", text(name(each.fault))},
                          {"penalty", each.penalty}});
    }
    json::object out{{"score", standing.score},       {"band", text(name(standing.band))},
                     {"reason", standing.reason()},   {"weight", standing.weight},
                     {"terms", terms_json(standing)}, {"recent", std::move(recent)},
                     {"bans", standing.bans},         {"banned_by_operator", standing.banned_by_operator}};
    if (standing.banned_until) out["banned_for_s"] = seconds_in(*standing.banned_until - now);
    return out;
}

json::object peer_json(const PeerSnapshot& peer, Time now) {
    json::object row{{"peer_id", peer.peer_id},
                     {"role", text(net::name(peer.role))},
                     {"name", peer.name},
                     {"address", peer.address},
                     {"direction", peer.outbound ? "out" : "in"},
                     {"connected", peer.connected},
                     {"bytes_in", peer.bytes_in},
                     {"bytes_out", peer.bytes_out},
                     {"queued", json::array(peer.queued_bytes.begin(), peer.queued_bytes.end())},
                     {"dropped", json::array(peer.dropped.begin(), peer.dropped.end())},
                     {"since_s", std::chrono::duration_cast<std::chrono::seconds>(peer.since).count()},
                     {"last_error", peer.last_error},
                     {"standing", standing_json(peer.standing, now)}};
    if (peer.validator) row["validator"] = *peer.validator;
    if (peer.rtt) row["rtt_ms"] = milliseconds_in(*peer.rtt);
    return row;
}

}  // namespace

std::string to_json(const std::vector<PeerSnapshot>& peers, Time now) {
    json::array out;
    for (const PeerSnapshot& peer : peers) out.push_back(peer_json(peer, now));
    return line(out);
}

std::string to_json(const PeerSnapshot& peer, Time now) { return line(peer_json(peer, now)); }

std::string to_json(const std::vector<BanSnapshot>& bans) {
    json::array names;
    json::array details;
    for (const BanSnapshot& ban : bans) {
        names.push_back(text(ban.name.empty() ? ban.peer_id : ban.name));
        details.push_back({{"peer_id", ban.peer_id},
                           {"name", ban.name},
                           {"left_s", ban.left ? json::value(seconds_in(*ban.left)) : json::value(nullptr)},
                           {"reason", ban.reason}});
    }
    return line({{"bans", std::move(names)}, {"details", std::move(details)}});
}

std::string to_json(const std::vector<LimitSnapshot>& limits) {
    json::array out;
    for (const LimitSnapshot& limit : limits) {
        out.push_back({{"name", limit.name},
                       {"peer_id", limit.peer_id},
                       {"peer", limit.peer},
                       {"limit", limit.limit},
                       {"used", limit.used}});
    }
    return line(out);
}

std::string to_json(const std::vector<AddressSnapshot>& addresses) {
    json::array out;
    for (const AddressSnapshot& each : addresses) {
        json::object row{{"peer_id", each.peer_id},
                         {"name", each.name},
                         {"table", each.table},
                         {"addresses", json::array(each.addresses.begin(), each.addresses.end())}};
        if (!each.addresses.empty()) {
            row["sequence"] = each.sequence;
            row["expires_in_s"] = seconds_in(each.expires_in);
            row["failures"] = each.failures;
            row["source"] = each.source;
        }
        if (each.answered_ago) row["answered_ago_s"] = seconds_in(*each.answered_ago);
        out.push_back(std::move(row));
    }
    return line(out);
}

}  // namespace monodon::node
