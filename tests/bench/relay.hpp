#pragma once

#include <cstdint>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "net/core/time.hpp"

namespace monodon::bench {

/// What lies between two members.
struct Line {
    /// Each way.
    Duration delay{0};
    /// Of each direction; 0: as much as comes. With a limit there is a short queue before it, as a good
    /// switch has one; who sends more waits.
    std::size_t bytes_per_second = 0;
};

/// Takes the first TCP connection to its port and passes its bytes on to another port of loopback, in both
/// directions, as over such a line. The kernel has no netem here.
class Relay {
 public:
    Relay(std::uint16_t target, Line line);
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
    boost::asio::io_context context_;
    boost::asio::ip::tcp::acceptor acceptor_;
    std::uint16_t port_;
    std::thread thread_;
};

}  // namespace monodon::bench
