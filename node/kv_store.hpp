#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "node/application.hpp"
#include "node/state_tree.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::node {

/// The built-in application: a key-value store on an LMDB environment of its own, with the state root of
/// sync.md 3.
///
/// Tables: `state` maps SHA-256(key), whose order is the order of the buckets, to SHA-256(value), key and
/// value; `buckets` keeps the bucket hashes behind the last root, `meta` one row with applied index, last
/// root, counters and the buckets that changed since that root.
///
/// next_index() and apply() are of one thread; everything else is thread-safe.
class KvStore final : public Application {
 public:
    /// A root falls due at every commit whose index is a multiple of this.
    static constexpr std::uint64_t kRootInterval = 64;

    static storage::Result<std::unique_ptr<KvStore>> open(storage::lmdb::EnvironmentOptions options);
    ~KvStore() override;

    [[nodiscard]] dag::CommitIndex next_index() override;
    [[nodiscard]] Verdict check(TransactionView transaction) const override;
    /// Blocks that write nothing move the index in memory only, until a block that writes follows or a root
    /// falls due: they are applied again after a crash, to the same end.
    [[nodiscard]] Expected<Applied, std::string> apply(std::span<const CommittedBlock> blocks) override;

    struct Read {
        std::optional<Bytes> value;
        /// The state is that of this commit or a later one.
        dag::CommitIndex applied;
    };
    [[nodiscard]] storage::Result<Read> get(ByteView key) const;
    [[nodiscard]] dag::CommitIndex applied_index() const;
    /// The newest root: that of an empty store at index 0 before the first is due.
    [[nodiscard]] StateRoot root() const;
    [[nodiscard]] std::uint64_t keys() const;
    /// Executed in this state's history, opaque ones included.
    [[nodiscard]] std::uint64_t transactions() const;
    [[nodiscard]] storage::lmdb::EnvironmentStats stats() const { return environment_->stats(); }

 private:
    /// What is published to other threads.
    struct Published {
        dag::CommitIndex applied;
        StateRoot root;
        std::uint64_t keys = 0;
        std::uint64_t transactions = 0;
    };
    struct Tables {
        storage::lmdb::Table state;
        storage::lmdb::Table buckets;
        storage::lmdb::Table meta;
    };
    class Group;

    explicit KvStore(std::unique_ptr<storage::lmdb::Environment> environment);
    storage::Result<void> load();

    std::unique_ptr<storage::lmdb::Environment> environment_;
    Tables tables_;
    /// Of the applying thread: bucket hashes as of the last root, and what changed since.
    StateTree tree_;
    BucketSet dirty_;

    mutable std::mutex mutex_;
    Published published_;
};

}  // namespace monodon::node
