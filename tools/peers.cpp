#include "tools/peers.hpp"

#include <cmath>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "tools/json_read.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

std::uint64_t sum(const json::array& numbers) {
    std::uint64_t total = 0;
    for (const json::value& one : numbers) total += as_number(one).value_or(0);
    return total;
}

std::string decimal(std::optional<double> value, int digits = 1) {
    return value ? fmt::format("{:.{}f}", *value, digits) : "-";
}

/// With a sign, but not for nothing.
std::string points(const json::object& term) {
    const double value = real(term, "points").value_or(0);
    return std::abs(value) < 0.05 ? "0" : fmt::format("{:+.1f}", value);
}

std::string megabytes(std::optional<double> bytes) {
    return bytes ? fmt::format("{:.2f}", *bytes / 1e6) : "-";
}

std::string name_of(const json::object& peer) {
    const std::string name = text(peer, "name");
    return name.empty() ? "-" : name;
}

Cell state_of(const json::object& peer) {
    const bool connected = flag(peer, "connected");
    return {connected ? "up" : "down", connected ? Tint::good : Tint::bad};
}

Cell band_of(const json::object& standing) {
    const std::string band = text(standing, "band");
    const bool fine = band == "neutral" || band == "preferred" || band.empty();
    return {band.empty() ? "-" : band, fine ? Tint::none : Tint::warning};
}

std::string age(double seconds) { return human_time(std::chrono::seconds(std::llround(seconds))); }

void add_connection(Table& table, const json::object& peer) {
    const auto dropped = sum(items(peer, "dropped"));
    table.row({name_of(peer),
               text(peer, "role"),
               text(peer, "peer_id"),
               one_line(text(peer, "address")),
               text(peer, "direction"),
               state_of(peer),
               decimal(real(peer, "rtt_ms")),
               human_bytes(number(peer, "bytes_in")),
               human_bytes(number(peer, "bytes_out")),
               human_bytes(sum(items(peer, "queued"))),
               {std::to_string(dropped), dropped > 0 ? Tint::warning : Tint::none},
               flag(peer, "connected") ? age(real(peer, "since_s").value_or(0)) : "-",
               one_line(text(peer, "last_error"))});
}

Table connections(const json::array& peers) {
    Table table({{"NAME"},
                 {"ROLE"},
                 {"PEER ID"},
                 {"ADDRESS"},
                 {"DIR"},
                 {"STATE"},
                 {"RTT ms", true},
                 {"IN", true},
                 {"OUT", true},
                 {"QUEUED", true},
                 {"DROPPED", true},
                 {"SINCE", true},
                 {"LAST ERROR"}});
    for (const json::value& peer : peers) add_connection(table, as_object(peer));
    return table;
}

Table standings(const json::array& peers) {
    Table table({{"NAME"},
                 {"STATE"},
                 {"RTT ms", true},
                 {"FIRST BYTE ms", true},
                 {"MB/S", true},
                 {"SCORE", true},
                 {"BAND"},
                 {"WEIGHT", true},
                 {"REASON"}});
    for (const json::value& each : peers) {
        const json::object& peer = as_object(each);
        const json::object& standing = child(peer, "standing");
        const json::object& terms = child(standing, "terms");
        table.row({name_of(peer), state_of(peer), decimal(real(peer, "rtt_ms")),
                   decimal(real(child(terms, "latency"), "first_byte_ms")),
                   megabytes(real(child(terms, "throughput"), "bytes_per_s")),
                   decimal(real(standing, "score")), band_of(standing),
                   std::to_string(number(standing, "weight")), one_line(text(standing, "reason"))});
    }
    return table;
}

