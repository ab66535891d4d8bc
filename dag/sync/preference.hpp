#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dag/model/types.hpp"

namespace monodon::dag {

/// Which of several members to ask (sync.md 2): the better its rating, the more often; and one time in ten
/// any of them, so that a member that was bad or slow is noticed when it is so no more. Draws from a counter:
/// the same questions in the same order get the same answers.
class Preference {
 public:
    /// Of a member that nobody has rated.
    static constexpr std::uint32_t kUsual = 100;

    explicit Preference(std::size_t members) : weights_(members, kUsual) {}

    /// One weight per member; with 0 it is asked for exploration, or if there is nobody else.
    void rate(std::vector<std::uint32_t> weights);
    [[nodiscard]] std::uint32_t weight(ValidatorIndex member) const { return weights_.at(member.value()); }

    /// Nothing if there is no candidate.
    [[nodiscard]] std::optional<ValidatorIndex> choose(const AuthorSet& candidates);
    /// Whether this choice, the caller's own, is one of those that go to any().
    [[nodiscard]] bool explores();
    /// Each candidate alike. There must be one.
    [[nodiscard]] ValidatorIndex any(const AuthorSet& candidates);
    /// A number below `bound`, as even as numbers from a counter are; 0 for 0.
    [[nodiscard]] std::uint64_t draw(std::uint64_t bound);

 private:
    static constexpr std::uint64_t kExploreOneIn = 10;

    std::vector<std::uint32_t> weights_;
    std::uint64_t drawn_ = 0;
};

}  // namespace monodon::dag
