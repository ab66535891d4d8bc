#include "storage/recovery.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "net/core/log.hpp"
#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage {

namespace {

/// What to do about rows without which the history cannot be continued.
Unexpected<Failure> lost_history(std::string what) {
    return fail(
        StoreError::damaged,
        fmt::format("{}; the history in this store cannot be continued. Keep a copy of the home for "
                    "inspection and join again with a new home and a new key: with the old key and an "
                    "older or empty store this member could vote twice",
                    what));
}

/// What to do about a row without which we could sign twice.
Unexpected<Failure> lost_promise(const Failure& failure) {
    return fail(
        failure.error,
        fmt::format("{}: what this member has signed is not known any more, and it must not sign again. "
                    "Keep a copy of the home for inspection and join again with a new home and a new key",
                    failure.text));
}

class Loader {
 public:
    Loader(const ConsensusTables& tables, const lmdb::Transaction& transaction,
           const dag::Committee& committee, const RecoveryOptions& options)
        : tables_(tables), transaction_(transaction), committee_(committee), options_(options) {}

    Result<Recovered> load() {
        auto progress = tables_.metadata.progress(transaction_);
        if (!progress) return lost_history(progress.error().text);
        recovered_.progress = *progress;
        auto fresh = tables_.metadata.fresh(transaction_);
        if (!fresh) return lost_promise(fresh.error());
        recovered_.fresh = *fresh;
        recovered_.state.graph_floor = progress->graph_floor;
        recovered_.state.executed = options_.executed;
        if (auto done = load_commits(); !done) return Unexpected{done.error()};
        if (auto done = load_promises(); !done) return Unexpected{done.error()};
        if (auto done = load_certificates(); !done) return Unexpected{done.error()};
        return std::move(recovered_);
    }

 private:
    /// From the newest down, until what the engine needs is there.
    Result<void> load_commits() {
        const Progress& progress = recovered_.progress;
        if (options_.executed > progress.last_commit) {
            return lost_history(fmt::format("the application has applied commit {}, the store ends with {}",
                                            options_.executed.value(), progress.last_commit.value()));
        }
        auto cursor = tables_.commits.by_index(transaction_);
        if (!cursor) return Unexpected{cursor.error()};
        auto& commits = recovered_.state.commits;
        dag::CommitIndex expected = progress.last_commit;
        Digest digest = progress.last_commit_digest;
        auto row = cursor->last();
        for (; row && *row; row = cursor->previous()) {
            auto commit = CommitTable::read(committee_, **row);
            if (!commit) return lost_history(commit.error().text);
            if ((*commit)->index != expected || (*commit)->digest != digest) return broken_chain(expected);
            if (!needed(**commit)) {
                std::ranges::reverse(commits);
                return {};
            }
            commits.push_back(*commit);
            expected = dag::CommitIndex{expected.value() - 1};
            digest = (*commit)->previous;
        }
        if (!row) return Unexpected{row.error()};
        if (expected != dag::CommitIndex{} || digest != Digest{}) return broken_chain(expected);
        std::ranges::reverse(commits);
        return {};
    }

    static Unexpected<Failure> broken_chain(dag::CommitIndex expected) {
        return lost_history(
            fmt::format("commit {} is missing or does not continue the chain of commits", expected.value()));
    }

    [[nodiscard]] bool needed(const dag::Commit& commit) const {
        const auto& commits = recovered_.state.commits;
        if (commits.size() < options_.history_events || commits.empty()) return true;
        return commit.anchor.round >= below(commits.front()->anchor.round, options_.life);
    }

    Result<void> load_promises() {
        auto votes = tables_.votes.all(transaction_, committee_.epoch());
        if (!votes) return lost_promise(votes.error());
        recovered_.state.votes = std::move(*votes);
        auto header = tables_.own_headers.find(transaction_, committee_);
        if (!header) return lost_promise(header.error());
        recovered_.state.own_header = std::move(*header);
        return {};
    }

    Result<void> load_certificates() {
        auto cursor = tables_.certificates.by_slot(transaction_);
        if (!cursor) return Unexpected{cursor.error()};
        const dag::Slot first{next(recovered_.progress.graph_floor), dag::ValidatorIndex{}};
        auto row = cursor->at_or_after(slot_key(committee_.epoch(), first));
        for (; row && *row; row = cursor->next()) {
            auto certificate = CertificateTable::read(committee_, **row);
            if (certificate) {
                recovered_.state.certificates.push_back(std::move(*certificate));
            } else {
                recovered_.dropped.push_back(certificate.error().text);
            }
        }
        if (!row) return Unexpected{row.error()};
        return {};
    }

    const ConsensusTables& tables_;
    const lmdb::Transaction& transaction_;
    const dag::Committee& committee_;
    const RecoveryOptions& options_;
    Recovered recovered_;
};

}  // namespace

Result<Recovered> recover(const ConsensusStore& store, const dag::Committee& committee,
                          const RecoveryOptions& options) {
    auto transaction = store.environment().read();
    if (!transaction) return Unexpected{transaction.error()};
    auto recovered = Loader(store.tables(), *transaction, committee, options).load();
    if (!recovered) return recovered;
    for (const std::string& dropped : recovered->dropped) {
        log::warn(log::Category::storage, "left out; it is fetched again", {{"error", dropped}});
    }
    return recovered;
}

}  // namespace monodon::storage
