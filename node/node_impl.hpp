#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "node/engine_driver.hpp"
#include "node/executor.hpp"
#include "node/genesis.hpp"
#include "node/http_server.hpp"
#include "node/kv_store.hpp"
#include "node/lanes.hpp"
#include "node/node.hpp"
#include "node/node_view.hpp"
#include "node/position.hpp"
#include "node/repair.hpp"
#include "node/responder.hpp"
#include "node/room.hpp"
#include "node/router.hpp"
#include "node/submit_service.hpp"
#include "storage/home.hpp"
#include "storage/local_checkpoints.hpp"
#include "storage/recovery.hpp"
#include "storage/retention.hpp"

namespace monodon::node {

/// The inside of a node, private to node*.cpp: node.cpp starts and stops it, node_ports.cpp joins its parts,
/// node_snapshots.cpp shows it, node_peers.cpp looks after peers and node_room.cpp after the disk. Members
/// are in the order in which they are made; what is above outlives what is below.
class Node::Impl {
 public:
    Impl(NodeOptions options, storage::Home home, KeyPair key, Genesis genesis,
         std::optional<dag::ValidatorIndex> self);
    ~Impl();

    /// The steps of start(), in order; each fails with what the operator is told.
    Expected<void, StartFailure> open_stores();
    /// What to do when state/ is damaged.
    [[nodiscard]] std::string without_state() const;
    Expected<void, StartFailure> recover();
    Expected<void, StartFailure> compose();
    Expected<void, StartFailure> listen();
    void stop();
    [[nodiscard]] std::vector<std::string> banner() const;

    /// Why the recovered votes and headers can not be this validator's, if so.
    [[nodiscard]] std::optional<std::string> foreign_signature() const;

 private:
    using Pool = boost::asio::thread_pool;

    // node_ports.cpp
    [[nodiscard]] EnginePorts engine_ports();
    [[nodiscard]] WorkerPorts worker_ports();
    [[nodiscard]] ExecutorPorts executor_ports();
    [[nodiscard]] dag::EngineConfig engine_config() const;
    [[nodiscard]] WorkerConfig worker_config() const;
    /// What an observer says to who wants to submit.
    [[nodiscard]] std::string who_takes_transactions() const;
    [[nodiscard]] net::NetworkConfig network_config() const;
    [[nodiscard]] std::vector<dag::PayloadEntry> own_unexecuted_batches() const;
    [[nodiscard]] storage::FatalHandler fatal_handler(std::string what) const;

    // node_snapshots.cpp
    [[nodiscard]] std::shared_ptr<const NodeView> make_view();
    [[nodiscard]] StatusSnapshot status() const;
    [[nodiscard]] std::vector<HealthCheck> liveness() const;
    [[nodiscard]] std::vector<HealthCheck> readiness(const dag::EngineStatus& engine,
                                                     const Position& position) const;
    [[nodiscard]] std::vector<AddressSnapshot> addresses() const;
    void dial(const std::string& where, std::function<void(std::optional<std::string>)> done);
    [[nodiscard]] StoreSnapshot store() const;
    [[nodiscard]] std::vector<QueueSnapshot> queues() const;
    [[nodiscard]] ActivitySnapshot activity() const;
    [[nodiscard]] Expected<std::vector<dag::CommitPtr>, CommitsUnavailable> commits(
        std::uint64_t from, std::uint64_t limit, std::uint64_t bytes) const;
    [[nodiscard]] Expected<KvRead, std::string> read_key(ByteView key) const;
    [[nodiscard]] Position position(const dag::EngineStatus& engine) const;

    // node_peers.cpp
    [[nodiscard]] std::vector<PeerSnapshot> peers() const;
    [[nodiscard]] std::optional<PeerSnapshot> peer(std::string_view word) const;
    [[nodiscard]] std::vector<BanSnapshot> bans() const;
    [[nodiscard]] std::vector<LimitSnapshot> limits() const;
    std::optional<std::string> act_on_peer(std::string_view word, PeerAction action);
    /// By name or peer id.
    [[nodiscard]] std::optional<PeerId> find_peer(std::string_view word) const;
    [[nodiscard]] std::string name_of(const PeerId& peer) const;
    void restore_standings();
    void store_standings();
    void look_after_peers();
    void keep_addresses();
    /// Lets the engine know whom to ask rather than others, if that has changed.
    void rate_peers();
    /// Whom to ask for something that every other member may have.
    [[nodiscard]] dag::ValidatorIndex choose_member();

    // node_room.cpp
    [[nodiscard]] Room room() const;
    void watch_room();
    void check_readers();
    void repair_certificates();

    // node.cpp
    void note_recovery();
    void keep_house();
    void schedule_housekeeping();

    NodeOptions options_;
    storage::Home home_;
    KeyPair key_;
    Genesis genesis_;
    /// Our seat in the committee; an observer has none.
    std::optional<dag::ValidatorIndex> self_;
    std::string name_;
    Time started_;
    Ed25519Verifier signatures_;
    dag::Verification verification_;

    std::unique_ptr<storage::ConsensusStore> consensus_;
    std::unique_ptr<storage::BatchStore> batches_;
    std::unique_ptr<KvStore> application_;
    std::unique_ptr<storage::StoreReader> reader_;
    std::unique_ptr<storage::LocalCheckpoints> checkpoints_;
    storage::RetentionOptions retention_;
    std::optional<storage::Recovered> recovered_;
    Repair repair_;
    /// Batches whose bodies were found damaged before there was an engine to fetch them.
    std::vector<dag::BatchLost> lost_at_start_;

    /// Sockets, timers, HTTP.
    std::unique_ptr<Pool> io_;
    /// Signatures, hashes, the worker, answers from the store.
    std::unique_ptr<Pool> compute_;
    /// On the pool above: messages of consensus before hashes and answers.
    std::optional<Lanes> lanes_;
    /// One thread: the engine.
    std::unique_ptr<Pool> engine_thread_;

    std::unique_ptr<Executor> executor_;
    std::unique_ptr<EngineDriver> engine_;
    std::unique_ptr<Worker> worker_;
    std::unique_ptr<Responder> responder_;
    std::unique_ptr<SubmitService> submit_;
    std::unique_ptr<Router> router_;
    std::unique_ptr<net::Network> network_;
    std::shared_ptr<const NodeView> view_;
    std::unique_ptr<HttpServer> api_;
    std::unique_ptr<HttpServer> admin_;
    std::unique_ptr<boost::asio::steady_timer> housekeeping_;

    std::string peer_address_;
    std::string api_address_;
    std::string admin_socket_;
    /// When the last commit became durable, in microseconds since the Unix epoch; 0 before the first.
    std::atomic<Duration::rep> commit_time_ = 0;
    // Of housekeeping.
    Time standings_stored_{};
    Time readers_checked_{};
    std::vector<std::uint32_t> ratings_;
    std::mt19937_64 random_{std::random_device{}()};
    /// Keeps notes in the order in which they were taken.
    std::mutex standings_mutex_;
    std::atomic<std::uint64_t> free_disk_ = ~std::uint64_t{0};
    /// Why no transactions are taken, and why nothing is proposed, for want of room; null if that is not so.
    std::atomic<std::shared_ptr<const std::string>> refusal_;
    std::atomic<std::shared_ptr<const std::string>> proposals_held_;
    std::atomic<bool> halted_ = false;
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> shutdown_asked_ = false;
    bool stopped_ = false;
    /// A start that failed has its own words for the end.
    bool started_whole_ = false;
};

}  // namespace monodon::node
