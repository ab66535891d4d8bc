#pragma once

#include <memory>

#include <boost/asio/thread_pool.hpp>

#include "net/peers/network.hpp"

/// Two members of a committee in one process, joined by TLS on loopback, for benchmarks.
namespace monodon::bench {

/// So many threads for sockets as a node has on a machine of two processors.
inline constexpr unsigned kThreads = 2;

class NetworkPair {
 public:
    NetworkPair();
    /// Ends both networks.
    ~NetworkPair();
    NetworkPair(const NetworkPair&) = delete;
    NetworkPair& operator=(const NetworkPair&) = delete;

    [[nodiscard]] const KeyPair& left_key() const { return left_.key; }
    [[nodiscard]] const KeyPair& right_key() const { return right_.key; }

    /// The right one listens; its port.
    std::uint16_t start_right(net::Handlers handlers);
    /// The left one dials the port, behind which the right one is; returns when they are connected.
    void start_left(net::Handlers handlers, std::uint16_t port);
    /// Ends both: no handler is called after that. The threads for sockets run until the end of the pair.
    void stop();

    net::Network& left() { return *left_.network; }
    net::Network& right() { return *right_.network; }
    [[nodiscard]] PeerId left_id() const { return left_.key.peer_id(); }
    [[nodiscard]] PeerId right_id() const { return right_.key.peer_id(); }
    /// What the left one has written to the right one so far.
    [[nodiscard]] std::uint64_t bytes_to_right() const;

 private:
    struct Side {
        KeyPair key = KeyPair::generate();
        boost::asio::thread_pool threads{kThreads};
        std::unique_ptr<net::Network> network;
    };
    [[nodiscard]] net::NetworkConfig config(const std::string& address_of_right) const;

    Side left_;
    Side right_;
    bool stopped_ = false;
};

}  // namespace monodon::bench
