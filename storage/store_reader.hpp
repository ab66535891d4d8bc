#pragma once

#include <optional>
#include <vector>

#include "dag/engine.hpp"
#include "storage/batch_store.hpp"
#include "storage/consensus_store.hpp"
#include "storage/damage.hpp"
#include "storage/tables/metadata.hpp"

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

enum class Ordered : std::uint8_t { either, yes, no };

/// Reads what is durable, each call in one short read transaction. Thread-safe. What does not verify is not
/// there (it is to be fetched again), is counted and logged. Keeps references to all three.
class StoreReader final : public dag::DagReader {
 public:
    StoreReader(const ConsensusStore& consensus, const BatchStore& batches, const dag::Committee& committee);

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
    mutable DamageLog damage_{"cannot read the store"};
};

}  // namespace monodon::storage
