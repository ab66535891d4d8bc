#pragma once

#include <atomic>
#include <cstdint>

namespace monodon::net {

/// What a connection may carry of notices in the data class that their receiver still holds: 4 MiB of batches
/// (network.md 3), and what they are wrapped in.
inline constexpr std::uint64_t kBatchWindow = (4 * 1024 + 128) * 1024;

/// The notices of the data class in one direction of a connection, as their sender counts them: each takes
/// part of the window until the receiver says that it is rid of it. So the receiver bounds what a sender can
/// make it hold without reading more slowly. Thread-safe.
class BatchWindow {
 public:
    /// Takes so much of the window; false, and nothing is taken, if there is not that much.
    [[nodiscard]] bool take(std::uint64_t bytes) {
        std::uint64_t sent = sent_.load();
        do {
            if (sent - released_.load() + bytes > kBatchWindow) return false;
        } while (!sent_.compare_exchange_weak(sent, sent + bytes));
        return true;
    }
    /// What was taken will not be sent.
    void give_back(std::uint64_t bytes) { sent_.fetch_sub(bytes); }
    /// The receiver is rid of so much since the connection began. False if that cannot be.
    [[nodiscard]] bool released(std::uint64_t total) {
        if (total < released_.load() || total > sent_.load()) return false;
        released_.store(total);
        return true;
    }

 private:
    std::atomic<std::uint64_t> sent_{0};
    std::atomic<std::uint64_t> released_{0};
};

}  // namespace monodon::net
