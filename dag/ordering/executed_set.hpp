#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "dag/model/commit.hpp"

namespace monodon::dag {

/// Which batches the commits so far have executed, as far back as it can matter (consensus.md 8.9): a
/// function of the committed prefix only. Digests are kept by the round in which the batch was sealed. The
/// digest covers that round and a quorum has compared it with the header's entry, so one digest never comes
/// with two rounds.
///
/// 32 bytes per executed batch of the last LIFE rounds: 4,096 rounds with 4 batches each are 512 KiB.
class ExecutedSet {
 public:
    explicit ExecutedSet(std::uint64_t batch_life) : batch_life_(batch_life) {}

    /// Whether a commit with an anchor of round `anchor` executes this entry; if so it counts as executed
    /// from here. Entries come in order of execution.
    [[nodiscard]] bool admit(Round anchor, const PayloadEntry& entry);
    /// The commit with an anchor of round `anchor` is complete: forgets what no later commit can execute
    /// anyway.
    void expire(Round anchor);
    /// expire() and admit() of a commit that was made before: rebuilds the set from stored commits, oldest
    /// first.
    void replay(const Commit& commit);

    struct Entry {
        Round sealed_round;
        Digest batch;
        friend auto operator<=>(const Entry&, const Entry&) = default;
    };
    /// Ascending.
    [[nodiscard]] std::vector<Entry> entries() const;
    [[nodiscard]] bool contains(const PayloadEntry& entry) const;

 private:
    std::uint64_t batch_life_;
    /// Each list ascending.
    std::map<Round, std::vector<Digest>> by_sealed_round_;
};

}  // namespace monodon::dag
