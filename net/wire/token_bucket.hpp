#pragma once

#include <algorithm>
#include <cstdint>

#include "net/core/time.hpp"

namespace monodon::net {

/// A rate with a burst. It may be overdrawn by what is only known afterwards, and is then closed until it has
/// recovered. Not thread-safe.
class TokenBucket {
 public:
    TokenBucket(double per_second, double burst) : per_second_(per_second), burst_(burst), tokens_(burst) {}

    /// Takes `cost`, if there is anything at all in the bucket.
    [[nodiscard]] bool admit(Time now, double cost) {
        refill(now);
        if (tokens_ <= 0) return false;
        tokens_ -= cost;
        return true;
    }
    /// Takes `cost`, also on credit: at most one burst deep.
    void charge(Time now, double cost) {
        refill(now);
        tokens_ = std::max(tokens_ - cost, -burst_);
    }
    /// How long until admit() can succeed.
    [[nodiscard]] Duration wait() const {
        if (tokens_ > 0) return Duration{0};
        return std::chrono::duration_cast<Duration>(
            std::chrono::duration<double>((1 - tokens_) / per_second_));
    }

 private:
    void refill(Time now) {
        if (last_ != Time{} && now > last_) {
            tokens_ =
                std::min(burst_, tokens_ + per_second_ * std::chrono::duration<double>(now - last_).count());
        }
        last_ = std::max(last_, now);
    }

    double per_second_;
    double burst_;
    double tokens_;
    Time last_{};
};

}  // namespace monodon::net
