#pragma once

#include <functional>
#include <map>
#include <optional>

#include "dag/sync/fetcher.hpp"

namespace monodon::dag {

/// Catches up by rounds instead of digests when a verified certificate shows that we are several rounds
/// behind. The rounds from the end of the graph on are cut into units of kUnit, lowest first, and asked of
/// the signers of the newest certificate seen: several units at a time, of the fastest members first. A unit
/// that does not come is asked of another member; the lowest one, for which everything else waits, also when
/// it is only late.
class RangeFetcher {
 public:
    /// Keeps a reference to the preference.
    /// Units end with a round that `spacing` divides, if they can: proof_spacing() of the committee, so that
    /// what they hold is proven by its highest round.
    RangeFetcher(std::optional<ValidatorIndex> self, Duration timeout, Preference& preference,
                 std::uint64_t spacing = 1)
        : self_(self), timeout_(timeout), preference_(preference), spacing_(spacing) {}

    /// A verified certificate of this round exists; its signers hold what lies below it.
    void hint(Round round, const AuthorSet& signers);
    void set_connected(ValidatorIndex peer, bool connected);
    /// Highest verified round seen.
    [[nodiscard]] Round target() const { return target_; }
    /// We are so far behind that ranges are fetched.
    [[nodiscard]] bool active(Round highest) const { return distance(highest, target_) > kRoundsByDigest; }

    /// What is here of the rounds from the first through the last.
    using Known = std::function<KnownRounds(Round first, Round last)>;
    /// `highest` is that of the graph, `floor` its floor. What is known already is not asked for.
    void poll(Time now, Round highest, Round floor, RequestIds& ids, Effects& out, const Known& known = {});
    [[nodiscard]] std::optional<Time> next_attempt(Round highest) const;
    /// `reply` is null if the request failed, for the reason given. `highest` is that of the graph after the
    /// certificates of the reply were given to it. False if the request is not ours.
    bool answered(RequestId id, const CertificatesReply* reply, std::optional<RequestFailure> failure,
                  Round highest, Time now);
    /// Nothing while ranges are not fetched.
    [[nodiscard]] std::optional<Blockers::Ranges> blocking(Round highest) const;
    [[nodiscard]] std::size_t in_flight() const { return requests_.size(); }

    /// Up to so many rounds are fetched as missing parents.
    static constexpr std::uint64_t kRoundsByDigest = 3;
    /// Rounds in one request; also the granularity in which members share the work.
    static constexpr std::uint64_t kUnit = 32;
    /// Units in flight: as many as fit below the bound of suspended rounds (EngineConfig::ahead), since they
    /// arrive in any order.
    static constexpr std::size_t kUnitsInFlight = 3;
    /// One more may be the second request for the lowest unit.
    static constexpr std::size_t kRequestsMax = kUnitsInFlight + 1;
    /// To one member: its answer to the next is on the way while the last one is looked at.
    static constexpr std::size_t kUnitsPerMember = 2;

 private:
    /// What is left of a unit after answers of one member, one after the other, that stopped at a limit.
    struct Rest {
        Round last;
        unsigned pieces = 0;
        ValidatorIndex by{};
    };
    struct Unit {
        Slot first;
        Rest rest;
    };
    struct Request {
        ValidatorIndex to;
        Unit unit;
        Time sent;
        /// What was here of its rounds; empty if nothing was.
        KnownRounds here;
        /// Up to this round whoever is asked has everything.
        Round owed;
    };
    /// A unit whose answer has come while the graph has not reached its end.
    struct Answered {
        Round last;
        ValidatorIndex by;
        Time at;
    };

    void forget();
    void reopen(Slot first, Rest rest);
    /// Units below the graph's end leave; one that was answered and still holds up the others is asked for
    /// again.
    void settle(Round highest, Time now);
    /// It failed, brought nothing, or left out what it has.
    void rest(ValidatorIndex member, Time now);
    /// Nothing is missing between what came and what was here: parents in the rounds that were asked for, or
    /// the end.
    [[nodiscard]] static bool is_whole(const Request& request, const CertificatesReply& reply);
    /// Nothing of these rounds was here, or came.
    [[nodiscard]] static std::uint64_t rounds_wanted(const Request& request);
    [[nodiscard]] std::optional<Unit> next_unit(Round highest) const;
    /// Not of `tired` if anybody else can be asked.
    [[nodiscard]] std::optional<ValidatorIndex> choose(Time now, std::optional<ValidatorIndex> tired = {});
    [[nodiscard]] std::optional<ValidatorIndex> choose_of(const AuthorSet& candidates, Time now);
    void send(ValidatorIndex to, Unit unit, Time now, RequestIds& ids, Effects& out, const Known& known);
    /// Another request for the lowest unit, if it is late.
    void hedge(Time now, Round highest, RequestIds& ids, Effects& out, const Known& known);
    [[nodiscard]] std::optional<Time> hedge_at(Round highest) const;
    /// Requests for what the graph does not have yet: an answer that nobody waits for any more takes no
    /// place.
    [[nodiscard]] std::size_t open_requests(Round highest) const;

    std::optional<ValidatorIndex> self_;
    Duration timeout_;
    Preference& preference_;
    std::uint64_t spacing_;
    Round target_;
    AuthorSet holders_;
    AuthorSet connected_;
    /// They brought nothing since the graph grew last.
    AuthorSet asked_;
    /// After a request that failed or an answer that was not whole.
    std::map<ValidatorIndex, Time> resting_until_;
    Round grown_to_;
    Time due_{};
    /// There was nobody to ask a second time.
    Time hedge_after_{};
    /// Requests sent, and how many of them were second ones.
    std::uint64_t sent_ = 0;
    std::uint64_t hedged_ = 0;
    std::map<RequestId, Request> requests_;
    /// Units that were asked for in vain, by their first slots: to be asked for again.
    std::map<Slot, Rest> open_;
    std::map<Slot, Answered> answered_;
    /// Up to this round units were made.
    Round made_to_;
    /// How long a member took for its last unit, or would have taken at the pace of what it brought of it.
    std::map<ValidatorIndex, Duration> took_;
    AskedMembers history_;
};

}  // namespace monodon::dag
