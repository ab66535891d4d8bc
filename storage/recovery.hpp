#pragma once

#include <string>
#include <vector>

#include "dag/engine.hpp"
#include "storage/consensus_store.hpp"
#include "storage/tables/metadata.hpp"

namespace monodon::storage {

struct RecoveryOptions {
    /// OrderingConfig::batch_life and OrderingConfig::history_events().
    std::uint64_t life = 4096;
    std::uint64_t history_events = 0;
    /// The last commit that the application has applied, from its own durable state.
    dag::CommitIndex executed;
};

struct Recovered {
    dag::RecoveredState state;
    /// The store has never held a vote or an own header of ours and was made for a brand-new home. Without
    /// the mark and without a vote, the others have to be asked first (consensus.md 9.3).
    bool fresh = false;
    Progress progress;
    /// Certificates that did not verify and were left out, one sentence each: they are fetched again.
    std::vector<std::string> dropped;
};

/// Reads what a life begins with, in one read transaction. Consensus state comes from the last commit rows,
/// never from evaluating old certificates again. An error is `damaged` or `incompatible` with a sentence that
/// says what to do; the node does not start then.
[[nodiscard]] Result<Recovered> recover(const ConsensusStore& store, const dag::Committee& committee,
                                        const RecoveryOptions& options);

struct Consistency {
    /// The store contradicts itself: do not start on it.
    std::vector<std::string> faults;
    /// What is missing and can be fetched.
    std::vector<std::string> gaps;
};

/// What was recovered, looked at again without the disk: parents present above the graph floor, one
/// certificate per slot, an unbroken commit chain, commits that the last votes and headers do not contradict.
/// Cheap; at every start.
[[nodiscard]] Consistency verify_consistency(const dag::RecoveredState& state);
/// Every row of the store against its checksum, its digest and its indices. Reads all of it.
[[nodiscard]] Consistency verify_store(const ConsensusStore& store, const dag::Committee& committee);

}  // namespace monodon::storage
