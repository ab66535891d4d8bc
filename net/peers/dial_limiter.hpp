#pragma once

#include <map>
#include <string>

#include "net/core/time.hpp"
#include "net/wire/token_bucket.hpp"

namespace monodon::net {

struct DialRates {
    /// In all.
    double per_second = 4;
    double burst = 16;
    /// Towards one host.
    double per_second_of_host = 1.0 / 30;
    double burst_of_host = 4;
};

/// How often addresses that others told us are dialled, so that nobody makes us a nuisance to a third party:
/// whatever the records in a book say, one host sees a few attempts and then one in half a minute. Not
/// thread-safe.
class DialLimiter {
 public:
    /// About 200 bytes each.
    static constexpr std::size_t kHostsMax = 4096;

    explicit DialLimiter(DialRates rates) : rates_(rates), all_(rates.per_second, rates.burst) {}

    /// Zero, and the attempt is counted; else how long to wait before asking again.
    [[nodiscard]] Duration admit(const std::string& host, Time now) {
        auto found = hosts_.find(host);
        if (found == hosts_.end()) {
            if (hosts_.size() >= kHostsMax) {
                // Who has not been dialled for so long that its bucket is full again.
                std::erase_if(hosts_, [&](const auto& each) { return each.second.last + recovery() <= now; });
            }
            if (hosts_.size() >= kHostsMax) return recovery();
            found = hosts_.emplace(host, Host(rates_)).first;
        }
        Host& at = found->second;
        if (!at.bucket.admit(now, 1)) return at.bucket.wait();
        if (!all_.admit(now, 1)) {
            at.bucket.charge(now, -1);
            return all_.wait();
        }
        at.last = now;
        return Duration{0};
    }

 private:
    struct Host {
        explicit Host(const DialRates& rates) : bucket(rates.per_second_of_host, rates.burst_of_host) {}
        TokenBucket bucket;
        Time last{};
    };
    [[nodiscard]] Duration recovery() const {
        return std::chrono::duration_cast<Duration>(
            std::chrono::duration<double>(rates_.burst_of_host / rates_.per_second_of_host));
    }

    DialRates rates_;
    TokenBucket all_;
    std::map<std::string, Host> hosts_;
};

}  // namespace monodon::net
