#include "dag/ordering/executed_set.hpp"

#include <algorithm>

#include "dag/planted.hpp"

namespace monodon::dag {

bool ExecutedSet::admit(Round anchor, const PayloadEntry& entry) {
    const bool alive = distance(entry.sealed_round, anchor) <= batch_life_;
    if (!alive && !planted(Planted::life_ignored)) return false;
    std::vector<Digest>& digests = by_sealed_round_[entry.sealed_round];
    const auto place = std::lower_bound(digests.begin(), digests.end(), entry.batch);
    if (place != digests.end() && *place == entry.batch) return false;
    digests.insert(place, entry.batch);
    return true;
}

void ExecutedSet::expire(Round anchor) {
    by_sealed_round_.erase(by_sealed_round_.begin(),
                           by_sealed_round_.lower_bound(below(anchor, batch_life_)));
}

void ExecutedSet::replay(const Commit& commit) {
    for (const PayloadEntry& entry : commit.payload) (void)admit(commit.anchor.round, entry);
    expire(commit.anchor.round);
}

std::vector<ExecutedSet::Entry> ExecutedSet::entries() const {
    std::vector<Entry> entries;
    for (const auto& [round, digests] : by_sealed_round_) {
        for (const Digest& digest : digests) entries.push_back({round, digest});
    }
    return entries;
}

bool ExecutedSet::contains(const PayloadEntry& entry) const {
    const auto digests = by_sealed_round_.find(entry.sealed_round);
    return digests != by_sealed_round_.end() &&
           std::binary_search(digests->second.begin(), digests->second.end(), entry.batch);
}

}  // namespace monodon::dag
