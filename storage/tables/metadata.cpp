#include "storage/tables/metadata.hpp"

#include "net/core/canonical.hpp"
#include "storage/record.hpp"

namespace monodon::storage {

namespace {

constexpr std::string_view kIdentity = "identity";
constexpr std::string_view kGenesis = "genesis";
constexpr std::string_view kProgress = "progress";
constexpr std::string_view kFresh = "fresh";
constexpr std::string_view kSigning = "signing";
constexpr std::size_t kChainBytesMax = 1024;

}  // namespace

Result<std::optional<Identity>> MetadataTable::identity(const lmdb::Transaction& transaction) const {
    auto row = get_record(transaction, table_, as_bytes(kIdentity));
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<Identity>();
    CanonicalReader reader(**row);
    Identity identity;
    identity.schema = reader.u32();
    identity.chain = std::string(as_text(reader.bytes(kChainBytesMax)));
    identity.committee = reader.digest();
    identity.created_at = reader.u64();
    if (!reader.finished()) return damaged_row("metadata", as_bytes(kIdentity));
    return std::optional<Identity>(std::move(identity));
}

Result<void> MetadataTable::put(lmdb::WriteTransaction& transaction, const Identity& identity) const {
    CanonicalWriter writer;
    writer.u32(identity.schema).text(identity.chain).digest(identity.committee).u64(identity.created_at);
    return put_record(transaction, table_, as_bytes(kIdentity), writer.view());
}

Result<std::optional<Digest>> MetadataTable::genesis(const lmdb::Transaction& transaction) const {
    auto row = get_record(transaction, table_, as_bytes(kGenesis));
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<Digest>();
    CanonicalReader reader(**row);
    const Digest genesis = reader.digest();
    if (!reader.finished()) return damaged_row("metadata", as_bytes(kGenesis));
    return std::optional(genesis);
}

Result<void> MetadataTable::put_genesis(lmdb::WriteTransaction& transaction, const Digest& genesis) const {
    CanonicalWriter writer;
    writer.digest(genesis);
    return put_record(transaction, table_, as_bytes(kGenesis), writer.view());
}

Result<Progress> MetadataTable::progress(const lmdb::Transaction& transaction) const {
    auto row = get_record(transaction, table_, as_bytes(kProgress));
    if (!row) return Unexpected{row.error()};
    // It is written with the identity, before anything else.
    if (!*row) return damaged_row("metadata", as_bytes(kProgress));
    Progress progress;
    CanonicalReader reader(**row);
    progress.highest_round = dag::Round{reader.u64()};
    progress.graph_floor = dag::Round{reader.u64()};
    progress.store_floor = dag::Round{reader.u64()};
    progress.commit_floor = dag::CommitIndex{reader.u64()};
    progress.last_commit = dag::CommitIndex{reader.u64()};
    progress.last_commit_digest = reader.digest();
    progress.last_anchor = dag::Round{reader.u64()};
    progress.certificates = reader.u64();
    progress.commits = reader.u64();
    progress.transactions = reader.u64();
    progress.updated_at = reader.u64();
    if (!reader.finished()) return damaged_row("metadata", as_bytes(kProgress));
    return progress;
}

Result<void> MetadataTable::put(lmdb::WriteTransaction& transaction, const Progress& progress) const {
    CanonicalWriter writer;
    writer.u64(progress.highest_round.value())
        .u64(progress.graph_floor.value())
        .u64(progress.store_floor.value());
    writer.u64(progress.commit_floor.value()).u64(progress.last_commit.value());
    writer.digest(progress.last_commit_digest).u64(progress.last_anchor.value());
    writer.u64(progress.certificates)
        .u64(progress.commits)
        .u64(progress.transactions)
        .u64(progress.updated_at);
    return put_record(transaction, table_, as_bytes(kProgress), writer.view());
}

Result<bool> MetadataTable::fresh(const lmdb::Transaction& transaction) const {
    auto row = get_record(transaction, table_, as_bytes(kFresh));
    if (!row) return Unexpected{row.error()};
    return row->has_value();
}

Result<void> MetadataTable::mark_fresh(lmdb::WriteTransaction& transaction) const {
    return put_record(transaction, table_, as_bytes(kFresh), {});
}

Result<void> MetadataTable::clear_fresh(lmdb::WriteTransaction& transaction) const {
    auto erased = transaction.erase(table_, as_bytes(kFresh));
    if (!erased) return Unexpected{erased.error()};
    return {};
}

Result<dag::SigningBound> MetadataTable::signing(const lmdb::Transaction& transaction) const {
    auto row = get_record(transaction, table_, as_bytes(kSigning));
    if (!row) return Unexpected{row.error()};
    if (!*row) return dag::SigningBound{};
    CanonicalReader reader(**row);
    dag::SigningBound bound;
    bound.above = dag::Round{reader.u64()};
    bound.ask = reader.u8() != 0;
    if (!reader.finished()) return damaged_row("metadata", as_bytes(kSigning));
    return bound;
}

Result<void> MetadataTable::put(lmdb::WriteTransaction& transaction, const dag::SigningBound& bound) const {
    CanonicalWriter writer;
    writer.u64(bound.above.value()).u8(bound.ask ? 1 : 0);
    return put_record(transaction, table_, as_bytes(kSigning), writer.view());
}

Result<void> MetadataTable::mark_ask_first(lmdb::WriteTransaction& transaction) const {
    if (auto cleared = clear_fresh(transaction); !cleared) return cleared;
    auto bound = signing(transaction);
    if (!bound) return Unexpected{bound.error()};
    bound->ask = true;
    return put(transaction, *bound);
}

}  // namespace monodon::storage
