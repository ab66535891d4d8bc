#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dag/engine.hpp"
#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"
#include "net/core/expected.hpp"
#include "net/core/log.hpp"
#include "net/core/time.hpp"
#include "net/peers/reputation.hpp"
#include "net/wire/method.hpp"
#include "node/config.hpp"
#include "node/executor.hpp"
#include "node/receipts.hpp"
#include "node/worker.hpp"
#include "storage/writer_stats.hpp"

/// What the HTTP interfaces see of a node: snapshots and functions that give them. node.cpp fills it in;
/// tests use fakes. Nothing here steps the engine.
namespace monodon::node {

enum class NodeState : std::uint8_t { starting, sync, ready, halted, stopping };
[[nodiscard]] std::string_view name(NodeState state);

/// One line of /readyz or /livez.
struct HealthCheck {
    std::string name;
    bool ok = false;
    /// Why not, in words; empty if ok.
    std::string reason;
};
[[nodiscard]] bool all_ok(const std::vector<HealthCheck>& checks);

struct ValidatorSnapshot {
    std::string name;
    std::uint64_t last_round = 0;
    std::uint64_t weight = 0;
    bool connected = false;
    std::uint64_t claim_index = 0;
};

/// /v1/status and half of the metrics.
struct StatusSnapshot {
    std::string name;
    std::string peer_id;
    /// Its place in the committee; an observer has none.
    std::optional<std::uint16_t> validator;
    std::string version;
    std::string chain_id;
    NodeState state = NodeState::starting;
    /// Ready when all are ok; `reasons` in JSON are those that are not.
    std::vector<HealthCheck> readiness;

    std::uint64_t round = 0;
    std::uint64_t highest_round = 0;
    std::uint64_t target_round = 0;
    /// Rounds up to this one have left the graph.
    std::uint64_t gc_round = 0;
    std::uint64_t commit = 0;
    Digest commit_digest;
    std::uint64_t commit_round = 0;
    /// When the last commit became durable; absent before the first of this process.
    std::optional<Time> commit_time;
    std::uint64_t executed = 0;
    Digest state_root;
    std::uint64_t state_root_index = 0;
    /// Commits that others have and we have not executed; absent until enough of them have said where they
    /// are.
    std::optional<std::uint64_t> lag;

    std::uint32_t peers_connected = 0;
    std::uint32_t peers_total = 0;
    double tx_per_s = 0;
    /// Milliseconds from arrival at this node to commit, over the last minute; absent without samples.
    std::optional<double> commit_p50_ms;
    std::optional<double> commit_p99_ms;
    /// Committed since the chain began.
    std::uint64_t transactions = 0;
    std::uint64_t disk_bytes = 0;
    Duration uptime{0};
    std::string listen_peer;
    std::string listen_api;
    std::uint64_t anchors_committed = 0;
    std::uint64_t anchors_skipped = 0;
    std::uint64_t equivocations = 0;
    /// In the order of the committee.
    std::vector<ValidatorSnapshot> validators;
    std::int64_t pid = 0;

