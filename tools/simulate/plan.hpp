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
    /// Nodes beside the committee that follow it.
    std::size_t observers = 0;
    /// The faults end when most members have reached this round, or when a limit of time has passed.
    std::uint64_t rounds = 100;
    /// Nothing: a random subset of all.
    std::optional<FaultSet> faults;
    /// Stake that may be faulty at a time; nothing: f. With more, invariants will break.
    std::optional<dag::Stake> faulty;
    bool real_crypto = false;
    /// Keep the trace as text.
    bool trace = false;
    /// Shoal with these leaders instead of what is drawn.
    std::optional<dag::LeaderRule> leaders;
    /// Exact settings instead of drawn ones: for measurements.
    std::optional<dag::EngineConfig> engine;
    std::optional<LinkRule> links;
    std::optional<Duration> disk_delay;
    /// Everything that the last member sends before healing takes this much longer.
    Duration last_is_slow{0};
};

/// A run as drawn from its seed.
struct Plan {
    FaultSet faults;
    LinkRule links;
    dag::EngineConfig engine;
    std::size_t observers = 0;
    /// Of each member and observer: what stays in its graph is its own affair (P5).
    std::vector<std::uint64_t> retention;
    Duration disk_delay{};
    Duration apply_delay{};
    /// Mean time between two batches of a member.
    Duration load_interval{};
    /// Mean time between two faults of one kind.
    Duration fault_interval{};
    /// Do as they like; their stake and that of the dead is at most f.
    std::vector<dag::ValidatorIndex> byzantine;
    std::optional<dag::ValidatorIndex> dead;
    /// Sends nothing until the faults end.
    std::optional<dag::ValidatorIndex> mute;
    /// Stake that may be down or silent for a while besides those.
    dag::Stake spare = 0;
    /// The faults end at the latest after this time.
    Duration hurt_limit{};
    /// Afterwards everything that is asked for must have happened within this time.
    Duration heal_limit{};
    /// And this much more if the schedule holds on to members that do not lead: they are drawn a thousand
    /// times as often as those that have failed (consensus.md 8.5), until one of these is drawn after all.
    Duration schedule_limit{};
};

[[nodiscard]] Plan draw_plan(const Options& options, const dag::Committee& committee);

}  // namespace monodon::sim
