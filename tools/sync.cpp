#include <thread>

#include <fmt/format.h>

#include "tools/json_read.hpp"
#include "tools/why.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

constexpr auto kSyncPoll = std::chrono::milliseconds(200);

std::string seconds(double value) {
    return human_time(std::chrono::microseconds(static_cast<std::int64_t>(value * 1'000'000)));
}

std::string fetched(const json::object& answer) {
    const json::object& certificates = child(answer, "certificates");
    const json::object& bytes = child(answer, "bytes");
    const double useful = static_cast<double>(number(bytes, "useful"));
    const double wasted = static_cast<double>(number(bytes, "wasted"));
    return fmt::format("fetched {} certificates, {}, {:.1f} % of the bytes for nothing",
                       grouped(number(certificates, "useful")),
                       human_bytes(number(bytes, "useful") + number(bytes, "wasted")),
                       useful + wasted > 0 ? 100 * wasted / (useful + wasted) : 0.0);
}

/// The last stretch of rounds that was fetched; nothing before the first.
std::string last_time(const json::object& answer) {
    const json::object& last = child(answer, "last");
    const auto rate = real(last, "certificates_per_s");
    if (!rate) return "";
    return fmt::format("; last caught up {} rounds in {}, {:.0f} certificates/s",
                       grouped(number(last, "to_round") - number(last, "from_round")),
                       seconds(real(last, "seconds").value_or(0)), *rate);
}

std::string pace(const json::object& answer) {
    const auto rate = real(answer, "rounds_per_s");
    if (!rate) return "";
    const auto remaining = real(answer, "remaining_s");
    return fmt::format("{:.0f} rounds/s, {}", *rate,
                       remaining ? seconds(*remaining) + " left" : std::string("no estimate yet"));
}

/// Until nothing is fetched any more and what is ordered is executed.
int follow(Asker& asker, json::object answer) {
    Progress bar("rounds", number(answer, "target_round"), "rounds");
    while (text(answer, "mode") != "live" || number(answer, "executed") < number(answer, "commit")) {
        if (text(answer, "mode") == "halted")
            return report({kExitFailed, "ordering has stopped; `monodon why` tells why"});
        bar.update(number(answer, "highest_round"), pace(answer));
        std::this_thread::sleep_for(kSyncPoll);
        const auto next = asker.get("/v1/sync");
        if (!next) return report(next.error());
        answer = as_object(*next);
    }
    print_line(sync_text(answer));
    return kExitDone;
}

}  // namespace

std::string sync_text(const json::object& answer) {
    const std::string mode = text(answer, "mode");
    std::string out = one_line(mode) + ": ";
    if (mode == "ranges") {
        out += fmt::format("round {} of {}, {}", grouped(number(answer, "highest_round")),
                           grouped(number(answer, "target_round")), pace(answer));
    } else if (mode == "unknown") {
        out += "nobody has said yet where the committee is";
    } else {
        out += fmt::format("round {}, commit {} executed of {}", grouped(number(answer, "highest_round")),
                           grouped(number(answer, "executed")), grouped(number(answer, "commit")));
        if (const auto missing = number(answer, "batches_missing"); missing > 0)
            out += fmt::format(", {} batches missing", grouped(missing));
    }
    return out + "; " + fetched(answer) + last_time(answer);
}

int sync(const SyncOptions& options) {
    auto asker = ask_one(options.where);
    if (!asker) return report(asker.error());
    const auto answer = asker->get("/v1/sync");
    if (!answer) return report(answer.error());
    if (options.follow) return follow(*asker, as_object(*answer));
    if (options.form == Form::json) {
        print_json(*answer);
    } else if (options.form == Form::plain) {
        const json::object& now = as_object(*answer);
        print_line(fmt::format("{}\t{}\t{}\t{}\t{}", one_line(text(now, "mode")),
                               number(now, "highest_round"), number(now, "target_round"),
                               number(now, "commit"), number(now, "executed")));
    } else {
        print_line(sync_text(as_object(*answer)));
    }
    return kExitDone;
}

}  // namespace monodon::tools
