#pragma once

#include <vector>

#include "dag/model/verification.hpp"
#include "storage/keys.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::storage {

/// Tables `certificates` (epoch, round, author -> digest, encoded certificate), `certificate_digests` (digest
/// -> epoch, round, author) and `certificates_by_author` (epoch, author, round -> nothing).
class CertificateTable {
 public:
    static constexpr const char* kName = "certificates";
    static constexpr const char* kDigestsName = "certificate_digests";
    static constexpr const char* kAuthorsName = "certificates_by_author";

    CertificateTable(lmdb::Table slots, lmdb::Table digests, lmdb::Table authors)
        : slots_(slots), digests_(digests), authors_(authors) {}

    /// False if the slot holds this certificate already. Another one in the slot is never overwritten: the
    /// engine halts before it would be written, so it is our bug. A row that does not verify is replaced.
    [[nodiscard]] Result<bool> insert(lmdb::WriteTransaction& transaction,
                                      const dag::Certificate& certificate) const;

    /// Nothing if the slot is empty.
    [[nodiscard]] Result<std::optional<dag::VerifiedCertificate>> find(const lmdb::Transaction& transaction,
                                                                       const dag::Committee& committee,
                                                                       dag::Slot slot) const;
    /// The digest of what is in a slot, by its checksum only; nothing if the slot is empty.
    [[nodiscard]] Result<std::optional<Digest>> digest_at(const lmdb::Transaction& transaction,
                                                          const EpochSlot& slot) const;
    [[nodiscard]] Result<std::optional<EpochSlot>> slot_of(const lmdb::Transaction& transaction,
                                                           const Digest& digest) const;

    /// For walks in the order of their keys; rows are read by read() and slot_of_row().
    [[nodiscard]] Result<lmdb::Cursor> by_slot(const lmdb::Transaction& transaction) const;
    [[nodiscard]] Result<lmdb::Cursor> by_author(const lmdb::Transaction& transaction) const;
    [[nodiscard]] Result<lmdb::Cursor> by_digest(const lmdb::Transaction& transaction) const;
    /// The certificate of a row of by_slot(), checked against checksum, key and digest.
    [[nodiscard]] static Result<dag::VerifiedCertificate> read(const dag::Committee& committee,
                                                               lmdb::Row row);
    /// The digest of a row of by_slot() whose checksum holds.
    [[nodiscard]] static std::optional<Digest> digest_of(lmdb::Row row);

    /// The batches that the certificate of such a row names; none if its checksum does not hold.
    [[nodiscard]] static std::vector<Digest> payload_of(lmdb::Row row);

    /// The index rows of a certificate that leaves; its own is erased by the cursor that found it.
    [[nodiscard]] Result<void> erase_indices(lmdb::WriteTransaction& transaction, const EpochSlot& slot,
                                             const std::optional<Digest>& digest) const;
    [[nodiscard]] Result<bool> author_row_exists(const lmdb::Transaction& transaction,
                                                 const EpochSlot& slot) const;

 private:
    lmdb::Table slots_;
    lmdb::Table digests_;
    lmdb::Table authors_;
};

}  // namespace monodon::storage
