#include "dag/sync/batch_index.hpp"

#include "dag/engine.hpp"
#include "dag/planted.hpp"

namespace monodon::dag {

namespace {

/// About 20 MB; what is forgotten is found through the reader.
constexpr std::size_t kKnownMax = 100'000;

}  // namespace

void BatchIndex::stored(const PayloadEntry& entry) {
    if (!known_.emplace(entry.batch, entry).second) return;
    by_round_.insert({entry.sealed_round, entry.batch});
    unreferenced_.insert({entry.sealed_round, entry.batch});
    while (known_.size() > kKnownMax) collect(next(by_round_.begin()->first));
}

std::optional<PayloadEntry> BatchIndex::find(const PayloadEntry& named) const {
    const auto at = known_.find(named.batch);
    if (at != known_.end()) return at->second;
    return reader_.batch(named);
}

void BatchIndex::referenced(const Digest& batch) {
    const auto at = known_.find(batch);
    if (at != known_.end()) unreferenced_.erase({at->second.sealed_round, batch});
}

void BatchIndex::abandoned(const Digest& batch) {
    const auto at = known_.find(batch);
    if (at != known_.end()) unreferenced_.insert({at->second.sealed_round, batch});
}

void BatchIndex::collect(Round sealed) {
    while (!by_round_.empty() && by_round_.begin()->first < sealed) {
        unreferenced_.erase(*by_round_.begin());
        known_.erase(by_round_.begin()->second);
        by_round_.erase(by_round_.begin());
    }
}

std::vector<PayloadEntry> BatchIndex::adoptable(ValidatorIndex self, std::size_t committee_size, Round round,
                                                std::uint64_t window, std::size_t most) const {
    constexpr std::uint64_t kRoundsPerMember = 8;
    std::vector<PayloadEntry> adopted;
    for (const auto& [sealed, digest] : unreferenced_) {
        if (planted(Planted::not_adopted)) break;
        if (adopted.size() == most || distance(sealed, round) < 2 * window) break;
        const PayloadEntry& entry = known_.at(digest);
        // The author's successor has turn 0; the author itself never adopts.
        const std::uint64_t turn =
            (self.value() + 2 * committee_size - entry.author.value() - 1) % committee_size;
        if (entry.author != self && distance(sealed, round) >= 2 * window + turn * kRoundsPerMember) {
            adopted.push_back(entry);
        }
    }
    return adopted;
}

}  // namespace monodon::dag
