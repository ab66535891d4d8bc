#include "dag/production/pacemaker.hpp"

#include <algorithm>

namespace monodon::dag {

void Pacemaker::quorum_reached(Round round, Time now) {
    if (round <= quorum_round_) return;
    if (round == next(quorum_round_) && quorum_round_ > Round{0}) {
        // Idle rounds say nothing about how long a round takes when there is something to do.
        const Duration sample = std::min(now - quorum_at_, config_->leader_timeout_max);
        round_time_ += (sample - round_time_) / 8;
    }
    quorum_round_ = round;
    quorum_at_ = now;
}

void Pacemaker::proposed(Time now) { proposed_at_ = now; }

Duration Pacemaker::leader_timeout() const {
    const Duration scaled = config_->leader_timeout * (1U << std::min(timeouts_, 10U));
    return std::min(scaled, std::max(config_->leader_timeout_max, config_->leader_timeout));
}

Duration Pacemaker::grace() const { return std::min(config_->grace_max, round_time_ / 2); }

Time Pacemaker::ripe_at(const RoundState& state) const {
    if (state.complete) return quorum_at_;
    if (state.anchors_settled) {
        return state.recent_complete ? quorum_at_ : quorum_at_ + std::min(grace(), leader_timeout());
    }
    return quorum_at_ + leader_timeout();
}

Time Pacemaker::propose_at(const RoundState& state) const {
    if (!proposed_at_ || state.round == Round{0} || state.jumped) return Time{};
    const Time worth = *proposed_at_ + (state.has_work ? config_->min_round_delay : config_->idle_round);
    return std::max(worth, ripe_at(state));
}

void Pacemaker::count_timeout(const RoundState& state, Time now) {
    if (state.jumped || state.complete || state.anchors_settled) return;
    if (state.has_work && now >= quorum_at_ + leader_timeout() && timeouts_ < 10) ++timeouts_;
}

}  // namespace monodon::dag
