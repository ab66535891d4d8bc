#include "net/transport/link.hpp"

#include <boost/asio/connect.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/transport/as_result.hpp"
#include "net/transport/clock.hpp"

namespace monodon::net {

namespace {

constexpr std::size_t kReadBytesFirst = 16 * 1024;
constexpr std::size_t kReadBytesMax = 128 * 1024;
constexpr int kNotsentLowat = 32 * 1024;
/// For what the clock of a connection does not see. Longer than its own 20 s, which say why it ends.
constexpr int kUserTimeoutMs = 30'000;
constexpr Duration kLinger = std::chrono::seconds(1);

std::string address_of(const asio::ip::tcp::socket& socket) {
    ErrorCode error;
    const auto endpoint = socket.remote_endpoint(error);
    if (error) return "unknown";
    const std::string host = endpoint.address().to_string();
    const std::string port = std::to_string(endpoint.port());
    return endpoint.address().is_v6() ? "[" + host + "]:" + port : host + ":" + port;
}

/// Where the system refuses, votes wait longer behind what we are late with; nothing else depends on it.
void set_receive_buffer(asio::ip::tcp::socket& socket, std::size_t bytes) {
    if (bytes < ReceiveWindow::kMost) {
        // Not TCP_WINDOW_CLAMP: that bounds what may come beyond what waits, and not what waits.
        const int value = static_cast<int>(bytes);
        (void)::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVBUF, &value, sizeof value);
        return;
    }
#ifdef SO_BUF_LOCK
    // From now on the system chooses, as it did before a size was set.
    const int unlocked = 0;
    (void)::setsockopt(socket.native_handle(), SOL_SOCKET, SO_BUF_LOCK, &unlocked, sizeof unlocked);
#endif
}

}  // namespace

Link::Link(asio::ip::tcp::socket connected, std::shared_ptr<const TlsContext> context, TlsSide tls_side)
    : socket(std::move(connected)),
      side(tls_side),
      tls(std::move(context), tls_side),
      address(address_of(socket)),
      watchdog(socket.get_executor()) {
    set_socket_options(socket);
}

void Link::arm_watchdog(std::weak_ptr<Link> self, Time due, std::string_view why) {
    watchdog_due = due;
    watchdog.expires_at(to_steady(due));
    watchdog.async_wait([self = std::move(self), due, why](const ErrorCode& error) {
        const auto link = self.lock();
        // A wait that was over before it was armed anew is told apart by its time.
        if (error || !link || link->watchdog_due != due) return;
        link->closed_for = why;
        link->close();
    });
}

void Link::disarm_watchdog() {
    watchdog_due = Time{};
    watchdog.cancel();
}

void Link::close() {
    disarm_watchdog();
    ErrorCode ignored;
    socket.close(ignored);
}

void set_socket_options(asio::ip::tcp::socket& socket) {
    const int fd = socket.native_handle();
    const auto set = [fd](int option, int value) {
        // A kernel without the option serves a little worse, no less correctly.
        (void)::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
    };
    set(TCP_NODELAY, 1);
    set(TCP_NOTSENT_LOWAT, kNotsentLowat);
    set(TCP_USER_TIMEOUT, kUserTimeoutMs);
}

asio::awaitable<ErrorCode> fill(std::shared_ptr<Link> link) {
    Bytes& buffer = link->ciphertext;
    if (buffer.empty()) buffer.resize(kReadBytesFirst);
    const auto [error, bytes] = co_await link->socket.async_read_some(asio::buffer(buffer), as_result);
    if (error) co_return error;
    link->bytes_in.fetch_add(bytes, std::memory_order_relaxed);
    const bool emptied = bytes < buffer.size();
    ErrorCode unknown;
    const std::size_t left = emptied ? 0 : link->socket.available(unknown);
    if (const auto window = link->window.after_read(emptied, left)) set_receive_buffer(link->socket, *window);
    // A full buffer means that more is coming than it holds: the bytes are moved on, then the next is larger.
    if (!emptied && buffer.size() < kReadBytesMax) buffer.resize(buffer.size() * 2);
    link->tls.feed(ByteView(buffer).first(bytes));
    co_return ErrorCode{};
}

asio::awaitable<ErrorCode> flush(std::shared_ptr<Link> link) {
    // The session may produce more while this is being written: it continues in the other of two buffers.
    Bytes& sending = link->sending;
    sending.clear();
    std::swap(sending, link->tls.output());
    link->written_at = now();
    for (std::size_t sent = 0; sent < sending.size();) {
        const auto rest = asio::buffer(sending.data() + sent, sending.size() - sent);
        const auto [error, bytes] = co_await link->socket.async_write_some(rest, as_result);
        if (error) co_return error;
        sent += bytes;
        link->written_at = now();
        link->bytes_out.fetch_add(bytes, std::memory_order_relaxed);
    }
    co_return ErrorCode{};
}

asio::awaitable<void> linger(std::shared_ptr<Link> link) {
    link->arm_watchdog(link, now() + kLinger, "the end took too long");
    link->tls.close();
    ErrorCode error = co_await flush(link);
    if (!error) link->socket.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    if (link->ciphertext.empty()) link->ciphertext.resize(kReadBytesFirst);
    while (!error) {
        const auto [failed, bytes] =
            co_await link->socket.async_read_some(asio::buffer(link->ciphertext), as_result);
        if (bytes == 0) break;
        error = failed;
    }
    link->close();
}

std::optional<HostPort> parse_address(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos)
        return std::nullopt;
    if (std::stoul(std::string(port)) > 65535) return std::nullopt;
    if (host.front() == '[' && host.back() == ']' && host.size() > 2) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return std::nullopt;
    }
    return HostPort{std::string(host), std::string(port)};
}

void DialAttempt::abort() {
    if (std::exchange(over, true)) return;
    ErrorCode ignored;
    resolver.cancel();
    socket.close(ignored);
    timer.cancel();
}

asio::awaitable<ErrorCode> dial(std::shared_ptr<DialAttempt> attempt, std::string address, Duration timeout) {
    const auto target = parse_address(address);
    if (!target) co_return asio::error::invalid_argument;
    attempt->timer.expires_after(timeout);
    attempt->timer.async_wait([attempt](const ErrorCode& error) {
        if (!error) attempt->abort();
    });
    std::vector<asio::ip::tcp::endpoint> endpoints;
    ErrorCode error;
    if (const auto numeric = asio::ip::make_address(target->host, error); !error) {
        endpoints.emplace_back(numeric, static_cast<std::uint16_t>(std::stoul(target->port)));
    } else {
        const auto [failed, found] =
            co_await attempt->resolver.async_resolve(target->host, target->port, as_result);
        error = failed;
        for (const auto& entry : found) endpoints.push_back(entry.endpoint());
    }
    if (!error && !attempt->over) {
        const auto [failed, endpoint] = co_await asio::async_connect(attempt->socket, endpoints, as_result);
        error = failed;
    }
    if (std::exchange(attempt->over, true)) co_return asio::error::timed_out;
    attempt->timer.cancel();
    co_return error;
}

}  // namespace monodon::net
