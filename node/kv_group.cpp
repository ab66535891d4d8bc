#include "node/kv_group.hpp"

#include <algorithm>

#include "net/core/canonical.hpp"
#include "node/kv_format.hpp"
#include "node/kv_store.hpp"
#include "storage/record.hpp"

namespace monodon::node {

using storage::Result;

namespace {

/// Changes are held back until many of them can be written in the order of the table, which saves most of its
/// page copies. This much of batches is kept for them.
constexpr std::size_t kHeldBytesMax = 16 * 1024 * 1024;
constexpr std::size_t kRowOverhead = 32 + 4 + storage::kChecksumBytes;

void fill_row(std::span<Byte> row, const Digest& hash, ByteView key, ByteView value) {
    CanonicalWriter head;
    head.reserve(32 + 4 + key.size());
    head.digest(sha256(value)).bytes(key);
    const auto end = std::ranges::copy(head.view(), row.begin()).out;
    std::ranges::copy(value, end);
    storage::seal_record(hash.bytes, row);
}

}  // namespace

Result<std::optional<KvRow>> KvRow::get(const storage::lmdb::Transaction& transaction,
                                        storage::lmdb::Table table, const Digest& hash) {
    auto record = storage::get_record(transaction, table, hash.bytes);
    if (!record) return Unexpected{record.error()};
    if (!*record) return std::optional<KvRow>{};
    CanonicalReader reader(**record);
    KvRow row;
    row.value_hash = reader.fixed(32);
    row.key = reader.bytes(kKvKeyBytesMax);
    if (!reader.ok()) return storage::damaged_row("state", hash.bytes);
    row.value = reader.fixed(reader.remaining());
    return std::optional{row};
}

const Digest& kv_recent_row() {
    static const Digest kRow = sha256({});
    return kRow;
}

std::array<Byte, 2> bucket_row_key(std::size_t row) {
    return {static_cast<Byte>(row >> 8), static_cast<Byte>(row)};
}

Bytes KvMeta::encode() const {
    CanonicalWriter writer;
    writer.reserve(4 * 8 + 32 + BucketSet::kBytes);
    writer.u64(summary.applied.value()).u64(summary.root.index.value()).digest(summary.root.root);
    writer.u64(summary.keys).u64(summary.transactions).fixed(dirty.encode());
    return writer.take();
}

std::optional<KvMeta> KvMeta::decode(ByteView bytes) {
    CanonicalReader reader(bytes);
    KvMeta meta;
    meta.summary.applied = dag::CommitIndex{reader.u64()};
    meta.summary.durable = meta.summary.applied;
    meta.summary.root.index = dag::CommitIndex{reader.u64()};
    meta.summary.root.root = reader.digest();
    meta.summary.keys = reader.u64();
    meta.summary.transactions = reader.u64();
    const ByteView dirty = reader.fixed(BucketSet::kBytes);
    if (!reader.finished()) return std::nullopt;
    meta.dirty = BucketSet::decode(dirty);
    return meta;
}

KvGroup::KvGroup(const KvTables& tables, storage::lmdb::WriteTransaction& transaction,
                 const KvSummary& summary, const BucketSet& dirty, const StateTree& tree,
                 const RecentOperations& recent)
    : tables_(tables),
      transaction_(transaction),
      tree_(tree),
      meta_{summary, dirty},
      recent_(recent, transaction, tables.recent) {}

Result<void> KvGroup::apply(const dag::Commit& commit, const BatchReader& read) {
    std::uint64_t position = 0;
    for (const dag::PayloadEntry& entry : commit.payload) {
        const auto body = read(entry);
        if (!body) return storage::fail(storage::StoreError::failed, body.error());
        AppliedBatch report{entry.batch, commit.index, commit.anchor.round, position, {}, {}};
        if (auto executed = execute(std::move(report), *body); !executed) return executed;
        position += entry.transactions;
        if (held_bytes_ > kHeldBytesMax) {
            if (auto flushed = flush(); !flushed) return flushed;
        }
    }
    if (auto finished = recent_.finish_commit(commit.index); !finished) return finished;
    meta_.summary.applied = commit.index;
    meta_.summary.transactions += position;
    if (commit.index.value() % KvStore::kRootInterval != 0) return {};
    return compute_root();
}

Result<void> KvGroup::finish() {
    if (auto flushed = flush(); !flushed) return flushed;
    if (!written_) return {};
    const auto keys = transaction_.count(tables_.state);
    if (!keys) return Unexpected{keys.error()};
    meta_.summary.keys = *keys - (recent_.head().empty() ? 0 : 1);
    meta_.summary.durable = meta_.summary.applied;
    return storage::put_record(transaction_, tables_.meta, as_bytes(kKvMetaKey), meta_.encode());
}

Result<void> KvGroup::execute(AppliedBatch report, const BatchBody& body) {
    if (body.report) report.outcomes.reserve(body.view.transactions);
    std::optional<storage::Failure> failure;
    std::size_t read_bytes = 0;
    std::uint32_t position = 0;
    touched_ = false;
    body.view.for_each([&](ByteView transaction) {
        if (failure) return;
        ByteView read;
        const auto outcome = execute(transaction, read);
        if (!outcome) {
            failure = outcome.error();
            return;
        }
        if (body.report) {
            report.outcomes.push_back(*outcome);
            read_bytes += read.size();
            if (*outcome == Outcome::value && read_bytes <= AppliedBatch::kReadBytesMax) {
                report.values.emplace_back(position, std::make_shared<const Bytes>(read.begin(), read.end()));
            }
        }
        ++position;
    });
    if (failure) return Unexpected{*std::move(failure)};
    if (body.report) applied_.reported.push_back(std::move(report));
    if (touched_) {
        held_.push_back(body.bytes);
        held_bytes_ += body.bytes->size();
    }
    return {};
}

/// `read` is what a get finds; valid until the next flush.
Result<Outcome> KvGroup::execute(ByteView transaction, ByteView& read) {
    if (!is_kv(transaction)) return Outcome::ok;
    const auto operation = parse_kv(transaction);
    if (!operation) return Outcome::malformed;
    // A get changes nothing: asked again it may as well answer again.
    if (operation->op != KvOp::get) {
        const Digest id = sha256(transaction);
        if (recent_.contains(id)) return Outcome::duplicate;
        recent_.add(id);
    }
    const Digest hash = sha256(operation->key);
    // What is there does not matter to a put.
    if (operation->op == KvOp::put) return change(hash, operation->key, operation->value);
    const auto found = current(hash);
    if (!found) return Unexpected{found.error()};
    const std::optional<ByteView>& value = *found;
    switch (operation->op) {
        case KvOp::erase:
            if (!value) return Outcome::absent;
            return change(hash, operation->key, std::nullopt);
        case KvOp::compare_and_set:
            if (value.has_value() != operation->expected.has_value()) return Outcome::mismatch;
            if (value && !std::ranges::equal(*value, *operation->expected)) return Outcome::mismatch;
            return change(hash, operation->key, operation->value);
        case KvOp::get:
        case KvOp::put:
            break;
    }
    if (!value) return Outcome::absent;
    read = *value;
    return Outcome::value;
}

Outcome KvGroup::change(const Digest& hash, ByteView key, std::optional<ByteView> value) {
    changes_[hash] = {key, value};
    touched_ = true;
    return Outcome::ok;
}

Result<std::optional<ByteView>> KvGroup::current(const Digest& hash) {
    if (const auto held = changes_.find(hash); held != changes_.end()) return held->second.value;
    const auto row = KvRow::get(transaction_, tables_.state, hash);
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<ByteView>{};
    return std::optional{(*row)->value};
}

Result<void> KvGroup::flush() {
    Bytes head;
    if (recent_.changed()) {
        head = recent_.head().encode();
        changes_[kv_recent_row()] = {ByteView{}, ByteView{head}};
    }
    for (const auto& [hash, change] : changes_) {
        meta_.dirty.insert(bucket_of(hash));
        if (!change.value) {
            if (auto erased = transaction_.erase(tables_.state, hash.bytes); !erased) {
                return Unexpected{erased.error()};
            }
            continue;
        }
        auto row = transaction_.reserve(tables_.state, hash.bytes,
                                        kRowOverhead + change.key.size() + change.value->size());
        if (!row) return Unexpected{row.error()};
        fill_row(*row, hash, change.key, *change.value);
    }
    written_ = written_ || !changes_.empty();
    changes_.clear();
    held_.clear();
    held_bytes_ = 0;
    return {};
}

Result<void> KvGroup::compute_root() {
    if (auto flushed = flush(); !flushed) return flushed;
    if (!new_tree_) new_tree_ = tree_;
    std::vector<std::size_t> buckets;
    meta_.dirty.for_each([&buckets](std::size_t bucket) { buckets.push_back(bucket); });
    if (auto hashed = hash_buckets(buckets); !hashed) return hashed;
    if (auto stored = store_hashes(buckets); !stored) return stored;
    meta_.dirty.clear();
    meta_.summary.root = {meta_.summary.applied, new_tree_->root()};
    written_ = true;
    applied_.roots.push_back(meta_.summary.root);
    return {};
}

/// Reads the hashes only and does not verify the rows: a damaged hash shows in the root, which others
/// compare.
Result<void> KvGroup::hash_buckets(const std::vector<std::size_t>& buckets) {
    auto cursor = transaction_.cursor(tables_.state);
    if (!cursor) return Unexpected{cursor.error()};
    BucketHasher hasher;
    for (const std::size_t bucket : buckets) {
        auto row = cursor->at_or_after(first_of_bucket(bucket).bytes);
        for (; row && *row; row = cursor->next()) {
            Digest hash;
            if ((*row)->key.size() != hash.bytes.size() || (*row)->value.size() < kRowOverhead) {
                return storage::damaged_row("state", (*row)->key);
            }
            std::ranges::copy((*row)->key, hash.bytes.begin());
            if (bucket_of(hash) != bucket) break;
            hasher.add(hash, (*row)->value.first(32));
        }
        if (!row) return Unexpected{row.error()};
        new_tree_->set(bucket, hasher.finish());
    }
    return {};
}

Result<void> KvGroup::store_hashes(const std::vector<std::size_t>& buckets) {
    std::size_t stored = kBuckets;
    for (const std::size_t bucket : buckets) {
        const std::size_t row = bucket / kBucketsPerRow;
        if (row == stored) continue;
        stored = row;
        CanonicalWriter hashes;
        hashes.reserve(kBucketsPerRow * 32);
        for (std::size_t at = 0; at < kBucketsPerRow; ++at) {
            hashes.digest(new_tree_->bucket(row * kBucketsPerRow + at));
        }
        auto put = storage::put_record(transaction_, tables_.buckets, bucket_row_key(row), hashes.view());
        if (!put) return put;
    }
    return {};
}

}  // namespace monodon::node
