#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/bench.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

std::string per_second(double value) { return grouped(static_cast<std::uint64_t>(value + 0.5)) + "/s"; }

std::string gigabytes(double bytes_per_second) { return fmt::format("{:.2f} GB/s", bytes_per_second / 1e9); }

double rate_of(std::uint64_t count, double seconds) {
    return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

std::string quantiles(const Histogram& histogram) {
    const auto p50 = histogram.quantile(0.5);
    const auto p99 = histogram.quantile(0.99);
    if (!p50 || !p99) return "-";
    return fmt::format("p50 {}  p99 {}  most {}", human_time(*p50), human_time(*p99),
                       human_time(histogram.most()));
}

json::value quantiles_json(const Histogram& histogram) {
    const auto p50 = histogram.quantile(0.5);
    const auto p99 = histogram.quantile(0.99);
    if (!p50 || !p99) return nullptr;
    const auto ms = [](std::chrono::microseconds time) { return static_cast<double>(time.count()) / 1000; };
    return json::object{{"p50", ms(*p50)},
                        {"p90", ms(histogram.quantile(0.9).value_or(*p99))},
                        {"p99", ms(*p99)},
                        {"max", ms(histogram.most())},
                        {"samples", histogram.count()}};
}

using Reasons = std::map<std::string, std::uint64_t>;

json::object as_json(const Reasons& reasons) {
    json::object object;
    for (const auto& [why, count] : reasons) object[why] = count;
    return object;
}

/// `0`, or `12 (busy)`, or `14 (busy 12, duplicate 2)`.
std::string in_words(const Reasons& reasons) {
    std::uint64_t total = 0;
    std::string list;
    for (const auto& [why, count] : reasons) {
        total += count;
        list +=
            reasons.size() == 1 ? why : fmt::format("{}{} {}", list.empty() ? "" : ", ", why, grouped(count));
    }
    return list.empty() ? "0" : fmt::format("{} ({})", grouped(total), list);
}

std::string_view name(LoadKind kind) { return kind == LoadKind::put ? "put" : "opaque"; }

json::object as_json(const BenchOptions& options, const BenchResult& result, const MachineLimits* limits) {
    json::object out{{"validators", json::array(result.validators.begin(), result.validators.end())},
                     {"connections", result.connections},
                     {"kind", name(options.kind)},
                     {"size", options.size},
                     {"rate_wanted", options.rate},
                     {"seconds", result.seconds},
                     {"rate_offered", rate_of(result.offered, result.seconds)},
                     {"committed_per_second", rate_of(result.committed_in_window, result.seconds)},
                     {"executed_per_second", rate_of(result.executed_in_window, result.seconds)},
                     {"commit_latency_ms", quantiles_json(result.commit_latency)},
                     {"execution_latency_ms", quantiles_json(result.execution_latency)},
                     {"offered", result.offered},
                     {"executed", result.executed},
                     {"refused", as_json(result.refused)},
                     {"lost", as_json(result.lost)},
                     {"unsent", result.unsent}};
    if (limits != nullptr) {
        out["limits"] = json::object{{"memory_copy_bytes_per_second", limits->memory_copy},
                                     {"sha256_bytes_per_second", limits->sha256},
                                     {"tls_stream_bytes_per_second", limits->tls_stream},
                                     {"fdatasync_4k_us_p50", limits->sync_p50.count()},
                                     {"fdatasync_4k_us_p99", limits->sync_p99.count()}};
    }
    return out;
}

}  // namespace

void print_bench(const BenchOptions& options, const BenchResult& result, const MachineLimits* limits) {
    if (options.form == Form::json) return print_json(as_json(options, result, limits));
    const double committed = rate_of(result.committed_in_window, result.seconds);
    Table table({{"BENCH"}, {fmt::format("{} transactions of {} B", name(options.kind), options.size)}});
    table.row({"load", fmt::format("{} validators, {} connections, {:.1f} s measured after {:.1f} s",
                                   result.validators.size(), result.connections, result.seconds,
                                   std::chrono::duration<double>(options.warmup).count())});
    table.row({"offered", fmt::format("{} (wanted {}/s)", per_second(rate_of(result.offered, result.seconds)),
                                      grouped(options.rate))});
    table.row({"committed",
               {fmt::format("{}  {:.1f} MB/s", per_second(committed),
                            committed * static_cast<double>(options.size) / 1e6),
                Tint::good}});
    table.row({"executed", per_second(rate_of(result.executed_in_window, result.seconds))});
    table.row({"submission to commit", quantiles(result.commit_latency)});
    table.row({"submission to execution", quantiles(result.execution_latency)});
    const bool clean = result.refused.empty() && result.lost.empty() && result.unsent == 0;
    table.row({"of those offered",
               {fmt::format("executed {}, refused {}, lost {}, unsent {}", grouped(result.executed),
                            in_words(result.refused), in_words(result.lost), grouped(result.unsent)),
                clean ? Tint::none : Tint::warning}});
    if (limits != nullptr) {
        table.row({"machine: memory copy", gigabytes(limits->memory_copy)});
        table.row({"machine: SHA-256", gigabytes(limits->sha256)});
        table.row({"machine: TLS loopback stream", gigabytes(limits->tls_stream)});
        table.row({"machine: fdatasync of 4 KiB", fmt::format("p50 {}  p99 {}", human_time(limits->sync_p50),
                                                              human_time(limits->sync_p99))});
    }
    table.print(options.form);
}

}  // namespace monodon::tools
