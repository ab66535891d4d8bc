#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dag/model/types.hpp"
#include "net/core/canonical.hpp"
#include "net/core/expected.hpp"
#include "net/core/keys.hpp"

namespace monodon::dag {

struct Member {
    PublicKey key;
    Stake stake = 0;
};

enum class CommitteeError : std::uint8_t {
    empty,
    too_many_members,
    no_stake,
    too_much_stake,
    duplicate_key,
    bad_key
};
[[nodiscard]] std::string_view describe(CommitteeError error);

/// The members of one epoch of one chain, in their fixed order, with the thresholds of consensus.md 1.
/// Immutable.
class Committee {
 public:
    /// `check_keys = false` is for simulations and replays whose keys are stand-ins.
    static Expected<Committee, CommitteeError> make(std::string chain, Epoch epoch,
                                                    std::vector<Member> members, bool check_keys = true);

    [[nodiscard]] const std::string& chain() const { return chain_; }
    [[nodiscard]] Epoch epoch() const { return epoch_; }
    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] bool contains(ValidatorIndex index) const { return index.value() < members_.size(); }
    [[nodiscard]] const Member& member(ValidatorIndex index) const { return members_.at(index.value()); }
    [[nodiscard]] std::optional<ValidatorIndex> index_of(const PublicKey& key) const;
    [[nodiscard]] AuthorSet everybody() const;

    [[nodiscard]] Stake stake(ValidatorIndex index) const { return member(index).stake; }
    /// Sum over distinct members; indices beyond the committee count nothing.
    [[nodiscard]] Stake stake(const AuthorSet& set) const;
    [[nodiscard]] Stake total() const { return total_; }
    /// f: the most stake that may be Byzantine, floor((T-1)/3).
    [[nodiscard]] Stake faulty() const { return (total_ - 1) / 3; }
    /// Q: floor(2T/3) + 1, "2f+1".
    [[nodiscard]] Stake quorum() const { return total_ - (total_ + 2) / 3 + 1; }
    /// V: T - Q + 1, "f+1".
    [[nodiscard]] Stake support() const { return total_ - quorum() + 1; }
    [[nodiscard]] bool is_quorum(const AuthorSet& set) const { return stake(set) >= quorum(); }

    /// Begins canonical bytes with the domain tag `monodon.<name>.v1`, chain id and epoch.
    [[nodiscard]] CanonicalWriter domain(std::string_view name) const;
    /// Over chain, epoch, keys and stakes in order.
    [[nodiscard]] const Digest& digest() const { return digest_; }

 private:
    Committee() = default;
    std::string chain_;
    Epoch epoch_;
    std::vector<Member> members_;
    Stake total_ = 0;
    Digest digest_;
};

}  // namespace monodon::dag
