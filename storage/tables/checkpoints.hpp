#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dag/model/header.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::storage {

/// A file of checkpoints/, named by what is in it: the XXH3-128 of its plain bytes.
struct ContentId {
    std::array<Byte, 16> bytes{};
    friend auto operator<=>(const ContentId&, const ContentId&) = default;
    [[nodiscard]] std::string name() const { return to_hex(bytes) + ".zst"; }
};

/// Certificates of some rounds in one file.
struct CheckpointSegment {
    dag::Round first;
    dag::Round last;
    std::uint32_t certificates = 0;
    /// Before compression.
    std::uint32_t plain_bytes = 0;
    ContentId file;
};

/// What a node can begin with faster than from all its certificates. The rows say what there is; the
/// certificates and the consensus state lie in files.
struct LocalCheckpoint {
    dag::Epoch epoch;
    /// Of the anchor of the last commit: the round that names the checkpoint.
    dag::Round round;
    /// The last commit when it was made.
    dag::CommitClaim last;
    /// Certificates of this round and below are not in it.
    dag::Round graph_floor;
    dag::Round highest_round;
    std::uint64_t certificates = 0;
    /// Microseconds since the Unix epoch.
    std::uint64_t created_at = 0;
    /// Ascending by round.
    std::vector<CheckpointSegment> segments;
};

/// What ordering carried from one commit to the next, as of one commit: the numbers here, the lists in the
/// file.
struct StoredConsensusState {
    dag::CommitClaim last;
    dag::HeaderRef anchor;
    dag::Round graph_floor;
    /// dag::consensus_state_digest() of the state in the file.
    Digest digest;
    std::uint32_t plain_bytes = 0;
    ContentId file;
};

/// A commit for which a quorum has signed what the consensus state was.
struct QuorumCheckpoint {
    dag::CommitClaim claim;
    Digest consensus_state;
    dag::AuthorSet signers;
    /// One for each signer, ascending.
    std::vector<Signature> signatures;
};

/// Tables `local_checkpoints` (epoch, round -> LocalCheckpoint), `consensus_state` (commit index ->
/// StoredConsensusState, one for each local checkpoint) and `quorum_checkpoints` (commit index ->
/// QuorumCheckpoint).
class CheckpointTables {
 public:
    static constexpr const char* kLocalName = "local_checkpoints";
    static constexpr const char* kStateName = "consensus_state";
    static constexpr const char* kQuorumName = "quorum_checkpoints";

    CheckpointTables(lmdb::Table local, lmdb::Table states, lmdb::Table quorum)
        : local_(local), states_(states), quorum_(quorum) {}

    /// Both rows of a checkpoint: replaces what was there for this round and this commit.
    [[nodiscard]] Result<void> put(lmdb::WriteTransaction& transaction, const LocalCheckpoint& checkpoint,
                                   const StoredConsensusState& state) const;
    /// Nothing if there is none for this round; `damaged` if it does not verify.
    [[nodiscard]] Result<std::optional<LocalCheckpoint>> find(const lmdb::Transaction& transaction,
                                                              dag::Epoch epoch, dag::Round round) const;
    /// All rounds of an epoch that have one, ascending. A key that makes no sense is left out.
    [[nodiscard]] Result<std::vector<dag::Round>> rounds(const lmdb::Transaction& transaction,
                                                         dag::Epoch epoch) const;
    [[nodiscard]] Result<std::optional<StoredConsensusState>> state(const lmdb::Transaction& transaction,
                                                                    dag::CommitIndex index) const;
    /// Keeps the newest `keep` local checkpoints of the epoch and their states; gives how many left.
    [[nodiscard]] Result<std::size_t> prune(lmdb::WriteTransaction& transaction, dag::Epoch epoch,
                                            std::size_t keep) const;

    [[nodiscard]] Result<void> put(lmdb::WriteTransaction& transaction,
                                   const QuorumCheckpoint& checkpoint) const;
    [[nodiscard]] Result<std::optional<QuorumCheckpoint>> quorum(const lmdb::Transaction& transaction,
                                                                 dag::CommitIndex index) const;
    [[nodiscard]] Result<std::optional<QuorumCheckpoint>> latest_quorum(
        const lmdb::Transaction& transaction) const;
    /// Removes those below this index, at most `most`; gives how many.
    [[nodiscard]] Result<std::size_t> prune_quorum(lmdb::WriteTransaction& transaction,
                                                   dag::CommitIndex below, std::size_t most) const;

    // For walks over all rows.
    [[nodiscard]] static std::optional<LocalCheckpoint> read_local(ByteView payload);
    [[nodiscard]] static std::optional<StoredConsensusState> read_state(ByteView payload);
    [[nodiscard]] static std::optional<QuorumCheckpoint> read_quorum(ByteView payload);

 private:
    lmdb::Table local_;
    lmdb::Table states_;
    lmdb::Table quorum_;
};

}  // namespace monodon::storage
