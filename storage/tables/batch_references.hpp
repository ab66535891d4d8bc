#pragma once

#include <vector>

#include "dag/model/header.hpp"
#include "storage/keys.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::storage {

/// Table `batch_references` (batch digest, epoch, round, author -> nothing): the certificates that name a
/// batch. A batch can be named by several (it was adopted, or named again); one without a row is
/// unreferenced. Rows come and leave with their certificates.
class BatchReferenceTable {
 public:
    static constexpr const char* kName = "batch_references";
    explicit BatchReferenceTable(lmdb::Table table) : table_(table) {}

    [[nodiscard]] Result<void> insert(lmdb::WriteTransaction& transaction, const dag::Header& header) const;
    [[nodiscard]] Result<void> insert(lmdb::WriteTransaction& transaction, const EpochSlot& certificate,
                                      const std::vector<Digest>& batches) const;
    [[nodiscard]] Result<void> erase(lmdb::WriteTransaction& transaction, const EpochSlot& certificate,
                                     const std::vector<Digest>& batches) const;

    /// The certificates that name this batch, ascending by epoch, round and author; at most `most`.
    [[nodiscard]] Result<std::vector<EpochSlot>> find(const lmdb::Transaction& transaction,
                                                      const Digest& batch, std::size_t most) const;
    /// Whether this certificate is among them; `damaged` if its row does not verify.
    [[nodiscard]] Result<bool> contains(const lmdb::Transaction& transaction, const Digest& batch,
                                        const EpochSlot& certificate) const;
    [[nodiscard]] Result<lmdb::Cursor> rows(const lmdb::Transaction& transaction) const {
        return transaction.cursor(table_);
    }

 private:
    lmdb::Table table_;
};

}  // namespace monodon::storage
