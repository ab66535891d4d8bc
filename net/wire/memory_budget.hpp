#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace monodon::net {

/// How many bytes some of the messages of peers may hold: of one connection, and above it of all.
/// Thread-safe.
class MemoryBudget {
 public:
    explicit MemoryBudget(std::uint64_t limit, std::shared_ptr<MemoryBudget> above = nullptr)
        : limit_(limit), above_(std::move(above)) {}

    /// False, and nothing is taken, if this budget or one above it would be exceeded.
    [[nodiscard]] bool take(std::uint64_t bytes);
    void give_back(std::uint64_t bytes);
    [[nodiscard]] std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
    const std::uint64_t limit_;
    const std::shared_ptr<MemoryBudget> above_;
    std::atomic<std::uint64_t> used_{0};
};

/// Bytes taken from a budget, given back when this goes.
class Reservation {
 public:
    Reservation() = default;
    explicit Reservation(std::shared_ptr<MemoryBudget> budget) : budget_(std::move(budget)) {}
    Reservation(Reservation&& other) noexcept
        : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
    Reservation& operator=(Reservation&& other) noexcept {
        std::swap(budget_, other.budget_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~Reservation() {
        if (budget_) budget_->give_back(bytes_);
    }

    /// False, and nothing changes, if the budget does not have that much more.
    [[nodiscard]] bool grow(std::uint64_t bytes) {
        if (!budget_->take(bytes)) return false;
        bytes_ += bytes;
        return true;
    }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
    std::shared_ptr<MemoryBudget> budget_;
    std::uint64_t bytes_ = 0;
};

}  // namespace monodon::net