    [[nodiscard]] bool ready() const { return all_ok(readiness); }
};

struct PeerSnapshot {
    std::string peer_id;
    net::Role role = net::Role::member;
    /// Of the committee; empty for observers and clients.
    std::string name;
    std::optional<std::uint16_t> validator;
    std::string address;
    bool outbound = false;
    bool connected = false;
    /// Absent until measured.
    std::optional<Duration> rtt;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    /// By net::MessageClass.
    std::array<std::uint64_t, 5> queued_bytes{};
    std::array<std::uint64_t, 5> dropped{};
    /// Since the connection was made; zero without one.
    Duration since{0};
    std::string last_error;
    net::Standing standing;
};

struct BanSnapshot {
    std::string peer_id;
    /// Of the committee; empty for others.
    std::string name;
    /// Absent if it is the operator's, which has no end.
    std::optional<Duration> left;
    std::string reason;
};

/// A limit in force and its use: of one peer, or of all.
struct LimitSnapshot {
    std::string name;
    std::string peer_id;
    std::string peer;
    std::uint64_t limit = 0;
    std::uint64_t used = 0;
};

/// One entry of the address book.
struct AddressSnapshot {
    std::string peer_id;
    /// Of the committee; empty for others.
    std::string name;
    /// `committee`, `tried` or `new`.
    std::string table;
    /// Of its newest record; none, if none is known of a member.
    std::vector<std::string> addresses;
    std::uint64_t sequence = 0;
    /// Until the record expires; negative, if it has.
    Duration expires_in{0};
    /// Since it answered where it said; absent if it never did.
    std::optional<Duration> answered_ago;
    std::uint32_t failures = 0;
    /// The peer id of who told us.
    std::string source;
};

/// How often no connection to a peer came about for one reason, since the start.
struct HandshakeFailureSnapshot {
    bool outbound = false;
    std::string reason;
    std::uint64_t count = 0;
};

struct VertexSnapshot {
    std::uint64_t round = 0;
    std::uint16_t author = 0;
    Digest digest;
    std::vector<std::uint16_t> parents;
    std::uint64_t support = 0;
    bool ordered = false;
    bool anchor = false;
    std::uint32_t batches = 0;
};

/// What an operator does to the connections with one peer. A ban holds until unban.
enum class PeerAction : std::uint8_t { disconnect, ban, unban };

using DagCallback = std::function<void(std::vector<VertexSnapshot>)>;

struct StoreSnapshot {
    struct Environment {
        /// consensus, batches or state.
        std::string name;
        std::uint64_t map_bytes = 0;
        std::uint64_t used_bytes = 0;
        /// On the disk.
        std::uint64_t file_bytes = 0;
        /// Of the address space it may have; 0 where each part has its own.
        std::uint64_t map_limit = 0;
        /// How long the oldest read transaction has been open: what it sees can not be used again.
        double oldest_reader_seconds = 0;
        /// How many transactions the oldest reader of any process is behind.
        std::uint64_t oldest_reader_behind = 0;
        /// Absent where somebody else's thread writes: state.
        std::optional<storage::WriterStats> writer;
    };
    std::vector<Environment> environments;
    std::uint64_t oldest_commit = 0;
    std::uint64_t newest_commit = 0;
    std::uint64_t free_disk_bytes = 0;
    /// Why transactions, and why proposals, wait for room; empty while they do not.
    std::string transactions_wait;
    std::string proposals_wait;
    /// Rows that did not verify since the start.
    std::uint64_t damaged = 0;
};

struct QueueSnapshot {
    std::string name;
    std::uint64_t items = 0;
    std::uint64_t bytes = 0;
    /// 0: bounded by items or by what feeds it.
    std::uint64_t bytes_max = 0;
};

struct StateSnapshot {
    std::uint64_t applied = 0;
    Digest root;
    std::uint64_t root_index = 0;
    std::uint64_t keys = 0;
};

/// What the parts of the node count themselves: for metrics. Counters are since the process began.
struct ActivitySnapshot {
    dag::EngineStatus engine;
    WorkerStatus worker;
    ExecutionStatus execution;
    std::uint64_t signatures_verified = 0;
    std::uint64_t signatures_refused = 0;
    Duration verify_time{0};
};

struct KvRead {
    std::optional<Bytes> value;
    /// The commit up to which the state is applied.
    std::uint64_t applied = 0;
};

/// Why commits cannot be had from an index on.
struct CommitsUnavailable {
    enum class Why : std::uint8_t { future, pruned };
    Why why = Why::future;
    std::uint64_t oldest = 0;
    std::uint64_t newest = 0;
};

/// The ports. All may be called from any thread and return quickly; none is null. What calls back may do so
/// within the call.
struct NodeView {
    /// Name of this node: its receipts say who holds a transaction.
    std::string name;
    std::function<StatusSnapshot()> status;
    /// Loop and writer heartbeats.
    std::function<std::vector<HealthCheck>()> liveness;
    std::function<std::vector<PeerSnapshot>()> peers;
    std::function<std::vector<HandshakeFailureSnapshot>()> handshake_failures;
    /// Calls back once, from any thread, with the certificates of these rounds that are in the graph,
    /// ascending by round and author.
    std::function<void(std::uint64_t first, std::uint64_t last, DagCallback)> dag;
    /// The peer by its name in the committee or its peer id. Why nothing was done, in words; nothing if it
    /// was.
    std::function<std::optional<std::string>(std::string_view peer, PeerAction)> act_on_peer;
    /// By its name in the committee or its peer id, connected or not; nothing if the word is neither.
    std::function<std::optional<PeerSnapshot>(std::string_view peer)> peer;
    std::function<std::vector<BanSnapshot>()> bans;
    std::function<std::vector<LimitSnapshot>()> limits;
    std::function<std::vector<AddressSnapshot>()> addresses;
    /// Connects to an address, `host:port` or `peer-id@host:port`. Calls back once, from any thread, with the
    /// reason if there is no connection then.
    std::function<void(const std::string& where, std::function<void(std::optional<std::string>)>)> dial;
    /// What keeps the next commit from being made or executed.
    std::function<void(std::function<void(const dag::Blockers&)>)> blockers;
    std::function<StoreSnapshot()> store;
    std::function<std::vector<QueueSnapshot>()> queues;
    std::function<StateSnapshot()> state;
    std::function<ActivitySnapshot()> activity;
    std::function<std::vector<ConfigRow>()> config;

    /// Worker::submit(), forget() and find().
    std::function<std::uint64_t(Submission)> submit;
    std::function<void(std::uint64_t submission)> forget;
    std::function<std::optional<Receipt>(const Digest&)> find_receipt;
    /// The error says why the state cannot be read.
    std::function<Expected<KvRead, std::string>(ByteView key)> kv_get;
    /// Ascending from this index, at most `limit` and, but for the first, at most `bytes` of encoded commits.
    /// Empty for the index after the newest.
    std::function<Expected<std::vector<dag::CommitPtr>, CommitsUnavailable>(
        std::uint64_t from, std::uint64_t limit, std::uint64_t bytes)>
        commits;

    /// Nothing: all categories.
    std::function<void(std::optional<log::Category>, log::Level)> set_log_level;
    std::function<void()> shutdown;
};

}  // namespace monodon::node
