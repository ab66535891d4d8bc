#pragma once

#include <map>
#include <optional>

#include "dag/sync/fetcher.hpp"

namespace monodon::dag {

/// Finds the round above which a member may sign that has forgotten what it signed (consensus.md 9.3): asks
/// all others for their highest round and waits for answers of stake >= Q, its own not counted.
///
/// A vote or header of round r needed a quorum of certificates of round r - 1; any Q of answers meet an
/// honest author of one of them. That author held the certificates of round r - 2 durably before its header
/// of round r - 1 left, but its own certificate it may have lost in a crash. So what was signed lies at most
/// two rounds above the highest certificate shown.
class Rejoin {
 public:
    /// Keeps a reference to the committee.
    Rejoin(const Committee& committee, std::optional<ValidatorIndex> self, Duration timeout)
        : committee_(committee), self_(self), timeout_(timeout) {}

    /// Answers to earlier questions count no more.
    void begin();
    void end() { asking_ = false; }
    [[nodiscard]] bool asking() const { return asking_; }
    void set_connected(ValidatorIndex peer, bool connected, Time now);

    void poll(Time now, RequestIds& ids, Effects& out);
    [[nodiscard]] std::optional<Time> next_attempt() const;
    /// `reply` is null if the request failed. False if the request is not ours.
    bool answered(RequestId id, const HighestRoundReply* reply, Time now);

    /// Of the members that have answered.
    [[nodiscard]] Stake stake() const { return committee_.stake(answered_); }
    /// Nothing was signed above it; nothing while too few have answered.
    [[nodiscard]] std::optional<Round> bound() const;

 private:
    static constexpr std::uint64_t kRoundsAboveShown = 2;
    static constexpr Duration kPause = std::chrono::seconds(1);

    const Committee& committee_;
    std::optional<ValidatorIndex> self_;
    Duration timeout_;
    bool asking_ = false;
    AuthorSet connected_;
    AuthorSet answered_;
    Round bound_;
    std::map<RequestId, ValidatorIndex> requests_;
    /// When each connected member that has not answered, and is not being asked, is asked.
    std::map<ValidatorIndex, Time> due_;
};

}  // namespace monodon::dag
