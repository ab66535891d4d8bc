#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dag/events.hpp"
#include "dag/model/commit.hpp"
#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"
#include "net/core/expected.hpp"
#include "net/core/log.hpp"
#include "net/core/time.hpp"
#include "node/config.hpp"

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
    std::uint16_t validator = 0;
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
    /// Commits that others have and we have not executed.
    std::uint64_t lag = 0;

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

    [[nodiscard]] bool ready() const;
};

struct PeerSnapshot {
    std::string peer_id;
    /// Of the committee; empty for a client.
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

using DagCallback = std::function<void(std::vector<VertexSnapshot>)>;

struct StoreSnapshot {
    struct Environment {
        std::string name;
        std::uint64_t map_bytes = 0;
        std::uint64_t used_bytes = 0;
        std::uint64_t file_bytes = 0;
        /// Write transactions since start, records in them, and the time they took.
        std::uint64_t commits = 0;
        std::uint64_t records = 0;
        Duration commit_time{0};
        std::uint64_t queued = 0;
        std::uint64_t errors = 0;
    };
    std::vector<Environment> environments;
    std::string durability;
    std::uint64_t oldest_commit = 0;
    std::uint64_t newest_commit = 0;
    std::uint64_t free_disk_bytes = 0;
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

/// Counts since the process began, for metrics; whoever counts, counts once.
struct ActivitySnapshot {
    struct Labelled {
        std::string label;
        std::uint64_t value = 0;
    };
    struct Latency {
        std::string stage;
        std::uint64_t count = 0;
        double sum_s = 0;
        double p50_s = 0;
        double p99_s = 0;
    };
    /// By result of admission and what came after: accepted, duplicate, busy, too_large, malformed, requeued
    /// ...
    std::vector<Labelled> transactions;
    /// From arrival to the stage, for own transactions.
    std::vector<Latency> latency;
    std::uint64_t batches_sealed = 0;
    std::uint64_t batches_received = 0;
    std::uint64_t batches_requeued = 0;
    std::uint64_t batch_bytes = 0;
    /// Bytes admitted and not yet committed.
    std::uint64_t inflight_bytes = 0;
    std::uint64_t signatures_verified = 0;
    std::uint64_t signatures_refused = 0;
    Duration verify_time{0};
    std::uint64_t headers_proposed = 0;
    std::uint64_t votes_given = 0;
    std::uint64_t certificates_inserted = 0;
    std::uint64_t suspended = 0;
    std::uint64_t pending_headers = 0;
    std::uint64_t missing_batches = 0;
    std::uint64_t requests_in_flight = 0;
};

/// How far a transaction has come.
enum class TxStage : std::uint8_t { accepted, durable, certified, committed, executed, requeued };
[[nodiscard]] std::string_view name(TxStage stage);
[[nodiscard]] std::optional<TxStage> parse_tx_stage(std::string_view text);

/// What is known of a transaction; what is not known yet is absent.
struct TxReceipt {
    Digest id;
    TxStage stage = TxStage::accepted;
    std::optional<std::uint64_t> commit;
    std::optional<std::uint64_t> round;
    /// Among the transactions of the commit.
    std::optional<std::uint64_t> position;
    /// Name of the member whose batch holds it.
    std::string validator;
    /// ok, mismatch, absent or value; empty before execution and for opaque bytes.
    std::string result;
    /// What a get read.
    std::optional<Bytes> value;
    /// From arrival at this node.
    std::optional<Duration> durable;
    std::optional<Duration> certified;
    std::optional<Duration> committed;
    std::optional<Duration> executed;
};

enum class TxRefusal : std::uint8_t { too_large, malformed, busy, empty, unavailable };
struct TxRefused {
    TxRefusal why = TxRefusal::busy;
    /// For busy.
    Duration retry_after = std::chrono::seconds(1);
};
using SubmitCallback = std::function<void(Expected<TxReceipt, TxRefused>)>;

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
    std::function<StatusSnapshot()> status;
    /// Loop and writer heartbeats.
    std::function<std::vector<HealthCheck>()> liveness;
    std::function<std::vector<PeerSnapshot>()> peers;
    /// Calls back once, from any thread, with the certificates of these rounds that are in the graph,
    /// ascending by round and author.
    std::function<void(std::uint64_t first, std::uint64_t last, DagCallback)> dag;
    std::function<StoreSnapshot()> store;
    std::function<std::vector<QueueSnapshot>()> queues;
    std::function<StateSnapshot()> state;
    std::function<ActivitySnapshot()> activity;
    std::function<std::vector<ConfigRow>()> config;

    /// Takes a transaction and calls back exactly once, from any thread: refused, or when it has reached the
    /// stage (a duplicate: when the one before has; at once if it had). The number names the wait for
    /// forget().
    std::function<std::uint64_t(SharedBytes transaction, TxStage wanted, SubmitCallback)> submit;
    /// Nobody waits any more: the callback may be dropped. Numbers of the past are ignored.
    std::function<void(std::uint64_t wait)> forget;
    std::function<std::optional<TxReceipt>(const Digest&)> find_receipt;
    std::function<KvRead(ByteView key)> kv_get;
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
