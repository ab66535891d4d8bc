#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "net/core/time.hpp"
#include "net/wire/method.hpp"
#include "net/wire/token_bucket.hpp"

namespace monodon::net {

/// Requests per second and bytes per second that a peer may cost us (network.md 4).
struct RateLimits {
    double requests_per_second = 2000;
    double requests_burst = 2000;
    double bytes_per_second = 64.0 * 1024 * 1024;
    double bytes_burst = 32.0 * 1024 * 1024;
    /// Of the items that the table of methods allows to a member.
    double items_share = 1;
};

/// What one peer may still cost us: requests and bytes in all, and by method items, a second's worth at once.
/// Everything costs, also what is malformed or refused; what is only known afterwards is charged on credit.
/// Shared by the connections of a peer, so that a new one is no new allowance. Thread-safe.
class PeerRates {
 public:
    explicit PeerRates(RateLimits limits);
    [[nodiscard]] const RateLimits& limits() const { return limits_; }

    // `cost`: how many times its price a peer pays as things are.

    /// A request of so many bytes has come; it is one item. How long its peer is to wait if it is over its
    /// rates, nothing if it is to be served. `info` is null for a method that we do not know.
    [[nodiscard]] std::optional<Duration> admit(Time now, const MethodInfo* info, std::size_t bytes,
                                                double cost = 1);
    /// Of a reply.
    void charge_bytes(Time now, std::size_t bytes, double cost = 1);
    /// What a request has turned out to ask for or to bring, beyond the one that it was taken for.
    void charge_items(Time now, Method method, std::size_t items, double cost = 1);

 private:
    [[nodiscard]] TokenBucket& items_of(const MethodInfo& info);

    const RateLimits limits_;
    std::mutex mutex_;
    TokenBucket requests_;
    TokenBucket bytes_;
    /// As many as there are methods.
    std::map<Method, TokenBucket> items_;
};

}  // namespace monodon::net
