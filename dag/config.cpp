#include "dag/config.hpp"

#include <algorithm>

namespace monodon::dag {

ReputationRule ReputationRule::with_defaults(std::size_t committee_size) const {
    ReputationRule rule = *this;
    if (rule.proposer_window == 0) rule.proposer_window = 10 * committee_size;
    if (rule.voter_window == 0) rule.voter_window = committee_size;
    return rule;
}

std::uint64_t OrderingConfig::history_events(std::size_t committee_size) const {
    const std::uint64_t ordered_set = window + 1;
    const auto* reputation = std::get_if<ReputationRule>(&leaders);
    if (reputation == nullptr) return ordered_set;
    const ReputationRule rule = reputation->with_defaults(committee_size);
    return std::max({rule.proposer_window, rule.voter_window, ordered_set});
}

}  // namespace monodon::dag
