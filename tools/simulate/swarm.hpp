#pragma once

#include <map>

#include "tools/simulate/simulation.hpp"

namespace monodon::sim {

/// Sums over runs.
struct Totals {
    std::uint64_t seeds = 0;
    std::uint64_t violations = 0;
    /// The first few that broke an invariant, ascending by seed.
    std::vector<Result> failed;
    /// Over all seeds in order: the same for the same seeds, whatever the number of threads.
    std::uint64_t trace_hash = 0;
    Result sum;
    Duration longest_healing{0};
    /// Runs that healed late because of the leader schedule, and the first of them.
    std::uint64_t led_astray = 0;
    std::uint64_t first_astray = 0;
    /// How many commits took so many tenths of a message delay; and in runs in which a message takes 10 ms
    /// or more: where it takes less, disks and timers set the pace.
    std::map<std::uint64_t, std::uint64_t> latency_tenths;
    std::map<std::uint64_t, std::uint64_t> long_latency_tenths;

    void add(const Result& result);
};

struct Swarm {
    std::uint64_t first = 1;
    std::uint64_t last = 1;
    /// The seed in it is ignored.
    Options options;
    unsigned jobs = 1;
    /// Called now and then, from one thread at a time; may be empty.
    std::function<void(const Totals&)> progress;
};

/// Runs all seeds of the range. A failed MONODON_CHECK prints the seed before the process ends.
[[nodiscard]] Totals run_swarm(const Swarm& swarm);

/// The words that repeat a run.
[[nodiscard]] std::string command_line(const Options& options);

/// Tries to make a failing run smaller: fewer faults, rounds, members. Gives the smallest found that still
/// breaks the same invariant, with all faults named.
[[nodiscard]] Options shrink(const Options& failing);

}  // namespace monodon::sim
