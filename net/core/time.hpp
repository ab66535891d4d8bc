#pragma once

#include <chrono>

namespace monodon {

using Duration = std::chrono::microseconds;
/// Microseconds since the Unix epoch on a clock that never goes back: read from the system once at start and
/// counted on by the monotonic clock; virtual in the simulator.
using Time = std::chrono::time_point<std::chrono::system_clock, Duration>;

/// For people and metrics; nothing is decided by it.
[[nodiscard]] constexpr double milliseconds_in(Duration duration) {
    return static_cast<double>(duration.count()) / 1e3;
}
[[nodiscard]] constexpr double seconds_in(Duration duration) {
    return static_cast<double>(duration.count()) / 1e6;
}

}  // namespace monodon
