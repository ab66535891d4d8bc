#include "tools/simulate/report.hpp"

#include <fmt/format.h>

#include "net/core/time.hpp"

namespace monodon::sim {

namespace {

double hours_in(Duration time) { return seconds_in(time) / 3600; }

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

/// Of commits, in message delays.
struct Latency {
    double median = 0;
    double high = 0;
    double mean = 0;
};

Latency latency(const std::map<std::uint64_t, std::uint64_t>& latency_tenths) {
    std::uint64_t commits = 0;
    std::uint64_t sum = 0;
    for (const auto& [tenths, count] : latency_tenths) {
        commits += count;
        sum += tenths * count;
    }
    const auto up_to = [&](std::uint64_t percent) {
        std::uint64_t seen = 0;
        for (const auto& [tenths, count] : latency_tenths) {
            seen += count;
            if (seen * 100 >= commits * percent) return static_cast<double>(tenths) / 10;
        }
        return 0.0;
    };
    return {up_to(50), up_to(95), ratio(sum, 10 * commits)};
}

std::string latency_line(std::string_view which, const std::map<std::uint64_t, std::uint64_t>& tenths) {
    const Latency taken = latency(tenths);
    return fmt::format(
        "latency      {:.1f} message delays{}from an anchor's header to its commit at the median, {:.1f} at "
        "the "
        "95th percentile, {:.1f} on average\n",
        taken.median, which, taken.high, taken.mean);
}

double settled_percent(const Result& sum) { return 100 * ratio(sum.settled_anchors, sum.settled_rounds); }

}  // namespace

std::string progress_line(const Totals& totals) {
    return fmt::format("{} seeds, {:.2f} virtual hours, {} commits, {} violations", totals.seeds,
                       hours_in(totals.sum.virtual_time), totals.sum.commits, totals.violations);
}

std::string summary(const Totals& totals, double seconds) {
    const Result& sum = totals.sum;
    std::string text = progress_line(totals) + "\n";
    text += fmt::format(
        "anchors      {} committed, {} skipped, {:.1f} % of those decided; {:.1f} % of the rounds have one "
        "(second halves, Shoal)\n",
        sum.commits, sum.skipped, 100 * ratio(sum.commits, sum.commits + sum.skipped), settled_percent(sum));
    text += fmt::format("certificates {} made, {:.1f} % named by others, {:.1f} % ordered\n",
                        sum.certificates, 100 * ratio(sum.referenced, sum.certificates),
                        100 * ratio(sum.ordered_certificates, sum.certificates));
    text += latency_line(" ", totals.latency_tenths);
    if (!totals.long_latency_tenths.empty()) {
        text += latency_line(" of 10 ms and more ", totals.long_latency_tenths);
    }
    text += fmt::format("batches      {} made, {} acknowledged, {} executed, {} sealed again\n", sum.batches,
                        sum.acknowledged, sum.executed, sum.reproposals);
    text += fmt::format("network      {} packets, {} bytes, {} requests timed out\n", sum.packets, sum.bytes,
                        sum.request_timeouts);
    const dag::SyncStats& fetched = sum.fetched;
    text += fmt::format(
        "fetched      {} certificates, {} of them by their hashes; {} came twice; {} bytes useful, {} wasted "
        "({:.1f} %); {} of {} "
        "requests "
        "failed\n",
        fetched.certificates_synced, sum.by_hash, fetched.certificates_duplicate, fetched.bytes_useful,
        fetched.bytes_wasted, 100 * ratio(fetched.bytes_wasted, fetched.bytes_useful + fetched.bytes_wasted),
        fetched.requests_failed, fetched.requests);
    text += fmt::format("misbehaviour {} equivocations seen, {} objects refused\n", sum.equivocations,
                        sum.refused);
    text += fmt::format("healing      {:.1f} s at the longest\n", seconds_in(totals.longest_healing));
    if (totals.led_astray > 0) {
        text += fmt::format(
            "schedule     {} runs healed late: it held on to members that do not lead (seed {})\n",
            totals.led_astray, totals.first_astray);
    }
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
    const Latency taken = latency(totals.latency_tenths);
    const Latency far = latency(totals.long_latency_tenths);
    std::string text = fmt::format(
        R"({{"seeds":{},"violations":{},"virtual_hours":{:.4f},"commits":{},"skipped":{},"certificates":{},)"
        R"("named":{},"ordered":{},"settled_anchors_percent":{:.2f},"latency_message_delays":)"
        R"({{"median":{:.1f},"p95":{:.1f},"mean":{:.2f}}},"latency_message_delays_of_10_ms":)"
        R"({{"median":{:.1f},"p95":{:.1f},"mean":{:.2f}}},"batches":{},"acknowledged":{},"executed":{},)"
        R"("sealed_again":{},"fetched":{{"certificates":{},"duplicates":{},"bytes_useful":{},)"
        R"("bytes_wasted":{},"requests":{},"requests_failed":{}}},"packets":{},"bytes":{},)"
        R"("request_timeouts":{},"equivocations":{},"refused":{},)"
        R"("longest_healing_s":{:.3f},"led_astray":{},"trace_hash":"{:016x}","seconds":{:.3f},"faults":{{)",
        totals.seeds, totals.violations, hours_in(sum.virtual_time), sum.commits, sum.skipped,
        sum.certificates, sum.referenced, sum.ordered_certificates, settled_percent(sum), taken.median,
        taken.high, taken.mean, far.median, far.high, far.mean, sum.batches, sum.acknowledged, sum.executed,
        sum.reproposals, sum.fetched.certificates_synced, sum.fetched.certificates_duplicate,
        sum.fetched.bytes_useful, sum.fetched.bytes_wasted, sum.fetched.requests, sum.fetched.requests_failed,
        sum.packets, sum.bytes, sum.request_timeouts, sum.equivocations, sum.refused,
        seconds_in(totals.longest_healing), totals.led_astray, totals.trace_hash, seconds);
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
