#pragma once

#include <string>
#include <vector>

#include "dag/config.hpp"
#include "tools/simulate/faults.hpp"
#include "tools/simulate/network.hpp"

namespace monodon::sim {

/// What the caller fixes of a run; everything else is drawn from the seed.
struct Options {
    std::uint64_t seed = 1;
    std::vector<dag::Stake> stakes = {1, 1, 1, 1};
    /// The faults end when most members have reached this round, or when a limit of time has passed.
    std::uint64_t rounds = 100;
    /// Nothing: a random subset of all.
    std::optional<FaultSet> faults;
    bool real_crypto = false;
    /// Keep the trace as text.
    bool trace = false;
    /// Exact engine and link settings instead of drawn ones: for measurements.
    std::optional<dag::EngineConfig> engine;
    std::optional<LinkRule> links;
};

/// A run as drawn from its seed.
struct Plan {
    FaultSet faults;
    LinkRule links;
    dag::EngineConfig engine;
    Duration disk_delay{};
    Duration apply_delay{};
    /// Mean time between two batches of a member.
    Duration load_interval{};
    /// Mean time between two faults of one kind.
    Duration fault_interval{};
    /// Do as they like; their stake and that of the dead is at most f.
    std::vector<dag::ValidatorIndex> byzantine;
    std::optional<dag::ValidatorIndex> dead;
    /// Stake that may be down or silent for a while besides those.
    dag::Stake spare = 0;
    /// The faults end at the latest after this time.
    Duration hurt_limit{};
    /// Afterwards everything that is asked for must have happened within this time.
    Duration heal_limit{};
};

[[nodiscard]] Plan draw_plan(const Options& options, const dag::Committee& committee);

}  // namespace monodon::sim
