#include "node/repair.hpp"

#include <algorithm>
#include <set>

namespace monodon::node {

void Repair::damaged(dag::Slot slot) {
    const std::lock_guard lock(mutex_);
    if (open_.contains(slot)) return;
    if (open_.size() == kOpenMax) {
        const auto most = std::max_element(open_.begin(), open_.end(), [](const auto& a, const auto& b) {
            return a.second.asked < b.second.asked;
        });
        if (turns(most->second) == 0) return;
        open_.erase(most);
    }
    open_.try_emplace(slot);
}

void Repair::forget(dag::Round store_floor) {
    const std::lock_guard lock(mutex_);
    std::erase_if(open_, [&](const auto& each) { return each.first.round <= store_floor; });
}

std::uint64_t Repair::turns(const Open& open) const {
    const std::size_t others = self_ ? members_ - 1 : members_;
    return open.asked / std::max<std::size_t>(others, 1);
}

std::vector<Repair::Ask> Repair::due(Time now, const std::function<dag::ValidatorIndex()>& choose) {
    const std::lock_guard lock(mutex_);
    std::vector<Ask> asks;
    if (members_ < (self_ ? 2U : 1U)) return asks;
    std::set<dag::Round> rounds;
    for (auto& [slot, open] : open_) {
        if (open.due > now) continue;
        if (asks.size() == kAsksPerRound && !rounds.contains(slot.round)) break;
        open.due = now + kPause * (1 << std::min(turns(open), kDoublings));
        // Slots of one round share a request.
        const std::uint64_t turn = open.asked++;
        if (!rounds.insert(slot.round).second) continue;
        if (turn == 0) open.first = choose();
        auto member = static_cast<std::uint16_t>((open.first.value() + turn) % members_);
        if (self_ && member == self_->value()) member = static_cast<std::uint16_t>((member + 1) % members_);
        asks.push_back({dag::ValidatorIndex{member}, slot.round});
    }
    return asks;
}

std::vector<dag::VerifiedCertificate> Repair::take(
    const std::vector<dag::VerifiedCertificate>& certificates) {
    const std::lock_guard lock(mutex_);
    std::vector<dag::VerifiedCertificate> wanted;
    for (const dag::VerifiedCertificate& each : certificates) {
        if (open_.erase(each->ref().slot()) > 0) wanted.push_back(each);
    }
    return wanted;
}

std::size_t Repair::open() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
}

}  // namespace monodon::node
