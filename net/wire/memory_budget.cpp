#include "net/wire/memory_budget.hpp"

namespace monodon::net {

bool MemoryBudget::take(std::uint64_t bytes) {
    const std::uint64_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
    if (before + bytes > limit_ || (above_ && !above_->take(bytes))) {
        used_.fetch_sub(bytes, std::memory_order_relaxed);
        return false;
    }
    return true;
}

void MemoryBudget::give_back(std::uint64_t bytes) {
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    if (above_) above_->give_back(bytes);
}

}  // namespace monodon::net
