#include "dag/production/vote_collector.hpp"

#include "dag/planted.hpp"

namespace monodon::dag {

bool VoteCollector::add(const Vote& vote) {
    if (certified() || vote.ref() != header_->ref() || voters_.contains(vote.voter)) return false;
    voters_.insert(vote.voter);
    signatures_.emplace(vote.voter, vote.signature);
    const Stake needed = committee_->quorum() - (planted(Planted::quorum_of_2f) ? 1 : 0);
    if (committee_->stake(voters_) < needed) return false;
    Certificate certificate{*header_, voters_, {}};
    for (const auto& [voter, signature] : signatures_) certificate.signatures.push_back(signature);
    certificate_ = Verification::trusted(std::move(certificate));
    return true;
}

}  // namespace monodon::dag
