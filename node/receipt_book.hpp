#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "node/latency.hpp"
#include "node/receipts.hpp"
#include "node/transaction_index.hpp"

namespace monodon::node {

/// A batch of our own in the book: open, on its way, or executed and remembered.
using BatchHandle = std::uint32_t;

struct ReceiptLimits {
    /// Each takes 40 B for id and time, 1 B for its outcome and 16 B of index: 512 Ki are 29 MiB.
    std::size_t transactions = 512 * 1024;
    /// Each takes about 400 B beside its transactions: 64 Ki are 25 MiB. Reached only by tiny batches.
    std::size_t batches = 64 * 1024;
    std::size_t waiters = 16 * 1024;
    /// Of what gets have read, in executed batches: beyond it receipts come without.
    std::size_t value_bytes = 16 * 1024 * 1024;
};

/// What the transactions given to this node have come to. Everything hangs on the batch; a transaction costs
/// one entry in it and one in the index. When full, the batches that were executed first are forgotten first;
/// what is not executed is never forgotten.
///
/// find() and the summaries are thread-safe. Everything else is of the worker's strand; reports are made from
/// within these calls.
class ReceiptBook {
 public:
    using Report = std::function<void(const StageReport&)>;
    using WaiterId = std::uint64_t;

    ReceiptBook(ReceiptLimits limits, std::uint64_t seed);

    // ---- batches ----
    /// Forgets executed batches until that many fit. False if they never will.
    [[nodiscard]] bool make_room(std::size_t transactions, std::size_t batches);
    /// A batch that fills.
    [[nodiscard]] BatchHandle open();
    /// The next transaction of an open batch. One that is elsewhere already (after a restart) stays there.
    void add(BatchHandle batch, const Digest& id, Time accepted);
    /// The batch of a transaction.
    [[nodiscard]] std::optional<BatchHandle> batch_of(const Digest& id) const;

    // ---- stages ----
    void reach(BatchHandle batch, Stage stage, Time now);
    void committed(BatchHandle batch, Time now, dag::CommitIndex commit, dag::Round round,
                   std::uint64_t position);
    void executed(BatchHandle batch, Time now, AppliedBatch applied);
    /// The batch has expired: its transactions begin again, in the same order, in a new batch under the same
    /// handle.
    void requeue(BatchHandle batch);

    // ---- waiters ----
    [[nodiscard]] bool may_wait() const { return waiters_.size() < limits_.waiters; }
    /// Reports each stage up to `want` that all these batches have reached, at once for those that they have.
    /// `id` rises from call to call; `want` is above `accepted`, which the caller has reported.
    void wait(WaiterId id, std::vector<BatchHandle> batches, Stage want, Time arrival, Time deadline,
              Report report);
    void forget(WaiterId id);
    /// Ends the waits whose deadline has passed.
    void expire(Time now);
    /// Ends all.
    void stop(Time now);
    [[nodiscard]] std::size_t waiters() const { return waiters_.size(); }

    // ---- any thread ----
    [[nodiscard]] std::optional<Receipt> find(const Digest& id) const;
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] std::array<LatencySummary, kStages> latency(Time now) const;

 private:
    struct Entry {
        Digest id;
        Time accepted;
    };
    struct Batch {
        Stage stage = Stage::accepted;
        bool requeued = false;
        dag::CommitIndex commit;
        dag::Round round;
        std::uint64_t position = 0;
        std::array<Time, kStages> reached{};
        std::vector<Entry> transactions;
        AppliedBatch applied;
        std::vector<WaiterId> waiters;
    };
    struct Waiter {
        std::vector<BatchHandle> batches;
        Stage want = Stage::accepted;
        Stage reported = Stage::accepted;
        /// The highest of its batches.
        dag::CommitIndex commit;
        Time arrival;
        Time deadline;
        Report report;
    };

    [[nodiscard]] auto id_of() const {
        return [this](TransactionPlace place) -> const Digest& {
            return batches_[place.batch]->transactions[place.position].id;
        };
    }
    void advance(Batch& batch, Stage stage, Time now);
    /// After a stage of the batch: whoever waits for it and is done with it is told.
    void tell(BatchHandle batch, Time now);
    /// Reports what is new to the waiter; true if it waits no longer.
    bool tell(Waiter& waiter, Time now);
    void end(WaiterId id, StageReport::Kind kind, Time now);
    void remove(std::map<WaiterId, Waiter>::iterator waiter);
    void forget_batch(BatchHandle batch);

    const ReceiptLimits limits_;

    /// Guards what find() and the summaries read; changed on the strand only, which reads without it.
    mutable std::mutex mutex_;
    TransactionIndex index_;
    /// By handle; null: free.
    std::vector<std::unique_ptr<Batch>> batches_;
    std::array<LatencyWindow, kStages> latency_;

    std::vector<BatchHandle> free_;
    std::size_t transactions_ = 0;
    /// Executed first, forgotten first.
    std::deque<BatchHandle> executed_;
    std::size_t value_bytes_ = 0;
    std::map<WaiterId, Waiter> waiters_;
    std::set<std::pair<Time, WaiterId>> deadlines_;
};

}  // namespace monodon::node
