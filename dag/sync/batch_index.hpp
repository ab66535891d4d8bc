#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "dag/model/batch.hpp"

namespace monodon::dag {

class DagReader;

/// What consensus knows of the batches in the store: the newest in memory, all others through the reader.
/// Also finds the batches of other members that nobody brings into the order (adoption, consensus.md A9).
class BatchIndex {
 public:
    /// Keeps a reference to the reader.
    explicit BatchIndex(const DagReader& reader) : reader_(reader) {}

    void stored(const PayloadEntry& entry);
    /// The stored batch with the digest of `named`.
    [[nodiscard]] std::optional<PayloadEntry> find(const PayloadEntry& named) const;
    /// A certificate in the graph names it, or a commit executed it: no reason to adopt it.
    void referenced(const Digest& batch);
    /// The certificates that name it can not be ordered any more, and no commit has executed it.
    void abandoned(const Digest& batch);
    /// Forgets what was sealed in rounds below this one. Batches are sealed in round 0, too: a bound that has
    /// stopped at 0 forgets nothing.
    void collect(Round sealed);

    /// At most `most` batches that member `self` may name in a header of `round` (A9): nobody did for 2
    /// `window` rounds, the author's successor first, each further member 8 rounds later.
    [[nodiscard]] std::vector<PayloadEntry> adoptable(ValidatorIndex self, std::size_t committee_size,
                                                      Round round, std::uint64_t window,
                                                      std::size_t most) const;

 private:
    const DagReader& reader_;
    std::map<Digest, PayloadEntry> known_;
    std::set<std::pair<Round, Digest>> by_round_;
    std::set<std::pair<Round, Digest>> unreferenced_;
};

}  // namespace monodon::dag
