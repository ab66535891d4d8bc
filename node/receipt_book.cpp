#include "node/receipt_book.hpp"

#include <algorithm>
#include <utility>

#include "net/core/check.hpp"

namespace monodon::node {

namespace {

std::size_t bytes_of_values(const AppliedBatch& applied) {
    std::size_t bytes = 0;
    for (const auto& [position, value] : applied.values) bytes += value->size();
    return bytes;
}

Duration since(Time earlier, Time later) { return std::max(Duration{0}, later - earlier); }

}  // namespace

ReceiptBook::ReceiptBook(ReceiptLimits limits, std::uint64_t seed) : limits_(limits), index_(seed) {}

bool ReceiptBook::make_room(std::size_t transactions, std::size_t batches) {
    const auto fits = [&] {
        return transactions_ + transactions <= limits_.transactions &&
               batches_.size() - free_.size() + batches <= limits_.batches;
    };
    while (!fits() && !executed_.empty()) {
        forget_batch(executed_.front());
        executed_.pop_front();
    }
    return fits();
}

BatchHandle ReceiptBook::open() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
        batches_.emplace_back();
        free_.push_back(static_cast<BatchHandle>(batches_.size() - 1));
    }
    const BatchHandle handle = free_.back();
    free_.pop_back();
    batches_[handle] = std::make_unique<Batch>();
    return handle;
}

void ReceiptBook::add(BatchHandle batch, const Digest& id, Time accepted) {
    const std::lock_guard lock(mutex_);
    std::vector<Entry>& entries = batches_[batch]->transactions;
    const TransactionPlace place{batch, static_cast<std::uint32_t>(entries.size())};
    if (!index_.find(id, id_of())) index_.insert(id, place, id_of());
    entries.push_back({id, accepted});
    ++transactions_;
}

std::optional<BatchHandle> ReceiptBook::batch_of(const Digest& id) const {
    const auto place = index_.find(id, id_of());
    if (!place) return std::nullopt;
    return place->batch;
}

void ReceiptBook::advance(Batch& batch, Stage stage, Time now) {
    for (auto at = static_cast<std::size_t>(batch.stage) + 1; at <= static_cast<std::size_t>(stage); ++at) {
        batch.reached[at] = now;
        for (const Entry& entry : batch.transactions) latency_[at].add(now, since(entry.accepted, now));
    }
    batch.stage = std::max(batch.stage, stage);
}

void ReceiptBook::reach(BatchHandle handle, Stage stage, Time now) {
    Batch& batch = *batches_[handle];
    if (stage <= batch.stage) return;
    {
        const std::lock_guard lock(mutex_);
        advance(batch, stage, now);
    }
    tell(handle, now);
}

void ReceiptBook::committed(BatchHandle handle, Time now, dag::CommitIndex commit, dag::Round round,
                            std::uint64_t position) {
    Batch& batch = *batches_[handle];
    if (batch.stage >= Stage::committed) return;
    {
        const std::lock_guard lock(mutex_);
        batch.commit = commit;
        batch.round = round;
        batch.position = position;
        advance(batch, Stage::committed, now);
    }
    tell(handle, now);
}

void ReceiptBook::executed(BatchHandle handle, Time now, AppliedBatch applied) {
    Batch& batch = *batches_[handle];
    if (batch.stage >= Stage::executed) return;
    // A commit of an earlier life is executed without having been committed in this one.
    committed(handle, now, applied.commit, applied.round, applied.position);
    if (value_bytes_ + bytes_of_values(applied) > limits_.value_bytes) applied.values.clear();
    applied.values.shrink_to_fit();
    {
        const std::lock_guard lock(mutex_);
        value_bytes_ += bytes_of_values(applied);
        batch.applied = std::move(applied);
        batch.transactions.shrink_to_fit();
        advance(batch, Stage::executed, now);
    }
    executed_.push_back(handle);
    tell(handle, now);
}

void ReceiptBook::requeue(BatchHandle handle) {
    const std::lock_guard lock(mutex_);
    Batch& batch = *batches_[handle];
    MONODON_CHECK(batch.stage < Stage::committed);
    batch.stage = Stage::accepted;
    batch.reached = {};
    batch.requeued = true;
}

void ReceiptBook::wait(WaiterId id, std::vector<BatchHandle> batches, Stage want, Time arrival, Time deadline,
                       Report report) {
    std::sort(batches.begin(), batches.end());
    batches.erase(std::unique(batches.begin(), batches.end()), batches.end());
    Waiter waiter{std::move(batches), want, Stage::accepted, {}, arrival, deadline, std::move(report)};
    if (tell(waiter, arrival)) return;
    for (const BatchHandle batch : waiter.batches) batches_[batch]->waiters.push_back(id);
    deadlines_.emplace(deadline, id);
    waiters_.emplace(id, std::move(waiter));
}

