#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>

namespace monodon::net {

/// How often somebody is asked without regard to what is known of him, so that who was slow or absent can
/// show that he is not any more.
inline constexpr double kExploration = 0.1;

/// Which of some peers to ask (network.md 6): nine times of ten by weight, else any of them alike; any of
/// them also if nobody has weight. `kind` and `which` are two draws from [0, 1). Nothing only of nobody.
[[nodiscard]] inline std::optional<std::size_t> select(std::span<const std::uint32_t> weights, double kind,
                                                       double which) {
    if (weights.empty()) return std::nullopt;
    const auto sum = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
    if (kind < kExploration || sum == 0) {
        return static_cast<std::size_t>(which * static_cast<double>(weights.size()));
    }
    auto point = static_cast<std::uint64_t>(which * static_cast<double>(sum));
    for (std::size_t at = 0; at < weights.size(); ++at) {
        if (point < weights[at]) return at;
        point -= weights[at];
    }
    return weights.size() - 1;
}

}  // namespace monodon::net
