#pragma once

#include <cstdint>

namespace monodon::dag {

/// Faults that the tests plant into a copy of this room, to show that the simulator and the property tests
/// find them: tests/sim/README.md says which rule each breaks and who finds it. The copy is made by the build
/// option `planted` and linked by tests only; elsewhere planted() is false when the compiler runs, and
/// nothing of a fault is left.
enum class Planted : std::uint8_t {
    none,
    // durable first
    vote_before_durable,
    header_before_durable,
    commit_before_durable,
    // thresholds
    quorum_of_2f,
    support_of_f,
    // ordering
    history_from_floor,
    history_one_short,
    reputation_from_arrival,
    schedule_late,
    stale_anchors,
    whole_chain,
    no_walk_back,
    parity_by_round,
    per_author_pruning,
    life_ignored,
    // restart
    own_header_forgotten,
    votes_forgotten,
    executed_forgotten,
    ordered_forgotten,
    // votes and headers
    equivocation_voted,
    parents_unchecked,
    vote_not_repeated,
    nothing_resent,
    // batches
    batch_not_fetched,
    delivered_unstored,
    not_adopted,
    not_reinjected,
    // graph and claims
    collected_by_round,
    liar_stops_output,
    never_catches_up,
    // observers
    observer_relays,
    // fetching
    unnamed_by_hash,
};

#ifdef MONODON_PLANTED
/// Whether this fault is the one that plant() chose last.
[[nodiscard]] bool planted(Planted fault);
/// Of all engines of the process from now on, while none runs.
void plant(Planted fault);
#else
[[nodiscard]] consteval bool planted(Planted) { return false; }
#endif

}  // namespace monodon::dag
