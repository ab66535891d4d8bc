#include "tests/dag/oracle.hpp"

#include <algorithm>

#include "net/core/check.hpp"

namespace monodon::dag::test {

namespace {

Round low_of(Round anchor, std::uint64_t window) {
    return anchor.value() > window + 1 ? Round{anchor.value() - window} : Round{1};
}

}  // namespace

void Oracle::evaluate() {
    for (;;) {
        std::set<Slot> found;
        for (const Slot slot : candidates()) {
            MONODON_CHECK(!ordered_.contains(slot));
            if (store_.contains(slot) && supported(slot)) found.insert(walk_back(slot));
        }
        MONODON_CHECK(found.size() <= 1);
        if (found.empty()) return;
        order(*found.begin());
    }
}

std::vector<Slot> Oracle::candidates() const {
    const std::uint64_t highest = store_.empty() ? 0 : store_.rbegin()->first.round.value();
    std::uint64_t round = commits_.empty() ? 1 : commits_.back().anchor.round.value() + 1;
    if (config_.mode == OrderingMode::shoal) {
        if (commits_.empty()) round = config_.first_instance_round.value();
    } else if (round % 2 == 1) {
        ++round;
    }
    std::vector<Slot> slots;
    for (; round <= highest; round += 2) slots.push_back({Round{round}, anchor(Round{round})});
    return slots;
}

ValidatorIndex Oracle::anchor(Round round) const {
    const std::uint64_t size = committee_.size();
    if (const auto* table = std::get_if<LeaderTable>(&config_.leaders)) {
        return table->leaders.contains(round) ? table->leaders.at(round) : table->otherwise;
    }
    if (std::holds_alternative<RoundRobin>(config_.leaders)) {
        const std::uint64_t turn = round.value() / 2 - (config_.mode == OrderingMode::shoal ? 0 : 1);
        return ValidatorIndex{static_cast<std::uint16_t>(turn % size)};
    }
    const std::vector<std::uint64_t> weights = this->weights();
    std::uint64_t total = 0;
    for (const std::uint64_t weight : weights) total += weight;
    // The draw is x * total / 2^64: its upper half, from halves of 32 bits.
    const std::uint64_t x = anchor_draw(committee_, round);
    MONODON_CHECK(total < std::uint64_t{1} << 32U);
    const std::uint64_t draw = ((x >> 32U) * total + ((x & 0xffffffffU) * total >> 32U)) >> 32U;
    std::uint16_t chosen = 0;
    for (std::uint64_t sum = weights.at(0); sum <= draw; sum += weights.at(chosen)) ++chosen;
    return ValidatorIndex{chosen};
}

std::vector<std::uint64_t> Oracle::weights() const {
    const auto& rule = std::get<ReputationRule>(config_.leaders);
    const std::uint64_t size = committee_.size();
    const std::uint64_t proposers = rule.proposer_window == 0 ? 10 * size : rule.proposer_window;
    const std::uint64_t voters = rule.voter_window == 0 ? size : rule.voter_window;
    std::vector<std::uint64_t> weights;
    for (std::uint16_t at = 0; at < size; ++at) {
        const ValidatorIndex author{at};
        std::uint64_t anchors = 0;
        std::uint64_t failures = 0;
        bool voted = false;
        for (std::size_t event = 0; event < commits_.size(); ++event) {
            const Commit& commit = commits_[event];
            const std::uint64_t age = commits_.size() - event;
            if (age <= proposers) {
                anchors += commit.anchor.author == author ? 1 : 0;
                for (const Slot& slot : commit.failed) failures += slot.author == author ? 1 : 0;
            }
            if (age <= voters && commit.voters.contains(author)) voted = true;
        }
        std::uint64_t weight = anchors > 0 || voted ? rule.active_weight : rule.inactive_weight;
        if (100 * failures > (anchors + failures) * rule.failure_threshold_percent)
            weight = rule.failed_weight;
        weights.push_back(weight * committee_.stake(author));
    }
    return weights;
}

bool Oracle::supported(Slot slot) const {
    Stake stake = 0;
    for (const auto& [other, certificate] : store_) {
        const bool names = other.round == next(slot.round) &&
                           std::any_of(certificate->header.parents.begin(), certificate->header.parents.end(),
                                       [&](const Parent& parent) { return parent.author == slot.author; });
        if (names) stake += committee_.stake(other.author);
    }
    return stake >= committee_.support();
}

Slot Oracle::walk_back(Slot slot) const {
    for (;;) {
        std::set<Slot> reached;
        reach(slot, Round{1}, reached);
        const std::vector<Slot> slots = candidates();
        const auto nearest = std::find_if(slots.rbegin(), slots.rend(), [&](Slot other) {
            return other.round < slot.round && reached.contains(other);
        });
        if (nearest == slots.rend()) return slot;
        slot = *nearest;
    }
}

void Oracle::reach(Slot slot, Round low, std::set<Slot>& reached) const {
    if (slot.round < low || !reached.insert(slot).second) return;
    for (const Parent& parent : store_.at(slot)->header.parents) {
        reach({below(slot.round, 1), parent.author}, low, reached);
    }
}

void Oracle::order(Slot slot) {
    const Header& header = store_.at(slot)->header;
    const Round low = low_of(slot.round, config_.window);
    Commit commit;
    commit.index = CommitIndex{commits_.size() + 1};
    if (!commits_.empty()) commit.previous = commits_.back().digest;
    commit.anchor = header.ref();
    commit.voters = header.parent_authors();
    for (const Slot other : candidates()) {
        if (other.round < slot.round && other.round >= low) commit.failed.push_back(other);
    }
    std::set<Slot> reached;
    reach(slot, low, reached);
    for (const Slot other : reached) {
        if (ordered_.contains(other)) continue;
        ordered_.insert(other);
        const Header& ordered = store_.at(other)->header;
        commit.certificates.push_back(ordered.ref());
        for (const PayloadEntry& entry : ordered.payload) {
            const bool again =
                std::find(commit.payload.begin(), commit.payload.end(), entry) != commit.payload.end();
            if (again || is_executed(slot.round, entry)) continue;
            if (slot.round.value() > entry.sealed_round.value() + config_.batch_life) continue;
            commit.payload.push_back(entry);
            commit.transactions += entry.transactions;
            commit.bytes += entry.bytes;
        }
    }
    commit.digest = commit_digest(committee_, commit);
    commits_.push_back(std::move(commit));
}

bool Oracle::is_executed(Round anchor, const PayloadEntry& entry) const {
    return std::any_of(commits_.begin(), commits_.end(), [&](const Commit& commit) {
        return commit.anchor.round.value() + config_.batch_life >= anchor.value() &&
               std::any_of(commit.payload.begin(), commit.payload.end(),
                           [&](const PayloadEntry& other) { return other.batch == entry.batch; });
    });
}

}  // namespace monodon::dag::test
