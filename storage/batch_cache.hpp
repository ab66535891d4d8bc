#pragma once

#include <deque>
#include <mutex>
#include <unordered_map>

#include "dag/model/batch.hpp"

namespace monodon::storage {

/// The batches that became durable last, up to a number of bytes: execution and the peers that lack one ask
/// for these. Thread-safe.
class BatchCache {
 public:
    explicit BatchCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    void insert(const dag::PayloadEntry& entry, SharedBytes batch) {
        const std::lock_guard lock(mutex_);
        const std::size_t size = batch->size();
        if (!batches_.try_emplace(entry.batch, Cached{entry, std::move(batch)}).second) return;
        order_.push_back(entry.batch);
        bytes_ += size;
        while (bytes_ > bytes_max_) {
            const auto oldest = batches_.find(order_.front());
            bytes_ -= oldest->second.batch->size();
            batches_.erase(oldest);
            order_.pop_front();
        }
    }
    /// Null if it is not among them.
    [[nodiscard]] SharedBytes batch(const Digest& digest) const {
        const std::lock_guard lock(mutex_);
        const auto found = batches_.find(digest);
        return found == batches_.end() ? SharedBytes() : found->second.batch;
    }
    [[nodiscard]] std::optional<dag::PayloadEntry> entry(const Digest& digest) const {
        const std::lock_guard lock(mutex_);
        const auto found = batches_.find(digest);
        if (found == batches_.end()) return std::nullopt;
        return found->second.entry;
    }
    [[nodiscard]] std::size_t bytes() const {
        const std::lock_guard lock(mutex_);
        return bytes_;
    }

 private:
    struct Cached {
        dag::PayloadEntry entry;
        SharedBytes batch;
    };

    const std::size_t bytes_max_;
    mutable std::mutex mutex_;
    std::unordered_map<Digest, Cached> batches_;
    std::deque<Digest> order_;
    std::size_t bytes_ = 0;
};

}  // namespace monodon::storage
