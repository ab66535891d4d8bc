#pragma once

#include <chrono>
#include <cstdint>

namespace monodon::storage {

/// Since the Unix epoch: for people, no rule reads it.
[[nodiscard]] inline std::uint64_t now_microseconds() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

}  // namespace monodon::storage
