#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>

namespace monodon::node {

/// Lets tasks of any thread in until it is closed, and says when the last of them has left. Thread-safe.
class Gate {
 public:
    /// True: in, and leave() has to follow.
    [[nodiscard]] bool enter() {
        const std::lock_guard lock(mutex_);
        if (closed_) return false;
        ++inside_;
        return true;
    }
    void leave() {
        std::function<void()> empty;
        {
            const std::lock_guard lock(mutex_);
            if (--inside_ == 0) empty = std::exchange(empty_, nullptr);
        }
        if (empty) empty();
    }
    /// Nobody enters any more; `empty` runs when nobody is inside, perhaps at once. Once only.
    void close(std::function<void()> empty) {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
            if (inside_ > 0) {
                empty_ = std::move(empty);
                return;
            }
        }
        empty();
    }

 private:
    std::mutex mutex_;
    bool closed_ = false;
    std::size_t inside_ = 0;
    std::function<void()> empty_;
};

}  // namespace monodon::node
