#pragma once

#include <atomic>
#include <string_view>

#include "storage/error.hpp"

namespace monodon::storage {

/// Counts the reads that failed. Only the first are logged: a peer can ask for the same bad row as often as
/// it likes. Thread-safe.
class DamageLog {
 public:
    explicit DamageLog(std::string_view what) : what_(what) {}
    void note(const Failure& failure);
    [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
    static constexpr std::uint64_t kLoggedMax = 100;

    const std::string_view what_;
    std::atomic<std::uint64_t> count_{0};
};

}  // namespace monodon::storage
