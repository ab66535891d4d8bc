#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "dag/model/commit.hpp"

namespace monodon::dag {

/// What the members say in their signed headers of their commits, held against ours: how far we lag, and
/// whether somebody's history is another one. One liar changes nothing; members with stake >= V that agree on
/// another digest do.
class Claims {
 public:
    /// Keeps a reference to the committee.
    explicit Claims(const Committee& committee) : committee_(committee), claims_(committee.size()) {}

    /// A header of this member says so. Claims never fall: a lower one changes nothing.
    void heard(ValidatorIndex member, const CommitClaim& claim);
    /// Our own history; indices ascend without gaps.
    void committed(const CommitClaim& own);

    /// The index for which members with stake >= V report one digest that is not ours.
    [[nodiscard]] std::optional<CommitIndex> divergence() const { return divergence_; }
    /// The highest index that stake >= V claims: one of them is honest, so it exists.
    [[nodiscard]] CommitIndex supported() const;
    [[nodiscard]] const CommitClaim& of(ValidatorIndex member) const { return claims_.at(member.value()); }
    [[nodiscard]] std::uint64_t conflicts() const { return conflicts_; }

 private:
    void compare(ValidatorIndex member, const CommitClaim& claim);

    const Committee& committee_;
    std::vector<CommitClaim> claims_;
    /// Our newest commits, ascending.
    std::deque<CommitClaim> own_;
    /// Conflicting claims, newest per member.
    std::vector<std::optional<CommitClaim>> conflicting_ =
        std::vector<std::optional<CommitClaim>>(claims_.size());
    std::optional<CommitIndex> divergence_;
    std::uint64_t conflicts_ = 0;
};

}  // namespace monodon::dag
