#pragma once

#include <filesystem>

#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage {

/// The oldest layout that this program can bring to its own.
inline constexpr std::uint32_t kOldestSchema = 1;

/// A layout that is newer than ours, or older than kOldestSchema, is `incompatible`, with a sentence that
/// says what to do. `store` is its directory.
[[nodiscard]] Result<void> known_schema(const Identity& identity, const std::filesystem::path& store);

/// Brings a store from the layout of `identity` to kSchemaVersion, a bounded number of rows a transaction,
/// and writes the new number last: a crash in between leaves the old number, and all is done again. A layout
/// that is not known is refused as above.
[[nodiscard]] Result<void> migrate(lmdb::Environment& environment, const ConsensusTables& tables,
                                   Identity identity);

}  // namespace monodon::storage
