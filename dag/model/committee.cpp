#include "dag/model/committee.hpp"

#include <algorithm>

#include "net/core/check.hpp"

namespace monodon::dag {

namespace {

/// Total stake stays below this, so that stake times a reputation weight fits 128 bits with room to spare and
/// 2T never overflows.
constexpr Stake kTotalStakeMax = Stake{1} << 62U;

}  // namespace

std::string_view describe(CommitteeError error) {
    switch (error) {
        case CommitteeError::empty:
            return "the committee has no members";
        case CommitteeError::too_many_members:
            return "the committee has more than 128 members";
        case CommitteeError::no_stake:
            return "a member has no stake";
        case CommitteeError::too_much_stake:
            return "the total stake is 2^62 or more";
        case CommitteeError::duplicate_key:
            return "two members have the same key";
        case CommitteeError::bad_key:
            return "a member's key is not a valid Ed25519 public key";
    }
    MONODON_CHECK(false);
}

Expected<Committee, CommitteeError> Committee::make(std::string chain, Epoch epoch,
                                                    std::vector<Member> members, bool check_keys) {
    if (members.empty()) return Unexpected{CommitteeError::empty};
    if (members.size() > kCommitteeMax) return Unexpected{CommitteeError::too_many_members};
    Committee committee;
    for (std::size_t at = 0; at < members.size(); ++at) {
        const Member& member = members[at];
        if (member.stake == 0) return Unexpected{CommitteeError::no_stake};
        if (member.stake >= kTotalStakeMax - committee.total_)
            return Unexpected{CommitteeError::too_much_stake};
        if (check_keys && !member.key.is_valid()) return Unexpected{CommitteeError::bad_key};
        const auto same_key = [&](const Member& other) { return other.key == member.key; };
        if (std::any_of(members.begin(), members.begin() + static_cast<std::ptrdiff_t>(at), same_key)) {
            return Unexpected{CommitteeError::duplicate_key};
        }
        committee.total_ += member.stake;
    }
    committee.chain_ = std::move(chain);
    committee.epoch_ = epoch;
    committee.members_ = std::move(members);
    CanonicalWriter writer = committee.domain("committee");
    writer.count(committee.members_.size());
    for (const Member& member : committee.members_) writer.fixed(member.key.bytes).u64(member.stake);
    committee.digest_ = writer.hash();
    return committee;
}

std::optional<ValidatorIndex> Committee::index_of(const PublicKey& key) const {
    for (std::size_t at = 0; at < members_.size(); ++at) {
        if (members_[at].key == key) return ValidatorIndex{static_cast<std::uint16_t>(at)};
    }
    return std::nullopt;
}

AuthorSet Committee::everybody() const {
    AuthorSet set;
    for (std::size_t at = 0; at < members_.size(); ++at)
        set.insert(ValidatorIndex{static_cast<std::uint16_t>(at)});
    return set;
}

Stake Committee::stake(const AuthorSet& set) const {
    Stake sum = 0;
    set.for_each([&](ValidatorIndex index) {
        if (contains(index)) sum += members_[index.value()].stake;
    });
    return sum;
}

CanonicalWriter Committee::domain(std::string_view name) const {
    CanonicalWriter writer(name);
    writer.text(chain_).u64(epoch_.value());
    return writer;
}

}  // namespace monodon::dag
