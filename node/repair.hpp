#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "dag/events.hpp"
#include "net/core/time.hpp"

namespace monodon::node {

/// Which certificates do not verify any more in our store, and whom to ask for each: one round a request, the
/// member that is chosen first and then each other one in turn, more and more rarely, at most `kOpenMax` at a
/// time (a peer that reads an old range can make us find many; what is beyond is found again at the next
/// read, and one that nobody seems to have gives way to it). Thread-safe; performs nothing itself.
class Repair {
 public:
    /// `members` is the size of the committee.
    Repair(std::optional<dag::ValidatorIndex> self, std::size_t members) : self_(self), members_(members) {}

    /// Found at a read.
    void damaged(dag::Slot slot);
    /// Slots of these rounds and below are pruned here, and soon everywhere: they are not asked for any more.
    void forget(dag::Round store_floor);
    /// The requests that are due, each of one round.
    struct Ask {
        dag::ValidatorIndex member;
        dag::Round round;
    };
    /// `choose` gives the member to begin with, never ourselves.
    [[nodiscard]] std::vector<Ask> due(Time now, const std::function<dag::ValidatorIndex()>& choose);
    /// Those of the certificates, which were verified, that were damaged: they are to be written again.
    [[nodiscard]] std::vector<dag::VerifiedCertificate> take(
        const std::vector<dag::VerifiedCertificate>& certificates);

    [[nodiscard]] std::size_t open() const;

 private:
    static constexpr std::size_t kOpenMax = 256;
    static constexpr std::size_t kAsksPerRound = 8;
    /// Doubled with each turn in which no member had it, up to 128 times: about four minutes.
    static constexpr Duration kPause = std::chrono::seconds(2);
    static constexpr std::uint64_t kDoublings = 7;

    struct Open {
        Time due{};
        std::uint64_t asked = 0;
        dag::ValidatorIndex first;
    };

    /// How often all others were asked.
    [[nodiscard]] std::uint64_t turns(const Open& open) const;

    std::optional<dag::ValidatorIndex> self_;
    std::size_t members_;
    mutable std::mutex mutex_;
    std::map<dag::Slot, Open> open_;
};

}  // namespace monodon::node
