#include "node/recent_operations.hpp"

#include "net/core/canonical.hpp"
#include "storage/record.hpp"

namespace monodon::node {

using storage::Result;

namespace {

constexpr std::size_t kIdBytes = sizeof(Digest::bytes);
constexpr std::size_t kRowKeyBytes = 16;

/// Big-endian, so that the rows of a segment lie together and in the order of the commits.
Bytes row_key(std::uint64_t segment, dag::CommitIndex commit) {
    Bytes key;
    for (const std::uint64_t part : {segment, commit.value()}) {
        for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<Byte>(part >> shift));
    }
    return key;
}

std::uint64_t segment_of(ByteView key) {
    std::uint64_t segment = 0;
    for (std::size_t at = 0; at < 8; ++at) segment = segment << 8 | key[at];
    return segment;
}

}  // namespace

void RecentHead::add(ByteView ids) {
    CanonicalWriter link;
    link.reserve(kIdBytes + ids.size());
    link.digest(chain).fixed(ids);
    chain = sha256(link.view());
    count += ids.size() / kIdBytes;
}

Bytes RecentHead::encode() const {
    CanonicalWriter writer;
    writer.reserve(8 + 8 + 2 * kIdBytes);
    writer.u64(segment).u64(count).digest(before).digest(chain);
    return writer.take();
}

std::optional<RecentHead> RecentHead::decode(ByteView bytes) {
    CanonicalReader reader(bytes);
    RecentHead head;
    head.segment = reader.u64();
    head.count = reader.u64();
    head.before = reader.digest();
    head.chain = reader.digest();
    if (!reader.finished()) return std::nullopt;
    return head;
}

Result<void> RecentOperations::load(const storage::lmdb::Transaction& transaction, storage::lmdb::Table table,
                                    const RecentHead& head) {
    head_ = head;
    RecentHead before;
    RecentHead filling;
    auto cursor = transaction.cursor(table);
    if (!cursor) return Unexpected{cursor.error()};
    auto row = cursor->first();
    for (; row && *row; row = cursor->next()) {
        const ByteView key = (*row)->key;
        const auto ids = storage::open_record(key, (*row)->value);
        if (key.size() != kRowKeyBytes || !ids || ids->size() % kIdBytes != 0) {
            return storage::damaged_row("recent", key);
        }
        const std::uint64_t segment = segment_of(key);
        (segment == head.segment ? filling : before).add(*ids);
        CanonicalReader reader(*ids);
        while (!reader.finished()) ids_[reader.digest()] = segment;
    }
    if (!row) return Unexpected{row.error()};
    if (filling.chain == head.chain && filling.count == head.count && before.chain == head.before) return {};
    return storage::fail(storage::StoreError::damaged,
                         "the operations that the state remembers are not those of its root");
}

bool RecentOperations::contains(const Segments& ids, const Digest& id, const RecentHead& head) const {
    const auto found = ids.find(id);
    return found != ids.end() && found->second + 1 >= head.segment;
}

void RecentOperations::take(Change& change) {
    const bool turned = head_.segment != change.head_.segment;
    head_ = change.head_;
    for (const auto& [id, segment] : change.added_) ids_[id] = segment;
    if (turned) std::erase_if(ids_, [&](const auto& each) { return each.second + 1 < head_.segment; });
}

bool RecentOperations::Change::contains(const Digest& id) const {
    return base_.contains(added_, id, head_) || base_.contains(base_.ids_, id, head_);
}

void RecentOperations::Change::add(const Digest& id) {
    added_[id] = head_.segment;
    ids_.insert(ids_.end(), id.bytes.begin(), id.bytes.end());
}

Result<void> RecentOperations::Change::finish_commit(dag::CommitIndex index) {
    if (ids_.empty()) return {};
    changed_ = true;
    if (auto put = storage::put_record(transaction_, table_, row_key(head_.segment, index), ids_); !put) {
        return put;
    }
    head_.add(ids_);
    ids_.clear();
    if (head_.count < base_.segment_size_) return {};
    head_ = {head_.segment + 1, 0, head_.chain, {}};
    return forget_old();
}

Result<void> RecentOperations::Change::forget_old() {
    auto cursor = transaction_.cursor(table_);
    if (!cursor) return Unexpected{cursor.error()};
    auto row = cursor->first();
    for (; row && *row && segment_of((*row)->key) + 1 < head_.segment; row = cursor->next()) {
        if (auto erased = cursor->erase(); !erased) return erased;
    }
    if (!row) return Unexpected{row.error()};
    return {};
}

}  // namespace monodon::node
