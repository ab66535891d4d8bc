#include "dag/ordering/leader_schedule.hpp"

#include <algorithm>
#include <limits>

#include "dag/planted.hpp"
#include "net/core/check.hpp"

namespace monodon::dag {

namespace {

constexpr std::uint64_t kMax64 = std::numeric_limits<std::uint64_t>::max();

}  // namespace

std::uint64_t anchor_draw(const Committee& committee, Round round) {
    const Digest seed{};
    const Digest hash = committee.domain("anchor").u64(round.value()).digest(seed).hash();
    std::uint64_t value = 0;
    for (std::size_t at = 0; at < 8; ++at) value = value << 8 | hash.bytes[at];
    return value;
}

LeaderSchedule::LeaderSchedule(const OrderingConfig& config, const Committee& committee)
    : mode_(config.mode), rule_(config.leaders), committee_(committee) {
    if (const auto* rule = std::get_if<ReputationRule>(&rule_)) {
        reputation_ = rule->with_defaults(committee.size());
        records_.resize(committee.size());
        weigh();
    }
}

ValidatorIndex LeaderSchedule::anchor(Round round) const {
    if (std::holds_alternative<ReputationRule>(rule_)) return draw(round);
    if (const auto* table = std::get_if<LeaderTable>(&rule_)) {
        const auto leader = table->leaders.find(round);
        return leader == table->leaders.end() ? table->otherwise : leader->second;
    }
    const std::uint64_t half = round.value() / 2;
    const std::uint64_t turn = mode_ == OrderingMode::shoal ? half : half - std::min<std::uint64_t>(half, 1);
    return ValidatorIndex{static_cast<std::uint16_t>(turn % committee_.size())};
}

/// The first member whose cumulative weight exceeds floor(x * total / 2^64): proportional, without modulo
/// bias.
ValidatorIndex LeaderSchedule::draw(Round round) const {
    const Weight x = anchor_draw(committee_, round);
    const Weight total = cumulative_.back();
    // The total may have more than 64 bits, so its halves are multiplied one by one: neither product
    // overflows.
    const Weight target = x * (total >> 64U) + (x * (total & kMax64) >> 64U);
    const auto chosen = std::upper_bound(cumulative_.begin(), cumulative_.end(), target);
    MONODON_CHECK(chosen != cumulative_.end());
    return ValidatorIndex{static_cast<std::uint16_t>(chosen - cumulative_.begin())};
}

void LeaderSchedule::record(AnchorEvent event) {
    if (!std::holds_alternative<ReputationRule>(rule_)) return;
    if (planted(Planted::schedule_late)) weigh();
    constexpr std::uint64_t kAdd = 1;
    constexpr std::uint64_t kSubtract = kMax64;
    count(event, true, true, kAdd);
    events_.push_back(std::move(event));
    const std::uint64_t size = events_.size();
    if (size > reputation_.proposer_window) {
        count(events_[size - 1 - reputation_.proposer_window], true, false, kSubtract);
    }
    if (size > reputation_.voter_window) {
        count(events_[size - 1 - reputation_.voter_window], false, true, kSubtract);
    }
    if (size > std::max(reputation_.proposer_window, reputation_.voter_window)) events_.pop_front();
    if (!planted(Planted::schedule_late)) weigh();
}

/// Adds the event to the windows that it enters or, with `sign` -1 (modulo 2^64), takes it from those it
/// leaves.
void LeaderSchedule::count(const AnchorEvent& event, bool proposer, bool voter, std::uint64_t sign) {
    if (proposer) {
        records_[event.anchor.author.value()].anchors += sign;
        for (const Slot& slot : event.failed) records_[slot.author.value()].failures += sign;
    }
    if (voter) event.voters.for_each([&](ValidatorIndex author) { records_[author.value()].votes += sign; });
}

void LeaderSchedule::weigh() {
    cumulative_.clear();
    Weight sum = 0;
    for (std::size_t at = 0; at < records_.size(); ++at) {
        const Record& record = records_[at];
        const Weight chances = Weight{record.anchors} + record.failures;
        std::uint64_t weight = reputation_.inactive_weight;
        if (Weight{100} * record.failures > chances * reputation_.failure_threshold_percent) {
            weight = reputation_.failed_weight;
        } else if (record.anchors > 0 || record.votes > 0) {
            weight = reputation_.active_weight;
        }
        sum += Weight{weight} * committee_.stake(ValidatorIndex{static_cast<std::uint16_t>(at)});
        cumulative_.push_back(sum);
    }
    MONODON_CHECK(sum > 0);
}

std::vector<std::uint64_t> LeaderSchedule::weights() const {
    std::vector<std::uint64_t> weights;
    Weight before = 0;
    for (std::size_t at = 0; at < committee_.size(); ++at) {
        Weight weight = committee_.stake(ValidatorIndex{static_cast<std::uint16_t>(at)});
        if (!cumulative_.empty()) {
            weight = cumulative_[at] - before;
            before = cumulative_[at];
        }
        weights.push_back(static_cast<std::uint64_t>(std::min(weight, Weight{kMax64})));
    }
    return weights;
}

}  // namespace monodon::dag
