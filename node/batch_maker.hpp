#pragma once

#include <deque>
#include <optional>

#include "dag/model/batch.hpp"
#include "net/core/time.hpp"
#include "node/receipt_book.hpp"

namespace monodon::node {

/// Fills batches with transactions. Several wait here, all but the last full, only while dissemination holds
/// us back: a batch is sealed when it can leave, so that its sealed round is fresh. The bytes are bounded by
/// what the worker accepts. Not for concurrent use.
class BatchMaker {
 public:
    struct Open {
        dag::BatchBuilder builder;
        BatchHandle handle = 0;
        Time opened;
        /// Takes no more transactions.
        bool closed = false;
    };

    BatchMaker(std::size_t batch_bytes, Duration batch_delay)
        : batch_bytes_(batch_bytes), delay_(batch_delay) {}

    /// Which batch the next transaction of this size goes into; null if a new one has to be opened.
    [[nodiscard]] Open* room_for(std::size_t transaction_bytes);
    /// Closes the last and opens a batch after it.
    Open& open(BatchHandle handle, Time now);
    /// A full batch that leaves before all others.
    void put_first(Open batch);

    [[nodiscard]] bool empty() const { return open_.empty(); }
    [[nodiscard]] std::size_t bytes() const;
    /// The first batch is to leave: it is full, or old enough, or `idle`. There must be one.
    [[nodiscard]] bool due(Time now, bool idle) const;
    [[nodiscard]] Time due_at() const { return open_.front().opened + delay_; }
    [[nodiscard]] std::size_t first_bytes() const { return open_.front().builder.bytes(); }
    [[nodiscard]] Open take_first();

 private:
    std::size_t batch_bytes_;
    Duration delay_;
    std::deque<Open> open_;
};

}  // namespace monodon::node
