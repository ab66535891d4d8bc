#pragma once

#include <chrono>
#include <thread>

namespace monodon::test {

/// Waits until `condition()` holds, asking every few milliseconds; false after `patience`, which is long
/// enough for a machine under load. The one place where a test lets time pass: what can notify is waited for
/// instead.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition, std::chrono::seconds patience = std::chrono::seconds(30)) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

}  // namespace monodon::test