void ReceiptBook::tell(BatchHandle handle, Time now) {
    const std::vector<WaiterId> waiting = batches_[handle]->waiters;
    for (const WaiterId id : waiting) {
        const auto waiter = waiters_.find(id);
        if (waiter != waiters_.end() && tell(waiter->second, now)) remove(waiter);
    }
}

bool ReceiptBook::tell(Waiter& waiter, Time now) {
    Stage lowest = Stage::executed;
    for (const BatchHandle handle : waiter.batches) {
        lowest = std::min(lowest, batches_[handle]->stage);
        waiter.commit = std::max(waiter.commit, batches_[handle]->commit);
    }
    while (waiter.reported < std::min(lowest, waiter.want)) {
        waiter.reported = static_cast<Stage>(static_cast<std::uint8_t>(waiter.reported) + 1);
        StageReport report;
        report.stage = waiter.reported;
        report.last = waiter.reported == waiter.want;
        if (waiter.reported >= Stage::committed) report.commit = waiter.commit;
        report.since_arrival = since(waiter.arrival, now);
        waiter.report(report);
    }
    return waiter.reported == waiter.want;
}

void ReceiptBook::remove(std::map<WaiterId, Waiter>::iterator waiter) {
    for (const BatchHandle batch : waiter->second.batches)
        std::erase(batches_[batch]->waiters, waiter->first);
    deadlines_.erase({waiter->second.deadline, waiter->first});
    waiters_.erase(waiter);
}

void ReceiptBook::forget(WaiterId id) {
    const auto waiter = waiters_.find(id);
    if (waiter != waiters_.end()) remove(waiter);
}

void ReceiptBook::end(WaiterId id, StageReport::Kind kind, Time now) {
    const auto waiter = waiters_.find(id);
    StageReport report;
    report.kind = kind;
    report.stage = waiter->second.reported;
    report.last = true;
    report.since_arrival = since(waiter->second.arrival, now);
    const Report tell = std::move(waiter->second.report);
    remove(waiter);
    tell(report);
}

void ReceiptBook::expire(Time now) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        end(deadlines_.begin()->second, StageReport::Kind::timed_out, now);
    }
}

void ReceiptBook::stop(Time now) {
    while (!waiters_.empty()) end(waiters_.begin()->first, StageReport::Kind::stopped, now);
}

void ReceiptBook::forget_batch(BatchHandle handle) {
    const std::lock_guard lock(mutex_);
    const Batch& batch = *batches_[handle];
    // Who waits for it waits for other batches: this one has reached all there is.
    for (const WaiterId id : batch.waiters) {
        Waiter& waiter = waiters_.at(id);
        waiter.commit = std::max(waiter.commit, batch.commit);
        std::erase(waiter.batches, handle);
    }
    for (std::uint32_t at = 0; at < batch.transactions.size(); ++at) {
        index_.erase(batch.transactions[at].id, {handle, at}, id_of());
    }
    transactions_ -= batch.transactions.size();
    value_bytes_ -= bytes_of_values(batch.applied);
    batches_[handle] = nullptr;
    free_.push_back(handle);
}

std::optional<Receipt> ReceiptBook::find(const Digest& id) const {
    const std::lock_guard lock(mutex_);
    const auto place = index_.find(id, id_of());
    if (!place) return std::nullopt;
    const Batch& batch = *batches_[place->batch];
    const Entry& entry = batch.transactions[place->position];
    Receipt receipt;
    receipt.id = id;
    receipt.stage = batch.stage;
    receipt.requeued = batch.requeued;
    for (std::size_t at = 1; at <= static_cast<std::size_t>(batch.stage); ++at) {
        receipt.latency[at] = since(entry.accepted, batch.reached[at]);
    }
    if (batch.stage < Stage::committed) return receipt;
    receipt.commit = batch.commit;
    receipt.round = batch.round;
    receipt.position = batch.position + place->position;
    if (place->position < batch.applied.outcomes.size()) {
        receipt.outcome = batch.applied.outcomes[place->position];
    }
    const auto value = std::ranges::lower_bound(batch.applied.values, place->position, {},
                                                [](const auto& read) { return read.first; });
    if (value != batch.applied.values.end() && value->first == place->position) receipt.value = value->second;
    return receipt;
}

std::size_t ReceiptBook::size() const {
    const std::lock_guard lock(mutex_);
    return index_.size();
}

std::array<LatencySummary, kStages> ReceiptBook::latency(Time now) const {
    const std::lock_guard lock(mutex_);
    std::array<LatencySummary, kStages> summaries;
    for (std::size_t at = 0; at < kStages; ++at) summaries[at] = latency_[at].summary(now);
    return summaries;
}

}  // namespace monodon::node
