#include "storage/commit_history.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace monodon::storage {

namespace {

bool needed(const std::vector<dag::CommitPtr>& newer, const dag::Commit& commit, const HistoryNeed& need) {
    if (newer.size() < need.events || newer.empty()) return true;
    return commit.anchor.round >= below(newer.front()->anchor.round, need.life);
}

Unexpected<Failure> broken_chain(dag::CommitIndex expected) {
    return fail(
        StoreError::damaged,
        fmt::format("commit {} is missing or does not continue the chain of commits", expected.value()));
}

}  // namespace

Result<std::vector<dag::CommitPtr>> read_history(const ConsensusTables& tables,
                                                 const lmdb::Transaction& transaction,
                                                 const dag::Committee& committee, const HistoryNeed& need,
                                                 const Progress& progress) {
    auto cursor = tables.commits.by_index(transaction);
    if (!cursor) return Unexpected{cursor.error()};
    std::vector<dag::CommitPtr> commits;
    dag::CommitIndex expected = progress.last_commit;
    Digest digest = progress.last_commit_digest;
    bool whole = false;
    auto row = cursor->last();
    for (; row && *row; row = cursor->previous()) {
        auto commit = CommitTable::read(committee, **row);
        if (!commit) return Unexpected{commit.error()};
        if ((*commit)->index != expected || (*commit)->digest != digest) return broken_chain(expected);
        // One more than needed: that it is there proves that none is missing.
        whole = !needed(commits, **commit, need);
        if (whole) break;
        commits.push_back(*commit);
        expected = dag::CommitIndex{expected.value() - 1};
        digest = (*commit)->previous;
    }
    if (!row) return Unexpected{row.error()};
    if (!whole && (expected != dag::CommitIndex{} || digest != Digest{})) return broken_chain(expected);
    std::ranges::reverse(commits);
    return commits;
}

}  // namespace monodon::storage
