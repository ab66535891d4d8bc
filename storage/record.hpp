#pragma once

#include <optional>

#include "storage/lmdb/environment.hpp"

/// The form of every row: a payload and, last, the XXH3-64 of key and payload. It finds what disks and cables
/// do to bytes; against forgery there are digests and signatures.
namespace monodon::storage {

inline constexpr std::size_t kChecksumBytes = 8;

[[nodiscard]] std::uint64_t record_checksum(ByteView key, ByteView payload);
/// Little-endian, into the last 8 bytes of a row whose payload is before them.
void seal_record(ByteView key, std::span<Byte> row);
/// The payload of a row; nothing if the row is damaged.
[[nodiscard]] std::optional<ByteView> open_record(ByteView key, ByteView row);

[[nodiscard]] Result<void> put_record(lmdb::WriteTransaction& transaction, lmdb::Table table, ByteView key,
                                      ByteView payload);
/// Nothing if there is no such row; `damaged` if it does not verify.
[[nodiscard]] Result<std::optional<ByteView>> get_record(const lmdb::Transaction& transaction,
                                                         lmdb::Table table, ByteView key);

/// A failure of kind `damaged` that names the row.
[[nodiscard]] Unexpected<Failure> damaged_row(std::string_view what, ByteView key);

}  // namespace monodon::storage
