#pragma once

#include "storage/store_reader.hpp"

namespace monodon::storage {

struct RetentionOptions {
    /// How much history is kept to serve others: whichever is less.
    std::uint64_t commits = 100'000;
    std::uint64_t batch_bytes = std::uint64_t{20} << 30;
    /// W, LIFE and the history of reputation (dag::OrderingConfig): what we need ourselves is never less.
    std::uint64_t window = 20;
    std::uint64_t life = 4096;
    std::uint64_t history_events = 0;
};

struct Floors {
    PruneTarget consensus;
    /// For BatchStore::prune().
    dag::Round batches;
};

/// The floors that follow from what is durable and from `executed`, the last commit that the application has
/// made durable. Short reads only.
[[nodiscard]] Floors choose_floors(const StoreReader& reader, const BatchStore& batches,
                                   const RetentionOptions& options, dag::CommitIndex executed);

/// Chooses the floors and prunes both stores to them. About once a second, on an executor that may wait for
/// the disk.
void apply_retention(const StoreReader& reader, ConsensusStore& consensus, BatchStore& batches,
                     const RetentionOptions& options, dag::CommitIndex executed);

}  // namespace monodon::storage
