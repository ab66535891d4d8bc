#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "tools/simulate/simulation.hpp"

namespace monodon::sim {

namespace {

/// What must come after the faults, beyond what was decided then.
constexpr std::uint64_t kCommitsAsked = 2;

}  // namespace

bool Simulation::is_asked(NodeId node) const {
    return is_honest(node) && !(plan_.dead && index_of(node) == *plan_.dead);
}

void Simulation::heal() {
    hurting_ = false;
    healed_at_ = queue_.now();
    healed_at_round_ = judge_->highest_round();
    healed_at_commit_ = dag::CommitIndex{judge_->commits().size()};
    trace_->event(queue_.now(), 0, "heal");
    network_->heal();
    down_.clear();
    down_stake_ = 0;
    if (plan_.dead && !dead_down_) {
        ++injected_[static_cast<std::size_t>(Fault::dead)];
        dead_down_ = true;
        members_[plan_.dead->value()]->crash(false);
    }
    for (NodeId node = 0; node < members_.size(); ++node) {
        members_[node]->heal();
        if (plan_.dead && index_of(node) == *plan_.dead) continue;
        if (members_[node]->running()) {
            connect(node, true);
        } else {
            restart(node);
        }
        if (is_asked(node) && !is_observer(node))
            queue_.after(std::chrono::milliseconds(1), [this, node] { members_[node]->submit(); });
    }
}

/// Members that were not asked for have more than nine tenths of the weight by which anchors are drawn.
bool Simulation::is_led_astray() const {
    for (NodeId node = 0; node < members_.size(); ++node) {
        if (!is_asked(node) || !members_[node]->running()) continue;
        std::uint64_t good = 0;
        std::uint64_t all = 0;
        const dag::EngineStatus status = members_[node]->status();
        for (NodeId each = 0; each < status.validators.size(); ++each) {
            all += status.validators[each].weight;
            if (is_asked(each)) good += status.validators[each].weight;
        }
        if (good * 10 < all) return true;
    }
    return false;
}

bool Simulation::has_recovered() const { return what_is_missing().empty(); }

std::string Simulation::what_is_missing() const {
    dag::CommitIndex everywhere{std::numeric_limits<std::uint64_t>::max()};
    for (NodeId node = 0; node < members_.size(); ++node) {
        if (!is_asked(node)) continue;
        if (!members_[node]->running())
            return fmt::format("7 progress after healing: node {} does not run", node);
        everywhere = std::min(everywhere, members_[node]->applied());
        if (everywhere.value() >= healed_at_commit_.value() + kCommitsAsked) continue;
        return fmt::format("7 progress after healing: node {} has applied {} commits, {} were decided before",
                           node, everywhere.value(), healed_at_commit_.value());
    }
    for (const auto& [digest, node] : acknowledged_) {
        Digest last = digest;
        auto index = judge_->executed_by(last);
        for (auto next = replaced_.find(last); !index && next != replaced_.end();
             next = replaced_.find(last)) {
            last = next->second;
            index = judge_->executed_by(last);
        }
        if (index && *index <= everywhere) continue;
        if (led_astray_ && !is_asked(node) && judge_->outlived(last)) continue;
        return fmt::format("6 acknowledged is executed: batch {} of node {} is not", digest.short_hex(),
                           node);
    }
    return what_differs();
}

/// Of the rounds up to the end of the faults that nobody has collected yet, each member has what any has.
std::string Simulation::what_differs() const {
    dag::Round floor;
    for (NodeId node = 0; node < members_.size(); ++node) {
        if (is_asked(node)) floor = std::max(floor, members_[node]->status().graph_floor);
    }
    std::map<dag::Slot, NodeId> somebody;
    std::map<NodeId, std::size_t> held;
    for (NodeId node = 0; node < members_.size(); ++node) {
        if (!is_asked(node)) continue;
        const auto& all = members_[node]->disk().certificates();
        auto at = all.lower_bound({next(floor), dag::ValidatorIndex{0}});
        for (; at != all.end() && at->first.round <= healed_at_round_; ++at) {
            somebody.emplace(at->first, node);
            ++held[node];
        }
    }
    for (NodeId node = 0; node < members_.size(); ++node) {
        if (!is_asked(node) || held[node] == somebody.size()) continue;
        return fmt::format("10 the same DAG everywhere: node {} has {} of {} certificates above round {}",
                           node, held[node], somebody.size(), floor.value());
    }
    return {};
}

void Simulation::check_progress() {
    healed_after_ = queue_.now() - healed_at_;
    if (judge_->violation()) return;
    const std::string missing = what_is_missing();
    if (missing.empty()) return;
    const auto limit = std::chrono::duration_cast<std::chrono::seconds>(healed_after_).count();
    judge_->report(
        missing.substr(0, missing.find(':')),
        fmt::format("{} within {} s after the faults", missing.substr(missing.find(':') + 2), limit));
}

}  // namespace monodon::sim
