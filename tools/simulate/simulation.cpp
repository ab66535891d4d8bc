#include "tools/simulate/simulation.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "net/core/check.hpp"

namespace monodon::sim {

namespace {

/// Looking at everybody costs more than an event.
constexpr std::uint64_t kLookEvery = 32;

}  // namespace

Simulation::Simulation(Options options)
    : options_(std::move(options)),
      keys_(options_.seed, options_.stakes, options_.real_crypto),
      begin_(queue_.now()),
      plan_(draw_plan(options_, keys_.committee())),
      chance_(Random(options_.seed).fork(6)) {
    judge_ = std::make_unique<Judge>(keys_.committee(), plan_.engine.ordering, plan_.engine.ahead,
                                     [this](NodeId node) { return is_honest(node); });
    trace_ = std::make_unique<Trace>(begin_, options_.trace);
    const auto send = [this](NodeId from, dag::ValidatorIndex to, Packet packet) {
        if (is_observer(from) && !std::holds_alternative<Request>(packet)) {
            judge_->report("10 observers only ask", fmt::format("node {} sent something else", from));
        }
        for (NodeId node = 0; node < members_.size(); ++node) {
            if (index_of(node) == to) network_->send(from, node, packet);
        }
    };
    const auto acknowledged = [this](NodeId node, const Batch& batch) {
        if (is_honest(node)) acknowledged_.emplace(batch.entry.batch, node);
    };
    const auto replaced = [this](const Digest& expired, const Batch& batch) {
        judge_->sealed(batch.entry);
        replaced_.insert_or_assign(expired, batch.entry.batch);
    };
    const auto ended = [this](NodeId node) {
        connect(node, false);
        if (plan_.dead && index_of(node) == *plan_.dead) return;
        const Duration away = hurting_ ? some_time() : Duration(std::chrono::milliseconds(10));
        queue_.after(away, [this, node] { restart(node); });
    };
    world_ = std::make_unique<World>(
        World{queue_, keys_, *judge_, *trace_, plan_, injected_, send, acknowledged, replaced, ended});
    make_members();
    network_ = std::make_unique<Network>(queue_, members_.size(), plan_.links, Random(options_.seed).fork(7),
                                         [this](NodeId from, NodeId to, const Packet& packet) {
                                             members_[to]->receive(index_of(from), packet);
                                         });
}

Simulation::~Simulation() = default;

void Simulation::make_members() {
    const Random source = Random(options_.seed).fork(8);
    const auto add = [&](dag::ValidatorIndex self) {
        const NodeId node = members_.size();
        std::unique_ptr<Mischief> mischief;
        if (is_byzantine(self)) {
            mischief =
                std::make_unique<Mischief>(plan_.faults, self, keys_, injected_, source.fork(1'000 + node));
        }
        members_.push_back(
            std::make_unique<Member>(*world_, node, self, source.fork(node), std::move(mischief)));
    };
    for (std::size_t at = 0; at < options_.stakes.size() + plan_.observers; ++at) {
        add(dag::ValidatorIndex{static_cast<std::uint16_t>(at)});
    }
    if (!plan_.faults.contains(Fault::twin) || plan_.byzantine.empty()) return;
    add(plan_.byzantine.front());
    ++injected_[static_cast<std::size_t>(Fault::twin)];
}

bool Simulation::is_byzantine(dag::ValidatorIndex member) const {
    return std::find(plan_.byzantine.begin(), plan_.byzantine.end(), member) != plan_.byzantine.end();
}

bool Simulation::is_honest(NodeId node) const { return !is_byzantine(index_of(node)); }

void Simulation::connect(NodeId node, bool connected) {
    for (NodeId other = 0; other < members_.size(); ++other) {
        if (index_of(other) == index_of(node) || (is_observer(other) && is_observer(node))) continue;
        queue_.after(plan_.links.delay, [this, node, other, connected] {
            if (connected && !(members_[node]->running() && members_[other]->running())) return;
            // A connection that ends is one of a process that is gone; another may have come since.
            if (!connected && members_[node]->running()) return;
            members_[other]->connect(index_of(node), connected);
            if (connected) members_[node]->connect(index_of(other), true);
        });
    }
}

void Simulation::restart(NodeId node) {
    if (members_.at(node)->running()) return;
    members_[node]->start();
    connect(node, true);
}

void Simulation::start() {
    for (NodeId node = 0; node < members_.size(); ++node) restart(node);
}

void Simulation::advance(Duration time) {
    const Time end = queue_.now() + time;
    step_until(end, [] { return false; });
    queue_.at(end, [] {});
    while (!queue_.empty() && queue_.next() <= end) queue_.run_next();
}

void Simulation::step_until(Time end, const std::function<bool()>& done) {
    while (!queue_.empty() && queue_.next() <= end && !judge_->violation()) {
        queue_.run_next();
        if (queue_.steps() % kLookEvery == 0 && done()) return;
    }
}

Result Simulation::run() {
    hurting_ = true;
    start();
    for (NodeId node = 0; node < members_.size(); ++node) {
        if (!is_observer(node)) load(node);
    }
    begin_faults();
    if (options_.last_is_slow > Duration{0}) {
        network_->set_slow(options_.stakes.size() - 1, options_.last_is_slow);
    }
    const dag::Round target{options_.rounds};
    step_until(begin_ + plan_.hurt_limit, [&] { return judge_->highest_round() >= target; });
    heal();
    step_until(healed_at_ + plan_.heal_limit, [this] { return has_recovered(); });
    if (!has_recovered() && is_led_astray()) {
        led_astray_ = true;
        step_until(queue_.now() + plan_.schedule_limit, [this] { return has_recovered(); });
    }
    check_progress();
    Random order = Random(options_.seed).fork(9);
    judge_->replay(order);
    return result();
}

Result Simulation::result() {
    Result result;
    result.seed = options_.seed;
    result.violation = judge_->violation();
    result.trace_hash = trace_->hash();
    result.trace = trace_->lines();
    result.faults = plan_.faults;
    const NetworkCounts& network = network_->counts();
    const auto set = [&](Fault fault, std::uint64_t count) {
        injected_[static_cast<std::size_t>(fault)] = count;
    };
    set(Fault::loss, plan_.links.loss_percent > 0 ? network.lost : 0);
    set(Fault::duplicate, network.duplicated);
    set(Fault::reorder, network.overtaken);
    set(Fault::bandwidth, network.queued);
    result.injected = injected_;
    result.virtual_time = queue_.now() - begin_;
    result.events = queue_.steps();
    result.rounds = judge_->highest_round().value();
    result.commits = judge_->commits().size();
    const dag::Round settled{healed_at_round_.value() / 2};
    const bool shoal = plan_.engine.ordering.mode == dag::OrderingMode::shoal;
    if (shoal) result.settled_rounds = distance(settled, healed_at_round_);
    for (const dag::CommitPtr& commit : judge_->commits()) {
        const dag::Round anchor = commit->anchor.round;
        if (shoal && anchor > settled && anchor <= healed_at_round_) ++result.settled_anchors;
        result.skipped += commit->failed.size();
        result.ordered_certificates += commit->certificates.size();
        result.executed += commit->payload.size();
    }
    result.certificates = judge_->certificate_count();
    result.by_hash = judge_->by_hash_count();
    result.referenced = judge_->referenced_count();
    result.batches = world_->batches_made;
    result.acknowledged = acknowledged_.size();
    result.reproposals = world_->reproposals;
    result.equivocations = world_->equivocations;
    result.request_timeouts = world_->timeouts;
    result.refused = world_->refused;
    for (NodeId node = 0; node < members_.size(); ++node) {
        if (is_honest(node)) result.fetched += members_[node]->fetched();
    }
    result.packets = network.packets;
    result.bytes = network.bytes;
    result.latencies = world_->latencies;
    result.hurt_for = healed_at_ - begin_;
    result.hurt_rounds = healed_at_round_.value();
    result.message_delay = plan_.links.delay + plan_.links.jitter / 2;
    result.healed_after = healed_after_;
    result.led_astray = led_astray_;
    return result;
}

Result simulate(const Options& options) { return Simulation(options).run(); }

}  // namespace monodon::sim
