#include "storage/store_reader.hpp"

#include <algorithm>

#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage {

namespace {

/// How many rows a page may look at for each item that it may hold, so that a filter that lets nothing
/// through cannot make a read transaction long.
constexpr std::size_t kScannedPerItem = 8;

/// Fills a page up to its limits.
class Budget {
 public:
    explicit Budget(PageLimits limits)
        : items_(std::max<std::size_t>(limits.items, 1)),
          bytes_(limits.bytes),
          rows_(std::max<std::size_t>(limits.items, 1) * kScannedPerItem) {}

    /// Whether a row is to be left for the next page; the first never is.
    [[nodiscard]] bool exhausted(std::size_t row_bytes) const {
        return taken_ >= items_ || seen_ >= rows_ || (taken_ > 0 && row_bytes > bytes_);
    }
    void see() { ++seen_; }
    void take(std::size_t row_bytes) {
        ++taken_;
        bytes_ -= std::min(bytes_, row_bytes);
    }

 private:
    std::size_t items_;
    std::size_t bytes_;
    std::size_t rows_;
    std::size_t taken_ = 0;
    std::size_t seen_ = 0;
};

}  // namespace

StoreReader::StoreReader(const ConsensusStore& consensus, const BatchStore& batches,
                         const dag::Committee& committee)
    : consensus_(consensus), batches_(batches), committee_(committee) {}

template <class T, class Query>
T StoreReader::read(Query query) const {
    auto transaction = consensus_.environment().read();
    if (!transaction) {
        damage_.note(transaction.error());
        return T();
    }
    Result<T> result = query(*transaction);
    if (result) return std::move(*result);
    damage_.note(result.error());
    return T();
}

std::optional<dag::PayloadEntry> StoreReader::batch(const dag::PayloadEntry& named) const {
    return batches_.entry(named.batch, named.sealed_round);
}

dag::CommitPtr StoreReader::commit(dag::CommitIndex index) const {
    using Found = std::optional<dag::CommitPtr>;
    const auto found = read<Found>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().commits.find(transaction, committee_, index);
    });
    return found.value_or(nullptr);
}

std::optional<dag::VerifiedCertificate> StoreReader::certificate(const Digest& digest) const {
    using Found = std::optional<dag::VerifiedCertificate>;
    return read<Found>([&](const lmdb::Transaction& transaction) -> Result<Found> {
        const auto& table = consensus_.tables().certificates;
        auto slot = table.slot_of(transaction, digest);
        if (!slot) return Unexpected{slot.error()};
        if (!*slot || (*slot)->epoch != committee_.epoch()) return Found();
        return find(transaction, (*slot)->slot);
    });
}

void StoreReader::note_damaged(dag::Slot slot) const {
    if (damaged_) damaged_(slot);
}

Result<std::optional<dag::VerifiedCertificate>> StoreReader::find(const lmdb::Transaction& transaction,
                                                                  dag::Slot slot) const {
    auto found = consensus_.tables().certificates.find(transaction, committee_, slot);
    if (!found && found.error().error == StoreError::damaged) note_damaged(slot);
    return found;
}

std::optional<dag::VerifiedCertificate> StoreReader::certificate(dag::Slot slot) const {
    using Found = std::optional<dag::VerifiedCertificate>;
    return read<Found>([&](const lmdb::Transaction& transaction) { return find(transaction, slot); });
}

CertificatePage StoreReader::certificates(dag::Slot first, dag::Round last, PageLimits limits,
                                          Ordered ordered) const {
    return read<CertificatePage>([&](const lmdb::Transaction& transaction) -> Result<CertificatePage> {
        const auto& tables = consensus_.tables();
        auto cursor = tables.certificates.by_slot(transaction);
        if (!cursor) return Unexpected{cursor.error()};
        CertificatePage page;
        Budget budget(limits);
        auto row = cursor->at_or_after(slot_key(committee_.epoch(), first));
        for (; row && *row; row = cursor->next()) {
            const auto at = read_slot_key((*row)->key);
            if (!at || at->epoch != committee_.epoch() || at->slot.round > last) return page;
            const std::size_t size = (*row)->value.size();
            if (budget.exhausted(size)) {
                page.next = at->slot;
                return page;
            }
            budget.see();
            auto certificate = CertificateTable::read(committee_, **row);
            if (!certificate) {
                damage_.note(certificate.error());
                note_damaged(at->slot);
                continue;
            }
            if (ordered != Ordered::either) {
                auto mark = tables.commits.mark(transaction, (*certificate)->header.digest);
                if (!mark) return Unexpected{mark.error()};
                if (mark->has_value() != (ordered == Ordered::yes)) continue;
            }
            budget.take(size);
            page.items.push_back(std::move(*certificate));
        }
        if (!row) return Unexpected{row.error()};
        return page;
    });
}

CertificatePage StoreReader::certificates_by(dag::ValidatorIndex author, dag::Round first, dag::Round last,
                                             PageLimits limits) const {
    return read<CertificatePage>([&](const lmdb::Transaction& transaction) -> Result<CertificatePage> {
        const auto& table = consensus_.tables().certificates;
        auto cursor = table.by_author(transaction);
        if (!cursor) return Unexpected{cursor.error()};
        CertificatePage page;
        Budget budget(limits);
        auto row = cursor->at_or_after(author_round_key(committee_.epoch(), {first, author}));
        for (; row && *row; row = cursor->next()) {
            const auto at = read_author_round_key((*row)->key);
            if (!at || at->epoch != committee_.epoch() || at->slot.author != author) return page;
            if (at->slot.round > last) return page;
            auto certificate = find(transaction, at->slot);
            if (!certificate || !*certificate) {
                if (!certificate) damage_.note(certificate.error());
                continue;
            }
            const std::size_t size = encode(***certificate).size();
            if (budget.exhausted(size)) {
                page.next = at->slot;
                return page;
            }
            budget.see();
            budget.take(size);
            page.items.push_back(std::move(**certificate));
        }
        if (!row) return Unexpected{row.error()};
        return page;
    });
}

