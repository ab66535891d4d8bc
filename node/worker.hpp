#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "dag/events.hpp"
#include "dag/model/committee.hpp"
#include "node/application.hpp"
#include "node/latency.hpp"
#include "node/receipts.hpp"
#include "node/slice.hpp"
#include "storage/batch_store.hpp"

namespace monodon::node {

/// Sizes in bytes.
struct WorkerConfig {
    /// A batch is sealed when it has this size, or this age, or at once when nothing of ours is on its way.
    std::size_t batch_bytes = 128 * 1024;
    Duration batch_delay = std::chrono::milliseconds(5);
    /// Accepted and not yet executed; beyond it clients are told to come back.
    std::size_t accepted_bytes_max = 64 * 1024 * 1024;
    /// Sent to one peer and not acknowledged by it (network.md 3).
    std::size_t inflight_bytes_max = 4 * 1024 * 1024;
    /// Waiting in our queue to one peer: with more the peer has no room.
    std::size_t peer_queue_max = 4 * 1024 * 1024;
    /// Transaction ids remembered: duplicates and receipts are known that long.
    std::size_t duplicate_window = 512 * 1024;
    /// Submissions that wait for a stage beyond `accepted`. About 300 bytes each: 5 MiB.
    std::size_t waiters_max = 16 * 1024;
    Duration resend = std::chrono::milliseconds(100);
    Duration resend_max = std::chrono::seconds(2);
    /// A batch that is durable here is proposed after this time even if too few have acknowledged it: voters
    /// fetch what they miss (consensus.md V5a).
    Duration propose_unacknowledged = std::chrono::seconds(1);
    /// False if the batch store does not sync before it acknowledges: then nothing is `durable` before
    /// `certified`.
    bool durable_offered = true;
    /// Batches of one author that are being hashed or written. A sender has at most 4 MiB unacknowledged;
    /// twice that because a resend may overtake an acknowledgement.
    std::size_t incoming_bytes_max = 8 * 1024 * 1024;
};

/// What the worker needs of the rest of the node. All are thread-safe, quick and never call back from within.
struct WorkerPorts {
    /// Sends an encoded batch to these members; the members whose queue took it.
    std::function<dag::AuthorSet(const dag::AuthorSet&, const SharedBytes&)> send_batch;
    /// Acknowledges batches to their author. A lost one is repaired by the author's resend.
    std::function<void(dag::ValidatorIndex, const std::vector<Digest>&)> send_ack;
    /// Bytes that wait for a member in the data class.
    std::function<std::size_t(dag::ValidatorIndex)> queued_bytes;
    /// BatchStore::put(): calls back once, on any thread, when the batch is durable, unless it is refused. A
    /// write that fails ends the process elsewhere.
    std::function<Expected<void, storage::PutError>(const dag::PayloadEntry&, SharedBytes, storage::Standing,
                                                    std::function<void()>)>
        store;
    /// The bytes of a stored batch, or null. Reads the store.
    std::function<SharedBytes(const dag::PayloadEntry&)> load;
    /// To the engine: an own batch can be proposed.
    std::function<void(const dag::PayloadEntry&)> payload_ready;
    /// To the engine: a batch is durable here.
    std::function<void(const dag::PayloadEntry&)> batch_stored;
    /// Of our last header, as the engine last published it.
    std::function<dag::Round()> round;
    std::function<Time()> now;
    /// Runs a function on the crypto pool.
    std::function<void(std::function<void()>)> post_crypto;
    /// A member sent what no honest member sends.
    std::function<void(dag::ValidatorIndex, std::string_view)> fault;
};

struct Submission {
    /// 1 to kSubmissionTransactionsMax.
    std::vector<Slice> transactions;
    Stage want = Stage::committed;
    Duration timeout = std::chrono::seconds(10);
    /// On the worker's strand; must be quick.
    std::function<void(const StageReport&)> report;
};
inline constexpr std::size_t kSubmissionTransactionsMax = 4096;

/// Numbers for status, readiness and metrics. Counters are since the start of the process.
struct WorkerStatus {
    std::uint64_t accepted_bytes = 0;
    std::uint64_t unexecuted_transactions = 0;
    std::uint64_t unsealed_bytes = 0;
    /// Own batches that are sealed and not executed, and among them those that wait to be acknowledged.
    std::uint64_t own_batches = 0;
    std::uint64_t own_batches_in_flight = 0;
    /// Sealing waits: fewer than a quorum of stake have room.
    bool held_back = false;
    std::uint64_t waiters = 0;
    std::uint64_t receipts = 0;

    std::uint64_t transactions_accepted = 0;
    std::uint64_t transactions_committed = 0;
    std::uint64_t transactions_executed = 0;
    /// By Refusal.
    std::array<std::uint64_t, 5> transactions_refused{};
    std::uint64_t batches_sealed = 0;
    std::uint64_t batch_bytes_sealed = 0;
    std::uint64_t batches_resent = 0;
    std::uint64_t batches_requeued = 0;
    std::uint64_t batches_stored = 0;
    std::uint64_t batches_refused = 0;

    /// Of the transactions given to this node, from acceptance to each stage.
    std::array<LatencySummary, kStages> latency;
    /// Of the whole committee, over the last 10 s.
    double committed_per_second = 0;
};

/// The mempool of one validator (worker 0): admits transactions, makes batches, disseminates them until a
/// quorum has acknowledged, takes the batches of others, and keeps the receipts.
///
/// All methods are thread-safe and return at once; what they cause happens on a strand of the executor,
/// incoming batches are hashed on the crypto pool.
class Worker {
 public:
    /// Keeps a reference to committee and application, and calls only check() of it. `recovered` lists our
    /// own stored batches that have not been executed: they are offered to the committee again.
    Worker(boost::asio::any_io_executor executor, WorkerConfig config, const dag::Committee& committee,
           dag::ValidatorIndex self, const Application& application, WorkerPorts ports,
           std::vector<dag::PayloadEntry> recovered);
    /// stop() must have completed, or the executor no longer run.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void start();
    /// Tells every waiting submitter, then calls `done` on the strand; no port is called afterwards.
    void stop(std::function<void()> done);

    // ---- clients ----
    /// Names the submission for forget().
    std::uint64_t submit(Submission submission);
    /// Nobody waits for its reports any more: none begins after this returns, unless one is under way. The
    /// transactions are not affected. Numbers of the past are ignored.
    void forget(std::uint64_t submission);
    [[nodiscard]] std::optional<Receipt> find(const Digest& id) const;
    [[nodiscard]] WorkerStatus status() const;

    // ---- the network ----
    void on_peer(dag::ValidatorIndex peer, bool connected);
    /// A batch notice: the encoded batch as it lies in the message.
    void on_batch(dag::ValidatorIndex from, Slice batch);
    void on_ack(dag::ValidatorIndex from, std::vector<Digest> batches);
    /// Batches that a peer sent when asked for `expected`. Each that is one of them is stored; `done` gets,
    /// when these are durable and the engine was told, how many there were, and whether the reply held
    /// anything else.
    struct Fetched {
        std::size_t stored = 0;
        bool bad = false;
    };
    void store_fetched(std::vector<Slice> batches, std::vector<Digest> expected,
                       std::function<void(Fetched)> done);

    // ---- the engine and execution ----
    void on_certified(std::vector<dag::PayloadEntry> payload);
    void on_committed(dag::CommitPtr commit);
    /// After the on_committed() of their commits, unless those were committed in an earlier life.
    void on_executed(std::vector<AppliedBatch> batches);
    /// An own batch has expired: its transactions go into a new one.
    void requeue(const Digest& batch);

 private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace monodon::node
