#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "net/core/time.hpp"

namespace monodon::sim {

/// Virtual time: what is to happen, by (time, order of scheduling). Nothing else moves the clock.
class EventQueue {
 public:
    using Action = std::function<void()>;

    [[nodiscard]] Time now() const { return now_; }
    [[nodiscard]] std::uint64_t steps() const { return steps_; }
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] Time next() const { return heap_.front().when; }

    /// A time that has passed means at once.
    void at(Time when, Action action) {
        heap_.push_back({std::max(when, now_), ++sequence_, std::move(action)});
        std::push_heap(heap_.begin(), heap_.end(), later);
    }
    void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }

    /// The queue must not be empty.
    void run_next() {
        std::pop_heap(heap_.begin(), heap_.end(), later);
        Item item = std::move(heap_.back());
        heap_.pop_back();
        now_ = item.when;
        ++steps_;
        item.action();
    }

 private:
    struct Item {
        Time when;
        std::uint64_t sequence;
        Action action;
    };
    static bool later(const Item& left, const Item& right) {
        return left.when != right.when ? left.when > right.when : left.sequence > right.sequence;
    }

    /// An ordinary date, so that a clock may also be behind.
    Time now_{std::chrono::hours(24 * 365 * 50)};
    std::uint64_t sequence_ = 0;
    std::uint64_t steps_ = 0;
    std::vector<Item> heap_;
};

}  // namespace monodon::sim
