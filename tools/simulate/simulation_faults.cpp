#include <algorithm>

#include "tools/simulate/simulation.hpp"

namespace monodon::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::uint64_t micros(Duration time) { return static_cast<std::uint64_t>(time.count()); }

}  // namespace

void Simulation::load(NodeId node) {
    const Duration pause{chance_.between(1, 2 * micros(plan_.load_interval))};
    queue_.after(pause, [this, node] {
        if (!hurting_) return;
        members_[node]->submit();
        load(node);
    });
}

/// How long a fault lasts: short and long ones, by the pace of the run.
Duration Simulation::some_time() {
    const std::uint64_t usual = micros(plan_.fault_interval);
    return Duration(chance_.chance(20) ? chance_.between(usual, 4 * usual)
                                       : chance_.between(usual / 20, usual));
}

void Simulation::begin_faults() {
    if (plan_.dead) {
        queue_.after(Duration(chance_.between(0, 6 * micros(plan_.fault_interval))), [this] {
            ++injected_[static_cast<std::size_t>(Fault::dead)];
            dead_down_ = true;
            members_[plan_.dead->value()]->crash(false);
        });
    }
    if (plan_.mute) {
        ++injected_[static_cast<std::size_t>(Fault::mute)];
        network_->set_silent(plan_.mute->value(), true);
    }
    for_each_fault([this](Fault fault) {
        const bool whole_run = fault == Fault::bandwidth || fault == Fault::dead || fault == Fault::mute;
        const bool in_time = fault >= Fault::partition && !whole_run;
        if (in_time && !sim::is_byzantine(fault) && plan_.faults.contains(fault)) schedule(fault);
    });
}

void Simulation::schedule(Fault fault) {
    const Duration pause{chance_.between(1, 2 * micros(plan_.fault_interval))};
    queue_.after(pause, [this, fault] {
        if (!hurting_) return;
        inject(fault);
        schedule(fault);
    });
}

/// An honest running member that may fail without more than f stake being faulty, or an observer, of which
/// all may; it counts as failed from here on.
std::optional<NodeId> Simulation::victim() {
    std::vector<NodeId> possible;
    dag::Stake failed = down_stake_;
    for (NodeId node = 0; node < options_.stakes.size(); ++node) {
        if (!down_.contains(node) && members_[node]->only_follows()) failed += options_.stakes[node];
    }
    for (NodeId node = 0; node < options_.stakes.size(); ++node) {
        const bool taken = down_.contains(node) || !members_[node]->running() || !is_honest(node) ||
                           (plan_.dead && plan_.dead->value() == node) ||
                           (plan_.mute && plan_.mute->value() == node);
        if (!taken && failed + options_.stakes[node] <= plan_.spare) possible.push_back(node);
    }
    for (NodeId node = options_.stakes.size(); node < options_.stakes.size() + plan_.observers; ++node) {
        if (!down_.contains(node) && members_[node]->running()) possible.push_back(node);
    }
    if (possible.empty()) return std::nullopt;
    return possible[chance_.below(possible.size())];
}

/// The fault holds the member for this time.
void Simulation::down(Fault fault, NodeId node, Duration time) {
    if (fault != Fault::crash && fault != Fault::write_error && fault != Fault::crash_reply)
        ++injected_[static_cast<std::size_t>(fault)];
    down_.insert(node);
    down_stake_ += stake_of(node);
    queue_.after(time, [this, fault, node] {
        if (!hurting_) return;
        down_.erase(node);
        down_stake_ -= stake_of(node);
        if (fault == Fault::silent) network_->set_silent(node, false);
        restart(node);
    });
}

/// That a batch is durable means that a quorum has it. Members that lose it one after the other are more than
/// f in the end.
bool Simulation::loses_acknowledged(const Member& member) const {
    return std::any_of(acknowledged_.begin(), acknowledged_.end(), [&](const auto& each) {
        return member.would_lose(each.first) && !judge_->executed_by(each.first);
    });
}

