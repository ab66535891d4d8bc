#pragma once

#include <chrono>

#include "net/core/time.hpp"

namespace monodon::net {

/// The monotonic clock counted on from the system's at the first call. Thread-safe.
[[nodiscard]] inline Time now() {
    struct Origin {
        std::chrono::steady_clock::time_point steady = std::chrono::steady_clock::now();
        Time system = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    };
    static const Origin origin;
    return origin.system +
           std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - origin.steady);
}

/// The same moment for a timer.
[[nodiscard]] inline std::chrono::steady_clock::time_point to_steady(Time time) {
    return std::chrono::steady_clock::now() + (time - now());
}

}  // namespace monodon::net
