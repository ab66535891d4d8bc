#include "storage/retention.hpp"

#include <algorithm>

namespace monodon::storage {

namespace {

dag::CommitIndex minus(dag::CommitIndex index, std::uint64_t commits) {
    return dag::CommitIndex{index.value() > commits ? index.value() - commits : 0};
}

/// Anchor round of a commit that is there; nothing for one that is not, and for index 0.
std::optional<dag::Round> anchor_round(const StoreReader& reader, dag::CommitIndex index) {
    if (index == dag::CommitIndex{}) return std::nullopt;
    const dag::CommitPtr commit = reader.commit(index);
    if (!commit) return std::nullopt;
    return commit->anchor.round;
}

/// The certificates below the window of this commit.
dag::Round floor_under(const StoreReader& reader, dag::CommitIndex index, std::uint64_t window) {
    const auto anchor = anchor_round(reader, index);
    return anchor ? below(*anchor, window + 1) : dag::Round{};
}

/// The newest commit up to `highest` whose anchor is at or below `round`; index 0 if there is none. Rounds of
/// anchors rise with the index.
dag::CommitIndex last_commit_at(const StoreReader& reader, dag::CommitIndex highest, dag::Round round) {
    const auto first = reader.first_commit();
    if (!first || *first > highest) return {};
    std::uint64_t low = first->value() - 1;
    std::uint64_t high = highest.value();
    while (low < high) {
        const std::uint64_t middle = low + (high - low + 1) / 2;
        const auto anchor = anchor_round(reader, dag::CommitIndex{middle});
        if (anchor && *anchor <= round) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low < first->value() ? dag::CommitIndex{} : dag::CommitIndex{low};
}

}  // namespace

Floors choose_floors(const StoreReader& reader, const BatchStore& batches, const RetentionOptions& options,
                     dag::CommitIndex executed) {
    const Progress progress = reader.progress();
    const dag::CommitIndex applied = std::min(executed, progress.last_commit);
    const dag::CommitIndex oldest_served = std::min(applied, minus(progress.last_commit, options.commits));

    dag::Round floor = std::max(floor_under(reader, oldest_served, options.window),
                                batches.floor_for_bytes(options.batch_bytes));
    // What is not executed yet, and what the graph holds, is needed here.
    floor = std::min({floor, floor_under(reader, applied, options.window), progress.graph_floor});

    // A checkpoint is completed from the rows above its floor.
    if (const auto checkpoints = reader.local_checkpoints(); !checkpoints.empty())
        floor = std::min(floor, checkpoints.front().graph_floor);

    // Recovery needs every commit within LIFE rounds of the newest, the events of the reputation, and one
    // commit more, by which it sees that these are all.
    const dag::Round expired = below(below(progress.last_anchor, options.life), 1);
    const dag::CommitIndex unneeded =
        std::min(minus(applied, 1), minus(progress.last_commit, options.history_events));
    Floors floors;
    floors.consensus.certificates = floor;
    floors.consensus.commits = minus(last_commit_at(reader, unneeded, std::min(floor, expired)), 1);
    floors.batches = floor;
    return floors;
}

void apply_retention(const StoreReader& reader, ConsensusStore& consensus, BatchStore& batches,
                     const RetentionOptions& options, dag::CommitIndex executed) {
    const Floors floors = choose_floors(reader, batches, options, executed);
    consensus.prune(floors.consensus);
    batches.prune(floors.batches);
}

}  // namespace monodon::storage
