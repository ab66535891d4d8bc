#pragma once

#include <deque>
#include <map>
#include <set>
#include <vector>

#include "dag/events.hpp"
#include "dag/sync/batch_index.hpp"

namespace monodon::dag {

/// Durable commits on their way to execution: each leaves when all its batches are in the store, in index
/// order.
class Delivery {
 public:
    /// `delivered` is the last index that execution has.
    explicit Delivery(CommitIndex delivered) : delivered_(delivered) {}

    /// The next durable commit, in index order. Returns its batches that are not in the store.
    [[nodiscard]] std::vector<PayloadEntry> push(CommitPtr commit, const BatchIndex& batches);
    void stored(const Digest& batch);
    /// The commits that are complete, in order; they leave.
    [[nodiscard]] std::vector<CommitPtr> take_ready();

    [[nodiscard]] CommitIndex delivered() const { return delivered_; }
    [[nodiscard]] std::size_t waiting() const { return queue_.size(); }
    [[nodiscard]] std::size_t missing_batches() const { return missing_.size(); }

 private:
    struct Pending {
        CommitPtr commit;
        std::size_t missing = 0;
    };
    CommitIndex delivered_;
    std::deque<Pending> queue_;
    /// A batch is executed by one commit only.
    std::map<Digest, CommitIndex> missing_;
};

}  // namespace monodon::dag
