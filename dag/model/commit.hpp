#pragma once

#include <memory>
#include <vector>

#include "dag/model/header.hpp"

namespace monodon::dag {

/// One ordered anchor with its history ("ordered batch", "committed sub-DAG": consensus.md 8.6).
struct Commit {
    CommitIndex index;
    /// Digest of the commit before; zero for the first.
    Digest previous;
    HeaderRef anchor;
    /// Ascending by round, then author; the anchor is last.
    std::vector<HeaderRef> certificates;
    /// Skipped anchors of the instance, ascending.
    std::vector<Slot> failed;
    /// Authors of the anchor's parents. With anchor and failed this is the reputation event of chapter 8.5.
    AuthorSet voters;
    /// The payload entries that this commit executes (8.9), in order of execution: the executed set is what
    /// the commits of the last LIFE rounds list here.
    std::vector<PayloadEntry> payload;
    /// Transactions in the executed payload.
    std::uint64_t transactions = 0;
    /// Encoded bytes of the executed payload.
    std::uint64_t bytes = 0;
    /// H("commit" | chain | epoch | index | previous | anchor | certificates | failed | transactions |
    /// bytes).
    Digest digest;

    [[nodiscard]] CommitClaim claim() const { return {index, digest}; }
};

/// Commits are shared between the engine, the store and execution without a copy.
using CommitPtr = std::shared_ptr<const Commit>;

/// The commit digest of consensus.md 8.6; needs headers only, no batch body.
[[nodiscard]] Digest commit_digest(const Committee& committee, const Commit& commit);

[[nodiscard]] Bytes encode(const Commit& commit);
/// Recomputes and compares the digest.
[[nodiscard]] Expected<Commit, ObjectError> decode_commit(const Committee& committee, ByteView bytes);

}  // namespace monodon::dag
