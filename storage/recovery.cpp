#include "storage/recovery.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/core/check.hpp"
#include "net/core/log.hpp"
#include "storage/commit_history.hpp"
#include "storage/graph_loader.hpp"
#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage {

namespace {

/// What to do about rows without which the history cannot be continued.
Unexpected<Failure> lost_history(std::string what) {
    return fail(
        StoreError::damaged,
        fmt::format("{}; the history in this store cannot be continued. Keep a copy of the home for "
                    "inspection, take away all but its key, genesis.json and config.toml, and run `monodon "
                    "init --home HOME --rejoin`: with the old key and an older or empty store this member "
                    "could vote twice, so it asks the others first",
                    what));
}

/// What to do about a row without which we could sign twice.
Unexpected<Failure> lost_promise(const Failure& failure) {
    return fail(
        failure.error,
        fmt::format("{}: what this member has signed is not known any more, and it must not sign again. "
                    "Keep a copy of the home for inspection, take away all but its key, genesis.json and "
                    "config.toml, and run `monodon init --home HOME --rejoin`: it asks the others where they "
                    "last saw it before it signs",
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
        GraphLoader graph(tables_, transaction_, committee_, options_);
        if (auto done = graph.load(recovered_); !done) return Unexpected{done.error()};
        return std::move(recovered_);
    }

 private:
    Result<void> load_commits() {
        const Progress& progress = recovered_.progress;
        if (options_.executed > progress.last_commit) {
            return lost_history(fmt::format("the application has applied commit {}, the store ends with {}",
                                            options_.executed.value(), progress.last_commit.value()));
        }
        const HistoryNeed need{options_.life, options_.history_events};
        auto commits = read_history(tables_, transaction_, committee_, need, progress);
        if (!commits && commits.error().error != StoreError::damaged) return Unexpected{commits.error()};
        if (!commits) return lost_history(commits.error().text);
        if (auto whole = check_unexecuted(*commits); !whole) return whole;
        recovered_.summary.commits = commits->size();
        recovered_.state.commits = std::move(*commits);
        return {};
    }

    /// The commits below those that were read, which the application has still to execute: one at a time,
    /// since a state that is far behind may need nearly all there are.
    Result<void> check_unexecuted(const std::vector<dag::CommitPtr>& read) {
        const dag::CommitIndex floor = std::max(options_.executed, recovered_.progress.commit_floor);
        if (read.empty()) return {};
        Digest expected = read.front()->previous;
        for (std::uint64_t at = read.front()->index.value() - 1; at > floor.value(); --at) {
            const auto commit = tables_.commits.find(transaction_, committee_, dag::CommitIndex{at});
            if (!commit) return lost_history(commit.error().text);
            if (!*commit) return lost_history(fmt::format("commit {} is missing and not executed", at));
            if ((**commit)->digest != expected)
                return lost_history(
                    fmt::format("commit {} is not the one that commit {} continues", at, at + 1));
            expected = (**commit)->previous;
        }
        return {};
    }

    Result<void> load_promises() {
        auto votes = tables_.votes.all(transaction_, committee_.epoch());
        if (!votes) return lost_promise(votes.error());
        recovered_.state.votes = std::move(*votes);
        auto header = tables_.own_headers.find(transaction_, committee_);
        if (!header) return lost_promise(header.error());
        recovered_.state.own_header = std::move(*header);
        auto signing = tables_.metadata.signing(transaction_);
        if (!signing) return lost_promise(signing.error());
        recovered_.state.signing = *signing;
        // A store that has signed nothing and is not new stands in for one that was lost.
        const bool nothing = recovered_.state.votes.empty() && !recovered_.state.own_header;
        if (nothing && !recovered_.fresh && signing->above == dag::Round{})
            recovered_.state.signing.ask = true;
        return {};
    }

    const ConsensusTables& tables_;
    const lmdb::Transaction& transaction_;
    const dag::Committee& committee_;
    const RecoveryOptions& options_;
    Recovered recovered_;
};

}  // namespace

std::string_view describe(RecoveryStrategy strategy) {
    switch (strategy) {
        case RecoveryStrategy::from_scratch:
            return "from_scratch";
        case RecoveryStrategy::from_checkpoint:
            return "from_checkpoint";
        case RecoveryStrategy::hybrid:
            return "hybrid";
    }
    MONODON_CHECK(false);
}

std::optional<RecoveryStrategy> parse_recovery_strategy(std::string_view text) {
    for (const auto each :
         {RecoveryStrategy::from_scratch, RecoveryStrategy::from_checkpoint, RecoveryStrategy::hybrid}) {
        if (text == describe(each)) return each;
    }
    return std::nullopt;
}

std::string RecoverySummary::text() const {
    const std::string checkpoint_used =
        checkpoint ? fmt::format("the checkpoint of round {}", checkpoint->value()) : "no checkpoint";
    std::string line =
        fmt::format("recovered {} ({}): {} certificates up to round {}, {} of them from {}, in {:.1f} ms",
                    describe(used), describe(asked), certificates, highest_round.value(), from_files,
                    checkpoint_used, static_cast<double>(took.count()) / 1000);
    if (!fallbacks.empty()) line += fmt::format("; checkpoints passed over: {}", fmt::join(fallbacks, ", "));
    return line;
}

std::string instead_of_state(const std::filesystem::path& state, dag::CommitIndex commit_floor) {
    if (commit_floor == dag::CommitIndex{0}) {
        return fmt::format(
            "what is in it follows from the commits: move {} away and start again to execute them anew",
            state.string());
    }
    return fmt::format("the commits up to {} have left the store: restore {} from a backup of the same time",
                       commit_floor.value(), state.string());
}

Result<Recovered> recover(const ConsensusStore& store, const dag::Committee& committee,
                          const RecoveryOptions& options) {
    return recover(store.environment(), store.tables(), committee, options);
}

Result<Recovered> recover(const lmdb::Environment& environment, const ConsensusTables& tables,
                          const dag::Committee& committee, const RecoveryOptions& options) {
    const auto begin = std::chrono::steady_clock::now();
    auto transaction = environment.read();
    if (!transaction) return Unexpected{transaction.error()};
    auto recovered = Loader(tables, *transaction, committee, options).load();
    if (!recovered) return recovered;
    for (const std::string& dropped : recovered->dropped) {
        log::warn(log::Category::storage, "left out; it is fetched again", {{"error", dropped}});
    }
    for (const std::string& why : recovered->summary.fallbacks) {
        log::warn(log::Category::storage, "local checkpoint passed over", {{"error", why}});
    }
    recovered->summary.took =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
    return recovered;
}

}  // namespace monodon::storage
