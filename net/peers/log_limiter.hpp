#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "net/core/time.hpp"

namespace monodon::net {

/// Lets a line that a peer can cause through once in a while: per key, of which a limited number are
/// remembered. Thread-safe.
class LogLimiter {
 public:
    static constexpr Duration kInterval = std::chrono::seconds(10);
    static constexpr std::size_t kKeysMax = 256;

    /// Nothing if the line is to be left out, else how many were since the last one.
    [[nodiscard]] std::optional<std::uint64_t> admit(const std::string& key, Time now) {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(key);
        if (found == entries_.end()) {
            if (entries_.size() >= kKeysMax) {
                std::erase_if(entries_,
                              [now](const auto& entry) { return now - entry.second.last >= kInterval; });
            }
            if (entries_.size() >= kKeysMax) return std::nullopt;
            entries_.emplace(key, Entry{now, 0});
            return 0;
        }
        Entry& entry = found->second;
        if (now - entry.last < kInterval) {
            ++entry.left_out;
            return std::nullopt;
        }
        entry.last = now;
        return std::exchange(entry.left_out, 0);
    }

 private:
    struct Entry {
        Time last;
        std::uint64_t left_out = 0;
    };
    std::mutex mutex_;
    std::map<std::string, Entry> entries_;
};

}  // namespace monodon::net
