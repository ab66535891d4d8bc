#include "dag/sync/fetcher.hpp"

#include <algorithm>

namespace monodon::dag {

namespace {

/// Requests in flight to one member: its share, whatever it does with them.
constexpr std::size_t kRequestsPerPeer = 4;
/// A certificate has up to 40 KiB, a batch up to 512 KiB and often a few transactions only; the server stops
/// at its own limit of bytes.
constexpr std::size_t kCertificatesPerRequest = 64;
constexpr std::size_t kBatchesPerRequest = 48;
/// After all holders were asked in vain; doubles up to the longest, each a quarter longer at most: nodes that
/// miss the same thing must not ask in step.
constexpr Duration kFirstPause = std::chrono::milliseconds(500);
constexpr Duration kLongestPause = std::chrono::seconds(8);
constexpr unsigned kPauseShiftMax = 4;
/// One member that does not answer for so long, or three times as long as its answers take, is joined by
/// another; never a third.
constexpr Duration kHedgeAfter = std::chrono::milliseconds(200);
constexpr unsigned kAtATime = 2;
/// An answer that stopped at its limit of bytes has sent as much. One that stopped before was in want of
/// time, once; from then on it may be holding us up, and others are asked.
constexpr std::size_t kMuchSent = kUrgentReplyBytes / 2;

}  // namespace

std::size_t Fetcher::per_request(Kind kind) {
    return kind == Kind::batch ? kBatchesPerRequest : kCertificatesPerRequest;
}

void Fetcher::want(const Digest& digest, const Item& wanted) {
    const auto [at, fresh] = items_.try_emplace(digest, wanted);
    Item& item = at->second;
    const AuthorSet added = wanted.holders.without(item.holders);
    const bool ready = ready_.erase(rank(digest, item)) > 0;
    item.holders |= wanted.holders;
    item.round = std::max(item.round, wanted.round);
    item.named = item.named || wanted.named;
    item.for_execution = item.for_execution || wanted.for_execution;
    if (ready) ready_.insert(rank(digest, item));
    if (fresh || (!added.empty() && item.in_flight == 0)) schedule(digest, item, Time{});
}

void Fetcher::want_certificate(const Digest& digest, Round round, const AuthorSet& holders,
                               ValidatorIndex first, bool named) {
    Item item{Kind::certificate, round, {}, holders, {}, first};
    item.named = named;
    want(digest, item);
}

void Fetcher::want_batch(const WantedBatch& batch, Round round, const AuthorSet& holders,
                         ValidatorIndex first) {
    want(batch.digest, Item{Kind::batch, round, batch.sealed, holders, {}, first});
}

void Fetcher::want_for_execution(const WantedBatch& batch, Round round, const AuthorSet& holders,
                                 ValidatorIndex first) {
    Item item{Kind::batch, round, batch.sealed, holders, {}, first};
    item.for_execution = true;
    want(batch.digest, item);
}

void Fetcher::drop(const Digest& digest) {
    const auto at = items_.find(digest);
    if (at != items_.end() && !at->second.for_execution) found(digest);
}

void Fetcher::found(const Digest& digest) {
    const auto at = items_.find(digest);
    if (at == items_.end()) return;
    unschedule(digest, at->second);
    items_.erase(at);
}

void Fetcher::collect(Round floor) {
    std::erase_if(items_, [&](const auto& each) {
        const auto& [digest, item] = each;
        if (item.for_execution || item.round > floor) return false;
        unschedule(digest, item);
        return true;
    });
}

void Fetcher::set_connected(ValidatorIndex peer, bool connected, Time now) {
    if (!connected) {
        connected_.erase(peer);
        return;
    }
    connected_.insert(peer);
    for (auto& [digest, item] : items_) {
        if (item.in_flight > 0 || !item.holders.contains(peer)) continue;
        item.asked.erase(peer);
        schedule(digest, item, now);
    }
}

void Fetcher::unschedule(const Digest& digest, const Item& item) {
    due_.erase({item.due, digest});
    ready_.erase(rank(digest, item));
}

void Fetcher::schedule(const Digest& digest, Item& item, Time due) {
    unschedule(digest, item);
    item.due = due;
    due_.insert({due, digest});
}

AuthorSet Fetcher::candidates(const Item& item) const {
    AuthorSet found = (item.holders & connected_).without(item.asked);
    if (self_) found.erase(*self_);
    return found;
}

std::optional<ValidatorIndex> Fetcher::choose(const Item& item, const AuthorSet& candidates) {
    if (candidates.contains(item.first) && preference_.weight(item.first) > 0) return item.first;
    return preference_.choose(candidates);
}

Duration Fetcher::hedge_after(ValidatorIndex peer) const {
    const auto took = took_.find(peer);
    const Duration usual = took == took_.end() ? Duration{0} : took->second;
    return std::clamp(3 * usual, kHedgeAfter, std::max(timeout_, kHedgeAfter));
}

bool Fetcher::any_room(const AuthorSet& full, const std::map<Kind, AuthorSet>& gathering) const {
    const bool begun = std::any_of(gathering.begin(), gathering.end(),
                                   [](const auto& each) { return !each.second.empty(); });
    AuthorSet free = connected_.without(full);
    if (self_) free.erase(*self_);
    return begun || !free.empty();
}

void Fetcher::poll(Time now, RequestIds& ids, Effects& out) {
    std::map<std::pair<ValidatorIndex, Kind>, std::vector<Digest>> batches;
    AuthorSet full;
    for (const auto& [peer, requests] : slots_) {
        if (requests == kRequestsPerPeer) full.insert(peer);
    }
    // Their last request has room for more.
    std::map<Kind, AuthorSet> gathering;
    while (!due_.empty() && due_.begin()->first <= now) {
        const Digest& digest = due_.begin()->second;
        ready_.insert(rank(digest, items_.at(digest)));
        due_.erase(due_.begin());
    }
    for (auto at = ready_.begin(); at != ready_.end();) {
        const Digest digest = at->digest;
        Item& item = items_.at(digest);
        const AuthorSet left = candidates(item);
        if (left.empty()) {
            at = ready_.erase(at);
            if (item.in_flight > 0) continue;
            item.asked = {};
            item.stopped = {};
            const Duration pause =
                std::min(kFirstPause * (1U << std::min(item.cycles, kPauseShiftMax)), kLongestPause);
            const auto jitter = preference_.draw(static_cast<std::uint64_t>(pause.count()) / 4);
            ++item.cycles;
            schedule(digest, item, now + pause + Duration(jitter));
            continue;
        }
        const Kind kind = item.named ? Kind::ancestor : item.kind;
        const auto peer = choose(item, left.without(full) | (left & gathering[kind]));
        if (!peer) {
            if (!any_room(full, gathering)) break;
            ++at;
            continue;
        }
        at = ready_.erase(at);
        auto& batch = batches[{*peer, kind}];
        if (batch.empty() && ++slots_[*peer] == kRequestsPerPeer) full.insert(*peer);
        gathering[kind].insert(*peer);
        ++item.in_flight;
        item.asked.insert(*peer);
        if (item.in_flight < kAtATime) schedule(digest, item, now + hedge_after(*peer));
        batch.push_back(digest);
        if (batch.size() < per_request(kind)) continue;
        gathering[kind].erase(*peer);
        send(*peer, kind, std::exchange(batch, {}), now, ids, out);
    }
    for (auto& [key, batch] : batches) {
        if (!batch.empty()) send(key.first, key.second, std::move(batch), now, ids, out);
    }
}

void Fetcher::send(ValidatorIndex to, Kind kind, std::vector<Digest> digests, Time now, RequestIds& ids,
                   Effects& out) {
    const RequestId id = ids.next();
    requests_.emplace(id, Request{to, digests, now});
    for (const Digest& digest : digests) {
        Item& item = items_.at(digest);
        item.history[to] = {now, {}, {}};
        if (!item.asked_since) item.asked_since = now;
    }
    RequestBody body;
    if (kind != Kind::batch) {
        body = GetCertificates{std::move(digests), kind == Kind::ancestor};
    } else {
        GetBatches wanted;
        for (const Digest& digest : digests) wanted.batches.push_back({digest, items_.at(digest).sealed});
        body = std::move(wanted);
    }
    out.emplace_back(SendRequest{id, to, std::move(body), timeout_});
}

std::optional<Time> Fetcher::next_attempt() const {
    if (due_.empty()) return std::nullopt;
    return due_.begin()->first;
}

std::optional<Fetcher::Stopped> Fetcher::stopped(const ReplyBody& reply) {
    const auto* certificates = std::get_if<CertificatesReply>(&reply);
    if (certificates != nullptr && certificates->next) {
        return Stopped{certificates->next->position, certificates->bytes};
    }
    const auto* batches = std::get_if<BatchesReply>(&reply);
    if (batches != nullptr && batches->next) return Stopped{batches->next->position, batches->bytes};
    return std::nullopt;
}

bool Fetcher::answered(RequestId id, std::optional<RequestFailure> failure, Time now,
                       std::optional<Stopped> stopped) {
    const auto at = requests_.find(id);
    if (at == requests_.end()) return false;
    const Request request = std::move(at->second);
    requests_.erase(at);
    --slots_[request.to];
    if (!failure) {
        const Duration took = now - request.sent;
        const auto [known, fresh] = took_.try_emplace(request.to, took);
        if (!fresh) known->second = (3 * known->second + took) / 4;
    }
    for (std::size_t position = 0; position < request.digests.size(); ++position) {
        const Digest& digest = request.digests[position];
        const auto item = items_.find(digest);
        if (item == items_.end()) continue;
        // It may have been found, and be wanted again since the request left.
        if (item->second.in_flight > 0) --item->second.in_flight;
        item->second.history[request.to].answered = now;
        item->second.history[request.to].failure = failure;
        if (!failure && stopped && position >= stopped->position) {
            const bool much = stopped->bytes >= kMuchSent;
            if (much || !item->second.stopped.contains(request.to)) item->second.asked.erase(request.to);
            if (!much) item->second.stopped.insert(request.to);
        }
        schedule(digest, item->second, now);
    }
    return true;
}

std::optional<Time> Fetcher::asked_since(const Digest& digest) const {
    const auto at = items_.find(digest);
    return at == items_.end() ? std::nullopt : at->second.asked_since;
}

template <class Wanted>
std::vector<Missing> Fetcher::missing(std::size_t most, Wanted wanted) const {
    std::set<std::pair<Round, Digest>> lowest;
    for (const auto& [digest, item] : items_) {
        if (!wanted(item)) continue;
        lowest.insert({item.round, digest});
        if (lowest.size() > most) lowest.erase(std::prev(lowest.end()));
    }
    std::vector<Missing> found;
    for (const auto& [round, digest] : lowest) {
        const Item& item = items_.at(digest);
        const auto next = item.in_flight > 0 ? std::nullopt : std::optional(item.due);
        found.push_back({digest, round, item.holders, item.history, next});
    }
    return found;
}

std::vector<Missing> Fetcher::missing_certificates(std::size_t most) const {
    return missing(most, [](const Item& item) { return item.kind == Kind::certificate; });
}

std::vector<Missing> Fetcher::missing_for_execution(std::size_t most) const {
    return missing(most, [](const Item& item) { return item.for_execution; });
}

std::vector<Digest> Fetcher::asked_of_all() const {
    std::vector<Digest> in_vain;
    for (const auto& [digest, item] : items_) {
        if (item.cycles > 0 && item.in_flight == 0) in_vain.push_back(digest);
    }
    return in_vain;
}

std::size_t Fetcher::certificates_wanted() const {
    return static_cast<std::size_t>(std::count_if(items_.begin(), items_.end(), [](const auto& each) {
        return each.second.kind == Kind::certificate;
    }));
}

}  // namespace monodon::dag
