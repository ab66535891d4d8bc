#include "dag/sync/preference.hpp"

#include "net/core/check.hpp"

namespace monodon::dag {

void Preference::rate(std::vector<std::uint32_t> weights) {
    MONODON_CHECK(weights.size() == weights_.size());
    weights_ = std::move(weights);
}

std::uint64_t Preference::draw(std::uint64_t bound) {
    if (bound == 0) return 0;
    // Consecutive counts must not give consecutive numbers: two rounds of multiply and fold.
    std::uint64_t mixed = ++drawn_ * 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 29U)) * 0xd6e8feb86659fd93;
    mixed = (mixed ^ (mixed >> 32U)) * 0xd6e8feb86659fd93;
    return (mixed ^ (mixed >> 32U)) % bound;
}

bool Preference::explores() { return draw(kExploreOneIn) == 0; }

ValidatorIndex Preference::any(const AuthorSet& candidates) {
    MONODON_CHECK(!candidates.empty());
    std::uint64_t skip = draw(candidates.size());
    std::optional<ValidatorIndex> chosen;
    candidates.for_each([&](ValidatorIndex candidate) {
        if (skip-- == 0) chosen = candidate;
    });
    return *chosen;
}

std::optional<ValidatorIndex> Preference::choose(const AuthorSet& candidates) {
    if (candidates.empty()) return std::nullopt;
    std::uint64_t total = 0;
    candidates.for_each([&](ValidatorIndex candidate) { total += weight(candidate); });
    if (total == 0 || explores()) return any(candidates);
    std::uint64_t left = draw(total);
    std::optional<ValidatorIndex> chosen;
    candidates.for_each([&](ValidatorIndex candidate) {
        if (chosen) return;
        if (left < weight(candidate)) {
            chosen = candidate;
        } else {
            left -= weight(candidate);
        }
    });
    return chosen;
}

}  // namespace monodon::dag
