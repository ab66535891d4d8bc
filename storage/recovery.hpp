#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dag/engine.hpp"
#include "storage/consensus_store.hpp"
#include "storage/recovery_strategy.hpp"
#include "storage/tables/metadata.hpp"

namespace monodon::storage {

/// Certificates read so far, and how many the store has, which is at least what will be read.
struct RecoveryProgress {
    std::uint64_t done = 0;
    std::uint64_t at_most = 0;
};

struct RecoveryOptions {
    /// OrderingConfig::batch_life and OrderingConfig::history_events().
    std::uint64_t life = 4096;
    std::uint64_t history_events = 0;
    /// The last commit that the application has applied, from its own durable state.
    dag::CommitIndex executed = {};
    RecoveryStrategy strategy = RecoveryStrategy::hybrid;
    /// The directory of the local checkpoints; empty: there are none.
    std::filesystem::path checkpoints = {};
    /// Called now and then, on this thread.
    std::function<void(const RecoveryProgress&)> progress = {};
};

/// How it went, for one line in the log.
struct RecoverySummary {
    RecoveryStrategy asked = RecoveryStrategy::hybrid;
    /// from_scratch or from_checkpoint.
    RecoveryStrategy used = RecoveryStrategy::from_scratch;
    /// The round of the checkpoint that was used.
    std::optional<dag::Round> checkpoint;
    std::uint64_t certificates = 0;
    std::uint64_t from_files = 0;
    std::uint64_t from_rows = 0;
    /// Of the certificates that were read.
    dag::Round highest_round;
    std::uint64_t commits = 0;
    /// Why checkpoints were passed over, newest first.
    std::vector<std::string> fallbacks;
    std::chrono::microseconds took{0};
    /// One line: strategy, certificates, highest round, checkpoint, duration, what was passed over and why.
    [[nodiscard]] std::string text() const;
};

struct Recovered {
    dag::RecoveredState state;
    /// The store has never held a vote or an own header of ours and was made for a brand-new home. Without
    /// the mark and without a vote, the others have to be asked first (consensus.md 9.3).
    bool fresh = false;
    Progress progress;
    /// Certificates that did not verify and were left out, one sentence each: they are fetched again.
    std::vector<std::string> dropped;
    /// Their slots.
    std::vector<dag::Slot> damaged;
    RecoverySummary summary;
};

/// Reads what a life begins with, in one read transaction. Consensus state comes from the last commit rows,
/// never from evaluating old certificates again. An error is `damaged` or `incompatible` with a sentence that
/// says what to do; the node does not start then.
[[nodiscard]] Result<Recovered> recover(const ConsensusStore& store, const dag::Committee& committee,
                                        const RecoveryOptions& options);

/// The same for an environment that is only open for reading.
[[nodiscard]] Result<Recovered> recover(const lmdb::Environment& environment, const ConsensusTables& tables,
                                        const dag::Committee& committee, const RecoveryOptions& options);

/// What to do when the application's state in this directory is damaged or of another time, as half a
/// sentence: it follows from the commits while none has left the store, and else has to come from elsewhere.
[[nodiscard]] std::string instead_of_state(const std::filesystem::path& state, dag::CommitIndex commit_floor);

struct Consistency {
    /// The store contradicts itself: do not start on it.
    std::vector<std::string> faults;
    /// What is missing and can be fetched.
    std::vector<std::string> gaps;
    /// Where an index does not match what it is of; rebuild_indices() writes it again.
    std::vector<std::string> indices;
};

/// What was recovered, looked at again without the disk: parents present above the graph floor, one
/// certificate per slot, an unbroken commit chain, commits that the last votes and headers do not contradict.
/// Cheap; at every start.
[[nodiscard]] Consistency verify_consistency(const dag::RecoveredState& state);
/// Every row of the store against its checksum, its digest and its indices. Reads all of it.
[[nodiscard]] Consistency verify_store(const ConsensusStore& store, const dag::Committee& committee);
[[nodiscard]] Consistency verify_store(const lmdb::Environment& environment, const ConsensusTables& tables,
                                       const dag::Committee& committee);

}  // namespace monodon::storage
