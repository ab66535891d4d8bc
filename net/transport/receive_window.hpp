#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

namespace monodon::net {

/// How much of what a peer sends may wait for us in the system. That grows to megabytes by itself, and when
/// we read more slowly than the peer writes, a vote waits behind all of it, whatever the peer's queues decide
/// (network.md 3). So the buffer is made smaller while we stay behind, and larger again once we keep up: then
/// it is the network that needs it, over a long way. No I/O.
class ReceiveWindow {
 public:
    /// Two frames: enough for a link that is short because the bottleneck is here.
    static constexpr std::size_t kLeast = 128 * 1024;
    /// No limit of ours: the system sees to it again.
    static constexpr std::size_t kMost = 2 * 1024 * 1024;
    /// A single backlog after a pause of ours says nothing.
    static constexpr int kReadsBehind = 8;
    static constexpr int kReadsAhead = 32;

    /// After each read: whether it has emptied the socket, else how much is left in it. The new size, if it
    /// changes.
    [[nodiscard]] std::optional<std::size_t> after_read(bool emptied, std::size_t left) {
        if (emptied) {
            behind_ = 0;
            if (window_ == kMost || ++ahead_ < kReadsAhead) return std::nullopt;
            ahead_ = 0;
            window_ = std::min(kMost, window_ * 2);
            return window_;
        }
        ahead_ = 0;
        if (left < kLeast || ++behind_ < kReadsBehind) return std::nullopt;
        behind_ = 0;
        const std::size_t smaller = std::max(kLeast, std::min(window_, left) / 2);
        if (smaller == window_) return std::nullopt;
        window_ = smaller;
        return window_;
    }

 private:
    std::size_t window_ = kMost;
    int behind_ = 0;
    int ahead_ = 0;
};

}  // namespace monodon::net
