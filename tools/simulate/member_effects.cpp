#include "tools/simulate/member.hpp"

namespace monodon::sim {

void Member::perform(const dag::Persist& effect) {
    const Time now = world_.queue.now();
    for (const dag::Record& record : effect.records) {
        if (const auto* inserted = std::get_if<dag::CertificateRecord>(&record)) {
            world_.trace.certificate(now, node_, *inserted->certificate);
            world_.judge.inserted(node_, inserted->certificate.shared());
        } else if (const auto* decided = std::get_if<dag::CommitRecord>(&record)) {
            world_.trace.commit(now, node_, *decided->commit);
            world_.judge.decided(node_, decided->commit);
            const auto made = world_.headers_made.find(decided->commit->anchor.slot());
            if (decided->commit->index.value() == world_.first_decisions + 1) {
                ++world_.first_decisions;
                if (made != world_.headers_made.end()) world_.latencies.push_back(now - made->second);
            }
        }
    }
    disk_.queue(effect);
    if (!boundary()) sync();
}

bool Member::boundary() {
    if (crash_in_ == 0 || --crash_in_ > 0) return false;
    ++world_.injected[static_cast<std::size_t>(Fault::crash)];
    crash(false);
    return true;
}

Duration Member::sync_time() {
    const auto usual = static_cast<std::uint64_t>(world_.plan.disk_delay.count());
    const Duration needed = Duration(random_.between(usual / 2, usual)) + disk_extra_;
    const Duration full = disk_full_until_ - world_.queue.now();
    return std::max(full, Duration{0}) + needed;
}

void Member::sync() {
    if (disk_.syncing() || !disk_.has_queued()) return;
    disk_.begin_sync();
    later(sync_time(), [this] { synced(); });
}

void Member::synced() {
    if (write_fails_) {
        ++world_.injected[static_cast<std::size_t>(Fault::write_error)];
        return crash(true);
    }
    if (boundary()) return;
    const std::uint64_t life = life_;
    const std::vector<dag::WriteId> told = disk_.end_sync();
    if (boundary()) return;
    for (const dag::WriteId id : told) {
        step(dag::WriteDone{id});
        if (life != life_) return;
    }
    sync();
}

void Member::sync_batches() {
    if (disk_.syncing_batches() || !disk_.has_queued_batches()) return;
    disk_.begin_batch_sync();
    later(sync_time(), [this] {
        const std::uint64_t life = life_;
        const std::vector<Batch> durable = disk_.end_batch_sync();
        if (boundary()) return;
        worker_->durable(durable);
        if (life == life_) sync_batches();
    });
}

void Member::perform(const dag::Send& effect) {
    if (const auto* vote = std::get_if<dag::VerifiedVote>(&effect.message)) {
        const dag::HeaderRef ref = (*vote)->ref();
        const auto row = disk_.votes().find(ref.author);
        const bool durable =
            row != disk_.votes().end() && (row->second.ref() == ref || row->second.round > ref.round);
        world_.judge.vote_left(node_, **vote, durable);
        world_.trace.slot(world_.queue.now(), node_, "vote", ref);
        return send(effect.to, vote->shared());
    }
    if (const auto* header = std::get_if<dag::VerifiedHeader>(&effect.message)) {
        return send(effect.to, header->shared());
    }
    send(effect.to, std::get<dag::VerifiedCertificate>(effect.message).shared());
}

void Member::perform(const dag::Broadcast& effect) {
    if (const auto* header = std::get_if<dag::VerifiedHeader>(&effect.message)) {
        const auto& row = disk_.own_header();
        const bool durable = row && (*row)->round >= (*header)->round;
        round_ = (*header)->round;
        world_.headers_made.try_emplace((*header)->ref().slot(), world_.queue.now());
        world_.judge.header_left(node_, (*header)->ref(), durable);
        world_.trace.slot(world_.queue.now(), node_, "header", (*header)->ref());
        return broadcast(header->shared());
    }
    if (const auto* certificate = std::get_if<dag::VerifiedCertificate>(&effect.message)) {
        broadcast(certificate->shared(), world_.plan.observers);
    }
}

void Member::perform(const dag::SendRequest& effect) {
    if (!connected_.contains(effect.to)) {
        return give(dag::ReplyReceived{effect.id, dag::RequestFailed{dag::RequestFailure::unreachable}});
    }
    if (!asking_.at(effect.to).add(effect.id, effect.body, clock() + effect.deadline)) {
        return give(dag::ReplyReceived{effect.id, dag::RequestFailed{dag::RequestFailure::busy}});
    }
    ask(effect.to);
    later(effect.deadline, [this, to = effect.to] { expire_requests(to); });
}

void Member::perform(const dag::WakeAt& effect) {
    later(std::max(effect.at - clock(), Duration{0}), [this, wake = ++wake_] {
        if (wake == wake_) step(dag::Tick{});
    });
}

void Member::perform(const dag::OwnCertified&) {}
void Member::perform(const dag::Committed&) {}

void Member::perform(const dag::Deliver& effect) {
    world_.judge.delivered(node_, delivered_, disk_.last_commit(), *effect.commit);
    for (const dag::PayloadEntry& entry : effect.commit->payload) {
        if (disk_.find_batch(entry.batch) != nullptr) continue;
        world_.judge.report("6 executed with its batches", "a commit was delivered without a batch of it");
    }
    delivered_ = effect.commit->index;
    to_apply_.push_back(effect.commit);
    if (!applying_) apply_next();
}

void Member::apply_next() {
    applying_ = !to_apply_.empty();
    if (!applying_) return;
    later(world_.plan.apply_delay, [this] {
        const dag::CommitPtr commit = to_apply_.front();
        to_apply_.pop_front();
        std::uint64_t state = Random::mix(states_.back() + commit->index.value());
        for (const dag::PayloadEntry& entry : commit->payload) {
            for (const Byte each : entry.batch.bytes) state = Random::mix(state ^ each);
        }
        states_.push_back(state);
        world_.judge.applied(node_, applied(), state);
        world_.trace.event(world_.queue.now(), node_, "apply");
        worker_->executed(commit->payload);
        // The state on disk lags behind that in memory.
        if (random_.chance(40)) disk_.applied(applied());
        const std::uint64_t life = life_;
        step(dag::Executed{commit->index});
        if (life == life_) apply_next();
    });
}

void Member::perform(const dag::Requeue& effect) {
    ++world_.reproposals;
    worker_->requeue(effect.batch, round_, ++world_.batches_made);
}

void Member::perform(const dag::Equivocation& effect) {
    ++world_.equivocations;
    world_.trace.slot(world_.queue.now(), node_, "equivocation", effect.second);
}

void Member::perform(const dag::SigningChanged& effect) {
    world_.trace.event(world_.queue.now(), node_, effect.bound.ask ? "ask" : "sign");
}

void Member::perform(const dag::Halt& effect) {
    world_.trace.event(world_.queue.now(), node_, "halt");
    world_.judge.halted(node_, effect.reason);
}

}  // namespace monodon::sim
