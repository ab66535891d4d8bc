#include "node/latency.hpp"

#include <algorithm>
#include <bit>

namespace monodon::node {

namespace {

std::uint64_t second_of(Time now) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0));
}

}  // namespace

LatencyWindow::LatencyWindow() {
    for (Second& second : seconds_) second.counts.assign(kBuckets, 0);
}

std::size_t LatencyWindow::bucket_of(std::uint64_t micros) {
    if (micros < kSteps) return static_cast<std::size_t>(micros);
    const auto octave = static_cast<unsigned>(std::bit_width(micros)) - 5;  // 0 for 16..31
    const std::size_t step = static_cast<std::size_t>(micros >> octave) - kSteps;
    return std::min(kSteps + octave * kSteps + step, kBuckets - 1);
}

std::uint64_t LatencyWindow::highest_of(std::size_t bucket) {
    if (bucket < kSteps) return bucket;
    const std::size_t octave = bucket / kSteps - 1;
    const std::uint64_t step = kSteps + bucket % kSteps;
    return ((step + 1) << octave) - 1;
}

void LatencyWindow::add(Time now, Duration value, std::uint32_t count) {
    const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
    const std::uint64_t number = second_of(now);
    Second& second = seconds_[number % kSeconds];
    if (second.number != number) {
        second.number = number;
        std::fill(second.counts.begin(), second.counts.end(), 0);
    }
    second.counts[bucket_of(micros)] += count;
    count_ += count;
    sum_ += micros * count;
}

LatencySummary LatencyWindow::summary(Time now) const {
    const std::uint64_t number = second_of(now);
    std::vector<std::uint64_t> counts(kBuckets);
    LatencySummary summary;
    summary.count = count_;
    summary.sum = Duration(sum_);
    for (const Second& second : seconds_) {
        if (second.number + kSeconds <= number || second.number > number) continue;
        for (std::size_t at = 0; at < kBuckets; ++at) {
            counts[at] += second.counts[at];
            summary.recent += second.counts[at];
        }
    }
    if (summary.recent == 0) return summary;
    // The sample of rank ceil(q n), counted from 1.
    const std::uint64_t rank50 = (summary.recent + 1) / 2;
    const std::uint64_t rank99 = summary.recent - summary.recent / 100;
    std::uint64_t seen = 0;
    for (std::size_t at = 0; at < kBuckets; ++at) {
        const std::uint64_t before = seen;
        seen += counts[at];
        if (before < rank50 && rank50 <= seen) summary.p50 = Duration(highest_of(at));
        if (before < rank99 && rank99 <= seen) summary.p99 = Duration(highest_of(at));
    }
    return summary;
}

void RateWindow::add(Time now, std::uint64_t count) {
    const std::uint64_t number = second_of(now);
    if (first_ == 0) first_ = number;
    Second& second = seconds_[number % seconds_.size()];
    if (second.number != number) second = {number, 0};
    second.count += count;
}

double RateWindow::per_second(Time now) const {
    const std::uint64_t number = second_of(now);
    if (first_ == 0 || first_ >= number) return 0;
    std::uint64_t total = 0;
    for (const Second& second : seconds_) {
        // The present second has only begun.
        if (second.number < number && second.number + kSeconds >= number) total += second.count;
    }
    const std::uint64_t measured = std::min<std::uint64_t>(kSeconds, number - first_);
    return static_cast<double>(total) / static_cast<double>(measured);
}

}  // namespace monodon::node
