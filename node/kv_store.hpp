#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "node/application.hpp"
#include "node/kv_group.hpp"
#include "node/state_tree.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::node {

/// The built-in application: a key-value store on an LMDB environment of its own, with the state root of
/// sync.md 3.
///
/// Tables: `state` maps SHA-256(key), whose order is the order of the buckets, to SHA-256(value), key and
/// value; `buckets` keeps the bucket hashes behind the last root; `meta` has one row with applied index, last
/// root, counters and the buckets that changed since that root; `recent` has the operations executed last
/// (node/recent_operations.hpp).
///
/// next_index() and apply() are of one thread; everything else is thread-safe.
class KvStore final : public Application {
    struct Opened {
        std::unique_ptr<storage::lmdb::Environment> environment;
        KvTables tables;
        KvMeta meta;
        StateTree tree;
        RecentOperations recent;
    };

 public:
    /// A root falls due at every commit whose index is a multiple of this.
    static constexpr std::uint64_t kRootInterval = 64;

    /// All members must have the same `recent_segment`: the state root depends on it.
    static storage::Result<std::unique_ptr<KvStore>> open(
        storage::lmdb::EnvironmentOptions options,
        std::uint64_t recent_segment = RecentOperations::kSegmentSize);
    /// For open() alone.
    explicit KvStore(Opened opened);

    [[nodiscard]] dag::CommitIndex next_index() override;
    [[nodiscard]] Verdict check(TransactionView transaction) const override;
    /// Commits that write nothing move the index in memory only, until one that writes follows or a root
    /// falls due: an idle or opaque chain costs no syncs, and after a crash they are applied again, to the
    /// same end.
    [[nodiscard]] Expected<Applied, ApplyFailure> apply(std::span<const dag::CommitPtr> commits,
                                                        const BatchReader& read) override;

    struct Read {
        std::optional<Bytes> value;
        /// The state is that of this commit or a later one.
        dag::CommitIndex applied;
    };
    [[nodiscard]] storage::Result<Read> get(ByteView key) const;
    [[nodiscard]] dag::CommitIndex applied_index() const { return summary().applied; }
    /// Where a restart begins; at most kRootInterval below applied_index().
    [[nodiscard]] dag::CommitIndex durable_index() const { return summary().durable; }
    /// The newest root: that of an empty store at index 0 before the first is due.
    [[nodiscard]] StateRoot root() const { return summary().root; }
    [[nodiscard]] KvSummary summary() const;
    [[nodiscard]] storage::lmdb::EnvironmentStats stats() const { return environment_->stats(); }
    [[nodiscard]] const storage::lmdb::Environment& environment() const { return *environment_; }

 private:
    std::unique_ptr<storage::lmdb::Environment> environment_;
    KvTables tables_;
    /// Of the applying thread: bucket hashes as of the last root, and the buckets that changed since.
    StateTree tree_;
    BucketSet dirty_;
    RecentOperations recent_;

    mutable std::mutex mutex_;
    KvSummary summary_;
};

}  // namespace monodon::node
