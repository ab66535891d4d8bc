#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dag/model/committee.hpp"
#include "net/core/time.hpp"
#include "node/application.hpp"

namespace monodon::node {

/// What execution needs of the rest of the node. All are called on the execution thread and must not block,
/// except load, which reads the store.
struct ExecutorPorts {
    /// The stored batch, or why it cannot be had, in words.
    std::function<Expected<SharedBytes, std::string>(const dag::PayloadEntry&)> load;
    /// A batch is not in the store or does not verify any more: it is to be fetched and stored again. Asked
    /// again and again until load() gives it.
    std::function<void(const dag::PayloadEntry&)> lost;
    /// All commits up to this one have been applied.
    std::function<void(dag::CommitIndex)> executed;
    /// The outcomes of batches whose author we are, after their commits were applied. At most once a batch.
    std::function<void(std::vector<AppliedBatch>)> results;
    /// A state root fell due: for checkpoints and the divergence alarm.
    std::function<void(const StateRoot&)> root;
    /// Execution has stopped for good: a stored batch is another than its certificate names, or the state
    /// cannot be written. In words.
    std::function<void(std::string)> fatal;
};

/// Bounds of one group, which is one synced write of the state: a group ends with the commit that reaches one
/// of them. So a group holds at most group_bytes and one commit in memory, and a receipt waits at most for as
/// long as these bytes take.
struct ExecutorConfig {
    std::size_t group_commits = 64;
    std::size_t group_bytes = 8 * 1024 * 1024;
    std::size_t group_transactions = 8192;
    /// Between attempts while the disk is full.
    Duration retry = std::chrono::seconds(1);
    /// Between looks for a batch that is being fetched again.
    Duration look_again = std::chrono::milliseconds(50);
};

/// A consistent picture for status and metrics.
struct ExecutionStatus {
    dag::CommitIndex applied;
    StateRoot root;
    /// Commits that were delivered and are not applied.
    std::size_t queued_commits = 0;
    /// The bytes of their batches, in the store.
    std::uint64_t queued_bytes = 0;
    /// Since the start of the process.
    std::uint64_t transactions = 0;
    std::uint64_t bytes = 0;
    std::uint64_t groups = 0;
    /// Time spent on the last group.
    Duration last_group{0};
    /// Why execution waits (it tries again every second) or has ended, in words; empty while all is well.
    std::string trouble;
};

/// The execution thread: takes commits in order, reads their batches, applies them in groups. Ordering never
/// waits for it; the engine proposes no payload while too many commits wait here (consensus.md A8), which
/// bounds the queue.
///
/// deliver() and status() are thread-safe.
class Executor {
 public:
    /// Keeps references to application and committee. `last_root` is the newest root the application knows.
    Executor(Application& application, const dag::Committee& committee,
             std::optional<dag::ValidatorIndex> self, ExecutorPorts ports, ExecutorConfig config,
             StateRoot last_root);
    /// Stops.
    ~Executor();
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    void start();
    /// The next commit: indices follow one another; the first is at most the application's next index.
    void deliver(dag::CommitPtr commit);
    /// Finishes the group it is in, forgets the rest of the queue (the store delivers it again at the next
    /// start) and joins the thread. No port is called afterwards. Idempotent; not from a port.
    void stop();

    [[nodiscard]] ExecutionStatus status() const;

 private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace monodon::node
