#pragma once

#include <cstdint>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "net/core/time.hpp"

namespace monodon::bench {

/// Takes the first TCP connection to its port and passes its bytes on to another port of loopback, in both
/// directions, each `delay` after it came. The kernel has no netem here.
class Relay {
 public:
    Relay(std::uint16_t target, Duration delay);
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
