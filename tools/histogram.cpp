#include "tools/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace monodon::tools {

std::size_t Histogram::bucket(std::uint64_t value) {
    value = std::min(value, (std::uint64_t{2} << kTopBit) - 1);
    if (value < (1U << kSubBits)) return value;
    const unsigned top = static_cast<unsigned>(std::bit_width(value)) - 1;
    const std::uint64_t sub = value >> (top - kSubBits) & ((1U << kSubBits) - 1);
    return (static_cast<std::size_t>(top - kSubBits + 1) << kSubBits) + sub;
}

std::uint64_t Histogram::upper(std::size_t bucket) {
    if (bucket < (1U << kSubBits)) return bucket;
    const std::size_t shift = (bucket >> kSubBits) - 1;
    const std::uint64_t sub = bucket & ((1U << kSubBits) - 1);
    return ((((std::uint64_t{1} << kSubBits) + sub + 1) << shift)) - 1;
}

void Histogram::record(std::chrono::microseconds value, std::uint64_t times) {
    value = std::max(value, std::chrono::microseconds(0));
    counts_[bucket(static_cast<std::uint64_t>(value.count()))] += times;
    count_ += times;
    most_ = std::max(most_, value);
}

void Histogram::add(const Histogram& other) {
    for (std::size_t at = 0; at < kBuckets; ++at) counts_[at] += other.counts_[at];
    count_ += other.count_;
    most_ = std::max(most_, other.most_);
}

std::optional<std::chrono::microseconds> Histogram::quantile(double q) const {
    if (count_ == 0) return std::nullopt;
    const auto wanted = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (std::size_t at = 0; at < kBuckets; ++at) {
        seen += counts_[at];
        if (seen >= wanted) return std::min(std::chrono::microseconds(upper(at)), most_);
    }
    return most_;
}

}  // namespace monodon::tools
