#include "dag/production/vote_collector.hpp"

namespace monodon::dag {

bool VoteCollector::add(const Vote& vote) {
    if (certified() || vote.ref() != header_->ref() || voters_.contains(vote.voter)) return false;
    voters_.insert(vote.voter);
    signatures_.emplace(vote.voter, vote.signature);
    if (!committee_->is_quorum(voters_)) return false;
    Certificate certificate{*header_, voters_, {}};
    for (const auto& [voter, signature] : signatures_) certificate.signatures.push_back(signature);
    certificate_ = Verification::trusted(std::move(certificate));
    return true;
}

}  // namespace monodon::dag
