#include "storage/tables/batches.hpp"

#include <algorithm>

#include "net/core/check.hpp"
#include "storage/record.hpp"

namespace monodon::storage {

namespace {

constexpr std::size_t kEntryBytes = dag::kPayloadEntryBytes + kChecksumBytes;

std::optional<dag::PayloadEntry> read_entry(const Digest& digest, ByteView row) {
    if (row.size() < kEntryBytes) return std::nullopt;
    const auto payload = open_record(digest.bytes, row.first(kEntryBytes));
    if (!payload) return std::nullopt;
    CanonicalReader reader(*payload);
    const dag::PayloadEntry entry = dag::read_payload_entry(reader);
    if (!reader.finished() || entry.batch != digest) return std::nullopt;
    return entry;
}

/// Epoch, author, worker and sequence, with which an encoded batch begins.
constexpr std::size_t kOriginBytes = 8 + 2 + 4 + 8;

struct BatchOrigin {
    dag::Epoch epoch;
    std::uint64_t sequence = 0;
};

/// Of an encoded batch: epoch, author, worker and sequence come first.
BatchOrigin read_origin(ByteView batch) {
    CanonicalReader reader(batch);
    BatchOrigin origin;
    origin.epoch = dag::Epoch{reader.u64()};
    (void)reader.u16();
    (void)reader.u32();
    origin.sequence = reader.u64();
    MONODON_CHECK(reader.ok());
    return origin;
}

}  // namespace

Result<bool> BatchTable::insert(lmdb::WriteTransaction& transaction, const dag::PayloadEntry& entry,
                                const Bytes& batch) const {
    MONODON_CHECK(entry.bytes == batch.size());
    const auto& key = entry.batch.bytes;
    auto present = transaction.get(batches_, key);
    if (!present) return Unexpected{present.error()};
    if (*present && open_record(key, **present)) return false;

    auto row = transaction.reserve(batches_, key, kEntryBytes + batch.size() + kChecksumBytes);
    if (!row) return Unexpected{row.error()};
    CanonicalWriter head;
    dag::write(head, entry);
    std::copy(head.view().begin(), head.view().end(), row->begin());
    seal_record(key, row->first(kEntryBytes));
    std::copy(batch.begin(), batch.end(), row->begin() + kEntryBytes);
    seal_record(key, *row);

    const BatchOrigin origin = read_origin(batch);
    const auto by_author =
        batch_author_key(origin.epoch, entry.author, entry.worker, origin.sequence, entry.batch);
    if (auto put = put_record(transaction, authors_, by_author, {}); !put) return Unexpected{put.error()};
    return true;
}

Result<std::optional<dag::PayloadEntry>> BatchTable::entry(const lmdb::Transaction& transaction,
                                                           const Digest& digest) const {
    auto row = transaction.get(batches_, digest.bytes);
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<dag::PayloadEntry>();
    auto entry = read_entry(digest, **row);
    if (!entry) return damaged_row(kName, digest.bytes);
    return entry;
}

Result<SharedBytes> BatchTable::body(const lmdb::Transaction& transaction, const Digest& digest) const {
    auto row = transaction.get(batches_, digest.bytes);
    if (!row) return Unexpected{row.error()};
    if (!*row) return SharedBytes();
    const auto payload = open_record(digest.bytes, **row);
    if (!payload || payload->size() < kEntryBytes) return damaged_row(kName, digest.bytes);
    const ByteView body = payload->subspan(kEntryBytes);
    return SharedBytes(std::make_shared<const Bytes>(body.begin(), body.end()));
}

std::string BatchTable::fault(const dag::Committee& committee, ByteView key, ByteView row) {
    const auto digest = read_digest(key);
    const auto payload = open_record(key, row);
    if (!digest || !payload) return "its checksum does not hold";
    const auto entry = read_entry(*digest, row);
    if (!entry || payload->size() != kEntryBytes + entry->bytes) return "its entry is damaged";
    const ByteView body = payload->subspan(kEntryBytes);
    const auto view = dag::parse_batch(committee, body);
    if (!view) return "it is no batch of this committee";
    if (dag::payload_entry(committee, *view, body) != *entry) return "it has another digest than its key";
    return {};
}

std::optional<BatchAuthorKey> BatchTable::listed_under(ByteView key, ByteView row) {
    const auto digest = read_digest(key);
    const auto payload = open_record(key, row);
    const auto entry = digest && payload ? read_entry(*digest, row) : std::nullopt;
    if (!entry || payload->size() != kEntryBytes + entry->bytes || entry->bytes < kOriginBytes)
        return std::nullopt;
    const BatchOrigin origin = read_origin(payload->subspan(kEntryBytes));
    return batch_author_key(origin.epoch, entry->author, entry->worker, origin.sequence, *digest);
}

Result<BatchTable::ByAuthor> BatchTable::by_author(const lmdb::Transaction& transaction, dag::Epoch epoch,
                                                   dag::ValidatorIndex author,
                                                   const std::optional<BatchStore::Listed>& after,
                                                   std::size_t most) const {
    auto cursor = transaction.cursor(authors_);
    if (!cursor) return Unexpected{cursor.error()};
    const auto first = after ? batch_author_key(epoch, author, after->worker, after->sequence, after->batch)
                             : batch_author_key(epoch, author, dag::WorkerId{}, 0, Digest{});
    ByAuthor found;
    auto row = cursor->at_or_after(first);
    for (; row && *row && found.listed.size() < most; row = cursor->next()) {
        if (after && std::ranges::equal((*row)->key, first)) continue;
        const auto key = read_batch_author_key((*row)->key);
        const bool ours = key && key->epoch == epoch && key->author == author;
        const bool sound = key && open_record((*row)->key, (*row)->value);
        if (sound && !ours) break;
        if (!sound) {
            // Where a row that is damaged says that it ends here, the rows behind it may still be ours.
            found.damaged.push_back(damaged_row(kAuthorsName, (*row)->key).error());
            if (!ours) continue;
            auto present = transaction.get(batches_, key->batch.bytes);
            if (!present) return Unexpected{present.error()};
            if (!*present) continue;
        }
        found.listed.push_back({key->worker, key->sequence, key->batch});
    }
    if (!row) return Unexpected{row.error()};
    return found;
}

}  // namespace monodon::storage