CommitPage StoreReader::commits(dag::CommitIndex first, PageLimits limits) const {
    return read<CommitPage>([&](const lmdb::Transaction& transaction) -> Result<CommitPage> {
        auto cursor = consensus_.tables().commits.by_index(transaction);
        if (!cursor) return Unexpected{cursor.error()};
        CommitPage page;
        Budget budget(limits);
        auto row = cursor->at_or_after(index_key(first));
        for (; row && *row; row = cursor->next()) {
            const std::size_t size = (*row)->value.size();
            if (budget.exhausted(size)) {
                page.next = read_index_key((*row)->key);
                return page;
            }
            budget.see();
            auto commit = CommitTable::read(committee_, **row);
            if (!commit) return Unexpected{commit.error()};
            budget.take(size);
            page.items.push_back(std::move(*commit));
        }
        if (!row) return Unexpected{row.error()};
        return page;
    });
}

std::optional<dag::CommitIndex> StoreReader::commit_of(const Digest& certificate) const {
    using Found = std::optional<dag::CommitIndex>;
    return read<Found>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().commits.mark(transaction, certificate);
    });
}

std::optional<dag::CommitIndex> StoreReader::first_commit() const {
    using Found = std::optional<dag::CommitIndex>;
    return read<Found>([&](const lmdb::Transaction& transaction) -> Result<Found> {
        auto cursor = consensus_.tables().commits.by_index(transaction);
        if (!cursor) return Unexpected{cursor.error()};
        auto row = cursor->first();
        if (!row) return Unexpected{row.error()};
        return *row ? read_index_key((*row)->key) : Found();
    });
}

std::optional<dag::CommitIndex> StoreReader::last_commit() const {
    const dag::CommitIndex last = progress().last_commit;
    if (last == dag::CommitIndex{}) return std::nullopt;
    return last;
}

std::vector<EpochSlot> StoreReader::certificates_of(const Digest& batch, std::size_t most) const {
    return read<std::vector<EpochSlot>>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().references.find(transaction, batch, most);
    });
}

BatchPage StoreReader::unreferenced_batches(dag::ValidatorIndex author, dag::Round sealed,
                                            const std::optional<BatchStore::Listed>& after,
                                            PageLimits limits) const {
    const std::size_t most = std::max<std::size_t>(limits.items, 1) * kScannedPerItem;
    const auto listed = batches_.by_author(committee_.epoch(), author, sealed, after, most);
    return read<BatchPage>([&](const lmdb::Transaction& transaction) -> Result<BatchPage> {
        BatchPage page;
        Budget budget(limits);
        for (const BatchStore::Listed& batch : listed) {
            if (budget.exhausted(0)) return page;
            budget.see();
            auto named = consensus_.tables().references.find(transaction, batch.batch, 1);
            if (!named) return Unexpected{named.error()};
            page.next = batch;
            if (!named->empty()) continue;
            budget.take(0);
            page.items.push_back(batch);
        }
        if (listed.size() < most) page.next.reset();
        return page;
    });
}

std::vector<LocalCheckpoint> StoreReader::local_checkpoints() const {
    using Found = std::vector<LocalCheckpoint>;
    return read<Found>([&](const lmdb::Transaction& transaction) -> Result<Found> {
        const auto& table = consensus_.tables().checkpoints;
        auto rounds = table.rounds(transaction, committee_.epoch());
        if (!rounds) return Unexpected{rounds.error()};
        Found found;
        for (const dag::Round round : *rounds) {
            auto checkpoint = table.find(transaction, committee_.epoch(), round);
            if (!checkpoint) {
                damage_.note(checkpoint.error());
            } else if (*checkpoint) {
                found.push_back(std::move(**checkpoint));
            }
        }
        return found;
    });
}

std::optional<LocalCheckpoint> StoreReader::local_checkpoint(dag::Round round) const {
    return read<std::optional<LocalCheckpoint>>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().checkpoints.find(transaction, committee_.epoch(), round);
    });
}

std::optional<LocalCheckpoint> StoreReader::latest_local_checkpoint() const {
    auto all = local_checkpoints();
    if (all.empty()) return std::nullopt;
    return std::move(all.back());
}

std::optional<StoredConsensusState> StoreReader::consensus_state(dag::CommitIndex index) const {
    return read<std::optional<StoredConsensusState>>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().checkpoints.state(transaction, index);
    });
}

std::optional<QuorumCheckpoint> StoreReader::quorum_checkpoint(dag::CommitIndex index) const {
    return read<std::optional<QuorumCheckpoint>>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().checkpoints.quorum(transaction, index);
    });
}

std::optional<QuorumCheckpoint> StoreReader::latest_quorum_checkpoint() const {
    return read<std::optional<QuorumCheckpoint>>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().checkpoints.latest_quorum(transaction);
    });
}

std::vector<JournalEntry> StoreReader::journal(std::size_t most, std::string_view kind) const {
    return read<std::vector<JournalEntry>>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().journal.newest(transaction, most, kind);
    });
}

std::vector<PeerNote> StoreReader::notes(NoteKind kind) const {
    return read<std::vector<PeerNote>>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().notes.all(transaction, kind);
    });
}

Progress StoreReader::progress() const {
    return read<Progress>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().metadata.progress(transaction);
    });
}

}  // namespace monodon::storage
