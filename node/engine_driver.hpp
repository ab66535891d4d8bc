#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "dag/engine.hpp"

namespace monodon::node {

/// Where the engine's effects go. All are called on the engine's thread and must not block.
struct EnginePorts {
    /// One transaction after all earlier ones; `durable`, if any, is called from any thread.
    std::function<void(std::vector<dag::Record>, std::function<void()> durable)> persist;
    std::function<void(const dag::AuthorSet& to, const dag::Message&)> send;
    /// An own certificate, new: to the observers.
    std::function<void(const dag::VerifiedCertificate&)> publish;
    /// Answered by an event ReplyReceived.
    std::function<void(dag::SendRequest)> request;
    std::function<void(std::vector<dag::PayloadEntry>)> certified;
    std::function<void(dag::CommitPtr)> committed;
    std::function<void(dag::CommitPtr)> deliver;
    std::function<void(const Digest& batch)> requeue;
    std::function<void(const dag::Equivocation&)> equivocation;
    std::function<void(std::string reason)> halted;
    std::function<void(const dag::SigningChanged&)> signing;
};

/// Runs the engine: takes events from any thread, one after the other, and performs what it wants done. The
/// one place that gives it the time.
class EngineDriver {
 public:
    /// An observer has no `self`. `thread` runs one handler at a time and nothing that blocks. Keeps a
    /// reference to the committee.
    EngineDriver(boost::asio::any_io_executor thread, dag::Engine engine, const dag::Committee& committee,
                 std::optional<dag::ValidatorIndex> self, EnginePorts ports);
    ~EngineDriver();
    EngineDriver(const EngineDriver&) = delete;
    EngineDriver& operator=(const EngineDriver&) = delete;

    void start();
    /// No event is taken and no port called after `done` was called, on the engine's thread.
    void stop(std::function<void()> done);

    /// Thread-safe. Events of our own making are always taken.
    void post(dag::Event event);
    /// Thread-safe. What peers send is refused while too much waits for the engine or for the disk: they send
    /// it again, or we fetch it.
    bool offer(dag::Event event);

    /// EngineStatus::round. Thread-safe.
    [[nodiscard]] dag::Round round() const;
    /// At most 50 ms old. Thread-safe.
    [[nodiscard]] std::shared_ptr<const dag::EngineStatus> status() const;
    /// When the engine's thread last was at work or idle as it should: for the liveness check. Thread-safe.
    [[nodiscard]] Time heartbeat() const;
    /// Events that wait. Thread-safe.
    [[nodiscard]] std::size_t queued() const;
    /// Calls back on the engine's thread, for a short look. Thread-safe.
    void look(std::function<void(const dag::Engine&)> callback);

 private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace monodon::node
