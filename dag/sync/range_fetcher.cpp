#include "dag/sync/range_fetcher.hpp"

#include <algorithm>
#include <limits>

#include "dag/planted.hpp"

namespace monodon::dag {

namespace {

/// Of a member whose answer did not come, was none, or was not whole.
constexpr Duration kRest = std::chrono::seconds(2);
constexpr Duration kPause = std::chrono::milliseconds(200);
/// Parents that the server of a unit did not have come by digest from others meanwhile.
constexpr Duration kIncompleteFor = std::chrono::milliseconds(100);
/// The lowest unit is late after three times what the fastest member needed, and not before this.
constexpr Duration kLateAtLeast = std::chrono::milliseconds(50);
/// While nobody has answered: the links may be long.
constexpr Duration kLateAtFirst = std::chrono::milliseconds(300);
/// After there was nobody to ask a second time.
constexpr Duration kHedgePause = std::chrono::milliseconds(50);
/// Second requests are this share of all, and so many more.
constexpr std::uint64_t kHedgedOneIn = 10;
constexpr std::uint64_t kHedgedBesides = 2;
/// One member may answer a unit in so many pieces; the rest goes to another one.
constexpr unsigned kPiecesMost = 2;

/// How many rounds the certificates of an answer are of. They ascend.
std::uint64_t rounds_of(const CertificatesReply& reply) {
    std::uint64_t rounds = 0;
    Round before{};
    for (const VerifiedCertificate& each : reply.certificates) {
        if (each->header.round != before) ++rounds;
        before = each->header.round;
    }
    return rounds;
}

}  // namespace

void RangeFetcher::hint(Round round, const AuthorSet& signers) {
    if (round < target_ || planted(Planted::never_catches_up)) return;
    target_ = round;
    holders_ = signers;
}

void RangeFetcher::set_connected(ValidatorIndex peer, bool connected) {
    if (connected) {
        connected_.insert(peer);
        asked_.erase(peer);
    } else {
        connected_.erase(peer);
    }
}

void RangeFetcher::forget() {
    open_.clear();
    answered_.clear();
    made_to_ = {};
}

void RangeFetcher::reopen(Slot first, Rest rest) {
    const auto [open, fresh] = open_.try_emplace(first, rest);
    if (!fresh && open->second.last < rest.last) open->second = rest;
}

void RangeFetcher::rest(ValidatorIndex member, Time now) {
    asked_.insert(member);
    took_[member] = timeout_;
    resting_until_[member] = now + kRest;
}

void RangeFetcher::settle(Round highest, Time now) {
    if (highest > grown_to_) {
        grown_to_ = highest;
        asked_ = {};
    }
    while (!open_.empty() && open_.begin()->second.last <= highest) open_.erase(open_.begin());
    while (!answered_.empty() && answered_.begin()->second.last <= highest)
        answered_.erase(answered_.begin());
    if (answered_.empty()) return;
    const auto& [first, head] = *answered_.begin();
    if (first.round > next(highest) || now < head.at + kIncompleteFor) return;
    asked_.insert(head.by);
    reopen(std::max(first, Slot{highest, ValidatorIndex{0}}), {head.last});
    answered_.erase(answered_.begin());
}

bool RangeFetcher::is_whole(const Request& request, const CertificatesReply& reply) {
    const Slot first = request.unit.first;
    std::vector<AuthorSet> here;
    for (Round round = first.round; round <= request.unit.rest.last; round = next(round)) {
        here.push_back(request.here.authors_in(round));
    }
    for (const VerifiedCertificate& each : reply.certificates) {
        const std::uint64_t at = distance(first.round, each->header.round);
        // Of the round of the first slot the beginning is in another answer.
        if (at > (first.author == ValidatorIndex{0} ? 0U : 1U)) {
            for (const Parent& parent : each->header.parents) {
                if (!here.at(at - 1).contains(parent.author)) return false;
            }
        }
        here.at(at).insert(each->header.author);
    }
    return reply.next || !here.at(distance(first.round, request.owed)).empty();
}

std::uint64_t RangeFetcher::rounds_wanted(const Request& request) {
    std::uint64_t wanted = 0;
    for (Round round = request.unit.first.round; round <= request.unit.rest.last; round = next(round)) {
        wanted += request.here.authors_in(round).empty() ? 1 : 0;
    }
    return wanted;
}

std::optional<RangeFetcher::Unit> RangeFetcher::next_unit(Round highest) const {
    if (!open_.empty()) return Unit{open_.begin()->first, open_.begin()->second};
    const Round first = next(made_to_);
    // Beyond this they would not be kept until their parents come.
    const Round end = std::min(target_, above(highest, kUnitsInFlight * kUnit));
    if (first > end) return std::nullopt;
    const Round last = std::min(above(first, kUnit - 1), end);
    const Round proven{last.value() - last.value() % spacing_};
    return Unit{{first, ValidatorIndex{0}}, {proven >= first ? proven : last}};
}

std::optional<ValidatorIndex> RangeFetcher::choose(Time now, std::optional<ValidatorIndex> tired) {
    AuthorSet candidates = (holders_ & connected_).without(asked_);
    if (self_) candidates.erase(*self_);
    if (!tired || !candidates.contains(*tired)) return choose_of(candidates, now);
    AuthorSet others = candidates;
    others.erase(*tired);
    const auto chosen = choose_of(others, now);
    return chosen ? chosen : choose_of(candidates, now);
}

std::optional<ValidatorIndex> RangeFetcher::choose_of(const AuthorSet& candidates, Time now) {
    std::map<ValidatorIndex, std::size_t> busy;
    for (const auto& [id, request] : requests_) ++busy[request.to];
    AuthorSet possible;
    std::optional<ValidatorIndex> chosen;
    std::uint64_t least = 0;
    candidates.for_each([&](ValidatorIndex candidate) {
        const auto rests = resting_until_.find(candidate);
        if (rests != resting_until_.end() && now < rests->second) return;
        // Who has not been tried comes first, with one unit: a member is known to be slow only by trying it.
        const auto took = took_.find(candidate);
        const std::size_t units = busy[candidate];
        if (units >= (took == took_.end() ? 1 : kUnitsPerMember)) return;
        possible.insert(candidate);
        const std::uint32_t weight = preference_.weight(candidate);
        const auto time =
            took == took_.end() ? 0 : static_cast<std::uint64_t>(took->second.count()) * (units + 1);
        const std::uint64_t cost =
            weight == 0 ? std::numeric_limits<std::uint64_t>::max() : time * Preference::kUsual / weight;
        if (!chosen || cost < least) {
            chosen = candidate;
            least = cost;
        }
    });
    return chosen && preference_.explores() ? preference_.any(possible) : chosen;
}

void RangeFetcher::send(ValidatorIndex to, Unit unit, Time now, RequestIds& ids, Effects& out,
                        const Known& known) {
    const RequestId id = ids.next();
    history_[to] = {now, {}, {}};
    ++sent_;
    const Slot first = unit.first;
    const Round last = unit.rest.last;
    Request request{to, unit, now, {}, std::min(last, below(target_, 1))};
    RequestBody body = GetCertificatesInRange{first.round, last, first.author};
    if (known) {
        KnownRounds here = known(first.round, last);
        const bool some = std::any_of(here.authors.begin(), here.authors.end(),
                                      [](const AuthorSet& authors) { return !authors.empty(); });
        request.here = here;
        if (some) body = GetMissingCertificates{std::move(here), first.round, last, first.author};
    }
    requests_.emplace(id, std::move(request));
    out.emplace_back(SendRequest{id, to, std::move(body), timeout_});
}

std::size_t RangeFetcher::open_requests(Round highest) const {
    return static_cast<std::size_t>(std::count_if(requests_.begin(), requests_.end(), [&](const auto& each) {
        return each.second.unit.rest.last > highest;
    }));
}

std::optional<Time> RangeFetcher::hedge_at(Round highest) const {
    if (hedged_ > kHedgedBesides + sent_ / kHedgedOneIn) return std::nullopt;
    // Requests are few. The lowest unit, if it was asked of one member only.
    const Request* head = nullptr;
    bool twice = false;
    for (const auto& [id, request] : requests_) {
        if (request.unit.rest.last <= highest) continue;
        if (head == nullptr || request.unit.first < head->unit.first) {
            head = &request;
            twice = false;
        } else if (request.unit.first == head->unit.first) {
            twice = true;
        }
    }
    if (head == nullptr || twice || open_requests(highest) >= kRequestsMax) return std::nullopt;
    Duration late = kLateAtFirst;
    if (!took_.empty()) {
        const auto fastest = std::min_element(
            took_.begin(), took_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
        const auto its_own = took_.find(head->to);
        late = 3 * fastest->second;
        // One that is slower than others is not late for it.
        if (its_own != took_.end()) late = std::max(late, 2 * its_own->second);
        late = std::clamp(late, kLateAtLeast, timeout_);
    }
    return std::max(head->sent + late, hedge_after_);
}

void RangeFetcher::hedge(Time now, Round highest, RequestIds& ids, Effects& out, const Known& known) {
    const auto at = hedge_at(highest);
    if (!at || now < *at) return;
    const Request* head = nullptr;
    for (const auto& [id, request] : requests_) {
        if (request.unit.rest.last <= highest) continue;
        if (head == nullptr || request.unit.first < head->unit.first) head = &request;
    }
    const auto peer = choose(now);
    if (!peer || *peer == head->to) {
        hedge_after_ = now + kHedgePause;
        return;
    }
    ++hedged_;
    send(*peer, head->unit, now, ids, out, known);
}

void RangeFetcher::poll(Time now, Round highest, Round floor, RequestIds& ids, Effects& out,
                        const Known& known) {
    if (!active(highest)) return forget();
    settle(highest, now);
    // The highest round of the graph may be incomplete: it is asked for again.
    const Round complete = highest > floor ? Round{highest.value() - 1} : floor;
    if (made_to_ < complete || (requests_.empty() && open_.empty() && answered_.empty())) made_to_ = complete;
    if (now < due_) return;
    hedge(now, highest, ids, out, known);
    while (open_requests(highest) < kUnitsInFlight) {
        const auto unit = next_unit(highest);
        if (!unit) return;
        const bool tired = unit->rest.pieces >= kPiecesMost;
        const auto peer = choose(now, tired ? std::optional(unit->rest.by) : std::nullopt);
        if (!peer) {
            if (!requests_.empty()) return;
            asked_ = {};
            resting_until_.clear();
            due_ = now + kPause;
            return;
        }
        if (open_.erase(unit->first) == 0) made_to_ = unit->rest.last;
        send(*peer, *unit, now, ids, out, known);
    }
}

std::optional<Time> RangeFetcher::next_attempt(Round highest) const {
    if (!active(highest)) return std::nullopt;
    std::optional<Time> earliest;
    const auto consider = [&](std::optional<Time> at) {
        if (at && (!earliest || *at < *earliest)) earliest = at;
    };
    if (requests_.empty() && (answered_.empty() || next_unit(highest))) consider(due_);
    consider(hedge_at(highest));
    if (!answered_.empty() && answered_.begin()->first.round <= next(highest))
        consider(answered_.begin()->second.at + kIncompleteFor);
    return earliest;
}

bool RangeFetcher::answered(RequestId id, const CertificatesReply* reply,
                            std::optional<RequestFailure> failure, Round highest, Time now) {
    const auto found = requests_.find(id);
    if (found == requests_.end()) return false;
    const Request request = found->second;
    requests_.erase(found);
    history_[request.to].answered = now;
    history_[request.to].failure = failure;
    due_ = now;
    const Unit unit = request.unit;
    if (reply == nullptr || reply->certificates.empty()) {
        rest(request.to, now);
        const bool hedged = std::any_of(requests_.begin(), requests_.end(), [&](const auto& other) {
            return other.second.unit.first == unit.first;
        });
        if (!hedged && !answered_.contains(unit.first)) reopen(unit.first, {unit.rest.last});
        return true;
    }
    if (is_whole(request, *reply)) {
        const std::uint64_t brought = rounds_of(*reply);
        const std::uint64_t wanted = std::max(rounds_wanted(request), brought);
        took_[request.to] = (now - request.sent) * wanted / brought;
    } else {
        rest(request.to, now);
    }
    Round last = unit.rest.last;
    if (reply->next) {
        last = below(reply->next->slot.round, 1);
        const unsigned before_it = unit.rest.by == request.to ? unit.rest.pieces : 0;
        reopen(reply->next->slot, {unit.rest.last, before_it + 1, request.to});
    }
    open_.erase(unit.first);
    answered_.insert_or_assign(unit.first, Answered{last, request.to, now});
    settle(highest, now);
    return true;
}

std::optional<Blockers::Ranges> RangeFetcher::blocking(Round highest) const {
    if (!active(highest)) return std::nullopt;
    return Blockers::Ranges{highest, target_, holders_, history_, next_attempt(highest)};
}

}  // namespace monodon::dag
