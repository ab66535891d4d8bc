#pragma once

#include <chrono>

namespace monodon {

using Duration = std::chrono::microseconds;
/// Microseconds since the Unix epoch on a clock that never goes back: read from the system once at start and
/// counted on by the monotonic clock; virtual in the simulator.
using Time = std::chrono::time_point<std::chrono::system_clock, Duration>;

}  // namespace monodon
