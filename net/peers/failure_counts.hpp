#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace monodon::net {

/// How often no connection came about for one reason.
struct HandshakeFailures {
    bool outbound = false;
    std::string reason;
    std::uint64_t count = 0;
};

/// Counts connections that did not come about. Reasons are static text, so a peer cannot make it grow.
/// Thread-safe.
class FailureCounts {
 public:
    void add(bool outbound, std::string_view reason) {
        const std::lock_guard lock(mutex_);
        ++counts_[{outbound, reason}];
    }
    /// In the order of directions and reasons.
    [[nodiscard]] std::vector<HandshakeFailures> all() const {
        std::vector<HandshakeFailures> all;
        const std::lock_guard lock(mutex_);
        for (const auto& [key, count] : counts_) all.push_back({key.first, std::string(key.second), count});
        return all;
    }

 private:
    mutable std::mutex mutex_;
    std::map<std::pair<bool, std::string_view>, std::uint64_t> counts_;
};

}  // namespace monodon::net
