#include "node/state_tree.hpp"

#include <map>
#include <random>
#include <string>

#include <catch2/catch.hpp>

#include "tests/node/naive_root.hpp"

namespace state_tree_test {

using namespace monodon;
using namespace monodon::node;

TEST_CASE("a key falls into the bucket of the first 14 bits of its hash") {
    Digest hash;
    hash.bytes[0] = 0xff;
    hash.bytes[1] = 0xfc;
    CHECK(bucket_of(hash) == 16383);
    hash.bytes[1] = 0xfb;
    CHECK(bucket_of(hash) == 16382);
    hash.bytes[0] = 0x01;
    hash.bytes[1] = 0x07;
    CHECK(bucket_of(hash) == 0x41);
    CHECK(bucket_of(first_of_bucket(0x41)) == 0x41);
    CHECK(first_of_bucket(0x41) <= hash);
    CHECK(first_of_bucket(0x42) > hash);
}

TEST_CASE("the root of an empty store is known") {
    // Bucket: SHA-256 of the length-prefixed tag and a count of 0; then 14 times the hash of two equal
    // children.
    const std::string bucket_tag("\x11\0\0\0monodon.bucket.v1", 21);
    const std::string node_tag("\x0f\0\0\0monodon.node.v1", 19);
    Digest level = sha256(as_bytes(bucket_tag + std::string(4, '\0')));
    for (int depth = 0; depth < 14; ++depth) {
        const std::string_view child(reinterpret_cast<const char*>(level.bytes.data()), 32);
        level = sha256(as_bytes(node_tag + std::string(child) + std::string(child)));
    }
    CHECK(StateTree().root() == level);
    CHECK(level.hex() == "5f94d4af59ee1b98cf5076945a6559732aa30f2b816f75950b894acb4bf91917");
}

TEST_CASE("the root of a tree with changed buckets is the root computed from nothing") {
    std::mt19937_64 random(7);
    StateTree tree;
    std::map<std::string, std::string> content;
    for (int step = 0; step < 3; ++step) {
        for (int at = 0; at < 20; ++at) {
            const std::string key = std::to_string(random() % 100);
            content[key] = std::to_string(random());
            const Digest hash = sha256(as_bytes(key));
            tree.set(bucket_of(hash), node::test::naive_bucket(content, bucket_of(hash)));
        }
        const Digest root = node::test::naive_root(content);
        CHECK(tree.root() == root);
        CHECK(tree.root() == root);
    }
}

TEST_CASE("a set of buckets comes back from its bytes") {
    BucketSet set;
    CHECK(set.empty());
    for (const std::size_t bucket : {0, 63, 64, 9999, 16383}) set.insert(bucket);
    const BucketSet back = BucketSet::decode(set.encode());
    std::vector<std::size_t> seen;
    back.for_each([&](std::size_t bucket) { seen.push_back(bucket); });
    CHECK(seen == std::vector<std::size_t>{0, 63, 64, 9999, 16383});
    CHECK(set.encode().size() == BucketSet::kBytes);
}

}  // namespace state_tree_test
