#include "storage/record.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <xxhash.h>

#include "net/core/check.hpp"

namespace monodon::storage {

std::uint64_t record_checksum(ByteView key, ByteView payload) {
    return XXH3_64bits_withSeed(payload.data(), payload.size(), XXH3_64bits(key.data(), key.size()));
}

void seal_record(ByteView key, std::span<Byte> row) {
    MONODON_CHECK(row.size() >= kChecksumBytes);
    const auto payload = row.first(row.size() - kChecksumBytes);
    const std::uint64_t sum = record_checksum(key, payload);
    for (std::size_t at = 0; at < kChecksumBytes; ++at) {
        row[payload.size() + at] = static_cast<Byte>(sum >> (8 * at));
    }
}

std::optional<ByteView> open_record(ByteView key, ByteView row) {
    if (row.size() < kChecksumBytes) return std::nullopt;
    const ByteView payload = row.first(row.size() - kChecksumBytes);
    std::uint64_t stored = 0;
    for (std::size_t at = 0; at < kChecksumBytes; ++at) {
        stored |= std::uint64_t{row[payload.size() + at]} << (8 * at);
    }
    if (stored != record_checksum(key, payload)) return std::nullopt;
    return payload;
}

Result<void> put_record(lmdb::WriteTransaction& transaction, lmdb::Table table, ByteView key,
                        ByteView payload) {
    auto row = transaction.reserve(table, key, payload.size() + kChecksumBytes);
    if (!row) return Unexpected{row.error()};
    std::copy(payload.begin(), payload.end(), row->begin());
    seal_record(key, *row);
    return {};
}

Result<std::optional<ByteView>> get_record(const lmdb::Transaction& transaction, lmdb::Table table,
                                           ByteView key) {
    auto row = transaction.get(table, key);
    if (!row || !*row) return row;
    auto payload = open_record(key, **row);
    if (!payload) return damaged_row("row", key);
    return payload;
}

Unexpected<Failure> damaged_row(std::string_view what, ByteView key) {
    return fail(StoreError::damaged, fmt::format("{} with key {} is damaged", what, to_hex(key)));
}

}  // namespace monodon::storage
