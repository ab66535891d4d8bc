#include "node/position.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

namespace monodon::node {

namespace {

/// A round needs a quorum, and each leaves a certificate. So many idle rounds without one, and what a loaded
/// machine may take besides: who is connected does not answer.
constexpr int kSilentRounds = 3;
constexpr Duration kSilence = std::chrono::seconds(5);
/// Commits take more rounds than one while leaders are away.
constexpr int kRoundsWithoutCommit = 10;

dag::AuthorSet those(const dag::EngineStatus& engine, std::optional<dag::ValidatorIndex> self,
                     bool must_be_heard) {
    dag::AuthorSet set;
    for (std::size_t at = 0; at < engine.validators.size(); ++at) {
        const dag::ValidatorIndex member{static_cast<std::uint16_t>(at)};
        const dag::ValidatorStatus& each = engine.validators[at];
        if (member == self || (each.connected && (each.heard || !must_be_heard))) set.insert(member);
    }
    return set;
}

}  // namespace

dag::AuthorSet connected_members(const dag::EngineStatus& engine, std::optional<dag::ValidatorIndex> self) {
    return those(engine, self, false);
}

Position position_of(const dag::Committee& committee, std::optional<dag::ValidatorIndex> self,
                     const dag::EngineStatus& engine, Time started, Time now, Duration idle_round) {
    Position position;
    if (committee.is_quorum(those(engine, self, true))) {
        const std::uint64_t claimed = engine.supported_claim.value();
        const std::uint64_t executed = engine.executed.value();
        position.lag = claimed > executed ? claimed - executed : 0;
    }
    const dag::Stake connected = committee.stake(connected_members(engine, self));
    const Duration silent = now - std::max(started, engine.grown);
    if (connected < committee.quorum()) {
        position.no_quorum =
            fmt::format("validators with stake {} of the {} that a quorum needs are connected", connected,
                        committee.quorum());
    } else if (silent > kSilence + kSilentRounds * idle_round) {
        position.no_quorum = fmt::format("a quorum is connected, but no certificate has come for {} s",
                                         std::chrono::duration_cast<std::chrono::seconds>(silent).count());
    }
    return position;
}

Duration commit_age_max(Duration idle_round) { return kSilence + kRoundsWithoutCommit * idle_round; }

}  // namespace monodon::node
