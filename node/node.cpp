#include "node/node.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "net/core/log.hpp"
#include "net/transport/clock.hpp"
#include "node/admin_api.hpp"
#include "node/host_port.hpp"
#include "node/node_impl.hpp"
#include "node/public_api.hpp"
#include "node/version.hpp"
#include "storage/tables/consensus_tables.hpp"
#include "storage/time.hpp"

namespace monodon::node {

namespace asio = boost::asio;
using log::Category;

namespace {

constexpr auto kHousekeepingEvery = std::chrono::seconds(1);
/// What stop() waits for one part; its own limits are below that.
constexpr auto kStopPart = std::chrono::milliseconds(1500);

Unexpected<StartFailure> failed(int exit_code, std::string text) {
    return Unexpected{StartFailure{std::move(text), exit_code}};
}

/// `advice` follows what is damaged.
Unexpected<StartFailure> failed(const storage::Failure& failure, const std::string& advice = {}) {
    const bool damaged = failure.error == storage::StoreError::damaged ||
                         failure.error == storage::StoreError::failed ||
                         failure.error == storage::StoreError::missing;
    return failed(damaged ? kExitStoreDamaged : kExitConfiguration,
                  damaged ? failure.text + advice : failure.text);
}

/// A one-shot event that a thread waits for, but never longer than kStopPart.
class Done {
 public:
    [[nodiscard]] std::function<void()> signal() {
        return [state = state_] {
            const std::lock_guard lock(state->mutex);
            state->set = true;
            state->changed.notify_all();
        };
    }
    void wait() {
        std::unique_lock lock(state_->mutex);
        (void)state_->changed.wait_for(lock, kStopPart, [&] { return state_->set; });
    }

