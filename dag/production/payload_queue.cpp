#include "dag/production/payload_queue.hpp"

#include <algorithm>
#include <iterator>

namespace monodon::dag {

void PayloadQueue::add(const PayloadEntry& entry) {
    if (known_.emplace(entry.batch, entry.sealed_round).second) waiting_.push_back(entry);
}

std::vector<PayloadEntry> PayloadQueue::take(Round round, std::size_t most) {
    std::vector<PayloadEntry> taken;
    while (!waiting_.empty() && taken.size() < most) {
        const PayloadEntry entry = waiting_.front();
        waiting_.pop_front();
        if (!known_.contains(entry.batch)) continue;  // executed through another member's header meanwhile
        if (proposable(entry, round)) {
            taken.push_back(entry);
        } else {
            expiring_.push_back(entry);
        }
    }
    if (!taken.empty()) proposed_[round] = taken;
    return taken;
}

void PayloadQueue::restore(Round round, const std::vector<PayloadEntry>& payload) {
    for (const PayloadEntry& entry : payload) {
        if (known_.emplace(entry.batch, entry.sealed_round).second) proposed_[round].push_back(entry);
    }
}

void PayloadQueue::executed(const Digest& batch) { known_.erase(batch); }

bool PayloadQueue::is_open(const std::vector<PayloadEntry>& payload) const {
    return std::any_of(payload.begin(), payload.end(),
                       [&](const PayloadEntry& entry) { return known_.contains(entry.batch); });
}

void PayloadQueue::put_back(const std::vector<PayloadEntry>& payload) {
    std::vector<PayloadEntry> open;
    std::copy_if(payload.begin(), payload.end(), std::back_inserter(open),
                 [&](const PayloadEntry& entry) { return known_.contains(entry.batch); });
    waiting_.insert(waiting_.begin(), open.begin(), open.end());
}

std::vector<Digest> PayloadQueue::expire(Round anchor) {
    const auto dead = [&](const PayloadEntry& entry) {
        return anchor.value() > entry.sealed_round.value() + life_ || !known_.contains(entry.batch);
    };
    std::vector<Digest> expired;
    for (const PayloadEntry& entry : expiring_) {
        if (dead(entry) && known_.erase(entry.batch) > 0) expired.push_back(entry.batch);
    }
    std::erase_if(expiring_, dead);
    return expired;
}

}  // namespace monodon::dag
