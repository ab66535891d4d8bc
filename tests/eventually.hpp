#pragma once

#include <chrono>
#include <thread>

namespace monodon::test {

// The one place where a test lets time pass. What can notify is waited for instead.

/// Waits until `condition()` holds, asking every few milliseconds; false after `patience`, which is long
/// enough for a machine under load.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition, std::chrono::seconds patience = std::chrono::seconds(30)) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

/// Time as an input of the test: a peer that is slow on purpose, a cancel that comes late. Never a way to
/// wait for an outcome.
inline void dawdle(std::chrono::microseconds time) { std::this_thread::sleep_for(time); }

}  // namespace monodon::test
