#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace monodon::storage {

/// Counts of observations at or below each bound; what lies above the last bound is in `count` only.
template <std::size_t N>
struct Histogram {
    std::array<double, N> bounds{};
    std::array<std::uint64_t, N> at_or_below{};
    std::uint64_t count = 0;
    double sum = 0;

    void observe(double value) {
        for (std::size_t at = 0; at < N; ++at) at_or_below[at] += value <= bounds[at] ? 1 : 0;
        ++count;
        sum += value;
    }
};

/// A picture of a writer for metrics and readiness.
struct WriterStats {
    std::uint64_t queued_writes = 0;
    std::uint64_t queued_bytes = 0;
    std::uint64_t written = 0;
    std::uint64_t written_bytes = 0;
    std::uint64_t errors = 0;
    /// Writes that shared one transaction and its sync.
    Histogram<8> group_size{{1, 2, 4, 8, 16, 32, 64, 256}};
    /// Seconds from the begin of a transaction to its sync.
    Histogram<10> commit_seconds{{0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2}};
    /// Why a write or the pruning waits (disk full); tried again each second.
    std::optional<std::string> stalled;
    /// The fatal handler was called.
    bool stopped = false;
    /// Since when the writer has been at one piece of work; nothing while it waits, for work or for room.
    std::optional<std::chrono::steady_clock::time_point> busy_since;
};

/// A busy disk can take seconds for one sync. One that has neither written nor refused for this long hangs.
inline constexpr std::chrono::seconds kWriterHangs{20};

/// Why a writer can not be called alive; empty if it can. One that waits for room is: a restart gives it
/// none.
[[nodiscard]] inline std::string writer_fault(const WriterStats& stats,
                                              std::chrono::steady_clock::time_point now) {
    if (stats.stopped) return "it has stopped";
    if (stats.busy_since && now - *stats.busy_since > kWriterHangs)
        return "the disk has not answered it for " + std::to_string(kWriterHangs.count()) + " s";
    return {};
}

}  // namespace monodon::storage
