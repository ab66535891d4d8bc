#pragma once

#include <mutex>
#include <vector>

#include "dag/model/header.hpp"
#include "net/core/time.hpp"

namespace monodon::node {

/// Which rounds each member has said lately that it holds, to tell who withholds from who has pruned.
/// Thread-safe.
class ClaimedRanges {
 public:
    explicit ClaimedRanges(std::size_t members) : claims_(members) {}

    void note(dag::ValidatorIndex member, dag::Round lowest, dag::Round highest, Time now) {
        const std::lock_guard lock(mutex_);
        claims_.at(member.value()) = {lowest, highest, now};
    }
    /// Well within what it said, and not long ago: its floor rises meanwhile, and it is not to be blamed for
    /// it.
    [[nodiscard]] bool held(dag::ValidatorIndex member, dag::Round first, dag::Round last, Time now) const {
        const std::lock_guard lock(mutex_);
        const Claim& claim = claims_.at(member.value());
        return claim.at != Time{} && now - claim.at <= kKept && first >= dag::above(claim.lowest, kMargin) &&
               last <= claim.highest;
    }

 private:
    static constexpr Duration kKept = std::chrono::seconds(60);
    static constexpr std::uint64_t kMargin = 1000;
    struct Claim {
        dag::Round lowest;
        dag::Round highest;
        Time at{};
    };
    mutable std::mutex mutex_;
    std::vector<Claim> claims_;
};

}  // namespace monodon::node
