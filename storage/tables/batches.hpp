#pragma once

#include <vector>

#include "dag/model/batch.hpp"
#include "storage/batch_store.hpp"
#include "storage/keys.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::storage {

/// The tables of one generation: `batches` (digest -> entry, its checksum, the encoded batch, the checksum of
/// all) and `batches_by_author` (epoch, author, worker, sequence, digest -> nothing). The entry has a
/// checksum of its own so that a vote is decided without touching the body's pages.
class BatchTable {
 public:
    static constexpr const char* kName = "batches";
    static constexpr const char* kAuthorsName = "batches_by_author";

    BatchTable(lmdb::Table batches, lmdb::Table authors) : batches_(batches), authors_(authors) {}

    /// False if it is there already. The body is copied once, into the page.
    [[nodiscard]] Result<bool> insert(lmdb::WriteTransaction& transaction, const dag::PayloadEntry& entry,
                                      const Bytes& batch) const;
    /// Nothing if there is none; `damaged` if the row does not verify.
    [[nodiscard]] Result<std::optional<dag::PayloadEntry>> entry(const lmdb::Transaction& transaction,
                                                                 const Digest& digest) const;
    [[nodiscard]] Result<SharedBytes> body(const lmdb::Transaction& transaction, const Digest& digest) const;
    struct ByAuthor {
        std::vector<BatchStore::Listed> listed;
        /// Rows that do not verify. One whose key leads to a batch is listed all the same.
        std::vector<Failure> damaged;
    };
    [[nodiscard]] Result<ByAuthor> by_author(const lmdb::Transaction& transaction, dag::Epoch epoch,
                                             dag::ValidatorIndex author,
                                             const std::optional<BatchStore::Listed>& after,
                                             std::size_t most) const;

    /// Under which key of `batches_by_author` a row of `batches` is listed; nothing if it does not verify.
    [[nodiscard]] static std::optional<BatchAuthorKey> listed_under(ByteView key, ByteView row);

    /// What is wrong with a row of `batches`: its checksums, its entry, its digest; empty if nothing is.
    [[nodiscard]] static std::string fault(const dag::Committee& committee, ByteView key, ByteView row);

 private:
    lmdb::Table batches_;
    lmdb::Table authors_;
};

}  // namespace monodon::storage
