#include "node/dissemination.hpp"

#include <algorithm>

namespace monodon::node {

namespace {

/// With more than this waiting for a peer, what it has not acknowledged is probably among it.
constexpr std::size_t kResendQueueMax = dag::kBatchBytesMax;
/// How many smoothed answer times a peer may take before it is sent a batch again.
constexpr int kAnswerTimes = 4;

}  // namespace

Dissemination::Dissemination(const dag::Committee& committee, dag::ValidatorIndex self,
                             DisseminationConfig config, DisseminationPorts ports)
    : committee_(committee),
      self_(self),
      config_(config),
      ports_(std::move(ports)),
      peers_(committee.size()) {}

bool Dissemination::has_room(dag::ValidatorIndex peer, std::size_t bytes) const {
    const Peer& state = peers_[peer.value()];
    return state.connected && state.unacknowledged + bytes <= config_.inflight_bytes_max &&
           ports_.queued_bytes(peer) + bytes <= config_.peer_queue_max;
}

bool Dissemination::has_room(std::size_t bytes) const {
    dag::AuthorSet room;
    if (unstored_bytes_ + bytes <= config_.inflight_bytes_max) room.insert(self_);
    connected().for_each([&](dag::ValidatorIndex peer) {
        if (has_room(peer, bytes)) room.insert(peer);
    });
    return committee_.is_quorum(room);
}

dag::AuthorSet Dissemination::connected() const {
    dag::AuthorSet set;
    for (std::size_t at = 0; at < peers_.size(); ++at) {
        if (peers_[at].connected) set.insert(dag::ValidatorIndex{static_cast<std::uint16_t>(at)});
    }
    return set;
}

void Dissemination::add(const dag::PayloadEntry& entry, SharedBytes bytes, BatchHandle handle, Time now) {
    Own own;
    own.entry = entry;
    own.handle = handle;
    own.stored = bytes == nullptr;
    own.bytes = std::move(bytes);
    own.sealed = now;
    own.last_sent = now;
    own.interval = config_.resend;
    if (own.stored) {
        own.acknowledged.insert(self_);
    } else {
        unstored_bytes_ += entry.bytes;
    }
    ++in_flight_;
    const std::uint64_t number = next_++;
    by_digest_.emplace(entry.batch, number);
    send_unsent(batches_.emplace(number, std::move(own)).first->second, now);
}

void Dissemination::send(Own& own, const dag::AuthorSet& to, Time now) {
    if (to.empty()) return;
    const SharedBytes bytes = own.bytes ? own.bytes : ports_.load(own.entry);
    // Gone from the store: it has expired, and the engine will say so.
    if (!bytes) return;
    const dag::AuthorSet sent = ports_.send(to, bytes);
    sent.without(own.sent).for_each(
        [&](dag::ValidatorIndex peer) { peers_[peer.value()].unacknowledged += own.entry.bytes; });
    own.sent |= sent;
    own.last_sent = now;
}

void Dissemination::send_unsent(Own& own, Time now) {
    dag::AuthorSet to;
    connected().without(own.acknowledged | own.sent).for_each([&](dag::ValidatorIndex peer) {
        if (has_room(peer, own.entry.bytes)) to.insert(peer);
    });
    send(own, to, now);
}

void Dissemination::on_stored(const Digest& batch, News& news) {
    const auto number = by_digest_.find(batch);
    if (number == by_digest_.end()) return;
    Own& own = batches_.at(number->second);
    if (own.stored) return;
    own.stored = true;
    own.acknowledged.insert(self_);
    unstored_bytes_ -= own.entry.bytes;
    judge(own, news);
}

void Dissemination::on_acks(dag::ValidatorIndex from, std::span<const Digest> batches, Time now, News& news) {
    Peer& peer = peers_[from.value()];
    for (const Digest& batch : batches) {
        const auto number = by_digest_.find(batch);
        if (number == by_digest_.end()) continue;
        Own& own = batches_.at(number->second);
        if (own.acknowledged.contains(from)) continue;
        own.acknowledged.insert(from);
        if (own.sent.contains(from)) peer.unacknowledged -= own.entry.bytes;
        // After a resend nobody knows which copy was answered.
        if (!own.resent) peer.answer_time += (now - own.last_sent - peer.answer_time) / 8;
        judge(own, news);
    }
}

void Dissemination::judge(Own& own, News& news) {
    if (!own.quorum && own.stored && committee_.is_quorum(own.acknowledged)) {
        own.quorum = true;
        news.acknowledged.push_back(own.handle);
        propose(own, news);
    }
    if (own.acknowledged == committee_.everybody()) own.bytes = nullptr;
}

void Dissemination::propose(Own& own, News& news) {
    if (own.proposed) return;
    own.proposed = true;
    --in_flight_;
    news.proposable.push_back(own.entry);
}

void Dissemination::on_peer(dag::ValidatorIndex peer, bool connected, Time now) {
    Peer& state = peers_[peer.value()];
    state.connected = connected;
    state.unacknowledged = 0;
    for (auto& [number, own] : batches_) {
        own.sent.erase(peer);
        if (connected) send_unsent(own, now);
    }
}

void Dissemination::tick(Time now, News& news) {
    for (auto& [number, own] : batches_) {
        send_unsent(own, now);
        resend_due(own, now);
        if (own.stored && now - own.sealed >= config_.propose_unacknowledged) propose(own, news);
    }
}

void Dissemination::resend_due(Own& own, Time now) {
    if (now - own.last_sent < own.interval) return;
    dag::AuthorSet to;
    (connected() & own.sent).without(own.acknowledged).for_each([&](dag::ValidatorIndex peer) {
        const bool late = now - own.last_sent >= kAnswerTimes * peers_[peer.value()].answer_time;
        if (late && ports_.queued_bytes(peer) <= kResendQueueMax) to.insert(peer);
    });
    if (to.empty()) return;
    send(own, to, now);
    own.resent = true;
    own.interval = std::min(2 * own.interval, config_.resend_max);
    ++resent_;
}

void Dissemination::remove(const Digest& batch) {
    const auto number = by_digest_.find(batch);
    if (number == by_digest_.end()) return;
    const Own& own = batches_.at(number->second);
    own.sent.without(own.acknowledged).for_each([&](dag::ValidatorIndex peer) {
        peers_[peer.value()].unacknowledged -= own.entry.bytes;
    });
    if (!own.stored) unstored_bytes_ -= own.entry.bytes;
    if (!own.proposed) --in_flight_;
    batches_.erase(number->second);
    by_digest_.erase(number);
}

}  // namespace monodon::node
