#include "node/state_tree.hpp"

#include <algorithm>

#include "net/core/canonical.hpp"
#include "net/core/check.hpp"

namespace monodon::node {

namespace {

Digest hash_children(const Digest& left, const Digest& right) {
    static const Bytes tag = CanonicalWriter("node").take();
    std::array<Byte, 128> bytes;
    auto end = std::copy(tag.begin(), tag.end(), bytes.begin());
    end = std::copy(left.bytes.begin(), left.bytes.end(), end);
    end = std::copy(right.bytes.begin(), right.bytes.end(), end);
    return sha256({bytes.begin(), end});
}

}  // namespace

Digest first_of_bucket(std::size_t bucket) {
    MONODON_CHECK(bucket < kBuckets);
    Digest first;
    first.bytes[0] = static_cast<Byte>(bucket >> 6);
    first.bytes[1] = static_cast<Byte>(bucket << 2);
    return first;
}

bool BucketSet::empty() const {
    return std::all_of(words_.begin(), words_.end(), [](std::uint64_t word) { return word == 0; });
}

Bytes BucketSet::encode() const {
    CanonicalWriter writer;
    writer.reserve(kBytes);
    for (const std::uint64_t word : words_) writer.u64(word);
    return writer.take();
}

BucketSet BucketSet::decode(ByteView bytes) {
    MONODON_CHECK(bytes.size() == kBytes);
    CanonicalReader reader(bytes);
    BucketSet set;
    for (std::uint64_t& word : set.words_) word = reader.u64();
    return set;
}

BucketHasher::BucketHasher() : buffer_(CanonicalWriter("bucket").take()) {
    head_ = buffer_.size();
    buffer_.resize(head_ + 4);
}

void BucketHasher::add(const Digest& key, ByteView value_hash) {
    MONODON_CHECK(value_hash.size() == 32);
    buffer_.insert(buffer_.end(), key.bytes.begin(), key.bytes.end());
    buffer_.insert(buffer_.end(), value_hash.begin(), value_hash.end());
    ++count_;
}

Digest BucketHasher::finish() {
    for (unsigned at = 0; at < 4; ++at) buffer_[head_ + at] = static_cast<Byte>(count_ >> (8 * at));
    const Digest hash = sha256(buffer_);
    buffer_.resize(head_ + 4);
    count_ = 0;
    return hash;
}

StateTree::StateTree() : nodes_(2 * kBuckets) {
    // All nodes of one level are equal in an empty tree: 15 hashes make all of it.
    Digest level = BucketHasher().finish();
    for (std::size_t first = kBuckets; first != 0; first /= 2) {
        std::fill_n(nodes_.begin() + static_cast<std::ptrdiff_t>(first), first, level);
        level = hash_children(level, level);
    }
}

void StateTree::set(std::size_t bucket, const Digest& hash) {
    MONODON_CHECK(bucket < kBuckets);
    nodes_[kBuckets + bucket] = hash;
    changed_.insert(bucket);
}

const Digest& StateTree::root() {
    std::vector<std::size_t> level;
    changed_.for_each([&level](std::size_t bucket) { level.push_back(kBuckets + bucket); });
    changed_.clear();
    while (!level.empty() && level.front() > 1) {
        // Ascending stays ascending, so that two children of one parent follow one another.
        for (std::size_t& node : level) node /= 2;
        level.erase(std::unique(level.begin(), level.end()), level.end());
        for (const std::size_t node : level) {
            nodes_[node] = hash_children(nodes_[2 * node], nodes_[2 * node + 1]);
        }
    }
    return nodes_[1];
}

}  // namespace monodon::node
