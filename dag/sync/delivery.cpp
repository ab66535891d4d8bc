#include "dag/sync/delivery.hpp"

#include "dag/planted.hpp"
#include "net/core/check.hpp"

namespace monodon::dag {

std::vector<PayloadEntry> Delivery::push(CommitPtr commit, const BatchIndex& batches) {
    MONODON_CHECK(commit->index.value() == delivered_.value() + queue_.size() + 1);
    std::vector<PayloadEntry> missing;
    for (const PayloadEntry& entry : commit->payload) {
        if (batches.find(entry) || planted(Planted::delivered_unstored)) continue;
        missing.push_back(entry);
        missing_.emplace(entry.batch, commit->index);
    }
    queue_.push_back({std::move(commit), missing.size()});
    return missing;
}

void Delivery::stored(const Digest& batch) {
    const auto at = missing_.find(batch);
    if (at == missing_.end()) return;
    --queue_.at(at->second.value() - delivered_.value() - 1).missing;
    missing_.erase(at);
}

std::vector<CommitPtr> Delivery::take_ready() {
    std::vector<CommitPtr> ready;
    while (!queue_.empty() && queue_.front().missing == 0) {
        delivered_ = next(delivered_);
        ready.push_back(std::move(queue_.front().commit));
        queue_.pop_front();
    }
    return ready;
}

}  // namespace monodon::dag
