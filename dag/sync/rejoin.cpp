#include "dag/sync/rejoin.hpp"

#include <algorithm>

namespace monodon::dag {

void Rejoin::begin() {
    asking_ = true;
    answered_ = {};
    bound_ = Round{};
    requests_.clear();
    due_.clear();
    connected_.for_each([this](ValidatorIndex peer) { due_.emplace(peer, Time{}); });
}

void Rejoin::set_connected(ValidatorIndex peer, bool connected, Time now) {
    if (peer == self_) return;
    if (connected) {
        connected_.insert(peer);
        if (asking_ && !answered_.contains(peer)) due_.emplace(peer, now);
    } else {
        connected_.erase(peer);
        due_.erase(peer);
    }
}

void Rejoin::poll(Time now, RequestIds& ids, Effects& out) {
    if (!asking_) return;
    for (auto each = due_.begin(); each != due_.end();) {
        if (each->second > now) {
            ++each;
            continue;
        }
        const RequestId id = ids.next();
        requests_.emplace(id, each->first);
        out.emplace_back(SendRequest{id, each->first, GetHighestRound{}, timeout_});
        each = due_.erase(each);
    }
}

std::optional<Time> Rejoin::next_attempt() const {
    if (!asking_ || due_.empty()) return std::nullopt;
    return std::min_element(due_.begin(), due_.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->second;
}

bool Rejoin::answered(RequestId id, const HighestRoundReply* reply, Time now) {
    const auto at = requests_.find(id);
    if (at == requests_.end()) return false;
    const ValidatorIndex peer = at->second;
    requests_.erase(at);
    if (reply == nullptr) {
        if (connected_.contains(peer)) due_.emplace(peer, now + kPause);
        return true;
    }
    answered_.insert(peer);
    due_.erase(peer);
    const Round highest = reply->highest ? (*reply->highest)->header.round : Round{};
    bound_ = std::max(bound_, above(highest, kRoundsAboveShown));
    if (reply->ours && (*reply->ours)->author == self_) bound_ = std::max(bound_, (*reply->ours)->round);
    return true;
}

std::optional<Round> Rejoin::bound() const {
    if (!asking_ || !committee_.is_quorum(answered_)) return std::nullopt;
    return bound_;
}

}  // namespace monodon::dag
