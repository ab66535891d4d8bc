#include "node/mempool.hpp"

#include <algorithm>

#include "net/core/check.hpp"
#include "net/core/log.hpp"

namespace monodon::node {

namespace {

/// What a refused client is told to wait: the time of a few batches, or longer while the committee takes
/// none.
constexpr Duration kRetryAfter = std::chrono::milliseconds(100);
constexpr Duration kRetryAfterHeldBack = std::chrono::seconds(1);
constexpr Duration kRetryAfterNoRoom = std::chrono::seconds(5);
constexpr std::size_t kPage = 4096;

/// The largest size up to this one with which a batch fills the pages that it takes in the store.
std::size_t filling_pages(std::size_t bytes) {
    return bytes < 2 * kPage ? bytes : bytes / kPage * kPage - storage::kBatchOverhead;
}

std::uint64_t micros(Time time) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(time.time_since_epoch().count(), 0));
}

}  // namespace

// The first sequence number is the time in microseconds: it rises from life to life because the clock does
// and nobody seals a million batches a second. recover() goes above what is stored, should the clock have
// been set back.
Mempool::Mempool(const WorkerConfig& config, const dag::Committee& committee, dag::ValidatorIndex self,
                 const WorkerPorts& ports, std::function<void(const dag::PayloadEntry&)> stored_own,
                 std::uint64_t seed)
    : config_(config),
      committee_(committee),
      self_(self),
      ports_(ports),
      stored_own_(std::move(stored_own)),
      book_({config.duplicate_window, std::max<std::size_t>(config.duplicate_window / 8, 1024),
             config.waiters_max},
            seed),
      maker_(filling_pages(config.batch_bytes), config.batch_delay),
      dissemination_(committee, self,
                     {config.inflight_bytes_max, config.peer_queue_max, config.resend, config.resend_max,
                      config.propose_unacknowledged},
                     {ports.send_batch, ports.queued_bytes, ports.load}),
      sequence_(micros(ports.now())) {}

void Mempool::recover(const std::vector<dag::PayloadEntry>& batches) {
    for (const dag::PayloadEntry& entry : batches) {
        const SharedBytes bytes = ports_.load(entry);
        const auto view = bytes ? dag::parse_batch(committee_, *bytes) : std::nullopt;
        if (view && !own_.contains(entry.batch) && book_.make_room(view->transactions, 1)) {
            recover(entry, *view);
        } else {
            log::warn(log::Category::worker, "an own batch in the store is not offered again",
                      {{"digest", entry.batch.hex()}});
        }
    }
}

void Mempool::recover(const dag::PayloadEntry& entry, const dag::BatchView& view) {
    const Time now = ports_.now();
    Own own{entry, book_.open(), 0};
    view.for_each([&](ByteView transaction) {
        book_.add(own.handle, sha256(transaction), now);
        own.charge += transaction_charge(transaction.size());
    });
    accepted_bytes_ += own.charge;
    status_.unexecuted_transactions += entry.transactions;
    sequence_ = std::max(sequence_, view.head.sequence + 1);
    own_.emplace(entry.batch, own);
    dissemination_.add(entry, nullptr, own.handle, now);
}

bool Mempool::has_room(const PreparedSubmission& prepared, bool waits) {
    // One submission alone always fits: a transaction is never too large for an idle node.
    const bool bytes =
        accepted_bytes_ == 0 || accepted_bytes_ + prepared.charge <= config_.accepted_bytes_max;
    // Any two batches that follow one another hold more than one is meant to.
    const std::size_t batches = std::min(prepared.valid(), 2 + 2 * prepared.charge / config_.batch_bytes);
    return bytes && (!waits || book_.may_wait()) && book_.make_room(prepared.valid(), batches);
}

