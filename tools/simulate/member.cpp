#include "tools/simulate/member.hpp"

#include <array>

#include <fmt/format.h>

#include "net/core/check.hpp"

namespace monodon::sim {

namespace {

/// The status is looked at every so many steps: it costs more than a step.
constexpr std::uint64_t kStatusEvery = 64;

}  // namespace

Member::Member(World& world, NodeId node, dag::ValidatorIndex self, Random random,
               std::unique_ptr<Mischief> mischief)
    : world_(world),
      node_(node),
      self_(self),
      random_(random),
      ratings_(random.fork(1)),
      mischief_(std::move(mischief)) {}

void Member::start() {
    MONODON_CHECK(!running());
    ++life_;
    offset_ = next_offset_;
    steps_ = 0;
    connected_ = {};
    const dag::Committee& committee = world_.keys.committee();
    const dag::OrderingConfig& ordering = world_.plan.engine.ordering;
    dag::RecoveredState state = disk_.recover(ordering.history_events(committee.size()), ordering.batch_life);
    delivered_ = state.executed;
    round_ = state.own_header ? (*state.own_header)->round : dag::Round{0};
    dag::EngineConfig config = world_.plan.engine;
    config.retention = world_.plan.retention.at(self_.value());
    config.notice_forgotten = config.notice_forgotten && mischief_ == nullptr;
    std::optional<dag::Seat> seat;
    if (!is_observer()) seat.emplace(dag::Seat{self_, world_.keys.signer(self_)});
    engine_ = std::make_unique<dag::Engine>(config, committee, seat, disk_, std::move(state));
    worker_ = std::make_unique<Worker>(committee, self_, disk_, worker_ports());
    world_.trace.event(world_.queue.now(), node_, "start");
    give(dag::Started{});
    rate_peers();
    worker_->start();
}

void Member::crash(bool none) {
    if (!running()) return;
    const dag::SyncStats fetched = fetched_in_this_life();
    ++life_;
    engine_.reset();
    worker_.reset();
    backlog_.clear();
    paused_until_ = {};
    asking_.clear();
    answering_.clear();
    to_apply_.clear();
    applying_ = false;
    crash_in_ = 0;
    crash_when_asked_ = false;
    fetched_ += fetched;
    write_fails_ = false;
    disk_.crash(random_, none);
    states_.resize(disk_.applied().value() + 1);
    world_.trace.event(world_.queue.now(), node_, "crash");
    world_.ended(node_);
}

void Member::later(Duration delay, std::function<void()> action) {
    world_.queue.after(delay, [this, life = life_, action = std::move(action)] { enter(life, action); });
}

void Member::enter(std::uint64_t life, std::function<void()> action) {
    if (life != life_ || !running()) return;
    if (world_.queue.now() < paused_until_) {
        backlog_.push_back(std::move(action));
    } else {
        action();
    }
}

void Member::pause(Time until) {
    if (!running() || until <= paused_until_) return;
    paused_until_ = until;
    world_.queue.at(until, [this, life = life_] {
        if (life != life_ || world_.queue.now() < paused_until_) return;
        for (const auto& action : std::exchange(backlog_, {})) enter(life, action);
    });
}

void Member::heal() {
    crash_in_ = 0;
    crash_when_asked_ = false;
    deaf_to_.reset();
    write_fails_ = false;
    disk_full_until_ = {};
    disk_extra_ = Duration{0};
    if (world_.queue.now() < paused_until_) {
        paused_until_ = world_.queue.now();
        for (const auto& action : std::exchange(backlog_, {})) later(Duration{0}, action);
    }
}

dag::SyncStats Member::fetched_in_this_life() const {
    if (!running()) return {};
    const dag::SyncStatus sync = engine_->status().sync;
    dag::SyncStats sum;
    for (const auto& [key, stats] : sync.by_peer) sum += stats;
    return sum;
}

dag::SyncStats Member::fetched() const {
    dag::SyncStats sum = fetched_;
    sum += fetched_in_this_life();
    return sum;
}

void Member::restore_application(dag::CommitIndex index) {
    MONODON_CHECK(!running() && index <= disk_.applied());
    disk_.applied(index);
    states_.resize(index.value() + 1);
}

void Member::restore_backup() {
    MONODON_CHECK(!running() && has_backup());
    disk_ = backup_->disk;
    states_ = backup_->states;
    states_.resize(disk_.applied().value() + 1);
}

bool Member::only_follows() const {
    const dag::SigningBound bound = disk_.signing();
    const auto& all = disk_.certificates();
    const dag::Round highest = all.empty() ? dag::Round{} : all.rbegin()->first.round;
    return bound.ask || (bound.above > dag::Round{} && highest <= bound.above);
}

void Member::give(dag::Event event) {
    later(Duration{0}, [this, event = std::move(event)] { step(event); });
}

void Member::step(const dag::Event& event) {
    const std::uint64_t life = life_;
    dag::Effects effects;
    engine_->step(event, clock(), effects);
    for (const dag::Effect& effect : effects) {
        if (life != life_ || world_.judge.violation()) return;
        std::visit([this](const auto& each) { perform(each); }, effect);
    }
    if (life == life_ && ++steps_ % kStatusEvery == 0) world_.judge.status(node_, engine_->status());
}

void Member::rate_peers() {
    static constexpr std::array<std::uint32_t, 4> kWeights = {0, 10, 100, 1'000};
    later(std::chrono::milliseconds(ratings_.between(500, 5'000)), [this] {
        dag::PeersRated rated;
        for (std::size_t at = 0; at < world_.keys.committee().size(); ++at) {
            rated.weights.push_back(kWeights.at(ratings_.below(kWeights.size())));
        }
        rate_peers();
        step(rated);
    });
}

WorkerPorts Member::worker_ports() {
    return {[this](dag::ValidatorIndex to, Packet packet) { send(to, std::move(packet)); },
            [this] { sync_batches(); },
            [this](dag::Event event) { give(std::move(event)); },
            [this](Duration delay, std::function<void()> action) { later(delay, std::move(action)); },
            [this] { return clock(); },
            [this](const Batch& batch) { world_.acknowledged(node_, batch); },
            [this](const Digest& expired, const Batch& batch) { world_.replaced(expired, batch); }};
}

void Member::send(dag::ValidatorIndex to, Packet packet) {
    if (!connected_.contains(to)) return;
    if (!mischief_) return world_.send(node_, to, std::move(packet));
    for (Packet& each : mischief_->outgoing(to, std::move(packet))) {
        const Duration delay = mischief_->delay(each);
        if (delay == Duration{0}) {
            world_.send(node_, to, std::move(each));
        } else {
            later(delay, [this, to, each = std::move(each)] { world_.send(node_, to, each); });
        }
    }
}

void Member::broadcast(const Packet& packet, std::size_t to_observers) {
    for (std::size_t at = 0; at < world_.keys.committee().size() + to_observers; ++at) {
        const dag::ValidatorIndex to{static_cast<std::uint16_t>(at)};
        if (to != self_) send(to, packet);
    }
}

void Member::connect(dag::ValidatorIndex peer, bool connected) {
    if (!running()) return;
    later(Duration{0}, [this, peer, connected] {
        change_connection(peer, connected);
        const bool member = world_.keys.committee().contains(peer);
        if (connected && worker_ && member) worker_->connected(peer);
    });
}

void Member::submit() {
    if (!running()) return;
    later(Duration{0}, [this] {
        const dag::Committee& committee = world_.keys.committee();
        const std::uint64_t number = ++world_.batches_made;
        dag::BatchBuilder builder;
        const std::uint64_t transactions = random_.between(1, 3);
        for (std::uint64_t at = 0; at < transactions; ++at) {
            (void)builder.add(as_bytes(fmt::format("transaction {} of batch {}", at, number)));
        }
        auto sealed =
            builder.seal(committee, {committee.epoch(), self_, dag::WorkerId{0}, number, round_, number});
        world_.judge.sealed(sealed.entry);
        worker_->submit({sealed.entry, sealed.bytes});
    });
}

}  // namespace monodon::sim
