#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "net/core/time.hpp"

namespace monodon::node {

/// Quantiles over the last seconds; count and sum since the start.
struct LatencySummary {
    Duration p50{0};
    Duration p99{0};
    /// In the window of the quantiles.
    std::uint64_t recent = 0;
    std::uint64_t count = 0;
    Duration sum{0};
};

/// The last ten seconds of a latency, in a histogram of 16 steps an octave: a quantile is at most 6 % too
/// high. One histogram for each second, 10 x 592 x 4 B = 24 KB. Not for concurrent use.
class LatencyWindow {
 public:
    static constexpr std::size_t kSeconds = 10;

    LatencyWindow();
    /// `count` samples of the same value.
    void add(Time now, Duration value, std::uint32_t count = 1);
    [[nodiscard]] LatencySummary summary(Time now) const;

 private:
    /// Values below 16 us exactly, then 16 steps for each of 36 octaves: 2^40 us are 12 days.
    static constexpr std::size_t kSteps = 16;
    static constexpr std::size_t kBuckets = 37 * kSteps;
    [[nodiscard]] static std::size_t bucket_of(std::uint64_t micros);
    /// The highest value that falls into the bucket.
    [[nodiscard]] static std::uint64_t highest_of(std::size_t bucket);

    struct Second {
        std::uint64_t number = 0;
        std::vector<std::uint32_t> counts;
    };
    std::array<Second, kSeconds> seconds_;
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
};

/// How many a second, over the last ten full seconds. Not for concurrent use.
class RateWindow {
 public:
    static constexpr std::size_t kSeconds = 10;

    void add(Time now, std::uint64_t count);
    [[nodiscard]] double per_second(Time now) const;

 private:
    struct Second {
        std::uint64_t number = 0;
        std::uint64_t count = 0;
    };
    std::array<Second, kSeconds + 1> seconds_{};
    /// The second of the first sample: a rate is not diluted by time in which nobody measured.
    std::uint64_t first_ = 0;
};

}  // namespace monodon::node
