#include "node/claimed_ranges.hpp"

#include <algorithm>

namespace monodon::node {

namespace {

constexpr Duration kKept = std::chrono::seconds(60);
/// The floor of a member rises meanwhile, and it is not to be blamed for it.
constexpr std::uint64_t kMargin = 1000;

}  // namespace

void ClaimedRanges::note(dag::ValidatorIndex member, const dag::Held& held, Time now) {
    const std::lock_guard lock(mutex_);
    claims_.at(member.value()) = {held.lowest, held.highest, now};
}

bool ClaimedRanges::withholds(dag::ValidatorIndex member, const dag::Committee& committee,
                              const dag::SyncRequest& request, const dag::CertificatesReply& reply,
                              Time now) const {
    const auto asked = dag::asked_slots(request);
    if (!asked || !reply.certificates.empty() || reply.next) return false;
    Claim claim;
    {
        const std::lock_guard lock(mutex_);
        claim = claims_.at(member.value());
    }
    if (claim.at == Time{} || now - claim.at > kKept) return false;
    const bool entire = asked->first.author == dag::ValidatorIndex{0};
    const dag::Round begin = entire ? asked->first.round : dag::next(asked->first.round);
    const auto* missing = std::get_if<dag::GetMissingCertificates>(&request);
    dag::Round round = std::max(begin, dag::above(claim.lowest, kMargin));
    for (; round <= asked->last && round < claim.highest; round = dag::next(round)) {
        if (missing == nullptr || !committee.is_quorum(missing->known.authors_in(round))) return true;
    }
    return false;
}

}  // namespace monodon::node
