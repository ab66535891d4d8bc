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
        return table.find(transaction, committee_, (*slot)->slot);
    });
}

std::optional<dag::VerifiedCertificate> StoreReader::certificate(dag::Slot slot) const {
    using Found = std::optional<dag::VerifiedCertificate>;
    return read<Found>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().certificates.find(transaction, committee_, slot);
    });
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
            auto certificate = table.find(transaction, committee_, at->slot);
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

Progress StoreReader::progress() const {
    return read<Progress>([&](const lmdb::Transaction& transaction) {
        return consensus_.tables().metadata.progress(transaction);
    });
}

}  // namespace monodon::storage
