#pragma once

#include <cstdint>

namespace monodon::sim {

/// The simulator's only source of chance: integers by splitmix64, so that a seed means the same with every
/// compiler and standard library.
class Random {
 public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15;
        return mix(state_);
    }
    /// 0 <= x < limit; 0 if the limit is 0. The bias of a remainder does not matter here.
    std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : next() % limit; }
    /// low <= x <= high.
    std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
    bool chance(std::uint64_t percent) { return below(100) < percent; }
    /// A stream of its own for one purpose: what one part draws does not move what another part draws.
    [[nodiscard]] Random fork(std::uint64_t purpose) const {
        return Random(mix(state_ ^ mix(purpose + 0x632be59bd9b4e019)));
    }

    static std::uint64_t mix(std::uint64_t value) {
        value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27U)) * 0x94d049bb133111eb;
        return value ^ (value >> 31U);
    }

 private:
    std::uint64_t state_;
};

}  // namespace monodon::sim
