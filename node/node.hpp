#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/core/expected.hpp"
#include "node/config.hpp"
#include "node/home.hpp"

namespace monodon::node {

/// The disk can not be trusted any more, or what is on it contradicts itself.
inline constexpr int kExitStoreDamaged = 65;

struct NodeOptions {
    HomePaths home;
    Config config;
    /// Sockets bound by whoever started us, -1 for none: for the peers and for the public API.
    int listen_fd = -1;
    int api_fd = -1;
    /// The node wants the process to end (the admin socket said so): called once, from any thread; call
    /// stop() then.
    std::function<void()> on_shutdown;
};

struct StartFailure {
    /// A sentence that says what to do.
    std::string text;
    int exit_code = 1;
};

/// One validator or observer, composed: stores, engine, worker, execution, network, APIs, and the threads
/// that run them.
///
/// A disk that fails ends the process at once with code 65: nothing may be said that was not written.
class Node {
 public:
    /// Recovers, starts everything, returns when all sockets listen.
    static Expected<std::unique_ptr<Node>, StartFailure> start(NodeOptions options);
    /// Stops if stop() was not called.
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    /// Says goodbye to clients and peers, finishes what is being written, and ends all threads: about a
    /// second, at most three. Idempotent; not from a thread of the node.
    void stop();

    /// Lines for the operator: name, peer id, committee, addresses, socket.
    [[nodiscard]] std::vector<std::string> banner() const;

 private:
    class Impl;
    explicit Node(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace monodon::node