 private:
    struct State {
        std::mutex mutex;
        std::condition_variable changed;
        bool set = false;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

std::string node_name(const Settings& settings, const Genesis& genesis,
                      std::optional<dag::ValidatorIndex> self) {
    if (!settings.node.name.empty()) return settings.node.name;
    return self ? genesis.member(*self).name : "observer";
}

std::size_t processors() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace

Node::Impl::Impl(NodeOptions options, storage::Home home, KeyPair key, Genesis genesis,
                 std::optional<dag::ValidatorIndex> self)
    : options_(std::move(options)),
      home_(std::move(home)),
      key_(std::move(key)),
      genesis_(std::move(genesis)),
      self_(self),
      name_(node_name(options_.config.settings(), genesis_, self)),
      started_(net::now()),
      verification_(genesis_.committee(), signatures_),
      repair_(self_, genesis_.committee().size()) {
    const Settings& settings = options_.config.settings();
    retention_.commits = settings.storage.retention_commits;
    retention_.batch_bytes = settings.storage.retention_bytes;
    retention_.window = genesis_.ordering().window;
    retention_.life = genesis_.ordering().batch_life;
    retention_.history_events = genesis_.ordering().history_events(genesis_.committee().size());
}

Node::Impl::~Impl() { stop(); }

Expected<void, StartFailure> Node::Impl::open_stores() {
    const Settings::Storage& settings = options_.config.settings().storage;
    if (const auto missing = missing_store(options_.home, options_.config.settings().node.role))
        return failed(kExitStoreDamaged, *missing);
    storage::ConsensusOptions consensus;
    consensus.environment.directory = home_.consensus();
    consensus.environment.create = home_.fresh();
    consensus.environment.map_limit = settings.consensus_map;
    consensus.genesis = genesis_.digest();
    consensus.ask_first = home_.ask_first();
    consensus.fatal = fatal_handler("consensus");
    auto opened = storage::ConsensusStore::open(std::move(consensus), genesis_.committee());
    if (!opened) return failed(opened.error());
    consensus_ = std::move(*opened);

    storage::BatchOptions batches;
    batches.environment.directory = home_.batches();
    batches.environment.create = true;
    batches.environment.map_limit = settings.batch_map;
    batches.fatal = fatal_handler("batches");
    batches.damaged = [this](const Digest& batch, dag::Round sealed) {
        // The start looks for our own batches before there is an engine, and on one thread.
        if (!engine_) return lost_at_start_.push_back(dag::BatchLost{{batch, sealed}});
        engine_->post(dag::BatchLost{{batch, sealed}});
    };
    batches.life = genesis_.ordering().batch_life;
    batches.cache_bytes = settings.batch_cache;
    auto bodies = storage::BatchStore::open(std::move(batches));
    if (!bodies) return failed(bodies.error());
    batches_ = std::move(*bodies);
    // Once all is there without which an old home is refused, and before anything is signed.
    if (const auto cleared = home_.clear_fresh(); !cleared) {
        return failed(cleared.error().exit_code, cleared.error().text);
    }
    if (const auto cleared = home_.clear_ask_first(); !cleared) {
        return failed(cleared.error().exit_code, cleared.error().text);
    }

    reader_ = std::make_unique<storage::StoreReader>(*consensus_, *batches_, genesis_.committee());
    reader_->set_damaged([this](dag::Slot slot) { repair_.damaged(slot); });

    storage::lmdb::EnvironmentOptions state;
    state.directory = home_.state();
    state.create = true;
    state.map_limit = settings.state_map;
    auto application = KvStore::open(std::move(state));
    if (!application) return failed(application.error(), without_state());
    application_ = std::move(*application);

    storage::CheckpointOptions checkpoints;
    checkpoints.directory = home_.checkpoints();
    checkpoints.ordering = genesis_.ordering();
    checkpoints.every_rounds = settings.checkpoint_rounds;
    checkpoints.keep = settings.checkpoints_kept;
    auto local = storage::LocalCheckpoints::open(std::move(checkpoints), *consensus_, genesis_.committee());
    if (!local) return failed(local.error());
    checkpoints_ = std::move(*local);
    return {};
}

std::string Node::Impl::without_state() const {
    return "; " + storage::instead_of_state(home_.state(), reader_->progress().commit_floor);
}

Expected<void, StartFailure> Node::Impl::recover() {
    const Settings::Storage& settings = options_.config.settings().storage;
    const dag::CommitIndex executed{application_->next_index().value() - 1};
    storage::RecoveryOptions options;
    options.life = retention_.life;
    options.history_events = retention_.history_events;
    options.executed = executed;
    options.strategy = settings.recovery;
    options.checkpoints = home_.checkpoints();
    Time told = net::now();
    options.progress = [&told](const storage::RecoveryProgress& progress) {
        if (net::now() - told < std::chrono::seconds(1)) return;
        told = net::now();
        log::info(Category::storage, "recovering",
                  {{"certificates", std::to_string(progress.done)},
                   {"of_at_most", std::to_string(progress.at_most)}});
    };
    auto recovered = storage::recover(*consensus_, genesis_.committee(), options);
    if (!recovered) return failed(recovered.error());
    recovered_ = std::move(*recovered);
    const storage::Consistency consistency = storage::verify_consistency(recovered_->state);
    if (!consistency.faults.empty()) {
        return failed(kExitStoreDamaged,
                      "the store contradicts itself: " + consistency.faults.front() +
                          "; move the home directory aside and restore this validator from a backup");
    }
    if (executed > recovered_->progress.last_commit) {
        return failed(
            kExitStoreDamaged,
            fmt::format(
                "the state has applied commit {}, but the consensus store ends at {}: the two are not "
                "of one time{}",
                executed.value(), recovered_->progress.last_commit.value(), without_state()));
    }
    if (const auto foreign = foreign_signature(); foreign) return failed(kExitStoreDamaged, *foreign);
    if (executed < recovered_->progress.commit_floor) {
        return failed(
            kExitStoreDamaged,
            fmt::format(
                "the state in {} ends at commit {}, but the commits up to {} have left the store: restore "
                "the state directory from a backup of the same time",
                home_.state().string(), executed.value(), recovered_->progress.commit_floor.value()));
    }
    for (const std::string& each : recovered_->dropped) log::warn(Category::storage, each);
    for (const std::string& each : consistency.gaps) log::info(Category::storage, each);
    batches_->set_highest_round(recovered_->progress.highest_round);
    for (const dag::Slot slot : recovered_->damaged) repair_.damaged(slot);
    note_recovery();
    return {};
}

void Node::Impl::note_recovery() {
    const storage::RecoverySummary& summary = recovered_->summary;
    const storage::Progress& progress = recovered_->progress;
    log::info(Category::storage, "recovered from the store",
              {{"strategy", std::string(storage::describe(summary.used))},
               {"certificates", std::to_string(summary.certificates)},
               {"round", std::to_string(summary.highest_round.value())},
               {"checkpoint", summary.checkpoint ? std::to_string(summary.checkpoint->value()) : "none"},
               {"commit", std::to_string(progress.last_commit.value())},
               {"executed", std::to_string(recovered_->state.executed.value())},
               {"ms", fmt::format("{:.1f}", static_cast<double>(summary.took.count()) / 1000)}});
    storage::JournalEntry entry;
    entry.at = storage::now_microseconds();
    entry.kind = "recovery";
    entry.text = summary.text();
    consensus_->write(
        [entry](storage::lmdb::WriteTransaction& transaction, const storage::ConsensusTables& tables) {
            return tables.journal.append(transaction, entry);
        },
        entry.text.size(), 1, {});
}

std::optional<std::string> Node::Impl::foreign_signature() const {
    const dag::RecoveredState& state = recovered_->state;
    const bool header = state.own_header && (*state.own_header)->author != self_;
    const bool vote = std::any_of(state.votes.begin(), state.votes.end(),
                                  [this](const dag::Vote& each) { return each.voter != self_; });
    if (!header && !vote) return std::nullopt;
    return fmt::format(
        "{} was written with another key than this home has: with it this validator could sign twice what it "
        "has signed already; put the right key or the right store in place",
        home_.consensus().string());
}

Expected<void, StartFailure> Node::Impl::compose() {
    const std::uint64_t threads = options_.config.settings().node.threads;
    io_ = std::make_unique<Pool>(threads == 0 ? processors() : threads);
    compute_ = std::make_unique<Pool>(processors());
    lanes_.emplace(compute_->get_executor());
    engine_thread_ = std::make_unique<Pool>(1);

    executor_ = std::make_unique<Executor>(*application_, genesis_.committee(), self_, executor_ports(),
                                           ExecutorConfig{}, application_->root());
    std::vector<dag::PayloadEntry> open_batches = own_unexecuted_batches();
    std::optional<dag::Seat> seat;
    if (self_) seat.emplace(dag::Seat{*self_, key_});
    dag::Engine engine(engine_config(), genesis_.committee(), seat, *reader_, std::move(recovered_->state));
    engine_ = std::make_unique<EngineDriver>(engine_thread_->get_executor(), std::move(engine),
                                             genesis_.committee(), self_, engine_ports());
    worker_ = std::make_unique<Worker>(compute_->get_executor(), worker_config(), genesis_.committee(), self_,
                                       *application_, worker_ports(), std::move(open_batches));
    responder_ = std::make_unique<Responder>(*reader_, *batches_, genesis_.committee());
    submit_ = std::make_unique<SubmitService>(*worker_);
    router_ = std::make_unique<Router>(
        Router::Parts{genesis_, verification_, *engine_, *worker_, *responder_, *submit_, *lanes_,
                      [this](dag::Round round) { batches_->set_highest_round(round); }},
        self_);
    network_ =
        std::make_unique<net::Network>(io_->get_executor(), network_config(), key_, router_->handlers());
    router_->attach(*network_);
    restore_standings();
    view_ = make_view();
    return {};
}

Expected<void, StartFailure> Node::Impl::listen() {
    const Settings& settings = options_.config.settings();
    // Before anybody can speak to us: the engine hears first that it has started.
    executor_->start();
    // Its own batches of an earlier life come before the first commit that names them.
    worker_->start();
    engine_->start();
    for (const dag::BatchLost& lost : std::exchange(lost_at_start_, {})) engine_->post(lost);
    const auto port = network_->start();
    if (!port) return failed(kExitConfiguration, "net.listen: " + port.error());
    const auto configured = parse_host_port(settings.net.listen);
    peer_address_ = HostPort{configured ? configured->host : "127.0.0.1", *port}.text();

    if (!settings.api.listen.empty()) {
        HttpServerConfig api;
        api.routes = public_routes(view_);
        api.limits.connections = static_cast<std::uint32_t>(settings.api.connections);
        api.limits.connections_per_address = static_cast<std::uint32_t>(settings.api.connections_per_address);
        api.listen = parse_host_port(settings.api.listen);
        api.listen_fd = options_.api_fd;
        api.hosts = settings.api.hosts;
        const std::string host = api.listen->host;
        api_ = std::make_unique<HttpServer>(io_->get_executor(), std::move(api));
        const auto api_port = api_->start();
        if (!api_port) return failed(kExitConfiguration, "api.listen: " + api_port.error());
        api_address_ = HostPort{host, *api_port}.text();
    }

    const auto socket = place_admin_socket(options_.home, settings.admin.socket);
    if (!socket) return failed(kExitConfiguration, socket.error());
    HttpServerConfig admin;
    admin.routes = admin_routes(view_);
    admin.limits.connections = 16;
    admin.limits.idle = std::chrono::seconds(5);
    admin.socket = *socket;
    admin.group = settings.admin.group;
    admin_ = std::make_unique<HttpServer>(io_->get_executor(), std::move(admin));
    if (const auto listening = admin_->start(); !listening) {
        return failed(kExitConfiguration, "admin.socket: " + listening.error());
    }
    admin_socket_ = socket->string();

    housekeeping_ = std::make_unique<asio::steady_timer>(compute_->get_executor());
    keep_house();
    schedule_housekeeping();
    started_whole_ = true;
    return {};
}

void Node::Impl::keep_house() {
    watch_room();
    check_readers();
    repair_certificates();
    look_after_peers();
    storage::apply_retention(*reader_, *consensus_, *batches_, retention_, application_->durable_index());
    const storage::Progress progress = reader_->progress();
    checkpoints_->consider(progress.last_anchor);
    network_->set_holdings({progress.store_floor.value() + 1, progress.highest_round.value(),
                            progress.commit_floor.value() + 1, progress.last_commit.value()});
}

void Node::Impl::schedule_housekeeping() {
    housekeeping_->expires_after(kHousekeepingEvery);
    housekeeping_->async_wait([this](const boost::system::error_code& error) {
        if (error || stopping_) return;
        keep_house();
        schedule_housekeeping();
    });
}

void Node::Impl::stop() {
    if (stopped_) return;
    stopped_ = true;
    stopping_ = true;
    if (started_whole_) log::info(Category::node, "stopping");
    const auto wait_for = [](auto& part) {
        if (!part) return;
        Done done;
        part->stop(done.signal());
        done.wait();
    };
    // Who asks first, then who answers: nobody calls into what is gone.
    wait_for(api_);
    wait_for(worker_);
    wait_for(network_);
    wait_for(engine_);
    if (executor_) executor_->stop();
    wait_for(admin_);
    for (auto* pool : {&engine_thread_, &compute_, &io_}) {
        if (*pool) (*pool)->stop();
    }
    for (auto* pool : {&engine_thread_, &compute_, &io_}) {
        if (*pool) (*pool)->join();
    }
    admin_.reset();
    api_.reset();
    housekeeping_.reset();
    if (network_) store_standings();
    network_.reset();
    checkpoints_.reset();
    // Writes what is queued: after this a restart finds all that was decided.
    consensus_.reset();
    if (started_whole_) log::info(Category::node, "stopped");
}

std::vector<std::string> Node::Impl::banner() const {
    const dag::Committee& committee = genesis_.committee();
    const std::string role = self_ ? fmt::format("validator {} of {}", self_->value(), committee.size())
                                   : fmt::format("observer of {} validators", committee.size());
    return {fmt::format("monodon {} · {} · {} · chain {}", kVersion, name_, role, committee.chain()),
            fmt::format("peer id {}", key_.peer_id().text()), fmt::format("peers   {}", peer_address_),
            fmt::format("api     {}", api_address_.empty() ? "off" : "http://" + api_address_),
            fmt::format("admin   {}", admin_socket_)};
}

Expected<std::unique_ptr<Node>, StartFailure> Node::start(NodeOptions options) {
    auto home = storage::Home::open(options.home.root);
    if (!home) return failed(home.error().exit_code, home.error().text);
    auto key = load_key(options.home.key());
    if (!key) return failed(kExitConfiguration, key.error());
    auto genesis = Genesis::load(options.home.genesis());
    if (!genesis) return failed(kExitConfiguration, genesis.error());
    const NodeRole role = options.config.settings().node.role;
    if (const auto wrong = wrong_role(options.home, *genesis, key->peer_id(), role)) {
        return failed(kExitConfiguration, *wrong);
    }
    const auto self = genesis->index_of(key->peer_id());
    auto impl = std::make_unique<Impl>(std::move(options), std::move(*home), std::move(*key),
                                       std::move(*genesis), self);
    for (const auto step : {&Impl::open_stores, &Impl::recover, &Impl::compose, &Impl::listen}) {
        if (const auto done = (*impl.*step)(); !done) return Unexpected{done.error()};
    }
    return std::unique_ptr<Node>(new Node(std::move(impl)));
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;
void Node::stop() { impl_->stop(); }
std::vector<std::string> Node::banner() const { return impl_->banner(); }

}  // namespace monodon::node
