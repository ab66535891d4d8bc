#pragma once

#include <cstdint>
#include <vector>

#include "dag/config.hpp"
#include "dag/model/verification.hpp"

namespace monodon::dag::test {

/// The tests' own draw (SplitMix64): the same numbers with every library.
class Random {
 public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next();
    /// From 0 to `bound` - 1.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    std::uint64_t between(std::uint64_t least, std::uint64_t most) { return least + below(most - least + 1); }
    bool chance(std::uint64_t percent) { return below(100) < percent; }

 private:
    std::uint64_t state_;
};

/// A causally closed DAG with holes, slow authors, silent stretches, any stakes and batches named twice; a
/// function of its seed.
struct RandomDag {
    explicit RandomDag(std::uint64_t seed);

    /// Any order in which parents come first.
    [[nodiscard]] std::vector<VerifiedCertificate> shuffled(Random& random) const;

    std::vector<Stake> stakes;
    OrderingConfig config;
    /// Ascending by round, then author.
    std::vector<VerifiedCertificate> certificates;
};

}  // namespace monodon::dag::test
