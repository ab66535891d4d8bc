#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"

namespace monodon::node {

/// Keys fall into 16,384 buckets by the first 14 bits of their SHA-256.
inline constexpr unsigned kBucketBits = 14;
inline constexpr std::size_t kBuckets = std::size_t{1} << kBucketBits;
[[nodiscard]] constexpr std::size_t bucket_of(const Digest& key) {
    return static_cast<std::size_t>(key.bytes[0]) << 6 | static_cast<std::size_t>(key.bytes[1]) >> 2;
}
/// The lowest key hash of a bucket.
[[nodiscard]] Digest first_of_bucket(std::size_t bucket);

/// A set of buckets, 2 KiB.
class BucketSet {
 public:
    static constexpr std::size_t kBytes = kBuckets / 8;

    void insert(std::size_t bucket) { words_[bucket / 64] |= std::uint64_t{1} << (bucket % 64); }
    [[nodiscard]] bool contains(std::size_t bucket) const {
        return (words_[bucket / 64] >> (bucket % 64) & 1U) != 0;
    }
    void clear() { words_.fill(0); }
    [[nodiscard]] bool empty() const;
    /// Ascending.
    template <class Visit>
    void for_each(Visit visit) const {
        for (std::size_t at = 0; at < words_.size(); ++at) {
            for (std::uint64_t rest = words_[at]; rest != 0; rest &= rest - 1) {
                visit(at * 64 + static_cast<std::size_t>(std::countr_zero(rest)));
            }
        }
    }
    [[nodiscard]] Bytes encode() const;
    /// `bytes` has kBytes bytes.
    [[nodiscard]] static BucketSet decode(ByteView bytes);

 private:
    std::array<std::uint64_t, kBuckets / 64> words_{};
};

/// Hashes one bucket after the other: SHA-256(tag `monodon.bucket.v1` | count | (SHA-256(key) |
/// SHA-256(value))*).
class BucketHasher {
 public:
    BucketHasher();
    /// Entries ascend by the hash of the key.
    void add(const Digest& key, ByteView value_hash);
    /// Of what was added; the hasher is empty afterwards.
    [[nodiscard]] Digest finish();

 private:
    std::size_t head_;
    Bytes buffer_;
    std::uint32_t count_ = 0;
};

/// The binary tree over the bucket hashes; inner node = SHA-256(tag `monodon.node.v1` | left | right). 1 MiB.
/// A root costs 14 hashes for each bucket that changed, fewer when they share nodes. Not for concurrent use;
/// copyable.
class StateTree {
 public:
    /// Of an empty store.
    StateTree();
    void set(std::size_t bucket, const Digest& hash);
    [[nodiscard]] const Digest& bucket(std::size_t bucket) const { return nodes_[kBuckets + bucket]; }
    [[nodiscard]] const Digest& root();

 private:
    /// Heap order: the root is node 1, the children of node i are 2i and 2i+1, the buckets are the last half.
    std::vector<Digest> nodes_;
    BucketSet changed_;
};

}  // namespace monodon::node
