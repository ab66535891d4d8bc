#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "tools/simulate/swarm.hpp"

namespace monodon::sim {

/// The words of `monodon simulate`, as they were given.
struct CommandWords {
    std::uint64_t seed = 0;
    /// `A..B`; empty: the one seed.
    std::string seeds;
    std::uint64_t validators = 0;
    std::uint64_t observers = 0;
    /// `1,2,3,4`; empty: all equal.
    std::string stakes;
    std::uint64_t rounds = 100;
    /// Names, `all`, `none`, `benign`, `byzantine`, or a file that holds such words; empty: drawn per seed.
    std::string faults;
    /// `reputation` or `round-robin`, under Shoal; empty: drawn per seed.
    std::string leaders;
    /// Nothing: f.
    std::optional<std::uint64_t> faulty;
    bool real_crypto = false;
    /// File for the JSON lines of one seed.
    std::string trace;
    unsigned jobs = 1;
    bool shrink = false;
    bool json = false;
    /// A line of progress on `err`, rewritten in place.
    bool progress = false;
    /// Instead of a run: draws the DAG of this trace file as text, as node `node` saw it.
    std::string draw;
    std::uint64_t node = 0;
    /// Instead of a run: prints timing_tables().
    bool timing = false;
};

inline constexpr int kSimulateDone = 0;
inline constexpr int kSimulateViolation = 1;
inline constexpr int kSimulateUsage = 2;

/// Runs the seeds, prints a summary, gives the exit code of the process.
int run_command(const CommandWords& words, std::ostream& out, std::ostream& err);

}  // namespace monodon::sim
