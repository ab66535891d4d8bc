#include "tools/status.hpp"

#include <thread>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "node/units.hpp"
#include "tools/json_read.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

using Clock = std::chrono::steady_clock;
using Answers = std::vector<Result<json::object>>;

constexpr auto kWatchPeriod = std::chrono::seconds(1);
constexpr auto kWaitPoll = std::chrono::milliseconds(50);
constexpr Timeout kStatusTimeout = std::chrono::seconds(2);
constexpr std::string_view kClearScreen = "\033[H\033[2J\033[3J";

Tint tint_of(const std::string& state) {
    if (state == "ready") return Tint::good;
    if (state == "halted" || state == "down") return Tint::bad;
    return Tint::warning;
}

std::string first_reason(const json::object& status) {
    const json::array& reasons = items(status, "reasons");
    return reasons.empty() || !reasons.front().is_string()
               ? ""
               : one_line(std::string(reasons.front().get_string()));
}

std::string note_of(const json::object& status) {
    std::string reason = first_reason(status);
    return reason.empty() && text(status, "role") == "observer" ? "observer" : reason;
}

std::string latency(const json::object& status) {
    const json::object& ms = child(status, "latency_ms");
    const auto p50 = real(ms, "commit_p50");
    const auto p99 = real(ms, "commit_p99");
    return p50 && p99 ? fmt::format("{:.0f}/{:.0f}", *p50, *p99) : "-";
}

std::string disk_mb(const json::object& status) {
    return fmt::format("{:.0f}", static_cast<double>(number(status, "disk_bytes")) / 1e6);
}

/// Not known until the others have said where they are.
std::string lag_text(const json::object& status) {
    const auto lag = real(status, "lag");
    return lag ? fmt::format("{:.0f}", *lag) : "-";
}

std::string short_failure(const NodeRef& node, const Failure& failure) {
    if (node.process == ProcessState::gone) return "process is not running";
    if (node.process == ProcessState::stopped) return "process is paused";
    return failure.code == kExitTimedOut ? "no answer: overloaded?" : "nobody answers at its socket";
}

void add_row(Table& table, const NodeRef& node, const Result<json::object>& answer) {
    if (!answer) {
        table.row({node.name,
                   {"down", Tint::bad},
                   "-",
                   "-",
                   "-",
                   "-",
                   "-",
                   "-",
                   "-",
                   short_failure(node, answer.error())});
        return;
    }
    const json::object& status = *answer;
    const std::string state = text(status, "state");
    const auto rate = real(status, "tx_per_s").value_or(0);
    const auto lag = real(status, "lag");
    table.row({node.process ? node.name : text(status, "name"),
               {state, tint_of(state)},
               std::to_string(number(status, "round")),
               std::to_string(number(status, "commit")),
               {lag_text(status), lag && *lag > 10 ? Tint::warning : Tint::none},
               fmt::format("{}/{}", number(status, "peers_connected"), number(status, "peers_total")),
               rate > 0 ? fmt::format("{:.0f}", rate) : "-",
               latency(status),
               disk_mb(status),
               note_of(status)});
}

void print_table(const std::vector<NodeRef>& nodes, const Answers& answers, Form form) {
    if (form == Form::json) {
        json::array list;
        for (std::size_t at = 0; at < nodes.size(); ++at) {
            if (answers[at]) {
                list.push_back(*answers[at]);
            } else {
                list.push_back(json::object{{"name", nodes[at].name},
                                            {"state", "down"},
                                            {"ready", false},
                                            {"error", answers[at].error().message}});
            }
        }
        return print_json(list);
    }
    Table table({{"NODE"},
                 {"STATE"},
                 {"ROUND", true},
                 {"COMMIT", true},
                 {"LAG", true},
                 {"PEERS", true},
                 {"TX/S", true},
                 {"p50/p99 ms", true},
                 {"DB MB", true},
                 {"NOTE"}});
    for (std::size_t at = 0; at < nodes.size(); ++at) add_row(table, nodes[at], answers[at]);
    table.print(form);
}

std::string validators_line(const json::object& status) {
    std::string line;
    for (const json::value& item : items(status, "validators")) {
        const json::object& validator = as_object(item);
        if (!line.empty()) line += "  ";
        line += fmt::format("{} round {} weight {}", text(validator, "name"), number(validator, "last_round"),
                            number(validator, "weight"));
    }
    return line;
}

