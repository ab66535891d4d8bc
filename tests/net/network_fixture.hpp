#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "net/peers/client.hpp"
#include "net/peers/network.hpp"

namespace monodon::net::test {

namespace asio = boost::asio;

/// Long enough for a loaded machine; nothing waits that long unless it fails.
inline constexpr std::chrono::seconds kPatience{20};

/// Threads that run an io_context until they are stopped.
class Threads {
 public:
    explicit Threads(unsigned count = 2);
    ~Threads();
    asio::any_io_executor executor() { return context_.get_executor(); }

 private:
    asio::io_context context_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::vector<std::thread> threads_;
};

/// True as soon as the condition holds, false after kPatience.
bool eventually(const std::function<bool()>& condition);

/// A reply or failure that arrives later.
class Answer {
 public:
    [[nodiscard]] ReplyCallback callback();
    /// Waits; fails the test if nothing comes.
    Expected<SharedBytes, RpcFailure> get();
    [[nodiscard]] bool ready() const;
    [[nodiscard]] int calls() const;

 private:
    struct State {
        mutable std::mutex mutex;
        std::condition_variable changed;
        std::optional<Expected<SharedBytes, RpcFailure>> result;
        int calls = 0;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

struct Received {
    PeerId peer;
    Method method;
    SharedBytes payload;
};

struct Asked {
    PeerId peer;
    Role role;
    Method method;
    SharedBytes payload;
    Replier replier;
};

/// One node: what it is told is kept, in order.
class Node {
 public:
    Node(Threads& threads, NetworkConfig config, const KeyPair& key);
    ~Node();

    std::uint16_t start();
    void stop();
    Network& network() { return *network_; }
    [[nodiscard]] const PeerId& id() const { return id_; }
    [[nodiscard]] std::vector<Received> notices() const;
    /// From now on keeps the very payloads of notices, so that their senders' windows fill, or lets go.
    void hold_notices(bool hold);
    [[nodiscard]] std::size_t notice_count() const;
    /// The next request that has not been taken yet; waits.
    Asked next_request();
    [[nodiscard]] std::size_t requests_waiting() const;
    /// Answers requests at once with this, instead of keeping them.
    void serve(std::function<void(const Asked&)> handler);
    [[nodiscard]] PeerStatus status_of(const PeerId& peer) const;
    [[nodiscard]] std::vector<bool> peer_events() const;

 private:
    struct Log {
        mutable std::mutex mutex;
        std::vector<Received> notices;
        std::vector<Asked> requests;
        std::vector<bool> peer_events;
        std::function<void(const Asked&)> serve;
        bool hold = false;
        std::vector<SharedBytes> held;
    };
    std::shared_ptr<Log> log_ = std::make_shared<Log>();
    PeerId id_;
    std::unique_ptr<Network> network_;
    bool stopped_ = false;
};

/// Ports that nobody else gets: bound sockets, handed to the nodes.
struct BoundPort {
    int fd = -1;
    std::uint16_t port = 0;
};
BoundPort bind_loopback(std::uint16_t port = 0);

/// A committee on loopback, every node knowing every address.
struct Committee {
    explicit Committee(std::size_t size, const std::function<void(std::size_t, NetworkConfig&)>& change = {});
    ~Committee();
    [[nodiscard]] NetworkConfig config_of(std::size_t index) const;
    /// Starts the node again on the port it had.
    void restart(std::size_t index);
    bool all_connected();
    Node& operator[](std::size_t index) { return *nodes[index]; }

    Threads threads;
    std::vector<KeyPair> keys;
    std::vector<std::uint16_t> ports;
    std::function<void(std::size_t, NetworkConfig&)> change;
    std::vector<std::unique_ptr<Node>> nodes;
};

SharedBytes bytes_of(std::size_t size, Byte value = 7);
SharedBytes text_of(std::string_view text);
/// Connects a client; fails the test if it cannot.
std::shared_ptr<Client> connect_client(Threads& threads, ClientConfig config);
/// The reason why a client cannot connect.
std::string client_refusal(Threads& threads, ClientConfig config);

}  // namespace monodon::net::test
