#pragma once

#include <vector>

#include "dag/events.hpp"
#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage {

/// How far back the commits are needed: dag::OrderingConfig::batch_life and history_events().
struct HistoryNeed {
    std::uint64_t life = 4096;
    std::uint64_t events = 0;
};

/// The newest commits, ascending: all whose anchor is within `life` rounds of the newest, and at least
/// `events` of them if there are so many. `damaged` if one is missing, does not verify, or does not continue
/// the chain of digests up to the last commit of `progress`.
[[nodiscard]] Result<std::vector<dag::CommitPtr>> read_history(const ConsensusTables& tables,
                                                               const lmdb::Transaction& transaction,
                                                               const dag::Committee& committee,
                                                               const HistoryNeed& need,
                                                               const Progress& progress);

}  // namespace monodon::storage
