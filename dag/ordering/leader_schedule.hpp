#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "dag/config.hpp"
#include "dag/model/committee.hpp"

namespace monodon::dag {

/// What one ordered anchor tells reputation: the event E of consensus.md 8.5. All of it stands in the commit.
struct AnchorEvent {
    CommitIndex index;
    Slot anchor;
    /// Authors of the anchor's own parents.
    AuthorSet voters;
    /// Skipped anchors of the instance, by the schedule in force before this event; ascending.
    std::vector<Slot> failed;
    friend bool operator==(const AnchorEvent&, const AnchorEvent&) = default;
};

/// 64 bits from SHA-256 over chain, epoch and round: where in [0, 2^64) the anchor of a round is drawn.
[[nodiscard]] std::uint64_t anchor_draw(const Committee& committee, Round round);

/// Who is the anchor of a round: a pure function of the configuration and of the events recorded so far.
/// Integers only. One executor at a time.
class LeaderSchedule {
 public:
    /// Keeps a reference to the committee.
    LeaderSchedule(const OrderingConfig& config, const Committee& committee);

    /// By the present schedule; a round in which the mode has no anchor gets an answer without a meaning.
    [[nodiscard]] ValidatorIndex anchor(Round round) const;
    /// Takes effect at once: the event's own `failed` was computed before.
    void record(AnchorEvent event);

    /// Reputation times stake per member, at most 2^64 - 1; the stake alone where the rule knows no
    /// reputation.
    [[nodiscard]] std::vector<std::uint64_t> weights() const;
    /// The events that determine the next anchors, oldest first: the last K = max(proposer window, voter
    /// window). None where the rule knows no reputation.
    [[nodiscard]] const std::deque<AnchorEvent>& events() const { return events_; }

 private:
    /// Weight times stake, and sums of it: both factors may need 64 bits.
    __extension__ typedef unsigned __int128 Weight;

    struct Record {
        std::uint64_t anchors = 0;
        std::uint64_t failures = 0;
        std::uint64_t votes = 0;
    };

    [[nodiscard]] ValidatorIndex draw(Round round) const;
    void count(const AnchorEvent& event, bool proposer, bool voter, std::uint64_t sign);
    void weigh();

    OrderingMode mode_;
    LeaderRule rule_;
    const Committee& committee_;
    /// Of the reputation rule, with the defaults filled in.
    ReputationRule reputation_;
    std::deque<AnchorEvent> events_;
    /// Counts over the windows, by author.
    std::vector<Record> records_;
    /// cumulative_[i] is the sum of the weights of members 0..i.
    std::vector<Weight> cumulative_;
};

}  // namespace monodon::dag