void Mempool::admit(const PreparedSubmission& prepared) {
    const Submission& submission = prepared.submission;
    const bool waits = submission.want > Stage::accepted && prepared.valid() > 0;
    StageReport report;
    report.since_arrival = ports_.now() - prepared.arrival;
    const auto no_room = ports_.refusal();
    if (no_room || !has_room(prepared, waits)) {
        status_.transactions_refused[static_cast<std::size_t>(Refusal::busy)] += prepared.ids.size();
        report.kind = StageReport::Kind::busy;
        report.last = true;
        report.retry_after = no_room ? kRetryAfterNoRoom : held_back_ ? kRetryAfterHeldBack : kRetryAfter;
        if (no_room) report.reason = "this node takes no transactions now: " + *no_room;
        return submission.report(report);
    }
    std::vector<BatchHandle> batches = take(prepared, report);
    report.last = !waits;
    submission.report(report);
    if (waits) {
        book_.wait(prepared.number, std::move(batches), submission.want, prepared.arrival,
                   prepared.arrival + submission.timeout, submission.report);
    }
    dispatch();
}

/// The transactions into batches; gives the batches that the submission waits for.
std::vector<BatchHandle> Mempool::take(const PreparedSubmission& prepared, StageReport& report) {
    std::vector<BatchHandle> batches;
    const auto note = [&batches](BatchHandle batch) {
        if (batches.empty() || batches.back() != batch) batches.push_back(batch);
    };
    auto refused = prepared.refused.begin();
    for (std::uint32_t at = 0; at < prepared.ids.size(); ++at) {
        if (refused != prepared.refused.end() && refused->position == at) {
            report.refused.push_back(*refused++);
            continue;
        }
        if (const auto known = book_.batch_of(prepared.ids[at])) {
            report.refused.push_back({at, Refusal::duplicate});
            note(*known);
            continue;
        }
        note(put(prepared.submission.transactions[at].bytes, prepared.ids[at], prepared.arrival));
        ++report.accepted;
    }
    for (const RefusedTransaction& each : report.refused) {
        ++status_.transactions_refused[static_cast<std::size_t>(each.why)];
    }
    status_.transactions_accepted += report.accepted;
    status_.unexecuted_transactions += report.accepted;
    return batches;
}

BatchHandle Mempool::put(ByteView transaction, const Digest& id, Time arrival) {
    BatchMaker::Open* open = maker_.room_for(transaction.size());
    if (open == nullptr) open = &maker_.open(book_.open(), ports_.now());
    MONODON_CHECK(open->builder.add(transaction));
    book_.add(open->handle, id, arrival);
    const std::size_t charge = transaction_charge(transaction.size());
    charges_[open->handle] += charge;
    accepted_bytes_ += charge;
    return open->handle;
}

void Mempool::dispatch() {
    held_back_ = false;
    while (!maker_.empty() && maker_.due(ports_.now(), dissemination_.in_flight() == 0)) {
        held_back_ = !dissemination_.has_room(maker_.first_bytes());
        if (held_back_) return;
        seal(maker_.take_first());
    }
}

void Mempool::seal(BatchMaker::Open open) {
    const Time now = ports_.now();
    dag::BatchHead head;
    head.epoch = committee_.epoch();
    head.author = self_;
    head.sequence = sequence_++;
    head.sealed_round = ports_.round();
    head.created_at = micros(now);
    dag::BatchBuilder::Sealed sealed = open.builder.seal(committee_, head);
    own_.emplace(sealed.entry.batch, Own{sealed.entry, open.handle, charges_.at(open.handle)});
    charges_.erase(open.handle);
    ++status_.batches_sealed;
    status_.batch_bytes_sealed += sealed.bytes->size();
    // Sent while it is written: the others' syncs and ours take the same time.
    dissemination_.add(sealed.entry, sealed.bytes, open.handle, now);
    write(sealed.entry, std::move(sealed.bytes));
}

void Mempool::write(const dag::PayloadEntry& entry, SharedBytes bytes) {
    auto durable = [stored = stored_own_, entry] { stored(entry); };
    if (!ports_.store(entry, bytes, storage::Standing::named, std::move(durable))) {
        unwritten_.emplace_back(entry, std::move(bytes));
    }
}

void Mempool::on_stored(const dag::PayloadEntry& entry) {
    ports_.batch_stored(entry);
    Dissemination::News news;
    dissemination_.on_stored(entry.batch, news);
    handle(news);
    dispatch();
}

void Mempool::on_peer(dag::ValidatorIndex peer, bool connected) {
    dissemination_.on_peer(peer, connected, ports_.now());
    dispatch();
}

