#pragma once

#include <deque>
#include <map>
#include <vector>

#include "dag/model/batch.hpp"

namespace monodon::dag {

/// The batches that this member has to bring into the order: waiting for a header, named by an own header
/// that is not ordered yet (consensus.md A7), or too old to be proposed and waiting until they have surely
/// expired (8.9).
class PayloadQueue {
 public:
    /// `life` is LIFE, in rounds.
    explicit PayloadQueue(std::uint64_t life) : life_(life) {}

    /// Ignored if the batch is here already. Batches wait in the order of their arrival.
    void add(const PayloadEntry& entry);
    [[nodiscard]] bool has_waiting() const { return !waiting_.empty(); }
    /// Waiting, proposed or expiring.
    [[nodiscard]] std::size_t size() const { return known_.size(); }
    /// At most `most` of the waiting batches for the header of `round`, which they count as named by from now
    /// on.
    [[nodiscard]] std::vector<PayloadEntry> take(Round round, std::size_t most);
    /// The entries of an own header made in an earlier life.
    void restore(Round round, const std::vector<PayloadEntry>& payload);
    /// A commit executes this batch: nothing is left to do for it.
    void executed(const Digest& batch);
    /// For each own header with payload that is not ordered, oldest first: if `lost(Round)` says that it can
    /// not be ordered any more, its batches go back in front of the queue.
    template <class Lost>
    void reinject(Lost lost) {
        for (auto each = proposed_.begin(); each != proposed_.end();) {
            const bool open = is_open(each->second);
            if (open && !lost(each->first)) {
                ++each;
                continue;
            }
            if (open) put_back(each->second);
            each = proposed_.erase(each);
        }
    }
    /// The batches that no commit after an anchor of this round can execute any more; they leave the queue.
    [[nodiscard]] std::vector<Digest> expire(Round anchor);

 private:
    [[nodiscard]] bool proposable(const PayloadEntry& entry, Round round) const {
        return round.value() < entry.sealed_round.value() + life_ / 2;
    }

    [[nodiscard]] bool is_open(const std::vector<PayloadEntry>& payload) const;
    void put_back(const std::vector<PayloadEntry>& payload);

    std::uint64_t life_;
    std::deque<PayloadEntry> waiting_;
    std::map<Round, std::vector<PayloadEntry>> proposed_;
    std::vector<PayloadEntry> expiring_;
    std::map<Digest, Round> known_;
};

}  // namespace monodon::dag
