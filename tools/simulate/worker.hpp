#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "tools/simulate/disk.hpp"

namespace monodon::sim {

/// What the worker of a member needs of it.
struct WorkerPorts {
    std::function<void(dag::ValidatorIndex to, Packet packet)> send;
    /// Asks for a sync of the batch store.
    std::function<void()> sync;
    std::function<void(dag::Event event)> give;
    std::function<void(Duration delay, std::function<void()> action)> later;
    std::function<Time()> now;
    /// Durable here and acknowledged by stake >= Q: the submitter was told.
    std::function<void(const Batch& batch)> acknowledged;
    /// A new batch with the transactions of an expired one.
    std::function<void(const Digest& expired, const Batch& batch)> replaced;
};

/// The batches of one life of a member, after node/worker and node/dissemination: seals, stores and
/// disseminates its own until they are executed, stores and acknowledges those of others, and stores what
/// was fetched.
class Worker {
 public:
    /// Keeps references to all three.
    Worker(const dag::Committee& committee, dag::ValidatorIndex self, Disk& disk, WorkerPorts ports)
        : committee_(committee), self_(self), disk_(disk), ports_(std::move(ports)) {}

    /// Offers what an earlier life stored and nobody executed, own batches to the committee, all to the
    /// engine: it looks for those of others that nobody names (A9).
    void start();
    void submit(Batch batch);
    void received(dag::ValidatorIndex from, const Batch& batch);
    void acknowledged(dag::ValidatorIndex from, const Digest& batch);
    /// Stores those that were asked for; `done(bytes)`, of these, follows when they are durable.
    void fetched(const std::vector<Batch>& batches, const std::vector<Digest>& expected,
                 std::function<void(std::size_t bytes)> done);
    /// The sync that the member was asked for is over.
    void durable(const std::vector<Batch>& batches);
    void executed(const std::vector<dag::PayloadEntry>& payload);
    /// Fills `replacement` with the transactions of an expired own batch, and disseminates it.
    void requeue(const Digest& expired, dag::Round sealed_round, std::uint64_t sequence);
    /// A connection is new: what this member has not acknowledged is sent to it.
    void connected(dag::ValidatorIndex peer);

    [[nodiscard]] std::size_t unexecuted() const { return own_.size(); }

 private:
    struct Own {
        Batch batch;
        dag::AuthorSet acknowledged;
        Time sealed;
        Duration pause = std::chrono::milliseconds(100);
        Time resend;
        bool stored = false;
        bool told = false;
        bool proposed = false;
    };
    [[nodiscard]] bool is_genuine(const Batch& batch) const;
    void store(const Batch& batch);
    void offer(Own& own);
    void judge(Own& own);
    void propose(Own& own);
    void arm();
    void tick();

    const dag::Committee& committee_;
    dag::ValidatorIndex self_;
    Disk& disk_;
    WorkerPorts ports_;
    std::map<Digest, Own> own_;
    std::set<Digest> storing_;
    std::map<Digest, dag::AuthorSet> owed_;
    struct Fetch {
        std::set<Digest> open;
        std::size_t bytes = 0;
        std::function<void(std::size_t)> done;
    };
    std::vector<Fetch> fetches_;
    bool armed_ = false;
};

}  // namespace monodon::sim
