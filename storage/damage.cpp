#include "storage/damage.hpp"

#include "net/core/log.hpp"

namespace monodon::storage {

void DamageLog::note(const Failure& failure) {
    // A generation that has no room for its files yet holds nothing that could be damaged.
    if (failure.error == StoreError::no_space) return;
    if (count_.fetch_add(1, std::memory_order_relaxed) >= kLoggedMax) return;
    log::error(log::Category::storage, what_, {{"error", failure.text}});
}

}  // namespace monodon::storage
