#include "dag/sync/round_sync.hpp"

#include <algorithm>

namespace monodon::dag {

namespace {

/// An answer that takes longer holds too many rounds.
constexpr Duration kSlow = std::chrono::milliseconds(500);
/// One after the other that hold nothing and go on a little further: an honest member has looked at thousands
/// of certificates that are here before it answers so.
constexpr unsigned kBarrenMost = 8;

}  // namespace

KnownRounds known_rounds(const Graph& graph, const Suspended& suspended, Round first, Round last) {
    KnownRounds known;
    known.floor = std::max(graph.floor(), below(first, 1));
    const Round end = std::min(last, above(known.floor, kKnownRoundsMax));
    for (Round round = next(known.floor); round <= end; round = next(round)) {
        known.authors.push_back(graph.authors(round));
    }
    const auto& waiting = suspended.all();
    for (auto at = waiting.lower_bound({next(known.floor), ValidatorIndex{0}});
         at != waiting.end() && at->first.round <= end; ++at) {
        known.authors.at(distance(known.floor, at->first.round) - 1).insert(at->first.author);
    }
    return known;
}

RoundSync::RoundSync(Goal goal, std::optional<ValidatorIndex> self, Duration timeout, Preference& preference)
    : timeout_(timeout),
      preference_(&preference),
      peers_(goal.peers),
      cursor_(std::max(goal.first, Round{1})),
      last_(goal.last) {
    if (self) peers_.erase(*self);
}

RoundSync::Stretch RoundSync::take_stretch() {
    if (!again_.empty()) {
        const Stretch stretch = again_.front();
        again_.pop_front();
        return stretch;
    }
    const Stretch stretch{{cursor_, ValidatorIndex{0}}, std::min(above(cursor_, rounds_ - 1), last_)};
    cursor_ = next(stretch.last);
    return stretch;
}

void RoundSync::poll(Time now, const Graph& graph, const Suspended& suspended, RequestIds& ids,
                     Effects& out) {
    AuthorSet busy;
    for (const auto& [id, request] : requests_) busy.insert(request.to);
    // Rounds that have left the graph meanwhile are of no use.
    cursor_ = std::max(cursor_, next(graph.floor()));
    while (requests_.size() < kRequestsMax && has_more()) {
        const auto peer = preference_->choose(peers_.without(busy));
        if (!peer) return;
        Stretch stretch = take_stretch();
        if (stretch.last <= graph.floor()) continue;
        if (stretch.first.round <= graph.floor()) stretch.first = {next(graph.floor()), ValidatorIndex{0}};
        busy.insert(*peer);
        const RequestId id = ids.next();
        requests_.emplace(id, Request{*peer, stretch, now});
        GetMissingCertificates body{known_rounds(graph, suspended, stretch.first.round, stretch.last),
                                    stretch.first.round, stretch.last, stretch.first.author};
        out.emplace_back(SendRequest{id, *peer, std::move(body), timeout_});
    }
}

bool RoundSync::answered(RequestId id, const ReplyBody& reply, Time now) {
    const auto found = requests_.find(id);
    if (found == requests_.end()) return false;
    const Request request = found->second;
    requests_.erase(found);
    const auto* certificates = std::get_if<CertificatesReply>(&reply);
    const bool barren = certificates != nullptr && certificates->certificates.empty() && certificates->next;
    barren_ = barren ? barren_ + 1 : 0;
    if (certificates == nullptr || barren_ > kBarrenMost) {
        rounds_ = std::max<std::uint64_t>(rounds_ / 2, 1);
        again_.push_front(request.stretch);
        peers_.erase(request.to);
        return true;
    }
    // With one member only, what it does not hold need not be asked for.
    if (peers_.size() == 1) last_ = std::min(last_, certificates->held.highest);
    if (certificates->next) {
        again_.push_front({certificates->next->slot, request.stretch.last});
        rounds_ = std::max<std::uint64_t>(rounds_ / 2, 1);
        return true;
    }
    rounds_ = now - request.sent > kSlow ? std::max<std::uint64_t>(rounds_ / 2, 1)
                                         : std::min(rounds_ * 2, kRoundsMost);
    return true;
}

}  // namespace monodon::dag
