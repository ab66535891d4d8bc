#include "tools/simulate/report.hpp"

#include <fmt/format.h>

namespace monodon::sim {

namespace {

double hours(Duration time) { return static_cast<double>(time.count()) / 3.6e9; }

double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string escaped(const std::string& text) {
    std::string out;
    for (const char each : text) {
        if (each == '"' || each == '\\') out += '\\';
        out += each;
    }
    return out;
}

double latency(const Totals& totals) { return ratio(totals.latency_tenths, 10 * totals.latency_commits); }

}  // namespace

std::string progress_line(const Totals& totals) {
    return fmt::format("{} seeds, {:.2f} virtual hours, {} commits, {} violations", totals.seeds,
                       hours(totals.sum.virtual_time), totals.sum.commits, totals.violations);
}

std::string summary(const Totals& totals, double seconds) {
    const Result& sum = totals.sum;
    std::string text = progress_line(totals) + "\n";
    text += fmt::format("anchors      {} committed, {} skipped\n", sum.commits, sum.skipped);
    text += fmt::format("certificates {} made, {:.1f} % ordered\n", sum.certificates,
                        100 * ratio(sum.ordered_certificates, sum.certificates));
    text += fmt::format("latency      {:.1f} message delays from an anchor's header to its commit\n",
                        latency(totals));
    text += fmt::format("batches      {} made, {} acknowledged, {} executed, {} sealed again\n", sum.batches,
                        sum.acknowledged, sum.executed, sum.reproposals);
    text += fmt::format("network      {} packets, {} bytes, {} requests timed out\n", sum.packets, sum.bytes,
                        sum.request_timeouts);
    text += fmt::format("misbehaviour {} equivocations seen, {} objects refused\n", sum.equivocations,
                        sum.refused);
    text += fmt::format("healing      {:.1f} s at the longest\n",
                        static_cast<double>(totals.longest_healing.count()) / 1e6);
    std::string never;
    text += "faults      ";
    for_each_fault([&](Fault fault) {
        const std::uint64_t count = sum.injected[static_cast<std::size_t>(fault)];
        if (count > 0) {
            text += fmt::format(" {} {}", name(fault), count);
        } else {
            never += fmt::format(" {}", name(fault));
        }
    });
    text += fmt::format("\nnever        {}\n", never.empty() ? " none" : never);
    text += fmt::format("trace hash   {:016x}\n", totals.trace_hash);
    text += fmt::format("speed        {:.0f} seeds a minute, {:.1f} s\n",
                        seconds > 0 ? 60 * static_cast<double>(totals.seeds) / seconds : 0, seconds);
    return text;
}

std::string summary_json(const Totals& totals, double seconds) {
    const Result& sum = totals.sum;
    std::string text = fmt::format(
        R"({{"seeds":{},"violations":{},"virtual_hours":{:.4f},"commits":{},"skipped":{},"certificates":{},)"
        R"("ordered":{},"latency_message_delays":{:.2f},"batches":{},"acknowledged":{},"executed":{},)"
        R"("sealed_again":{},"packets":{},"bytes":{},"request_timeouts":{},"equivocations":{},"refused":{},)"
        R"("longest_healing_s":{:.3f},"trace_hash":"{:016x}","seconds":{:.3f},"faults":{{)",
        totals.seeds, totals.violations, hours(sum.virtual_time), sum.commits, sum.skipped, sum.certificates,
        sum.ordered_certificates, latency(totals), sum.batches, sum.acknowledged, sum.executed,
        sum.reproposals, sum.packets, sum.bytes, sum.request_timeouts, sum.equivocations, sum.refused,
        static_cast<double>(totals.longest_healing.count()) / 1e6, totals.trace_hash, seconds);
    bool first = true;
    for_each_fault([&](Fault fault) {
        text += fmt::format(R"({}"{}":{})", first ? "" : ",", name(fault),
                            sum.injected[static_cast<std::size_t>(fault)]);
        first = false;
    });
    text += R"(},"failed":[)";
    first = true;
    for (const Result& failed : totals.failed) {
        text += fmt::format(R"({}{{"seed":{},"invariant":"{}","what":"{}"}})", first ? "" : ",", failed.seed,
                            escaped(failed.violation->invariant), escaped(failed.violation->what));
        first = false;
    }
    return text + "]}\n";
}

std::string violation_text(const Result& failed, const Options& options) {
    Options again = options;
    again.seed = failed.seed;
    return fmt::format("violation of invariant {}\n  {}\n  faults on: {}\n  again: {}\n",
                       failed.violation->invariant, failed.violation->what, failed.faults.text(),
                       command_line(again));
}

}  // namespace monodon::sim
