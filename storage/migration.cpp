#include "storage/migration.hpp"

#include <fmt/format.h>

#include "net/core/log.hpp"
#include "storage/time.hpp"

namespace monodon::storage {

namespace {

constexpr std::size_t kRowsPerTransaction = 2000;
constexpr std::size_t kBytesPerRow = 8 * 1024;

/// Version 2 has `batch_references`: writes those of the certificates from `from` on, and gives where to go
/// on, nothing at the end.
Result<std::optional<Bytes>> add_references(lmdb::Environment& environment, const ConsensusTables& tables,
                                            const Bytes& from) {
    std::optional<Bytes> rest;
    auto fill = [&](lmdb::WriteTransaction& transaction) -> Result<void> {
        rest.reset();
        auto cursor = tables.certificates.by_slot(transaction);
        if (!cursor) return Unexpected{cursor.error()};
        std::size_t rows = 0;
        auto row = from.empty() ? cursor->first() : cursor->at_or_after(from);
        for (; row && *row; row = cursor->next(), ++rows) {
            if (rows == kRowsPerTransaction) {
                rest = Bytes((*row)->key.begin(), (*row)->key.end());
                return {};
            }
            const auto at = read_slot_key((*row)->key);
            if (!at) continue;
            const auto named = CertificateTable::payload_of(**row);
            auto inserted = tables.references.insert(transaction, *at, named);
            if (!inserted) return inserted;
        }
        if (!row) return Unexpected{row.error()};
        return {};
    };
    auto written = lmdb::write_growing(environment, kRowsPerTransaction * kBytesPerRow, fill);
    if (!written) return Unexpected{written.error()};
    return rest;
}

Result<void> to_version_2(lmdb::Environment& environment, const ConsensusTables& tables) {
    Bytes from;
    for (;;) {
        auto rest = add_references(environment, tables, from);
        if (!rest) return Unexpected{rest.error()};
        if (!*rest) return {};
        from = std::move(**rest);
    }
}

}  // namespace

Result<void> known_schema(const Identity& identity, const std::filesystem::path& store) {
    if (identity.schema > kSchemaVersion) {
        return fail(StoreError::incompatible,
                    fmt::format("{} has schema version {}, this program knows {} to {}: a newer monodon has "
                                "written it; start that one, or restore a backup that this one has made",
                                store.string(), identity.schema, kOldestSchema, kSchemaVersion));
    }
    if (identity.schema < kOldestSchema) {
        return fail(StoreError::incompatible,
                    fmt::format("{} has schema version {}, this program knows {} to {}: open it once with a "
                                "version of monodon in between",
                                store.string(), identity.schema, kOldestSchema, kSchemaVersion));
    }
    return {};
}

Result<void> migrate(lmdb::Environment& environment, const ConsensusTables& tables, Identity identity) {
    const std::filesystem::path& where = environment.directory();
    if (auto known = known_schema(identity, where); !known) return known;
    if (identity.schema == kSchemaVersion) return {};
    const std::uint32_t before = identity.schema;
    log::info(
        log::Category::storage, "bringing the store to this version",
        {{"path", where.string()}, {"from", std::to_string(before)}, {"to", std::to_string(kSchemaVersion)}});
    if (before < 2) {
        if (auto done = to_version_2(environment, tables); !done) return done;
    }
    // What version 3 has more, an empty table, was made when the tables were opened.
    identity.schema = kSchemaVersion;
    return lmdb::write_growing(environment, kBytesPerRow, [&](lmdb::WriteTransaction& transaction) {
        JournalEntry entry;
        entry.at = now_microseconds();
        entry.kind = "migration";
        entry.text = fmt::format("schema {} became {}", before, kSchemaVersion);
        auto noted = tables.journal.append(transaction, entry);
        return noted ? tables.metadata.put(transaction, identity) : noted;
    });
}

}  // namespace monodon::storage
