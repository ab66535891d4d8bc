#include "storage/tables/batch_references.hpp"

#include <algorithm>

#include "storage/record.hpp"

namespace monodon::storage {

Result<void> BatchReferenceTable::insert(lmdb::WriteTransaction& transaction,
                                         const dag::Header& header) const {
    const EpochSlot at{header.epoch, {header.round, header.author}};
    for (const dag::PayloadEntry& entry : header.payload) {
        const auto put = put_record(transaction, table_, reference_key(entry.batch, at), {});
        if (!put) return put;
    }
    return {};
}

Result<void> BatchReferenceTable::insert(lmdb::WriteTransaction& transaction, const EpochSlot& certificate,
                                         const std::vector<Digest>& batches) const {
    for (const Digest& batch : batches) {
        const auto put = put_record(transaction, table_, reference_key(batch, certificate), {});
        if (!put) return put;
    }
    return {};
}

Result<void> BatchReferenceTable::erase(lmdb::WriteTransaction& transaction, const EpochSlot& certificate,
                                        const std::vector<Digest>& batches) const {
    for (const Digest& batch : batches) {
        auto erased = transaction.erase(table_, reference_key(batch, certificate));
        if (!erased) return Unexpected{erased.error()};
    }
    return {};
}

Result<std::vector<EpochSlot>> BatchReferenceTable::find(const lmdb::Transaction& transaction,
                                                         const Digest& batch, std::size_t most) const {
    auto cursor = transaction.cursor(table_);
    if (!cursor) return Unexpected{cursor.error()};
    std::vector<EpochSlot> found;
    auto row = cursor->at_or_after(batch.bytes);
    for (; row && *row && found.size() < most; row = cursor->next()) {
        const auto reference = read_reference_key((*row)->key);
        if (!reference || !open_record((*row)->key, (*row)->value)) return damaged_row(kName, (*row)->key);
        if (reference->batch != batch) break;
        found.push_back(reference->at);
    }
    if (!row) return Unexpected{row.error()};
    return found;
}

Result<bool> BatchReferenceTable::contains(const lmdb::Transaction& transaction, const Digest& batch,
                                           const EpochSlot& certificate) const {
    auto row = get_record(transaction, table_, reference_key(batch, certificate));
    if (!row) return Unexpected{row.error()};
    return row->has_value();
}

}  // namespace monodon::storage
