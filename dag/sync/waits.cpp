#include "dag/sync/waits.hpp"

#include <algorithm>
#include <bit>

namespace monodon::dag {

std::size_t Waits::bucket_of(std::uint64_t micros) {
    if (micros < kSteps) return static_cast<std::size_t>(micros);
    const auto octave = static_cast<std::size_t>(std::bit_width(micros)) - 1;
    const std::uint64_t step = (micros >> (octave - 2)) - kSteps;
    return std::min((octave - 1) * kSteps + static_cast<std::size_t>(step), kBuckets - 1);
}

std::uint64_t Waits::highest_of(std::size_t bucket) {
    if (bucket < kSteps) return bucket;
    const std::size_t octave = bucket / kSteps + 1;
    const std::uint64_t step = bucket % kSteps;
    return ((kSteps + step + 1) << (octave - 2)) - 1;
}

void Waits::add(Duration waited) {
    ++counts_.at(bucket_of(static_cast<std::uint64_t>(std::max<Duration::rep>(waited.count(), 0))));
    ++count_;
}

Duration Waits::percentile(unsigned percent) const {
    std::uint64_t left = (count_ * percent + 99) / 100;
    for (std::size_t bucket = 0; bucket < kBuckets && left > 0; ++bucket) {
        if (counts_.at(bucket) >= left) return Duration(static_cast<Duration::rep>(highest_of(bucket)));
        left -= counts_.at(bucket);
    }
    return Duration{0};
}

}  // namespace monodon::dag
