#pragma once

#include <array>
#include <cstdint>

#include "net/core/time.hpp"

namespace monodon::dag {

/// How long things were waited for: a histogram of four steps an octave, 1 us to 2^32 us, so that a quantile
/// is at most a quarter too high. 1 KB.
class Waits {
 public:
    void add(Duration waited);
    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// The time in which so many of a hundred had come; 0 if nothing was waited for.
    [[nodiscard]] Duration percentile(unsigned percent) const;

 private:
    static constexpr unsigned kSteps = 4;
    static constexpr std::size_t kBuckets = 33 * kSteps;
    static std::size_t bucket_of(std::uint64_t micros);
    static std::uint64_t highest_of(std::size_t bucket);

    std::array<std::uint64_t, kBuckets> counts_{};
    std::uint64_t count_ = 0;
};

}  // namespace monodon::dag
