#pragma once

#include <vector>

#include "dag/model/commit.hpp"
#include "dag/ordering/executed_set.hpp"
#include "dag/ordering/leader_schedule.hpp"

namespace monodon::dag {

/// All that ordering carries from one commit to the next (consensus.md 9.1), as of the last commit: a
/// function of the committed prefix. What is local (retention, graph floor, clock) is not in it.
struct ConsensusState {
    /// Index and digest of the last commit; (0, zero) before the first.
    CommitClaim last;
    /// Of the last commit.
    HeaderRef anchor;
    /// LeaderSchedule::events().
    std::vector<AnchorEvent> events;
    /// Authors of ordered certificates in the W + 1 rounds up to the anchor's, ascending. Rounds that would
    /// lie below round 1 have an empty set.
    std::vector<AuthorSet> ordered;
    /// ExecutedSet::entries().
    std::vector<ExecutedSet::Entry> executed;
    friend bool operator==(const ConsensusState&, const ConsensusState&) = default;
};

/// H("consensus" | chain | epoch | the fields in the order above, lists by their counts): what checkpoints
/// sign.
[[nodiscard]] Digest consensus_state_digest(const Committee& committee, const ConsensusState& state);

}  // namespace monodon::dag
