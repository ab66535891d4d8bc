#pragma once

#include <optional>

#include "dag/sync/fetcher.hpp"

namespace monodon::dag {

/// Catches up by rounds instead of digests when a verified certificate shows that we are several rounds
/// behind. One request at a time, to a signer of the newest certificate seen; a member that brings no
/// progress is not asked again before the others were.
class RangeFetcher {
 public:
    RangeFetcher(ValidatorIndex self, Duration timeout) : self_(self), timeout_(timeout) {}

    /// A verified certificate of this round exists; its signers hold what lies below it.
    void hint(Round round, const AuthorSet& signers);
    void set_connected(ValidatorIndex peer, bool connected);
    /// Highest verified round seen.
    [[nodiscard]] Round target() const { return target_; }
    /// We are so far behind that ranges are fetched.
    [[nodiscard]] bool active(Round highest) const { return distance(highest, target_) > kRoundsByDigest; }

    /// `highest` is that of the graph, `floor` its floor.
    void poll(Time now, Round highest, Round floor, RequestIds& ids, Effects& out);
    [[nodiscard]] std::optional<Time> next_attempt(Round highest) const;
    /// `highest` after the certificates of the reply were given to the graph. False if the request is not
    /// ours.
    bool answered(RequestId id, std::optional<RequestFailure> failure, Round highest, Time now);
    /// Nothing while ranges are not fetched.
    [[nodiscard]] std::optional<Blockers::Ranges> blocking(Round highest) const;
    [[nodiscard]] bool in_flight() const { return request_.has_value(); }

    /// Up to so many rounds are fetched as missing parents.
    static constexpr std::uint64_t kRoundsByDigest = 3;

 private:
    struct Request {
        RequestId id;
        ValidatorIndex to;
        Round highest;
    };
    ValidatorIndex self_;
    Duration timeout_;
    Round target_;
    AuthorSet holders_;
    AuthorSet asked_;
    AuthorSet connected_;
    Time due_{};
    std::optional<Request> request_;
    std::optional<ValidatorIndex> good_;
    AskedMembers history_;
};

}  // namespace monodon::dag
