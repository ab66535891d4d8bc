#pragma once

#include <algorithm>

#include "net/core/time.hpp"

namespace monodon::net {

/// How long to wait before dialling again: doubling, with jitter, forgotten after a connection that lasted.
class Backoff {
 public:
    static constexpr double kJitter = 0.2;

    Backoff(Duration first, Duration most, Duration reset_after)
        : first_(first), most_(most), reset_after_(reset_after), next_(first) {}

    /// `draw` is uniform in [0, 1): it moves the wait by at most a fifth either way.
    [[nodiscard]] Duration next(double draw) {
        const double factor = 1 + kJitter * (2 * draw - 1);
        const auto wait = std::chrono::duration_cast<Duration>(next_ * factor);
        next_ = std::min(next_ * 2, most_);
        return wait;
    }
    /// A connection ended after so long.
    void connection_lasted(Duration life) {
        if (life >= reset_after_) next_ = first_;
    }

 private:
    Duration first_;
    Duration most_;
    Duration reset_after_;
    Duration next_;
};

}  // namespace monodon::net