void Mempool::on_acks(dag::ValidatorIndex from, std::span<const Digest> batches) {
    Dissemination::News news;
    dissemination_.on_acks(from, batches, ports_.now(), news);
    handle(news);
    dispatch();
}

void Mempool::handle(const Dissemination::News& news) {
    for (const dag::PayloadEntry& entry : news.proposable) ports_.payload_ready(entry);
    for (const BatchHandle batch : news.acknowledged) book_.reach(batch, Stage::durable, ports_.now());
}

void Mempool::on_certified(const std::vector<dag::PayloadEntry>& payload) {
    for (const dag::PayloadEntry& entry : payload) {
        const auto own = own_.find(entry.batch);
        if (own != own_.end()) book_.reach(own->second.handle, Stage::certified, ports_.now());
    }
}

void Mempool::on_committed(const dag::Commit& commit) {
    const Time now = ports_.now();
    std::uint64_t position = 0;
    for (const dag::PayloadEntry& entry : commit.payload) {
        const auto own = entry.author == self_ ? own_.find(entry.batch) : own_.end();
        if (own != own_.end()) {
            dissemination_.remove(entry.batch);
            book_.committed(own->second.handle, now, commit.index, commit.anchor.round, position);
        }
        position += entry.transactions;
    }
    dispatch();
}

void Mempool::on_executed(std::vector<AppliedBatch> batches) {
    for (AppliedBatch& applied : batches) {
        const auto found = own_.find(applied.batch);
        if (found == own_.end()) continue;
        const Own own = found->second;
        release(own);
        book_.executed(own.handle, ports_.now(), std::move(applied));
    }
    dispatch();
}

/// The batch leaves the mempool.
void Mempool::release(const Own& own) {
    dissemination_.remove(own.entry.batch);
    accepted_bytes_ -= own.charge;
    status_.unexecuted_transactions -= own.entry.transactions;
    own_.erase(own.entry.batch);
}

void Mempool::requeue(const Digest& batch) {
    const auto found = own_.find(batch);
    if (found == own_.end()) return;
    const Own own = found->second;
    const SharedBytes bytes = ports_.load(own.entry);
    const auto view = bytes ? dag::parse_batch(committee_, *bytes) : std::nullopt;
    if (!view) {
        log::error(log::Category::worker, "an expired batch is not in the store: its transactions are lost",
                   {{"digest", batch.hex()}});
        return release(own);
    }
    dissemination_.remove(batch);
    own_.erase(found);
    BatchMaker::Open open;
    open.handle = own.handle;
    open.opened = ports_.now();
    view->for_each([&open](ByteView transaction) { MONODON_CHECK(open.builder.add(transaction)); });
    charges_[own.handle] = own.charge;
    book_.requeue(own.handle);
    maker_.put_first(std::move(open));
    ++status_.batches_requeued;
    dispatch();
}

void Mempool::tick() {
    for (auto& [entry, bytes] : std::exchange(unwritten_, {})) write(entry, std::move(bytes));
    Dissemination::News news;
    dissemination_.tick(ports_.now(), news);
    handle(news);
    book_.expire(ports_.now());
    dispatch();
}

std::optional<Time> Mempool::dispatch_at() const {
    if (maker_.empty() || held_back_) return std::nullopt;
    return maker_.due_at();
}

bool Mempool::needs_tick() const {
    return held_back_ || dissemination_.size() > 0 || book_.waiters() > 0 || !unwritten_.empty();
}

void Mempool::publish() {
    status_.accepted_bytes = accepted_bytes_;
    status_.unsealed_bytes = maker_.bytes();
    status_.own_batches = own_.size();
    status_.own_batches_in_flight = dissemination_.in_flight();
    status_.held_back = held_back_;
    status_.waiters = book_.waiters();
    status_.batches_resent = dissemination_.resent();
    const std::lock_guard lock(mutex_);
    published_ = status_;
}

void Mempool::fill(WorkerStatus& status) const {
    const Time now = ports_.now();
    const auto latency = book_.latency(now);
    const std::lock_guard lock(mutex_);
    status = published_;
    status.latency = latency;
    status.receipts = book_.size();
}

}  // namespace monodon::node