void print_detail(const NodeRef& node, const json::object& status, Form form) {
    if (form == Form::json) return print_json(status);
    const std::string state = text(status, "state");
    const json::object& listen = child(status, "listen");
    const std::string api = text(listen, "api");
    Table table({{"FIELD"}, {"VALUE"}});
    const std::string place = text(status, "role") == "observer"
                                  ? "observer"
                                  : fmt::format("validator {}", number(status, "validator"));
    table.row({"node", fmt::format("{} ({} of {})", text(status, "name"), place, text(status, "chain_id"))});
    table.row({"peer id", text(status, "peer_id")});
    const std::string reason = first_reason(status);
    table.row({"state", {reason.empty() ? state : fmt::format("{}: {}", state, reason), tint_of(state)}});
    table.row({"round", fmt::format("{} (highest seen {}, target {})", number(status, "round"),
                                    number(status, "highest_round"), number(status, "target_round"))});
    table.row(
        {"commit", fmt::format("{} of round {}, digest {}", number(status, "commit"),
                               number(status, "commit_round"), text(status, "commit_digest").substr(0, 16))});
    table.row({"executed", fmt::format("{} (lag {})", number(status, "executed"), lag_text(status))});
    table.row({"state root", fmt::format("{} at {}", text(status, "state_root").substr(0, 16),
                                         number(status, "state_root_index"))});
    table.row({"peers", fmt::format("{} of {} connected", number(status, "peers_connected"),
                                    number(status, "peers_total"))});
    table.row({"transactions", fmt::format("{} ordered, {:.0f} a second, p50/p99 {} ms",
                                           grouped(number(status, "transactions")),
                                           real(status, "tx_per_s").value_or(0), latency(status))});
    table.row({"anchors", fmt::format("{} committed, {} skipped", number(status, "anchors_committed"),
                                      number(status, "anchors_skipped"))});
    table.row({"equivocations", std::to_string(number(status, "equivocations"))});
    table.row({"validators", validators_line(status)});
    table.row({"disk", human_bytes(number(status, "disk_bytes"))});
    table.row({"listens",
               fmt::format("peers {}, api {}", text(listen, "peer"), api.empty() ? "off" : "http://" + api)});
    table.row({"socket", node.socket.string()});
    table.row(
        {"process", fmt::format("pid {}, version {}, up {}", number(status, "pid"), text(status, "version"),
                                human_time(std::chrono::seconds(
                                    static_cast<std::int64_t>(real(status, "uptime_s").value_or(0)))))});
    table.print(form);
}

bool reached(const Awaited& awaited, const json::object& status) {
    switch (awaited.what) {
        case Awaited::What::ready:
            return flag(status, "ready");
        case Awaited::What::round:
            return number(status, "round") >= awaited.least;
        case Awaited::What::commit:
            return number(status, "commit") >= awaited.least;
    }
    return false;
}

std::string where_it_stands(const NodeRef& node, const Result<json::object>& answer) {
    if (!answer) return fmt::format("{}: {}", node.name, short_failure(node, answer.error()));
    return fmt::format("{}: {}, round {}, commit {}", node.name, text(*answer, "state"),
                       number(*answer, "round"), number(*answer, "commit"));
}

/// Until each node is there.
Result<Answers> wait_for(const std::vector<NodeRef>& nodes, const Awaited& awaited, Clock::duration timeout) {
    const auto deadline = Clock::now() + timeout;
    Progress progress("waiting", nodes.size(), "nodes");
    for (;;) {
        Answers answers = all_statuses(nodes, kStatusTimeout);
        std::string behind;
        std::size_t there = 0;
        for (std::size_t at = 0; at < nodes.size(); ++at) {
            if (answers[at] && reached(awaited, *answers[at])) {
                ++there;
            } else {
                behind +=
                    fmt::format("{}{}", behind.empty() ? "" : "; ", where_it_stands(nodes[at], answers[at]));
            }
        }
        if (there == nodes.size()) return answers;
        if (Clock::now() > deadline) {
            return failure(kExitTimedOut,
                           fmt::format("not there after {}: {}",
                                       human_time(std::chrono::duration_cast<Duration>(timeout)), behind));
        }
        progress.update(there, behind);
        std::this_thread::sleep_for(kWaitPoll);
    }
}

int exit_code_of(const Answers& answers) {
    int code = kExitDone;
    for (const auto& answer : answers) {
        if (!answer) return answer.error().code;
        if (!flag(*answer, "ready")) code = kExitNotReady;
    }
    return code;
}

/// One node of several: the first that answers, or the first.
void keep_one(std::vector<NodeRef>& nodes) {
    if (nodes.size() < 2) return;
    const auto found = first_that_answers(nodes);
    nodes = {found ? found->node() : nodes.front()};
}

int show(const std::vector<NodeRef>& nodes, const Answers& answers, const StatusOptions& options) {
    if (options.all) {
        print_table(nodes, answers, options.form);
    } else if (answers.front()) {
        print_detail(nodes.front(), *answers.front(), options.form);
    } else {
        return report(answers.front().error());
    }
    return options.wait ? kExitDone : exit_code_of(answers);
}

}  // namespace

std::optional<Awaited> parse_awaited(std::string_view text) {
    if (text == "ready") return Awaited{};
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto least = node::parse_number(text.substr(equals + 1));
    const std::string_view what = text.substr(0, equals);
    if (!least || (what != "round" && what != "commit")) return std::nullopt;
    return Awaited{what == "round" ? Awaited::What::round : Awaited::What::commit, *least};
}

int status(const StatusOptions& options) {
    auto nodes = find_nodes(options.where);
    if (!nodes) return report(nodes.error());
    if (!options.all) keep_one(*nodes);
    if (options.wait) {
        const auto answers = wait_for(*nodes, *options.wait, options.timeout);
        return answers ? show(*nodes, *answers, options) : report(answers.error());
    }
    if (!options.watch) return show(*nodes, all_statuses(*nodes, kStatusTimeout), options);
    while (!output_lost()) {
        const Answers answers = all_statuses(*nodes, kStatusTimeout);
        if (is_terminal(stdout) && options.form == Form::table) print_text(kClearScreen);
        // A node that is down now may be back in a second.
        show(*nodes, answers, options);
        std::this_thread::sleep_for(kWatchPeriod);
    }
    return kExitFailed;
}

}  // namespace monodon::tools
