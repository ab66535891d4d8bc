#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/core/time.hpp"
#include "net/transport/receive_window.hpp"
#include "net/transport/tls.hpp"
#include "net/wire/frame_reader.hpp"

namespace monodon::net {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

/// A socket, the TLS session on it and the frames that come out of it: what the greeting and the connection
/// after it have in common. Everything but the counters is used on the socket's executor, a strand.
struct Link {
    Link(asio::ip::tcp::socket connected, std::shared_ptr<const TlsContext> context, TlsSide tls_side);

    asio::ip::tcp::socket socket;
    TlsSide side;
    TlsSession tls;
    FrameReader reader;
    /// Numeric, with port.
    std::string address;
    std::atomic<std::uint64_t> bytes_in{0};
    std::atomic<std::uint64_t> bytes_out{0};
    /// When flush() last began or got rid of something.
    Time written_at{};
    /// Why the socket was closed from our side before its connection began; empty if it was not. Static text.
    std::string_view closed_for;

    /// Closes the socket at `due`, for this reason, unless it is armed again before.
    void arm_watchdog(std::weak_ptr<Link> self, Time due, std::string_view why);
    void disarm_watchdog();
    void close();

    asio::steady_timer watchdog;
    Time watchdog_due{};
    ReceiveWindow window;
    Bytes ciphertext;
    Bytes sending;
};

/// No delay, small unsent backlog in the kernel (network.md 1), and a limit on how long data may stay
/// unacknowledged.
void set_socket_options(asio::ip::tcp::socket& socket);

/// Reads from the socket once and feeds the TLS session. The buffer grows while reads fill it.
asio::awaitable<ErrorCode> fill(std::shared_ptr<Link> link);
/// Sends all that the TLS session has for the peer. One at a time.
asio::awaitable<ErrorCode> flush(std::shared_ptr<Link> link);
/// After the last frame: says that nothing follows and waits for the peer's end, so that it can read what was
/// sent; then closes. Bounded by a second.
asio::awaitable<void> linger(std::shared_ptr<Link> link);

/// `host:port`, `[v6]:port` taken apart; nothing if it is neither.
struct HostPort {
    std::string host;
    std::string port;
};
[[nodiscard]] std::optional<HostPort> parse_address(std::string_view text);

/// A socket that is being connected. On the strand of its executor.
struct DialAttempt {
    explicit DialAttempt(const asio::any_io_executor& executor)
        : socket(executor), resolver(executor), timer(executor) {}
    /// Ends the attempt at once.
    void abort();

    asio::ip::tcp::socket socket;
    asio::ip::tcp::resolver resolver;
    asio::steady_timer timer;
    bool over = false;
};
/// Resolves and connects the attempt's socket, within `timeout`.
asio::awaitable<ErrorCode> dial(std::shared_ptr<DialAttempt> attempt, std::string address, Duration timeout);

}  // namespace monodon::net
