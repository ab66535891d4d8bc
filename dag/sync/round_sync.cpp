#include "dag/sync/round_sync.hpp"

#include <algorithm>

namespace monodon::dag {

namespace {

/// An answer that takes longer holds too many rounds.
constexpr Duration kSlow = std::chrono::milliseconds(500);
/// One after the other that hold nothing and go on a little further: an honest member has looked at thousands
/// of certificates that are here before it answers so.
constexpr unsigned kBarrenMost = 8;

/// Somebody's certificate of one of these rounds is not here. It may not exist.
bool has_gaps(const KnownRounds& known, const AuthorSet& everybody) {
    return std::any_of(known.authors.begin(), known.authors.end(),
                       [&](const AuthorSet& authors) { return !everybody.without(authors).empty(); });
}

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

RoundSync::RoundSync(Goal goal, std::optional<ValidatorIndex> self, Duration timeout, Preference& preference,
                     std::uint64_t spacing)
    : timeout_(timeout),
      preference_(&preference),
      peers_(goal.peers),
      cursor_(std::max(goal.first, Round{1})),
      last_(goal.last),
      spacing_(spacing) {
    if (self) peers_.erase(*self);
}

RoundSync::Stretch RoundSync::make_stretch() {
    const Round last = above(cursor_, rounds_ - 1);
    Round proven{last.value() - last.value() % spacing_};
    if (proven < cursor_) proven = above(proven, spacing_);
    const Stretch stretch{{cursor_, ValidatorIndex{0}}, std::min(proven, last_)};
    cursor_ = next(stretch.last);
    return stretch;
}

std::optional<RoundSync::Task> RoundSync::take(const AuthorSet& busy, const Graph& graph,
                                               const Suspended& suspended) {
    const Round begin = next(graph.floor());
    for (auto at = again_.begin(); at != again_.end();) {
        // Rounds that have left the graph meanwhile are of no use.
        if (at->first.round < begin) at->first = {begin, ValidatorIndex{0}};
        const AuthorSet left = peers_.without(at->answered);
        const bool over = at->last < begin || (left.empty() && !at->answered.empty());
        if (!over && left.without(busy).empty()) {
            ++at;
            continue;
        }
        const Stretch stretch = *at;
        at = again_.erase(at);
        if (over) continue;
        const KnownRounds known = known_rounds(graph, suspended, stretch.first.round, stretch.last);
        if (!stretch.answered.empty() && !has_gaps(known, graph.committee().everybody())) continue;
        return Task{stretch, *preference_->choose(left.without(busy))};
    }
    cursor_ = std::max(cursor_, begin);
    if (cursor_ > last_) return std::nullopt;
    const auto peer = preference_->choose(peers_.without(busy));
    if (!peer) return std::nullopt;
    return Task{make_stretch(), *peer};
}

void RoundSync::ask_others(Stretch stretch) {
    if (stretch.last < stretch.first.round || peers_.without(stretch.answered).empty()) return;
    stretch.first.author = ValidatorIndex{0};
    again_.push_back(stretch);
}

void RoundSync::poll(Time now, const Graph& graph, const Suspended& suspended, RequestIds& ids,
                     Effects& out) {
    AuthorSet busy;
    for (const auto& [id, request] : requests_) busy.insert(request.to);
    while (requests_.size() < kRequestsMax) {
        const auto task = take(busy, graph, suspended);
        if (!task) return;
        const auto& [stretch, to] = *task;
        busy.insert(to);
        const RequestId id = ids.next();
        requests_.emplace(id, Request{to, stretch, now});
        GetMissingCertificates body{known_rounds(graph, suspended, stretch.first.round, stretch.last),
                                    stretch.first.round, stretch.last, stretch.first.author};
        out.emplace_back(SendRequest{id, to, std::move(body), timeout_});
    }
}

bool RoundSync::answered(RequestId id, const ReplyBody& reply, Time now) {
    const auto found = requests_.find(id);
    if (found == requests_.end()) return false;
    const Request request = found->second;
    requests_.erase(found);
    const auto* certificates = std::get_if<CertificatesReply>(&reply);
    const bool nothing = certificates != nullptr && certificates->certificates.empty();
    // All that it has is by hash, and it cannot prove the end.
    const bool unproven = nothing && certificates->bytes_dropped > 0;
    const bool barren = nothing && certificates->next && !unproven;
    barren_ = barren ? barren_ + 1 : 0;
    if (certificates == nullptr || barren_ > kBarrenMost) {
        rounds_ = std::max<std::uint64_t>(rounds_ / 2, 1);
        again_.push_front(request.stretch);
        peers_.erase(request.to);
        return true;
    }
    // With one member only, what it does not hold need not be asked for.
    if (peers_.size() == 1) last_ = std::min(last_, certificates->held.highest);
    Stretch answered = request.stretch;
    answered.answered.insert(request.to);
    if (certificates->next && !unproven) {
        const Slot begin = certificates->next->slot;
        again_.push_front({begin, request.stretch.last, request.stretch.answered});
        answered.last = below(begin.round, 1);
        ask_others(answered);
        rounds_ = std::max<std::uint64_t>(rounds_ / 2, 1);
        return true;
    }
    ask_others(answered);
    rounds_ = now - request.sent > kSlow ? std::max<std::uint64_t>(rounds_ / 2, 1)
                                         : std::min(rounds_ * 2, kRoundsMost);
    return true;
}

}  // namespace monodon::dag
