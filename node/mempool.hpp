#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node/batch_maker.hpp"
#include "node/dissemination.hpp"
#include "node/receipt_book.hpp"
#include "node/submission.hpp"
#include "node/worker_types.hpp"

namespace monodon::node {

/// The worker without its threads: what has been accepted and not executed, from admission to execution.
/// Joins batch maker, dissemination and receipts. Everything is of one strand, which calls tick() and
/// dispatch() in time, except find() and fill(), which are thread-safe.
class Mempool {
 public:
    /// `stored_own` is called on any thread when an own batch is durable; it leads to on_stored().
    Mempool(const WorkerConfig& config, const dag::Committee& committee, dag::ValidatorIndex self,
            const WorkerPorts& ports, std::function<void(const dag::PayloadEntry&)> stored_own,
            std::uint64_t seed);

    /// Our batches of an earlier life: nobody knows who has acknowledged them, so they are offered again.
    void recover(const std::vector<dag::PayloadEntry>& batches);
    void admit(const PreparedSubmission& prepared);
    void forget(std::uint64_t submission) { book_.forget(submission); }

    void on_stored(const dag::PayloadEntry& entry);
    void on_peer(dag::ValidatorIndex peer, bool connected);
    void on_acks(dag::ValidatorIndex from, std::span<const Digest> batches);
    void on_certified(const std::vector<dag::PayloadEntry>& payload);
    void on_committed(const dag::Commit& commit);
    void on_executed(std::vector<AppliedBatch> batches);
    void requeue(const Digest& batch);

    /// Seals and sends what is due, as far as a quorum has room for it.
    void dispatch();
    /// Resends, late proposals, the deadlines of waiters, and what the store would not take.
    void tick();
    /// When dispatch() is due, if nothing happens before.
    [[nodiscard]] std::optional<Time> dispatch_at() const;
    [[nodiscard]] bool needs_tick() const;
    /// Ends all waits.
    void stop() { book_.stop(ports_.now()); }
    /// Publishes what fill() shows.
    void publish();

    [[nodiscard]] std::optional<Receipt> find(const Digest& id) const { return book_.find(id); }
    void fill(WorkerStatus& status) const;

 private:
    /// A sealed batch that is not executed.
    struct Own {
        dag::PayloadEntry entry;
        BatchHandle handle = 0;
        std::size_t charge = 0;
    };

    [[nodiscard]] bool has_room(const PreparedSubmission& prepared, bool waits);
    std::vector<BatchHandle> take(const PreparedSubmission& prepared, StageReport& report);
    BatchHandle put(ByteView transaction, const Digest& id, Time arrival);
    void recover(const dag::PayloadEntry& entry, const dag::BatchView& view);
    void seal(BatchMaker::Open open);
    void write(const dag::PayloadEntry& entry, SharedBytes bytes);
    void handle(const Dissemination::News& news);
    void release(const Own& own);

    const WorkerConfig& config_;
    const dag::Committee& committee_;
    const dag::ValidatorIndex self_;
    const WorkerPorts& ports_;
    const std::function<void(const dag::PayloadEntry&)> stored_own_;

    ReceiptBook book_;
    BatchMaker maker_;
    Dissemination dissemination_;
    std::unordered_map<Digest, Own> own_;
    /// Of batches that are not sealed.
    std::unordered_map<BatchHandle, std::size_t> charges_;
    /// Own batches that the store would not take.
    std::deque<std::pair<dag::PayloadEntry, SharedBytes>> unwritten_;
    std::uint64_t sequence_;
    bool held_back_ = false;
    std::size_t accepted_bytes_ = 0;

    mutable std::mutex mutex_;
    /// Changed on the strand without the mutex, copied by publish() with it.
    WorkerStatus status_;
    WorkerStatus published_;
};

}  // namespace monodon::node
