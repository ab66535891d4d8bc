#include "tests/bench/relay.hpp"

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

using Socket = std::shared_ptr<Tcp::socket>;

/// One direction. All of it in the relay's only thread.
struct Pipe {
    Pipe(Socket source, Socket sink, Duration wait)
        : from(std::move(source)), to(std::move(sink)), delay(wait), changed(from->get_executor()) {}
    Socket from;
    Socket to;
    Duration delay;
    asio::steady_timer changed;
    std::deque<std::pair<std::chrono::steady_clock::time_point, Bytes>> waiting;
    bool ended = false;
};

asio::awaitable<void> take(std::shared_ptr<Pipe> pipe) {
    for (;;) {
        Bytes chunk(kChunk);
        const auto [error, bytes] = co_await pipe->from->async_read_some(asio::buffer(chunk), as_result);
        if (error) break;
        chunk.resize(bytes);
        pipe->waiting.emplace_back(std::chrono::steady_clock::now() + pipe->delay, std::move(chunk));
        pipe->changed.cancel();
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

Relay::Relay(std::uint16_t target, Duration delay)
    : acceptor_(context_, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      port_(acceptor_.local_endpoint().port()) {
    acceptor_.async_accept(
        [this, target, delay](const boost::system::error_code& error, Tcp::socket accepted) {
            if (error) return;
            const auto near = std::make_shared<Tcp::socket>(std::move(accepted));
            const auto far = std::make_shared<Tcp::socket>(context_);
            boost::system::error_code refused;
            far->connect(Tcp::endpoint(asio::ip::address_v4::loopback(), target), refused);
            if (refused) give_up("the relay cannot connect: " + refused.message());
            for (const Socket& socket : {near, far}) socket->set_option(Tcp::no_delay(true));
            for (const auto& pipe :
                 {std::make_shared<Pipe>(near, far, delay), std::make_shared<Pipe>(far, near, delay)}) {
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
