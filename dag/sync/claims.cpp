#include "dag/sync/claims.hpp"

#include <algorithm>

#include "dag/planted.hpp"

namespace monodon::dag {

namespace {

/// How far back a claim can be held against our history.
constexpr std::size_t kOwnKept = 1024;

}  // namespace

void Claims::heard(ValidatorIndex member, const CommitClaim& claim) {
    if (claim.index <= claims_.at(member.value()).index) return;
    claims_.at(member.value()) = claim;
    compare(member, claim);
}

void Claims::committed(const CommitClaim& own) {
    own_.push_back(own);
    if (own_.size() > kOwnKept) own_.pop_front();
    for (std::size_t at = 0; at < claims_.size(); ++at) {
        if (claims_[at].index == own.index)
            compare(ValidatorIndex{static_cast<std::uint16_t>(at)}, claims_[at]);
    }
}

void Claims::compare(ValidatorIndex member, const CommitClaim& claim) {
    if (own_.empty() || claim.index < own_.front().index || claim.index > own_.back().index) return;
    if (own_.at(claim.index.value() - own_.front().index.value()).digest == claim.digest) return;
    ++conflicts_;
    conflicting_.at(member.value()) = claim;
    AuthorSet agreeing;
    for (std::size_t at = 0; at < conflicting_.size(); ++at) {
        if (conflicting_[at] == claim) agreeing.insert(ValidatorIndex{static_cast<std::uint16_t>(at)});
    }
    const Stake needed = planted(Planted::liar_stops_output) ? 1 : committee_.support();
    if (committee_.stake(agreeing) >= needed) divergence_ = claim.index;
}

CommitIndex Claims::supported() const {
    std::vector<std::pair<CommitIndex, Stake>> sorted;
    for (std::size_t at = 0; at < claims_.size(); ++at) {
        sorted.emplace_back(claims_[at].index,
                            committee_.stake(ValidatorIndex{static_cast<std::uint16_t>(at)}));
    }
    std::sort(sorted.rbegin(), sorted.rend());
    Stake sum = 0;
    for (const auto& [index, stake] : sorted) {
        sum += stake;
        if (sum >= committee_.support()) return index;
    }
    return CommitIndex{};
}

}  // namespace monodon::dag
