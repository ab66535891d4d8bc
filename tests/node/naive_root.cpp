#include "tests/node/naive_root.hpp"

#include <vector>

namespace monodon::node::test {

namespace {

std::string text(const Digest& digest) { return {reinterpret_cast<const char*>(digest.bytes.data()), 32}; }

std::string little_endian(std::size_t value) {
    std::string bytes;
    for (int at = 0; at < 4; ++at) bytes.push_back(static_cast<char>(value >> (8 * at) & 0xff));
    return bytes;
}

std::string tagged(const std::string& tag) { return little_endian(tag.size()) + tag; }

}  // namespace

Digest naive_bucket(const Content& content, std::size_t bucket) {
    std::map<std::string, std::string> hashes;
    for (const auto& [key, value] : content) {
        const Digest hash = sha256(as_bytes(key));
        if ((hash.bytes[0] * 256U + hash.bytes[1]) / 4 == bucket)
            hashes[text(hash)] = text(sha256(as_bytes(value)));
    }
    std::string bytes = tagged("monodon.bucket.v1") + little_endian(hashes.size());
    for (const auto& [key, value] : hashes) bytes += key + value;
    return sha256(as_bytes(bytes));
}

Digest naive_root(const Content& content) {
    std::vector<std::size_t> used(16384);
    for (const auto& [key, value] : content) {
        const Digest hash = sha256(as_bytes(key));
        ++used[(hash.bytes[0] * 256U + hash.bytes[1]) / 4];
    }
    const Digest empty = naive_bucket({}, 0);
    std::vector<Digest> level;
    for (std::size_t bucket = 0; bucket < used.size(); ++bucket) {
        level.push_back(used[bucket] == 0 ? empty : naive_bucket(content, bucket));
    }
    while (level.size() > 1) {
        std::vector<Digest> above;
        for (std::size_t at = 0; at < level.size(); at += 2) {
            above.push_back(
                sha256(as_bytes(tagged("monodon.node.v1") + text(level[at]) + text(level[at + 1]))));
        }
        level = std::move(above);
    }
    return level.front();
}

std::string naive_recent(const std::vector<std::vector<Bytes>>& commits) {
    std::string chain(32, '\0');
    std::size_t count = 0;
    for (const std::vector<Bytes>& commit : commits) {
        for (const Bytes& operation : commit) chain += text(sha256(operation));
        chain = text(sha256(as_bytes(chain)));
        count += commit.size();
    }
    return std::string(8, '\0') + little_endian(count) + std::string(4 + 32, '\0') + chain;
}

}  // namespace monodon::node::test
