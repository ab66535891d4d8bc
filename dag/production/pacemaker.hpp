#pragma once

#include <optional>

#include "dag/config.hpp"
#include "dag/model/types.hpp"

namespace monodon::dag {

/// When to propose the next round (consensus.md A2, A3): the timers of one member, without knowledge of the
/// graph.
class Pacemaker {
 public:
    explicit Pacemaker(const EngineConfig& config) : config_(&config) {}

    /// What the graph says of the round that the next header would build on.
    struct RoundState {
        Round round;
        /// (i) without its last clause: the anchor of this round is here and that of the round before is
        /// decided.
        bool anchors_settled = false;
        /// The certificates of all members that were certified in one of the last 8 rounds are here.
        bool recent_complete = false;
        /// (ii): all certificates are here.
        bool complete = false;
        bool has_work = false;
        /// A2: the last own header is below this round.
        bool jumped = false;
    };

    /// Round `round` has reached a quorum. Later calls for the same or a lower round change nothing.
    void quorum_reached(Round round, Time now);
    /// An own header left for `round`; resets the delays.
    void proposed(Time now);
    /// An anchor was ordered: the committee makes progress, the leader timeout starts at its base again.
    void committed() { timeouts_ = 0; }

    /// The time from which the next header may be made if nothing else changes; now or earlier: make it.
    [[nodiscard]] Time propose_at(const RoundState& state) const;
    /// Call when a header is made that had to wait for (iii).
    void count_timeout(const RoundState& state, Time now);

 private:
    [[nodiscard]] Duration leader_timeout() const;
    [[nodiscard]] Duration grace() const;
    [[nodiscard]] Time ripe_at(const RoundState& state) const;

    const EngineConfig* config_;
    Round quorum_round_;
    Time quorum_at_{};
    std::optional<Time> proposed_at_;
    /// Of the time between quorums, smoothed over about 8 rounds.
    Duration round_time_{};
    unsigned timeouts_ = 0;
};

}  // namespace monodon::dag
