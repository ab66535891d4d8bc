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
#include "node/receipts.hpp"
#include "node/slice.hpp"
#include "node/submission.hpp"
#include "node/worker_types.hpp"

namespace monodon::node {

/// The mempool of one validator (worker 0): admits transactions, makes batches, disseminates them until a
/// quorum has acknowledged, takes the batches of others, and keeps the receipts.
///
/// Without a seat, at an observer, it has no mempool: it stores what is fetched, counts what is committed,
/// and refuses what clients hand in.
///
/// All methods are thread-safe and return at once; what they cause happens on a strand of the executor,
/// incoming batches are hashed on the crypto pool.
class Worker {
 public:
    /// Keeps a reference to committee and application, and calls only check() of it. `recovered` lists our
    /// own stored batches that have not been executed: they are offered to the committee again.
    Worker(boost::asio::any_io_executor executor, WorkerConfig config, const dag::Committee& committee,
           std::optional<dag::ValidatorIndex> self, const Application& application, WorkerPorts ports,
           std::vector<dag::PayloadEntry> recovered);
    /// stop() must have completed, or never been needed: nothing may run on the executor any more.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void start();
    /// Finishes what has been let in, tells every waiting submitter, then calls `done` on the strand. After
    /// that no port is called and nothing is posted to the executor. Once only.
    void stop(std::function<void()> done);

    // ---- clients ----
    /// Names the submission for forget().
    std::uint64_t submit(Submission submission);
    /// Nobody waits for its reports any more; those on their way may still come. The transactions are not
    /// affected. Numbers of the past are ignored.
    void forget(std::uint64_t submission);
    [[nodiscard]] std::optional<Receipt> find(const Digest& id) const;
    [[nodiscard]] WorkerStatus status() const;

    // ---- the network ----
    void on_peer(dag::ValidatorIndex peer, bool connected);
    /// A batch notice: the encoded batch as it lies in the message.
    void on_batch(dag::ValidatorIndex from, Slice batch);
    void on_ack(dag::ValidatorIndex from, std::vector<Digest> batches);
    /// Batches that a peer sent when asked for `expected`. Each that is one of them is stored; `done` gets,
    /// when these are durable and the engine was told, how many there were with how many bytes, and whether
    /// the reply held anything else.
    struct Fetched {
        std::size_t stored = 0;
        std::size_t bytes = 0;
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
