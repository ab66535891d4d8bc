#include "tools/simulate/worker.hpp"

#include <algorithm>

namespace monodon::sim {

namespace {

constexpr Duration kTick = std::chrono::milliseconds(50);
constexpr Duration kResendMax = std::chrono::seconds(2);
constexpr Duration kProposeUnacknowledged = std::chrono::seconds(1);

}  // namespace

void Worker::start() {
    for (const auto& [digest, batch] : disk_.batches()) {
        if (disk_.has_executed(digest)) continue;
        ports_.give(dag::BatchStored{batch.entry});
        if (batch.entry.author != self_) continue;
        Own& own = own_[digest];
        own.batch = batch;
        own.stored = true;
        own.acknowledged.insert(self_);
        offer(own);
    }
}

void Worker::submit(Batch batch) {
    Own& own = own_[batch.entry.batch];
    own.batch = std::move(batch);
    store(own.batch);
    offer(own);
}

void Worker::offer(Own& own) {
    own.sealed = ports_.now();
    own.resend = own.sealed + own.pause;
    for (std::size_t at = 0; at < committee_.size(); ++at) {
        const dag::ValidatorIndex peer{static_cast<std::uint16_t>(at)};
        if (peer != self_) ports_.send(peer, own.batch);
    }
    arm();
}

void Worker::connected(dag::ValidatorIndex peer) {
    for (const auto& [digest, own] : own_) {
        if (!own.acknowledged.contains(peer)) ports_.send(peer, own.batch);
    }
}

bool Worker::is_genuine(const Batch& batch) const {
    if (!batch.bytes) return false;
    const auto view = dag::parse_batch(committee_, *batch.bytes);
    return view && payload_entry(committee_, *view, *batch.bytes) == batch.entry;
}

void Worker::store(const Batch& batch) {
    if (!storing_.insert(batch.entry.batch).second) return;
    disk_.queue_batch(batch);
    ports_.sync();
}

void Worker::received(dag::ValidatorIndex from, const Batch& batch) {
    if (batch.entry.author != from || !is_genuine(batch)) return;
    if (disk_.find_batch(batch.entry.batch) != nullptr) {
        ports_.send(from, Ack{batch.entry.batch});
        return;
    }
    owed_[batch.entry.batch].insert(from);
    store(batch);
}

void Worker::acknowledged(dag::ValidatorIndex from, const Digest& batch) {
    const auto at = own_.find(batch);
    if (at == own_.end()) return;
    at->second.acknowledged.insert(from);
    judge(at->second);
}

void Worker::fetched(const std::vector<Batch>& batches, const std::vector<Digest>& expected,
                     std::function<void(std::size_t)> done) {
    Fetch fetch;
    fetch.done = std::move(done);
    for (const Batch& batch : batches) {
        const bool asked = std::find(expected.begin(), expected.end(), batch.entry.batch) != expected.end();
        if (!asked || !is_genuine(batch)) continue;
        fetch.bytes += batch.bytes->size();
        if (disk_.find_batch(batch.entry.batch) != nullptr) {
            ports_.give(dag::BatchStored{batch.entry});
            continue;
        }
        fetch.open.insert(batch.entry.batch);
        store(batch);
    }
    if (fetch.open.empty()) return fetch.done(fetch.bytes);
    fetches_.push_back(std::move(fetch));
}

void Worker::durable(const std::vector<Batch>& batches) {
    for (const Batch& batch : batches) {
        const Digest digest = batch.entry.batch;
        storing_.erase(digest);
        ports_.give(dag::BatchStored{batch.entry});
        const auto owed = owed_.find(digest);
        if (owed != owed_.end()) {
            owed->second.for_each([&](dag::ValidatorIndex to) { ports_.send(to, Ack{digest}); });
            owed_.erase(owed);
        }
        const auto own = own_.find(digest);
        if (own != own_.end()) {
            own->second.stored = true;
            own->second.acknowledged.insert(self_);
            judge(own->second);
        }
        for (Fetch& each : fetches_) each.open.erase(digest);
    }
    for (std::size_t at = 0; at < fetches_.size();) {
        if (!fetches_[at].open.empty()) {
            ++at;
            continue;
        }
        const Fetch done = std::move(fetches_[at]);
        fetches_.erase(fetches_.begin() + static_cast<std::ptrdiff_t>(at));
        done.done(done.bytes);
    }
}

void Worker::judge(Own& own) {
    if (own.told || !own.stored || !committee_.is_quorum(own.acknowledged)) return;
    own.told = true;
    ports_.acknowledged(own.batch);
    propose(own);
}

void Worker::propose(Own& own) {
    if (std::exchange(own.proposed, true)) return;
    ports_.give(dag::PayloadReady{own.batch.entry});
}

void Worker::executed(const std::vector<dag::PayloadEntry>& payload) {
    for (const dag::PayloadEntry& entry : payload) own_.erase(entry.batch);
}

void Worker::requeue(const Digest& expired, dag::Round sealed_round, std::uint64_t sequence) {
    const auto at = own_.find(expired);
    if (at == own_.end()) return;
    const Batch old = at->second.batch;
    const auto view = dag::parse_batch(committee_, *old.bytes);
    dag::BatchBuilder builder;
    view->for_each([&](ByteView transaction) { (void)builder.add(transaction); });
    auto sealed = builder.seal(committee_, {committee_.epoch(), self_, dag::WorkerId{0}, sequence,
                                            sealed_round, view->head.created_at});
    const Batch replacement{sealed.entry, sealed.bytes};
    own_.erase(at);
    ports_.replaced(expired, replacement);
    submit(replacement);
}

void Worker::arm() {
    if (own_.empty() || std::exchange(armed_, true)) return;
    ports_.later(kTick, [this] {
        armed_ = false;
        tick();
        arm();
    });
}

void Worker::tick() {
    const Time now = ports_.now();
    // What is proposed may be executed at once by the engine's answer: then it leaves own_.
    std::vector<Digest> late;
    for (auto& [digest, own] : own_) {
        if (own.stored && !own.proposed && now - own.sealed >= kProposeUnacknowledged) late.push_back(digest);
        if (now < own.resend || own.acknowledged == committee_.everybody()) continue;
        own.pause = std::min(own.pause * 2, kResendMax);
        own.resend = now + own.pause;
        for (std::size_t at = 0; at < committee_.size(); ++at) {
            const dag::ValidatorIndex peer{static_cast<std::uint16_t>(at)};
            if (peer != self_ && !own.acknowledged.contains(peer)) ports_.send(peer, own.batch);
        }
    }
    for (const Digest& digest : late) {
        const auto at = own_.find(digest);
        if (at != own_.end()) propose(at->second);
    }
}

}  // namespace monodon::sim
