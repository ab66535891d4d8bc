#include "net/rpc/peer_rates.hpp"

#include <algorithm>

namespace monodon::net {

PeerRates::PeerRates(RateLimits limits)
    : limits_(limits),
      requests_(limits.requests_per_second, limits.requests_burst),
      bytes_(limits.bytes_per_second, limits.bytes_burst) {}

TokenBucket& PeerRates::items_of(const MethodInfo& info) {
    const double rate = limits_.items_share * info.items_per_second;
    return items_.try_emplace(info.method, rate, rate).first->second;
}

std::optional<Duration> PeerRates::admit(Time now, const MethodInfo* info, std::size_t bytes, double cost) {
    const std::lock_guard lock(mutex_);
    Duration wait{0};
    const auto take = [&](TokenBucket& bucket, double amount) {
        if (!bucket.admit(now, cost * amount)) wait = std::max({wait, bucket.wait(), Duration(1)});
    };
    take(requests_, 1);
    take(bytes_, static_cast<double>(bytes));
    if (info != nullptr && !info->notice) take(items_of(*info), 1);
    if (wait > Duration{0}) return wait;
    return std::nullopt;
}

void PeerRates::charge_bytes(Time now, std::size_t bytes, double cost) {
    const std::lock_guard lock(mutex_);
    bytes_.charge(now, cost * static_cast<double>(bytes));
}

void PeerRates::charge_items(Time now, Method method, std::size_t items, double cost) {
    const MethodInfo* info = find_method(method);
    if (info == nullptr || info->notice || items < 2) return;
    const std::lock_guard lock(mutex_);
    items_of(*info).charge(now, cost * static_cast<double>(items - 1));
}

}  // namespace monodon::net
