#pragma once

#include <map>
#include <optional>
#include <vector>

#include "node/application.hpp"
#include "node/recent_operations.hpp"
#include "node/state_tree.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::node {

struct KvTables {
    storage::lmdb::Table state;
    storage::lmdb::Table buckets;
    storage::lmdb::Table meta;
    storage::lmdb::Table recent;
};

/// What there is to know about a state.
struct KvSummary {
    dag::CommitIndex applied;
    /// What a restart begins with.
    dag::CommitIndex durable;
    StateRoot root;
    std::uint64_t keys = 0;
    /// Executed in the history of the state, opaque ones included.
    std::uint64_t transactions = 0;
};

/// A row of the table `state`: SHA-256(value), then key and value. Views into the row.
struct KvRow {
    ByteView value_hash;
    ByteView key;
    ByteView value;

    /// Nothing if there is no such row.
    [[nodiscard]] static storage::Result<std::optional<KvRow>> get(
        const storage::lmdb::Transaction& transaction, storage::lmdb::Table table, const Digest& hash);
};

/// Rows of the other tables, for the store to read at start.
inline constexpr std::string_view kKvMetaKey = "state";
/// In `state`: the RecentHead, under the empty key.
[[nodiscard]] const Digest& kv_recent_row();
/// Bucket hashes lie in rows of 32, so that few changed buckets rewrite little, and all of them only 512
/// rows.
inline constexpr std::size_t kBucketsPerRow = 32;
[[nodiscard]] std::array<Byte, 2> bucket_row_key(std::size_t row);
struct KvMeta {
    KvSummary summary;
    BucketSet dirty;

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<KvMeta> decode(ByteView bytes);
};

/// The effects of a span of commits within one write transaction, which it must not outlive. When the
/// transaction has to be done again, so has the group.
class KvGroup {
 public:
    KvGroup(const KvTables& tables, storage::lmdb::WriteTransaction& transaction, const KvSummary& summary,
            const BucketSet& dirty, const StateTree& tree, const RecentOperations& recent);

    storage::Result<void> apply(const dag::Commit& commit, const BatchReader& read);
    /// Writes what is held, and the meta row if anything was written.
    storage::Result<void> finish();

    // Results, for the store to take when the transaction is committed.
    [[nodiscard]] const KvSummary& summary() const { return meta_.summary; }
    [[nodiscard]] const BucketSet& dirty() const { return meta_.dirty; }
    /// Only if a root fell due.
    [[nodiscard]] std::optional<StateTree>& new_tree() { return new_tree_; }
    [[nodiscard]] Applied& applied() { return applied_; }
    [[nodiscard]] RecentOperations::Change& recent() { return recent_; }

 private:
    /// What a key will be when the held changes are written; views into held batches.
    struct Change {
        ByteView key;
        /// Nothing: the key goes.
        std::optional<ByteView> value;
    };

    storage::Result<void> execute(AppliedBatch report, const BatchBody& body);
    storage::Result<Outcome> execute(ByteView transaction, ByteView& read);
    Outcome change(const Digest& hash, ByteView key, std::optional<ByteView> value);
    storage::Result<std::optional<ByteView>> current(const Digest& hash);
    storage::Result<void> flush();
    storage::Result<void> compute_root();
    storage::Result<void> hash_buckets(const std::vector<std::size_t>& buckets);
    storage::Result<void> store_hashes(const std::vector<std::size_t>& buckets);

    const KvTables& tables_;
    storage::lmdb::WriteTransaction& transaction_;
    const StateTree& tree_;
    KvMeta meta_;
    std::optional<StateTree> new_tree_;
    Applied applied_;
    RecentOperations::Change recent_;

    /// Changes that are not in the transaction yet, in the order of the table.
    std::map<Digest, Change> changes_;
    /// The batches they lie in.
    std::vector<SharedBytes> held_;
    std::size_t held_bytes_ = 0;
    /// The batch at hand has changed something.
    bool touched_ = false;
    /// The transaction has.
    bool written_ = false;
};

}  // namespace monodon::node
