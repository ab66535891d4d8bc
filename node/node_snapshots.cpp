#include <algorithm>

#include <boost/asio/post.hpp>
#include <unistd.h>

#include "net/core/time.hpp"
#include "net/transport/clock.hpp"
#include "node/node_impl.hpp"
#include "node/version.hpp"

namespace monodon::node {

namespace {

/// A loop that did not turn for this long is stuck.
constexpr Duration kHeartbeatMax = std::chrono::seconds(5);
/// Commits that the committee has and we have not: beyond it this node is catching up.
constexpr std::uint64_t kLagReady = 64;

HealthCheck check(std::string name, bool ok, std::string reason) {
    return {std::move(name), ok, ok ? std::string() : std::move(reason)};
}

}  // namespace

Position Node::Impl::position(const dag::EngineStatus& engine) const {
    return position_of(genesis_.committee(), self_, engine, started_, net::now(),
                       options_.config.settings().consensus.idle_round);
}

std::vector<HealthCheck> Node::Impl::liveness() const {
    const bool turning = net::now() - engine_->heartbeat() < kHeartbeatMax;
    const auto writer = [](std::string name, const storage::WriterStats& stats) {
        const std::string fault = storage::writer_fault(stats, std::chrono::steady_clock::now());
        return check(std::move(name), fault.empty(), fault);
    };
    return {check("engine", turning, "the engine's thread has not turned for 5 s"),
            writer("writer of consensus", consensus_->stats()),
            writer("writer of batches", batches_->stats())};
}

std::vector<HealthCheck> Node::Impl::readiness(const dag::EngineStatus& engine,
                                               const Position& position) const {
    const auto stalled = [](const storage::WriterStats& stats) {
        return stats.stalled.value_or(std::string());
    };
    const std::string consensus = stalled(consensus_->stats());
    const std::string batches = stalled(batches_->stats());
    const Time commit_time{Duration(commit_time_.load())};
    const Time since = std::max(commit_time, started_);
    std::vector<HealthCheck> checks;
    checks.push_back(check("running", !stopping_, "the node is stopping"));
    checks.push_back(check("order", !engine.halted, engine.halted.value_or("")));
    checks.push_back(
        check("store", consensus.empty() && batches.empty(), consensus.empty() ? batches : consensus));
    const auto refusal = refusal_.load();
    const auto held = proposals_held_.load();
    std::string room = refusal ? "no transactions are taken: " + *refusal : std::string();
    if (held) room = "nothing is proposed: " + *held;
    checks.push_back(check("disk", !refusal && !held, std::move(room)));
    const std::string trouble = executor_->status().trouble;
    checks.push_back(check("execution", trouble.empty(), trouble));
    if (engine.looking)
        checks.push_back(check("signing", false, "asks the others before its first signature"));
    checks.push_back(
        check("signing", !engine.signing.ask,
              "this validator may have forgotten what it signed, so it neither votes nor proposes; "
              "members with stake " +
                  std::to_string(engine.answered_stake) + " of " +
                  std::to_string(genesis_.committee().quorum()) + " have said where they last saw it"));
    checks.push_back(check("quorum", position.no_quorum.empty(), position.no_quorum));
    checks.push_back(check("lag", position.lag && *position.lag <= kLagReady,
                           position.lag
                               ? "commits behind: " + std::to_string(*position.lag)
                               : "validators with a quorum of stake have not said yet where they are"));
    const Duration age_max = commit_age_max(options_.config.settings().consensus.idle_round);
    checks.push_back(check("commit", commit_time_ != 0 && net::now() - since < age_max,
                           commit_time_ == 0 ? "no commit since the start" : "the last commit is too old"));
    return checks;
}

StatusSnapshot Node::Impl::status() const {
    const auto engine = engine_->status();
    const WorkerStatus worker = worker_->status();
    const KvSummary state = application_->summary();
    StatusSnapshot snapshot;
    snapshot.name = name_;
    snapshot.peer_id = key_.peer_id().text();
    if (self_) snapshot.validator = self_->value();
    snapshot.version = kVersion;
    snapshot.chain_id = genesis_.committee().chain();
    const Position position = this->position(*engine);
    snapshot.readiness = readiness(*engine, position);
    snapshot.round = engine->round.value();
    snapshot.highest_round = engine->highest.value();
    snapshot.target_round = engine->target.value();
    snapshot.gc_round = engine->graph_floor.value();
    snapshot.commit = engine->durable_commit.index.value();
    snapshot.commit_digest = engine->durable_commit.digest;
    if (engine->last_anchor) snapshot.commit_round = engine->last_anchor->round.value();
    if (commit_time_ != 0) snapshot.commit_time = Time(Duration(commit_time_.load()));
    snapshot.executed = state.applied.value();
    snapshot.state_root = state.root.root;
    snapshot.state_root_index = state.root.index.value();
    snapshot.lag = position.lag;
    const dag::AuthorSet connected = connected_members(*engine, self_);
    const std::size_t ourselves = self_ ? 1 : 0;
    snapshot.peers_connected = static_cast<std::uint32_t>(connected.size() - ourselves);
    snapshot.peers_total = static_cast<std::uint32_t>(genesis_.members().size() - ourselves);
    snapshot.tx_per_s = worker.committed_per_second;
    const LatencySummary& latency = worker.latency.at(static_cast<std::size_t>(Stage::committed));
    if (latency.recent > 0) {
        snapshot.commit_p50_ms = milliseconds_in(latency.p50);
        snapshot.commit_p99_ms = milliseconds_in(latency.p99);
    }
    snapshot.transactions = reader_->progress().transactions;
    snapshot.disk_bytes = consensus_->environment().stats().file_bytes + batches_->usage().disk_bytes +
                          application_->stats().file_bytes;
    snapshot.uptime = net::now() - started_;
    snapshot.listen_peer = peer_address_;
    snapshot.listen_api = api_address_;
    snapshot.anchors_committed = engine->anchors_committed;
    snapshot.anchors_skipped = engine->anchors_skipped;
    snapshot.equivocations = engine->equivocations;
    for (std::size_t at = 0; at < engine->validators.size(); ++at) {
        const dag::ValidatorStatus& each = engine->validators[at];
        const bool here = each.connected || (self_ && at == self_->value());
        snapshot.validators.push_back({genesis_.members()[at].name, each.last_certificate.value(),
                                       each.weight, here, each.claim.index.value()});
    }
    snapshot.pid = ::getpid();
    const bool behind = snapshot.lag && *snapshot.lag > kLagReady;
    if (stopping_) {
        snapshot.state = NodeState::stopping;
    } else if (halted_) {
        snapshot.state = NodeState::halted;
    } else if (snapshot.ready()) {
        snapshot.state = NodeState::ready;
    } else if (behind || engine->target > dag::above(engine->highest, 3)) {
        snapshot.state = NodeState::sync;
    } else {
        snapshot.state = NodeState::starting;
    }
    return snapshot;
}

StoreSnapshot Node::Impl::store() const {
    StoreSnapshot snapshot;
    const Settings::Storage& limits = options_.config.settings().storage;
    const auto add = [&](std::string name, const storage::lmdb::Environment& environment, std::uint64_t limit,
                         std::optional<storage::WriterStats> writer) {
        const storage::lmdb::EnvironmentStats stats = environment.stats();
        snapshot.environments.push_back({std::move(name), stats.map_bytes, stats.used_bytes, stats.file_bytes,
                                         limit, stats.oldest_reader_seconds,
                                         environment.oldest_reader_behind(), std::move(writer)});
    };
    const auto usage = batches_->usage();
    add("consensus", consensus_->environment(), limits.consensus_map, consensus_->stats());
    snapshot.environments.push_back({"batches", 0, usage.disk_bytes, usage.disk_bytes, 0,
                                     usage.oldest_reader_seconds, usage.oldest_reader_behind,
                                     batches_->stats()});
    add("state", application_->environment(), limits.state_map, std::nullopt);
    snapshot.oldest_commit = reader_->first_commit().value_or(dag::CommitIndex{}).value();
    snapshot.newest_commit = reader_->last_commit().value_or(dag::CommitIndex{}).value();
    snapshot.free_disk_bytes = free_disk_;
    if (const auto reason = refusal_.load()) snapshot.transactions_wait = *reason;
    if (const auto reason = proposals_held_.load()) snapshot.proposals_wait = *reason;
    snapshot.damaged = reader_->damaged() + usage.damaged;
    return snapshot;
}

std::vector<QueueSnapshot> Node::Impl::queues() const {
    const WorkerStatus worker = worker_->status();
    const ExecutionStatus execution = executor_->status();
    const storage::WriterStats consensus = consensus_->stats();
    const storage::WriterStats batches = batches_->stats();
    std::vector<QueueSnapshot> queues;
    queues.push_back({"engine events", engine_->queued(), 0, 0});
    queues.push_back({"transactions not executed", worker.unexecuted_transactions, worker.accepted_bytes,
                      options_.config.settings().worker.accepted_bytes_max});
    queues.push_back({"own batches", worker.own_batches, 0, 0});
    queues.push_back({"waiters", worker.waiters, 0, 0});
    queues.push_back({"commits not executed", execution.queued_commits, execution.queued_bytes, 0});
    queues.push_back({"consensus writes", consensus.queued_writes, consensus.queued_bytes, 0});
    queues.push_back({"batch writes", batches.queued_writes, batches.queued_bytes,
                      storage::BatchOptions{}.queue_bytes_max});
    return queues;
}

ActivitySnapshot Node::Impl::activity() const {
    const VerificationCounters counters = router_->counters();
    return {*engine_->status(), worker_->status(), executor_->status(),
            counters.verified,  counters.refused,  counters.time};
}

Expected<std::vector<dag::CommitPtr>, CommitsUnavailable> Node::Impl::commits(std::uint64_t from,
                                                                              std::uint64_t limit,
                                                                              std::uint64_t bytes) const {
    const std::uint64_t oldest = reader_->first_commit().value_or(dag::CommitIndex{1}).value();
    const std::uint64_t newest = reader_->last_commit().value_or(dag::CommitIndex{}).value();
    using Why = CommitsUnavailable::Why;
    if (from < oldest) return Unexpected{CommitsUnavailable{Why::pruned, oldest, newest}};
    if (from > newest + 1) return Unexpected{CommitsUnavailable{Why::future, oldest, newest}};
    return reader_->commits(dag::CommitIndex{from}, {limit, bytes}).items;
}

Expected<KvRead, std::string> Node::Impl::read_key(ByteView key) const {
    auto read = application_->get(key);
    if (!read) return Unexpected{read.error().text};
    return KvRead{std::move(read->value), read->applied.value()};
}

std::shared_ptr<const NodeView> Node::Impl::make_view() {
    auto view = std::make_shared<NodeView>();
    view->name = self_ ? genesis_.member(*self_).name : name_;
    view->status = [this] { return status(); };
    view->liveness = [this] { return liveness(); };
    view->peers = [this] { return peers(); };
    view->handshake_failures = [this] {
        std::vector<HandshakeFailureSnapshot> all;
        for (net::HandshakeFailures& each : network_->handshake_failures())
            all.push_back({each.outbound, std::move(each.reason), each.count});
        return all;
    };
    view->dag = [this](std::uint64_t first, std::uint64_t last, DagCallback callback) {
        engine_->look([first, last, callback = std::move(callback)](const dag::Engine& engine) {
            std::vector<VertexSnapshot> snapshots;
            for (const dag::VertexView& each : engine.window(dag::Round{first}, dag::Round{last})) {
                VertexSnapshot snapshot{each.ref.round.value(),
                                        each.ref.author.value(),
                                        each.ref.digest,
                                        {},
                                        each.support,
                                        each.ordered,
                                        each.anchor,
                                        each.batches};
                each.parents.for_each(
                    [&](dag::ValidatorIndex parent) { snapshot.parents.push_back(parent.value()); });
                snapshots.push_back(std::move(snapshot));
            }
            callback(std::move(snapshots));
        });
    };
    view->act_on_peer = [this](std::string_view peer, PeerAction action) {
        return act_on_peer(peer, action);
    };
    view->peer = [this](std::string_view word) { return peer(word); };
    view->bans = [this] { return bans(); };
    view->limits = [this] { return limits(); };
    view->addresses = [this] { return addresses(); };
    view->dial = [this](const std::string& where, std::function<void(std::optional<std::string>)> done) {
        dial(where, std::move(done));
    };
    view->blockers = [this](std::function<void(const dag::Blockers&)> callback) {
        engine_->look(
            [callback = std::move(callback)](const dag::Engine& engine) { callback(engine.blockers()); });
    };
    view->store = [this] { return store(); };
    view->queues = [this] { return queues(); };
    view->state = [this] {
        const KvSummary summary = application_->summary();
        return StateSnapshot{summary.applied.value(), summary.root.root, summary.root.index.value(),
                             summary.keys};
    };
    view->activity = [this] { return activity(); };
    view->config = [this] { return options_.config.rows(); };
    view->submit = [this](Submission submission) { return worker_->submit(std::move(submission)); };
    view->forget = [this](std::uint64_t submission) { worker_->forget(submission); };
    view->find_receipt = [this](const Digest& id) { return worker_->find(id); };
    view->kv_get = [this](ByteView key) { return read_key(key); };
    view->commits = [this](std::uint64_t from, std::uint64_t limit, std::uint64_t bytes) {
        return commits(from, limit, bytes);
    };
    view->set_log_level = [](std::optional<log::Category> category, log::Level level) {
        for (std::size_t at = 0; at < log::kCategories; ++at) {
            const auto each = static_cast<log::Category>(at);
            if (!category || *category == each) log::set_level(each, level);
        }
    };
    view->shutdown = [this] {
        if (!shutdown_asked_.exchange(true) && options_.on_shutdown) options_.on_shutdown();
    };
    return view;
}

}  // namespace monodon::node
