#include "storage/tables/certificates.hpp"

#include <fmt/format.h>

#include "net/core/check.hpp"
#include "storage/record.hpp"

namespace monodon::storage {

Result<bool> CertificateTable::insert(lmdb::WriteTransaction& transaction,
                                      const dag::Certificate& certificate) const {
    const dag::Header& header = certificate.header;
    const dag::Slot slot{header.round, header.author};
    const SlotKey key = slot_key(header.epoch, slot);
    auto present = transaction.get(slots_, key);
    if (!present) return Unexpected{present.error()};
    const Bytes encoded = encode(certificate);
    if (*present) {
        if (const auto digest = digest_of({key, **present})) {
            MONODON_CHECK(*digest == header.digest);
            // One that was stored by its hash is shorter, and gets its signatures now.
            if ((*present)->size() >= sizeof(Digest) + encoded.size()) return false;
        }
    }
    CanonicalWriter row;
    row.reserve(sizeof(Digest) + encoded.size());
    row.digest(header.digest).fixed(encoded);
    if (auto put = put_record(transaction, slots_, key, row.view()); !put) return Unexpected{put.error()};
    if (auto put = put_record(transaction, digests_, header.digest.bytes, key); !put)
        return Unexpected{put.error()};
    const AuthorRoundKey author = author_round_key(header.epoch, slot);
    if (auto put = put_record(transaction, authors_, author, {}); !put) return Unexpected{put.error()};
    return !present->has_value();
}

Result<std::optional<dag::VerifiedCertificate>> CertificateTable::find(const lmdb::Transaction& transaction,
                                                                       const dag::Committee& committee,
                                                                       dag::Slot slot) const {
    const SlotKey key = slot_key(committee.epoch(), slot);
    auto row = transaction.get(slots_, key);
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<dag::VerifiedCertificate>();
    auto certificate = read(committee, {key, **row});
    if (!certificate) return Unexpected{certificate.error()};
    return std::optional(std::move(*certificate));
}

Result<std::optional<Digest>> CertificateTable::digest_at(const lmdb::Transaction& transaction,
                                                          const EpochSlot& slot) const {
    const SlotKey key = slot_key(slot.epoch, slot.slot);
    auto row = transaction.get(slots_, key);
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<Digest>();
    auto digest = digest_of({key, **row});
    if (!digest) return damaged_row(kName, key);
    return digest;
}

Result<std::optional<EpochSlot>> CertificateTable::slot_of(const lmdb::Transaction& transaction,
                                                           const Digest& digest) const {
    auto row = get_record(transaction, digests_, digest.bytes);
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<EpochSlot>();
    auto slot = read_slot_key(**row);
    if (!slot) return damaged_row(kDigestsName, digest.bytes);
    return slot;
}

Result<lmdb::Cursor> CertificateTable::by_slot(const lmdb::Transaction& transaction) const {
    return transaction.cursor(slots_);
}

Result<lmdb::Cursor> CertificateTable::by_author(const lmdb::Transaction& transaction) const {
    return transaction.cursor(authors_);
}

Result<lmdb::Cursor> CertificateTable::by_digest(const lmdb::Transaction& transaction) const {
    return transaction.cursor(digests_);
}

std::optional<Digest> CertificateTable::digest_of(lmdb::Row row) {
    const auto payload = open_record(row.key, row.value);
    if (!payload || payload->size() < sizeof(Digest)) return std::nullopt;
    return read_digest(payload->first(sizeof(Digest)));
}

std::vector<Digest> CertificateTable::payload_of(lmdb::Row row) {
    const auto payload = open_record(row.key, row.value);
    if (!payload) return {};
    CanonicalReader reader(*payload);
    (void)reader.digest();
    // A header begins with epoch, round, author and time; its payload comes next.
    (void)reader.fixed(8 + 8 + 2 + 8);
    std::vector<Digest> batches;
    const auto count = reader.count(dag::kPayloadEntriesMax, dag::kPayloadEntryBytes);
    for (std::uint32_t left = count; left > 0; --left)
        batches.push_back(dag::read_payload_entry(reader).batch);
    return batches;
}

Result<dag::VerifiedCertificate> CertificateTable::read(const dag::Committee& committee, lmdb::Row row) {
    const auto slot = read_slot_key(row.key);
    const auto digest = digest_of(row);
    if (!slot || !digest) return damaged_row(kName, row.key);
    const ByteView encoded =
        row.value.subspan(sizeof(Digest), row.value.size() - sizeof(Digest) - kChecksumBytes);
    auto certificate = decode_certificate(committee, encoded);
    if (!certificate || certificate->header.digest != *digest || certificate->header.epoch != slot->epoch ||
        certificate->ref().slot() != slot->slot) {
        return damaged_row(kName, row.key);
    }
    // It was verified before it was stored, and it is the same.
    return dag::Verification::trusted(std::move(*certificate));
}

Result<void> CertificateTable::erase_indices(lmdb::WriteTransaction& transaction, const EpochSlot& slot,
                                             const std::optional<Digest>& digest) const {
    if (digest) {
        if (auto erased = transaction.erase(digests_, digest->bytes); !erased)
            return Unexpected{erased.error()};
    }
    auto erased = transaction.erase(authors_, author_round_key(slot.epoch, slot.slot));
    if (!erased) return Unexpected{erased.error()};
    return {};
}

Result<bool> CertificateTable::author_row_exists(const lmdb::Transaction& transaction,
                                                 const EpochSlot& slot) const {
    auto row = get_record(transaction, authors_, author_round_key(slot.epoch, slot.slot));
    if (!row) return Unexpected{row.error()};
    return row->has_value();
}

}  // namespace monodon::storage