void Simulation::inject(Fault fault) {
    const auto count = [&] { ++injected_[static_cast<std::size_t>(fault)]; };
    const NodeId any = chance_.below(options_.stakes.size());
    Member& other = *members_[any];
    switch (fault) {
        case Fault::partition:
        case Fault::one_way:
        case Fault::flapping:
        case Fault::islands:
            return cut(fault);
        case Fault::own_loss:
            // Another choice of kinds and senders for each.
            return other.set_deaf(chance_.next());
        case Fault::slow:
            count();
            network_->set_slow(any, plan_.links.delay * chance_.between(0, 20));
            return;
        case Fault::slow_disk:
            count();
            return other.set_slow_disk(plan_.disk_delay * chance_.between(0, 20));
        case Fault::disk_full:
            count();
            return other.fill_disk(queue_.now() + some_time());
        case Fault::clock:
            count();
            other.jump_clock(milliseconds(chance_.between(0, 10'000)));
            return other.set_clock(std::chrono::hours(24) - seconds(chance_.between(0, 48 * 3600)));
        case Fault::blackout:
            count();
            for (const auto& member : members_) {
                if (is_honest(member->node())) member->crash(false);
            }
            return;
        default:
            break;
    }
    const auto node = victim();
    if (!node) return;
    Member& member = *members_[*node];
    Duration time = some_time();
    switch (fault) {
        case Fault::crash:
            member.crash_at_write(static_cast<unsigned>(chance_.between(1, 30)));
            return down(fault, *node, time);
        case Fault::crash_reply:
            member.crash_when_asked();
            return down(fault, *node, time);
        case Fault::write_error:
            member.fail_write();
            return down(fault, *node, time);
        case Fault::pause:
            if (chance_.chance(10)) time = seconds(chance_.between(1, 60));
            member.pause(queue_.now() + time);
            return down(fault, *node, time);
        case Fault::silent:
            network_->set_silent(*node, true);
            return down(fault, *node, time);
        case Fault::backup:
            if (!member.has_backup() || chance_.chance(30)) return member.make_backup();
            member.crash(false);
            if (chance_.chance(50) && !loses_acknowledged(member)) {
                member.restore_backup();
            } else {
                member.restore_application(
                    dag::CommitIndex{chance_.below(member.disk().applied().value() + 1)});
            }
            return down(fault, *node, time);
        default:
            return;
    }
}

/// Cuts links for a while: all between two halves, or some in one direction only, or some again and again.
void Simulation::cut(Fault fault) {
    ++injected_[static_cast<std::size_t>(fault)];
    std::vector<std::pair<NodeId, NodeId>> links;
    std::vector<std::uint64_t> side;
    const std::uint64_t sides = fault == Fault::islands ? chance_.between(2, members_.size()) : 2;
    for (NodeId node = 0; node < members_.size(); ++node) side.push_back(chance_.below(sides));
    const std::uint64_t percent = fault == Fault::one_way ? 30 : 100;
    for (NodeId from = 0; from < members_.size(); ++from) {
        for (NodeId to = 0; to < members_.size(); ++to) {
            const bool between = fault == Fault::one_way ? from != to : side[from] != side[to];
            if (between && chance_.chance(percent)) links.emplace_back(from, to);
        }
    }
    const std::uint64_t times = fault == Fault::flapping ? chance_.between(3, 10) : 1;
    // Islands may stay apart until the faults end.
    const std::uint64_t stretched = fault == Fault::islands ? chance_.between(1, 16) : 1;
    const Duration total = some_time() * static_cast<std::int64_t>(stretched);
    const auto part = static_cast<std::int64_t>(2 * times);
    for (std::int64_t at = 0; at < part; ++at) {
        queue_.after(total * at / part, [this, links, at] {
            if (hurting_) set_cut(links, at % 2 == 0);
        });
    }
}

void Simulation::set_cut(const std::vector<std::pair<NodeId, NodeId>>& links, bool blocked) {
    trace_->event(queue_.now(), 0, blocked ? "cut" : "joined");
    for (const auto& [from, to] : links) network_->block(from, to, blocked);
    // Some cuts are noticed by both sides as the end of the connection.
    if (blocked && !chance_.chance(50)) return;
    for (const auto& [from, to] : links) {
        if (index_of(from) == index_of(to) || (is_observer(from) && is_observer(to))) continue;
        if (members_[from]->running() && members_[to]->running()) {
            members_[to]->connect(index_of(from), !blocked);
            members_[from]->connect(index_of(to), !blocked);
        }
    }
}

}  // namespace monodon::sim
