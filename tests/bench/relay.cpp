#include "tests/bench/relay.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "net/core/bytes.hpp"
#include "tests/bench/figures.hpp"

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

namespace monodon::bench {

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kChunk = 64 * 1024;
/// Of a line with a limit: one chunk is on its way while the next waits, and so many in the buffers of the
/// sockets, which the system doubles.
constexpr std::size_t kLimitedChunk = 16 * 1024;
constexpr std::size_t kQueue = 2 * kLimitedChunk;

using Socket = std::shared_ptr<Tcp::socket>;

/// One direction. All of it in the relay's only thread.
struct Pipe {
    Pipe(Socket source, Socket sink, const Line& between)
        : from(std::move(source)), to(std::move(sink)), line(between), changed(from->get_executor()) {}
    /// How long the line takes for so many bytes.
    [[nodiscard]] Duration time_of(std::size_t bytes) const {
        if (line.bytes_per_second == 0) return Duration{0};
        return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
            static_cast<double>(bytes) / static_cast<double>(line.bytes_per_second)));
    }

    Socket from;
    Socket to;
    Line line;
    asio::steady_timer changed;
    /// When all that was taken is on the line.
    std::chrono::steady_clock::time_point free_at;
    std::deque<std::pair<std::chrono::steady_clock::time_point, Bytes>> waiting;
    bool ended = false;
};

asio::awaitable<void> take(std::shared_ptr<Pipe> pipe) {
    asio::steady_timer timer(pipe->from->get_executor());
    for (;;) {
        Bytes chunk(pipe->line.bytes_per_second == 0 ? kChunk : kLimitedChunk);
        const auto [error, bytes] = co_await pipe->from->async_read_some(asio::buffer(chunk), as_result);
        if (error) break;
        chunk.resize(bytes);
        pipe->free_at = std::max(pipe->free_at, std::chrono::steady_clock::now()) + pipe->time_of(bytes);
        pipe->waiting.emplace_back(pipe->free_at + pipe->line.delay, std::move(chunk));
        pipe->changed.cancel();
        timer.expires_at(pipe->free_at - pipe->time_of(kQueue));
        co_await timer.async_wait(as_result);
    }
    pipe->ended = true;
    pipe->changed.cancel();
}

asio::awaitable<void> give(std::shared_ptr<Pipe> pipe) {
    for (;;) {
        if (pipe->waiting.empty()) {
            if (pipe->ended) break;
            pipe->changed.expires_at(asio::steady_timer::time_point::max());
            co_await pipe->changed.async_wait(as_result);
            continue;
        }
        const auto [due, chunk] = std::move(pipe->waiting.front());
        pipe->waiting.pop_front();
        asio::steady_timer timer(pipe->from->get_executor(), due);
        co_await timer.async_wait(as_result);
        const auto [error, bytes] = co_await asio::async_write(*pipe->to, asio::buffer(chunk), as_result);
        if (error) break;
    }
    boost::system::error_code ignored;
    pipe->to->shutdown(Tcp::socket::shutdown_send, ignored);
}

void failed(const std::exception_ptr& failure) {
    if (failure) give_up("the relay failed");
}

}  // namespace

Relay::Relay(std::uint16_t target, Line line)
    : acceptor_(context_, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      port_(acceptor_.local_endpoint().port()) {
    if (line.bytes_per_second != 0) acceptor_.set_option(asio::socket_base::receive_buffer_size(kQueue));
    acceptor_.async_accept(
        [this, target, line](const boost::system::error_code& error, Tcp::socket accepted) {
            if (error) return;
            const auto near = std::make_shared<Tcp::socket>(std::move(accepted));
            const auto far = std::make_shared<Tcp::socket>(context_);
            boost::system::error_code refused;
            far->connect(Tcp::endpoint(asio::ip::address_v4::loopback(), target), refused);
            if (refused) give_up("the relay cannot connect: " + refused.message());
            for (const Socket& socket : {near, far}) socket->set_option(Tcp::no_delay(true));
            for (const auto& pipe :
                 {std::make_shared<Pipe>(near, far, line), std::make_shared<Pipe>(far, near, line)}) {
                asio::co_spawn(context_, take(pipe), failed);
                asio::co_spawn(context_, give(pipe), failed);
            }
        });
    thread_ = std::thread([this] { context_.run(); });
}

Relay::~Relay() {
    context_.stop();
    thread_.join();
}

}  // namespace monodon::bench
