#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "tools/json_read.hpp"
#include "tools/status.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

std::uint64_t sum(const json::array& numbers) {
    std::uint64_t total = 0;
    for (const json::value& one : numbers) total += as_number(one).value_or(0);
    return total;
}

std::string milliseconds(std::optional<double> value) { return value ? fmt::format("{:.1f}", *value) : "-"; }

void add_row(Table& table, const json::object& peer) {
    const bool connected = flag(peer, "connected");
    const std::string name = text(peer, "name");
    const auto dropped = sum(items(peer, "dropped"));
    const auto since = static_cast<std::int64_t>(real(peer, "since_s").value_or(0));
    table.row({name.empty() ? "client" : name,
               text(peer, "peer_id"),
               one_line(text(peer, "address")),
               text(peer, "direction"),
               {connected ? "up" : "down", connected ? Tint::good : Tint::bad},
               milliseconds(real(peer, "rtt_ms")),
               human_bytes(number(peer, "bytes_in")),
               human_bytes(number(peer, "bytes_out")),
               human_bytes(sum(items(peer, "queued"))),
               {std::to_string(dropped), dropped > 0 ? Tint::warning : Tint::none},
               connected ? human_time(std::chrono::seconds(since)) : "-",
               one_line(text(peer, "last_error"))});
}

}  // namespace

int peers(const PeersOptions& options) {
    auto asker = ask_one(options.where);
    if (!asker) return report(asker.error());
    const auto answer = asker->get("/v1/peers");
    if (!answer) return report(answer.error());
    if (options.form == Form::json) {
        print_json(*answer);
        return kExitDone;
    }
    Table table({{"NAME"},
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
    for (const json::value& peer : as_array(*answer)) add_row(table, as_object(peer));
    table.print(options.form);
    return kExitDone;
}

}  // namespace monodon::tools
