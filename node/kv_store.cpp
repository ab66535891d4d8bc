#include "node/kv_store.hpp"

#include <algorithm>
#include <utility>

#include "net/core/canonical.hpp"
#include "net/core/check.hpp"
#include "node/kv_format.hpp"
#include "storage/record.hpp"

namespace monodon::node {

using storage::Result;
using storage::StoreError;

namespace {

/// Leaves in random places: of the state, of the recent operations, and what is split off.
constexpr std::size_t kCopiedBytesPerTransaction = 4 * 4096;

Result<void> load_buckets(const storage::lmdb::Transaction& transaction, storage::lmdb::Table table,
                          StateTree& tree) {
    for (std::size_t at = 0; at < kBuckets / kBucketsPerRow; ++at) {
        const auto key = bucket_row_key(at);
        const auto row = storage::get_record(transaction, table, key);
        if (!row) return Unexpected{row.error()};
        // None of these buckets has ever held a key.
        if (!*row) continue;
        CanonicalReader hashes(**row);
        for (std::size_t in_row = 0; in_row < kBucketsPerRow; ++in_row) {
            tree.set(at * kBucketsPerRow + in_row, hashes.digest());
        }
        if (!hashes.finished()) return storage::damaged_row("buckets", key);
    }
    return {};
}

Result<void> load(storage::lmdb::Environment& environment, const KvTables& tables, KvMeta& meta,
                  StateTree& tree, RecentOperations& recent) {
    meta.summary.root.root = tree.root();
    const auto transaction = environment.read();
    if (!transaction) return Unexpected{transaction.error()};
    const auto row = storage::get_record(*transaction, tables.meta, as_bytes(kKvMetaKey));
    if (!row) return Unexpected{row.error()};
    if (!*row) return {};
    const auto decoded = KvMeta::decode(**row);
    if (!decoded) return storage::damaged_row("meta", as_bytes(kKvMetaKey));
    meta = *decoded;
    if (auto loaded = load_buckets(*transaction, tables.buckets, tree); !loaded) return loaded;
    if (tree.root() != meta.summary.root.root) {
        return storage::fail(StoreError::damaged, "the bucket hashes of the state do not give its root");
    }
    const auto found = KvRow::get(*transaction, tables.state, kv_recent_row());
    if (!found) return Unexpected{found.error()};
    const auto head = *found ? RecentHead::decode((*found)->value) : RecentHead{};
    if (!head) return storage::damaged_row("state", kv_recent_row().bytes);
    return recent.load(*transaction, tables.recent, *head);
}

}  // namespace

Result<std::unique_ptr<KvStore>> KvStore::open(storage::lmdb::EnvironmentOptions options,
                                               std::uint64_t recent_segment) {
    auto environment = storage::lmdb::Environment::open(std::move(options));
    if (!environment) return Unexpected{environment.error()};
    const auto tables = (*environment)->tables({"state", "buckets", "meta", "recent"});
    if (!tables) return Unexpected{tables.error()};
    Opened opened{*std::move(environment),
                  {tables->at(0), tables->at(1), tables->at(2), tables->at(3)},
                  {},
                  {},
                  RecentOperations(recent_segment)};
    const auto loaded = load(*opened.environment, opened.tables, opened.meta, opened.tree, opened.recent);
    if (!loaded) return Unexpected{loaded.error()};
    return std::make_unique<KvStore>(std::move(opened));
}

KvStore::KvStore(Opened opened)
    : environment_(std::move(opened.environment)),
      tables_(opened.tables),
      tree_(std::move(opened.tree)),
      dirty_(opened.meta.dirty),
      recent_(std::move(opened.recent)),
      summary_(opened.meta.summary) {}

dag::CommitIndex KvStore::next_index() { return dag::next(durable_index()); }

Verdict KvStore::check(TransactionView transaction) const {
    return is_kv(transaction.bytes) && !parse_kv(transaction.bytes) ? Verdict::malformed : Verdict::ok;
}

Expected<Applied, ApplyFailure> KvStore::apply(std::span<const dag::CommitPtr> commits,
                                               const BatchReader& read) {
    const KvSummary before = summary();
    while (!commits.empty() && commits.front()->index <= before.applied) commits = commits.subspan(1);
    if (commits.empty()) return Applied{};
    std::size_t bytes = 0;
    std::size_t transactions = 0;
    dag::CommitIndex expected = before.applied;
    for (const dag::CommitPtr& commit : commits) {
        expected = dag::next(expected);
        MONODON_CHECK(commit->index == expected);
        bytes += commit->bytes;
        transactions += commit->transactions;
    }

    std::optional<KvGroup> group;
    const auto fill = [&](storage::lmdb::WriteTransaction& transaction) -> Result<void> {
        group.emplace(tables_, transaction, before, dirty_, tree_, recent_);
        for (const dag::CommitPtr& commit : commits) {
            if (auto applied = group->apply(*commit, read); !applied) return applied;
        }
        return group->finish();
    };
    // A transaction copies no page twice, so never more than there are.
    const std::size_t copied =
        std::min<std::size_t>(environment_->stats().used_bytes, transactions * kCopiedBytesPerTransaction);
    const std::size_t room = 2 * bytes + copied + (std::size_t{1} << 20);
    if (auto written = storage::lmdb::write_growing(*environment_, room, fill); !written) {
        return Unexpected{ApplyFailure{written.error().text, written.error().error == StoreError::no_space}};
    }
    dirty_ = group->dirty();
    if (group->new_tree()) tree_ = *std::move(group->new_tree());
    recent_.take(group->recent());
    {
        const std::lock_guard lock(mutex_);
        summary_ = group->summary();
    }
    return std::move(group->applied());
}

Result<KvStore::Read> KvStore::get(ByteView key) const {
    Read read{std::nullopt, applied_index()};
    const auto transaction = environment_->read();
    if (!transaction) return Unexpected{transaction.error()};
    const auto row = KvRow::get(*transaction, tables_.state, sha256(key));
    if (!row) return Unexpected{row.error()};
    if (*row) read.value.emplace((*row)->value.begin(), (*row)->value.end());
    return read;
}

KvSummary KvStore::summary() const {
    const std::lock_guard lock(mutex_);
    return summary_;
}

}  // namespace monodon::node
