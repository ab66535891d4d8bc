#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "dag/engine.hpp"
#include "storage/batch_store.hpp"
#include "storage/consensus_store.hpp"
#include "storage/damage.hpp"
#include "storage/keys.hpp"
#include "storage/tables/checkpoints.hpp"
#include "storage/tables/metadata.hpp"
#include "storage/tables/notebook.hpp"
#include "storage/tables/peer_notes.hpp"

namespace monodon::storage {

/// How much one answer may hold. At least one item comes, so that who asks always gets on; the bytes are
/// those of the stored rows.
struct PageLimits {
    std::size_t items = 1000;
    std::size_t bytes = std::size_t{4} << 20;
};

/// Part of a longer answer, ascending. `next` is where the rest begins, nothing at the end; it rises
/// strictly.
template <class T, class Position>
struct Page {
    std::vector<T> items;
    std::optional<Position> next;
};
using CertificatePage = Page<dag::VerifiedCertificate, dag::Slot>;
using CommitPage = Page<dag::CommitPtr, dag::CommitIndex>;
/// Here `next` is the last that was looked at: give it as `after`.
using BatchPage = Page<BatchStore::Listed, BatchStore::Listed>;

enum class Ordered : std::uint8_t { either, yes, no };

/// Reads what is durable, each call in one short read transaction. Thread-safe. What does not verify is not
/// there (it is to be fetched again), is counted and logged. Keeps references to all three.
class StoreReader final : public dag::DagReader {
 public:
    StoreReader(const ConsensusStore& consensus, const BatchStore& batches, const dag::Committee& committee);

    /// Before the first read: what is told of a certificate that is there and does not verify. It is to be
    /// fetched and written again. On the reader's thread, within its transaction, at each read; quick.
    void set_damaged(std::function<void(dag::Slot)> damaged) { damaged_ = std::move(damaged); }

    [[nodiscard]] std::optional<dag::PayloadEntry> batch(const dag::PayloadEntry& named) const override;
    [[nodiscard]] dag::CommitPtr commit(dag::CommitIndex index) const override;

    /// By the digest of its header.
    [[nodiscard]] std::optional<dag::VerifiedCertificate> certificate(const Digest& digest) const;
    [[nodiscard]] std::optional<dag::VerifiedCertificate> certificate(dag::Slot slot) const;
    /// From slot `first` through round `last`, ascending by round and author.
    [[nodiscard]] CertificatePage certificates(dag::Slot first, dag::Round last, PageLimits limits = {},
                                               Ordered ordered = Ordered::either) const;
    /// Of one author from round `first` through `last`.
    [[nodiscard]] CertificatePage certificates_by(dag::ValidatorIndex author, dag::Round first,
                                                  dag::Round last, PageLimits limits = {}) const;

    /// From `first` on.
    [[nodiscard]] CommitPage commits(dag::CommitIndex first, PageLimits limits = {}) const;
    /// The commit that ordered the certificate with this header.
    [[nodiscard]] std::optional<dag::CommitIndex> commit_of(const Digest& certificate) const;
    [[nodiscard]] std::optional<dag::CommitIndex> first_commit() const;
    [[nodiscard]] std::optional<dag::CommitIndex> last_commit() const;

    /// The certificates that name this batch, ascending; at most `most`. None: it is unreferenced.
    [[nodiscard]] std::vector<EpochSlot> certificates_of(const Digest& batch, std::size_t most = 16) const;
    /// Batches of an author, sealed in the generation of round `sealed`, that no stored certificate names.
    [[nodiscard]] BatchPage unreferenced_batches(dag::ValidatorIndex author, dag::Round sealed,
                                                 const std::optional<BatchStore::Listed>& after = {},
                                                 PageLimits limits = {}) const;

    /// Ascending by round.
    [[nodiscard]] std::vector<LocalCheckpoint> local_checkpoints() const;
    [[nodiscard]] std::optional<LocalCheckpoint> local_checkpoint(dag::Round round) const;
    [[nodiscard]] std::optional<LocalCheckpoint> latest_local_checkpoint() const;
    /// As of the last commit of a local checkpoint.
    [[nodiscard]] std::optional<StoredConsensusState> consensus_state(dag::CommitIndex index) const;
    [[nodiscard]] std::optional<QuorumCheckpoint> quorum_checkpoint(dag::CommitIndex index) const;
    [[nodiscard]] std::optional<QuorumCheckpoint> latest_quorum_checkpoint() const;

    /// Descending; of one kind if it is given.
    [[nodiscard]] std::vector<JournalEntry> journal(std::size_t most, std::string_view kind = {}) const;
    /// All notes of a kind, ascending by peer.
    [[nodiscard]] std::vector<PeerNote> notes(NoteKind kind) const;

    [[nodiscard]] Progress progress() const;
    /// Reads that failed since the start, those of batches not counted.
    [[nodiscard]] std::uint64_t damaged() const { return damage_.count(); }

 private:
    /// Runs `query(transaction)` in a read transaction; a failure is noted and gives T().
    template <class T, class Query>
    [[nodiscard]] T read(Query query) const;

    const ConsensusStore& consensus_;
    const BatchStore& batches_;
    const dag::Committee& committee_;
    /// Reads the certificate of a slot for those who take it from there.
    [[nodiscard]] Result<std::optional<dag::VerifiedCertificate>> find(const lmdb::Transaction& transaction,
                                                                       dag::Slot slot) const;
    void note_damaged(dag::Slot slot) const;

    std::function<void(dag::Slot)> damaged_;
    mutable DamageLog damage_{"cannot read the store"};
};

}  // namespace monodon::storage