Table terms_of(const json::array& peers) {
    Table table({{"NAME"},
                 {"BAND"},
                 {"SCORE", true},
                 {"USEFUL", true},
                 {"LATENCY", true},
                 {"THROUGHPUT", true},
                 {"FAILURES", true},
                 {"PENALTIES", true},
                 {"REPLIES", true},
                 {"FAILED", true},
                 {"REASON"}});
    for (const json::value& each : peers) {
        const json::object& peer = as_object(each);
        const json::object& standing = child(peer, "standing");
        const json::object& terms = child(standing, "terms");
        const json::object& failures = child(terms, "failures");
        table.row({name_of(peer), band_of(standing), decimal(real(standing, "score")),
                   points(child(terms, "useful")), points(child(terms, "latency")),
                   points(child(terms, "throughput")), points(failures), points(child(terms, "penalties")),
                   decimal(real(child(terms, "useful"), "replies")),
                   fmt::format("{}/{}", number(failures, "failed"), number(failures, "requests")),
                   one_line(text(standing, "reason"))});
    }
    return table;
}

std::string faults_of(const json::object& penalties) {
    std::string out;
    for (const auto& [fault, count] : child(penalties, "faults")) {
        out +=
            fmt::format("{}{} x{}", out.empty() ? "" : ", ", one_line(fault), as_number(count).value_or(0));
    }
    return out;
}

void add_terms(Table& table, const json::object& standing) {
    const json::object& terms = child(standing, "terms");
    const json::object& useful = child(terms, "useful");
    const json::object& latency = child(terms, "latency");
    const json::object& throughput = child(terms, "throughput");
    const json::object& failures = child(terms, "failures");
    const json::object& penalties = child(terms, "penalties");
    table.row(
        {"  useful", fmt::format("{}  {} useful replies", points(useful), decimal(real(useful, "replies")))});
    table.row({"  latency",
               fmt::format("{}  {} ms to the first byte, median {} ms", points(latency),
                           decimal(real(latency, "first_byte_ms")), decimal(real(latency, "median_ms")))});
    table.row({"  throughput", fmt::format("{}  {} MB/s, median {} MB/s", points(throughput),
                                           megabytes(real(throughput, "bytes_per_s")),
                                           megabytes(real(throughput, "median_bytes_per_s")))});
    table.row({"  failures", fmt::format("{}  {} of {} requests of 5 min failed", points(failures),
                                         number(failures, "failed"), number(failures, "requests"))});
    const std::string faults = faults_of(penalties);
    table.row({"  penalties",
               fmt::format("{}  {}", points(penalties), faults.empty() ? "nothing wrong so far" : faults)});
}

std::string ban_of(const json::object& standing) {
    if (flag(standing, "banned_by_operator")) return "by the operator, until it is lifted";
    if (const auto left = real(standing, "banned_for_s")) return "for another " + age(*left);
    const std::uint64_t bans = number(standing, "bans");
    return bans == 0 ? "never" : fmt::format("{} so far", bans);
}

/// Everything about one peer, a line for each thing.
void add_all(Table& table, const json::object& peer) {
    const json::object& standing = child(peer, "standing");
    table.row({"name", name_of(peer)});
    table.row({"peer id", text(peer, "peer_id")});
    table.row({"address", fmt::format("{} ({})", one_line(text(peer, "address")), text(peer, "direction"))});
    table.row({"state", state_of(peer)});
    if (flag(peer, "connected")) table.row({"since", age(real(peer, "since_s").value_or(0))});
    table.row({"round trip", decimal(real(peer, "rtt_ms")) + " ms"});
    table.row({"bytes",
               fmt::format("{} in, {} out, {} queued", human_bytes(number(peer, "bytes_in")),
                           human_bytes(number(peer, "bytes_out")), human_bytes(sum(items(peer, "queued"))))});
    table.row({"dropped", std::to_string(sum(items(peer, "dropped"))) + " messages"});
    const std::string error = one_line(text(peer, "last_error"));
    table.row({"last error", error.empty() ? "none" : error});
    table.row({"band", band_of(standing)});
    table.row({"score", decimal(real(standing, "score"))});
    add_terms(table, standing);
    table.row(
        {"weight", fmt::format("{} (100 is usual, 0 only for exploration)", number(standing, "weight"))});
    table.row({"banned", ban_of(standing)});
    for (const json::value& each : items(standing, "recent")) {
        const json::object& incident = as_object(each);
        table.row(
            {"recent", fmt::format("{} ago: {}, {} points", age(real(incident, "ago_s").value_or(0)),
                                   one_line(text(incident, "fault")), decimal(real(incident, "penalty")))});
    }
}

