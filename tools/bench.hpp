#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/ask.hpp"
#include "tools/histogram.hpp"
#include "tools/machine_limits.hpp"
#include "tools/output.hpp"
#include "tools/transaction_maker.hpp"

namespace monodon::tools {

struct BenchOptions {
    Where where;
    /// Names of the validators that get the load; empty: all of them.
    std::vector<std::string> to = {};
    /// Transactions a second, over all connections.
    std::uint64_t rate = 1000;
    /// Bytes of one transaction.
    std::uint64_t size = 512;
    std::chrono::milliseconds duration = std::chrono::seconds(10);
    std::chrono::milliseconds warmup = std::chrono::seconds(2);
    /// To each validator.
    unsigned connections = 1;
    LoadKind kind = LoadKind::opaque;
    /// Measure what the machine can do first.
    bool limits = false;
    Form form = Form::table;
};
/// `monodon tx bench`: offers transactions at a fixed rate, whether or not the committee keeps up, and
/// measures by its own receipts. Exit code 1 if failure_of() finds one.
int bench(const BenchOptions& options);

/// What one run saw. Counts are transactions due within the measured time, unless it says otherwise.
struct BenchResult {
    std::uint64_t offered = 0;
    std::uint64_t executed = 0;
    /// By what a validator said: `busy`, `duplicate`, ...
    std::map<std::string, std::uint64_t> refused;
    /// Without a receipt, by reason: no connection, a connection that ended, no answer in time.
    std::map<std::string, std::uint64_t> lost;
    /// So many were waiting at our end that we gave up on these.
    std::uint64_t unsent = 0;
    /// Receipts that came within the measured time, whenever their transactions were due.
    std::uint64_t committed_in_window = 0;
    std::uint64_t executed_in_window = 0;
    double seconds = 0;
    Histogram commit_latency;
    Histogram execution_latency;
    std::vector<std::string> validators;
    std::uint64_t connections = 0;
};
/// That nothing was committed in the measured time, or transactions were lost, or refused for another reason
/// than that a validator was busy; in words. More than the committee can take is a measurement, no failure.
[[nodiscard]] std::optional<std::string> failure_of(const BenchResult& result);
/// Runs the load.
[[nodiscard]] Result<BenchResult> run_bench(const BenchOptions& options);
void print_bench(const BenchOptions& options, const BenchResult& result, const MachineLimits* limits);

}  // namespace monodon::tools
