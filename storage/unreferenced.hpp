#pragma once

#include <map>
#include <mutex>
#include <unordered_map>

#include "dag/model/batch.hpp"

namespace monodon::storage {

/// Counts, per author, the offered batches that no delivered commit has named yet, so that nobody fills our
/// disk with what is never ordered. A batch counts with whole pages: 256 MiB are at most 65,536 batches,
/// whose 80 bytes here take 5 MiB. Forgotten at a restart, which an author cannot cause. Thread-safe.
class Unreferenced {
 public:
    explicit Unreferenced(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

    enum class Charge : std::uint8_t { charged, known, refused };
    Charge charge(const dag::PayloadEntry& entry) {
        const std::lock_guard lock(mutex_);
        Author& author = authors_[entry.author];
        if (author.batches.contains(entry.batch)) return Charge::known;
        if (author.bytes + pages(entry) > bytes_max_) return Charge::refused;
        author.batches.emplace(entry.batch, Held{entry.sealed_round, pages(entry)});
        author.bytes += pages(entry);
        return Charge::charged;
    }
    void release(const dag::PayloadEntry& entry) {
        const std::lock_guard lock(mutex_);
        const auto author = authors_.find(entry.author);
        if (author == authors_.end()) return;
        const auto held = author->second.batches.find(entry.batch);
        if (held == author->second.batches.end()) return;
        author->second.bytes -= held->second.bytes;
        author->second.batches.erase(held);
    }
    /// Of rounds below this one: they cannot be executed any more and are about to leave.
    void forget_below(dag::Round sealed) {
        const std::lock_guard lock(mutex_);
        for (auto& [index, author] : authors_) {
            std::erase_if(author.batches, [&](const auto& batch) {
                if (batch.second.sealed >= sealed) return false;
                author.bytes -= batch.second.bytes;
                return true;
            });
        }
    }
    /// The most of any author.
    [[nodiscard]] std::uint64_t most() const {
        const std::lock_guard lock(mutex_);
        std::uint64_t most = 0;
        for (const auto& [index, author] : authors_) most = std::max(most, author.bytes);
        return most;
    }

 private:
    struct Held {
        dag::Round sealed;
        std::uint64_t bytes = 0;
    };
    struct Author {
        std::uint64_t bytes = 0;
        std::unordered_map<Digest, Held> batches;
    };
    static std::uint64_t pages(const dag::PayloadEntry& entry) {
        constexpr std::uint64_t kPage = 4096;
        return (entry.bytes + kPage - 1) / kPage * kPage;
    }

    const std::uint64_t bytes_max_;
    mutable std::mutex mutex_;
    std::map<dag::ValidatorIndex, Author> authors_;
};

}  // namespace monodon::storage