int book(Asker& asker, Form form) {
    const auto answer = asker.get("/v1/addresses");
    if (!answer) return report(answer.error());
    if (form == Form::json) {
        print_json(*answer);
        return kExitDone;
    }
    Table table({{"NAME"},
                 {"PEER ID"},
                 {"TABLE"},
                 {"ADDRESSES"},
                 {"ANSWERED", true},
                 {"EXPIRES", true},
                 {"FAILURES", true},
                 {"SOURCE"}});
    const auto span = [](std::optional<double> value) {
        return value ? human_time(std::chrono::seconds(static_cast<std::int64_t>(*value))) : "-";
    };
    for (const json::value& one : as_array(*answer)) {
        const json::object& entry = as_object(one);
        std::string addresses;
        for (const json::value& address : items(entry, "addresses"))
            addresses += (addresses.empty() ? "" : " ") + std::string(address.as_string());
        const std::string name = text(entry, "name");
        const auto expires = real(entry, "expires_in_s");
        table.row({name.empty() ? "-" : name, text(entry, "peer_id"), text(entry, "table"),
                   addresses.empty() ? "-" : one_line(addresses), span(real(entry, "answered_ago_s")),
                   expires && *expires <= 0 ? "expired" : span(expires),
                   std::to_string(number(entry, "failures")),
                   addresses.empty() ? "-" : text(entry, "source")});
    }
    table.print(form);
    return kExitDone;
}

}  // namespace

int peers(const PeersOptions& options) {
    auto asker = ask_one(options.where);
    if (!asker) return report(asker.error());
    if (options.book) return book(*asker, options.form);
    const auto answer = asker->get("/v1/peers");
    if (!answer) return report(answer.error());
    if (options.form == Form::json) {
        print_json(*answer);
        return kExitDone;
    }
    const json::array& peers = as_array(*answer);
    switch (options.level) {
        case 0: {
            std::size_t connected = 0;
            for (const json::value& each : peers) connected += flag(as_object(each), "connected") ? 1 : 0;
            Table table({{"CONNECTED", true}, {"KNOWN", true}});
            table.row({std::to_string(connected), std::to_string(peers.size())});
            table.print(options.form);
            break;
        }
        case 1:
            connections(peers).print(options.form);
            break;
        case 2:
            standings(peers).print(options.form);
            break;
        case 3:
            terms_of(peers).print(options.form);
            break;
        default:
            for (const json::value& each : peers) {
                Table table({{"PEER"}, {name_of(as_object(each))}});
                add_all(table, as_object(each));
                table.print(options.form);
            }
    }
    return kExitDone;
}

int peer(const PeerOptions& options) {
    auto asker = ask_one(options.where);
    if (!asker) return report(asker.error());
    const auto answer = asker->get("/v1/peers/" + options.peer);
    if (!answer) return report(answer.error());
    if (options.form == Form::json) {
        print_json(*answer);
        return kExitDone;
    }
    Table table({{"PEER"}, {options.peer}});
    add_all(table, as_object(*answer));
    table.print(options.form);
    return kExitDone;
}

int limits(const PeersOptions& options) {
    auto asker = ask_one(options.where);
    if (!asker) return report(asker.error());
    const auto answer = asker->get("/v1/limits");
    if (!answer) return report(answer.error());
    if (options.form == Form::json) {
        print_json(*answer);
        return kExitDone;
    }
    Table table({{"PEER"}, {"LIMIT"}, {"USED", true}, {"OF", true}});
    for (const json::value& each : as_array(*answer)) {
        const json::object& limit = as_object(each);
        std::string who = text(limit, "peer");
        if (who.empty()) who = text(limit, "peer_id");
        table.row({who.empty() ? "all" : who, text(limit, "name"), grouped(number(limit, "used")),
                   grouped(number(limit, "limit"))});
    }
    table.print(options.form);
    return kExitDone;
}

}  // namespace monodon::tools
