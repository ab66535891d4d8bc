#pragma once

#include <deque>
#include <map>
#include <optional>

#include "dag/graph/suspended.hpp"
#include "dag/sync/fetcher.hpp"

namespace monodon::dag {

/// What is here of the rounds from `first` through `last`: in the graph, or waiting for its parents.
[[nodiscard]] KnownRounds known_rounds(const Graph& graph, const Suspended& suspended, Round first,
                                       Round last);

/// Asks for what is missing in a stretch of rounds, and says what is here as bitmaps, so that nothing comes
/// twice. One member or several at a time, each with a part of its own; ten rounds a request at first, more
/// or fewer as the members sustain it. What fails goes to another member; who failed is asked no more. What
/// was answered and still has gaps is asked of each other member once: they may hold something else.
/// Nothing is lost with it: what came is in the graph, and whoever begins again asks for the rest only.
class RoundSync {
 public:
    struct Goal {
        AuthorSet peers;
        Round first;
        Round last;
    };
    /// Keeps a reference to the preference. `spacing`: proof_spacing() of the committee. Requests end with a
    /// round that it divides, if they can: who has most by hash only can prove that one, and with it the
    /// rest.
    RoundSync(Goal goal, std::optional<ValidatorIndex> self, Duration timeout, Preference& preference,
              std::uint64_t spacing);

    void poll(Time now, const Graph& graph, const Suspended& suspended, RequestIds& ids, Effects& out);
    /// False if the request is not ours.
    bool answered(RequestId id, const ReplyBody& reply, Time now);

    [[nodiscard]] bool finished() const { return requests_.empty() && (peers_.empty() || !has_more()); }
    /// Finished, and everything was answered: what is still missing nobody has who was asked.
    [[nodiscard]] bool complete() const { return finished() && !has_more(); }
    [[nodiscard]] std::uint64_t rounds_per_request() const { return rounds_; }
    [[nodiscard]] std::size_t in_flight() const { return requests_.size(); }

    static constexpr std::uint64_t kRoundsAtFirst = 10;
    static constexpr std::uint64_t kRoundsMost = 128;
    /// At a time, each of another member.
    static constexpr std::size_t kRequestsMax = 3;

 private:
    struct Stretch {
        Slot first;
        Round last;
        /// They have given what they can.
        AuthorSet answered = {};
    };
    struct Request {
        ValidatorIndex to;
        Stretch stretch;
        Time sent;
    };
    [[nodiscard]] bool has_more() const { return !again_.empty() || cursor_ <= last_; }
    /// The next stretch and whom to ask for it; nothing while those who are left are busy.
    struct Task {
        Stretch stretch;
        ValidatorIndex to;
    };
    [[nodiscard]] std::optional<Task> take(const AuthorSet& busy, const Graph& graph,
                                           const Suspended& suspended);
    [[nodiscard]] Stretch make_stretch();
    /// To be asked of those who have not answered it, if there are any.
    void ask_others(Stretch stretch);

    Duration timeout_;
    Preference* preference_;
    AuthorSet peers_;
    /// Up to here parts were made.
    Round cursor_;
    Round last_;
    std::uint64_t spacing_;
    std::uint64_t rounds_ = kRoundsAtFirst;
    std::map<RequestId, Request> requests_;
    unsigned barren_ = 0;
    /// Rests of partial answers, parts that failed, then parts that others may complete.
    std::deque<Stretch> again_;
};

}  // namespace monodon::dag
