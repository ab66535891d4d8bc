#include "node/http_server.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "net/core/log.hpp"
#include "net/transport/clock.hpp"
#include "node/http_session.hpp"
#include "node/listen_socket.hpp"

namespace monodon::node {

namespace asio = boost::asio;

namespace {

using Generic = asio::generic::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<Generic>;
constexpr auto kNoDescriptorsPause = std::chrono::milliseconds(100);

asio::ip::address address_of(const Generic::endpoint& endpoint) {
    asio::ip::tcp::endpoint tcp;
    if (endpoint.size() > tcp.capacity()) return {};
    std::memcpy(tcp.data(), endpoint.data(), endpoint.size());
    return tcp.address();
}

}  // namespace

/// Everything but start() and counters runs on one strand.
class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
    Impl(asio::any_io_executor executor, HttpServerConfig config)
        : executor_(std::move(executor)),
          strand_(asio::make_strand(executor_)),
          acceptor_(strand_),
          timer_(strand_) {
        shared_ = std::make_shared<HttpShared>(std::move(config));
    }

    Expected<std::uint16_t, std::string> start() {
        Generic protocol(AF_UNIX, 0);
        int descriptor = -1;
        std::uint16_t port = 0;
        if (tcp()) {
            const HttpServerConfig& config = shared_->config;
            auto listening = config.listen_fd >= 0 ? adopt_tcp(config.listen_fd) : listen_tcp(*config.listen);
            if (!listening) return Unexpected{listening.error()};
            protocol = Generic(listening->family, IPPROTO_TCP);
            port = listening->port;
            descriptor = listening->socket.release();
        } else {
            auto listening = listen_unix(shared_->config.socket, shared_->config.group);
            if (!listening) return Unexpected{listening.error()};
            descriptor = listening->release();
        }
        boost::system::error_code error;
        acceptor_.assign(protocol, descriptor, error);
        if (error) {
            ::close(descriptor);
            return Unexpected{error.message()};
        }
        accepting_ = true;
        asio::co_spawn(
            strand_, accept_loop(shared_from_this()),
            [self = shared_from_this()](const std::exception_ptr& failure) { self->accept_ended(failure); });
        return port;
    }

    void stop(std::function<void()> done) {
        asio::post(strand_, [self = shared_from_this(), done = std::move(done)]() mutable {
            self->begin_stop(std::move(done));
        });
    }

    void abandon() {
        asio::post(strand_, [self = shared_from_this()] {
            self->close_acceptor();
            self->close_sessions();
        });
    }

    [[nodiscard]] Counters counters() const {
        return {shared_->open.load(), accepted_.load(), refused_.load(), displaced_.load(),
                shared_->requests.load()};
    }

 private:
    using SessionPtr = std::shared_ptr<HttpSession>;
    struct Open {
        SessionPtr session;
        /// Of a TCP client that counts against the limit per address.
        std::optional<asio::ip::address> address;
        /// Told to close, to make room.
        bool leaving = false;
    };

    [[nodiscard]] bool tcp() const { return shared_->config.listen.has_value(); }

    static asio::awaitable<void> accept_loop(std::shared_ptr<Impl> self) {
        while (self->acceptor_.is_open()) {
            Generic::endpoint from;
            auto [error, socket] = co_await self->acceptor_.async_accept(
                asio::any_io_executor(asio::make_strand(self->executor_)), from, as_result);
            if (!self->acceptor_.is_open()) co_return;
            if (!error) {
                self->admit(std::move(socket), from);
            } else if (error != asio::error::connection_aborted) {
                // Out of descriptors, most likely: trying again at once would spin.
                self->timer_.expires_after(kNoDescriptorsPause);
                co_await self->timer_.async_wait(as_result);
            }
        }
    }

    void admit(HttpSocket socket, const Generic::endpoint& from) {
        std::optional<asio::ip::address> address;
        if (tcp()) address = address_of(from);
        if (address && address->is_loopback()) address.reset();
        const HttpLimits& limits = shared_->config.limits;
        const bool crowded = address && per_address_[*address] >= limits.connections_per_address;
        if (crowded || (sessions_.size() - leaving_ >= limits.connections && !make_room())) {
            if (address && per_address_[*address] == 0) per_address_.erase(*address);
            ++refused_;
            HttpSession::refuse(std::move(socket));
            return;
        }
        if (address) ++per_address_[*address];
        ++accepted_;
        const std::uint64_t id = next_id_++;
        auto session = std::make_shared<HttpSession>(std::move(socket), shared_);
        sessions_.emplace(id, Open{session, address});
        shared_->open = sessions_.size();
        HttpSession::spawn(session, [self = shared_from_this(), id] {
            asio::post(self->strand_, [self, id] { self->ended(id); });
        });
    }

    /// Closes the connection that has waited longest for its client, if any has for too long.
    bool make_room() {
        const auto waiting = [](const auto& entry) {
            return entry.second.leaving ? Time::max() : entry.second.session->waits_since();
        };
        const auto longest = std::min_element(
            sessions_.begin(), sessions_.end(),
            [&](const auto& left, const auto& right) { return waiting(left) < waiting(right); });
        const Time now = net::now();
        const Duration patience = shared_->config.limits.patience;
        if (longest == sessions_.end() || waiting(*longest) > now - patience) return false;
        longest->second.leaving = true;
        ++leaving_;
        ++displaced_;
        HttpSession::close(longest->second.session);
        return true;
    }

    void ended(std::uint64_t id) {
        const auto found = sessions_.find(id);
        if (found == sessions_.end()) return;
        if (found->second.leaving) --leaving_;
        if (const auto& address = found->second.address; address && --per_address_[*address] == 0) {
            per_address_.erase(*address);
        }
        sessions_.erase(found);
        shared_->open = sessions_.size();
        finish_stop();
    }

    void accept_ended(const std::exception_ptr& failure) {
        if (failure) log::error(log::Category::api, "accepting connections has failed");
        accepting_ = false;
        finish_stop();
    }

    void begin_stop(std::function<void()> done) {
        done_ = std::move(done);
        close_acceptor();
        for (const auto& [id, open] : sessions_) HttpSession::finish(open.session);
        timer_.expires_after(shared_->config.limits.stop);
        timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
            if (!error) self->close_sessions();
        });
        finish_stop();
    }

    void close_acceptor() {
        if (!acceptor_.is_open()) return;
        boost::system::error_code error;
        acceptor_.close(error);
        timer_.cancel();
        // Only the owner of the home gets here, and only while the socket is its own.
        if (!tcp()) ::unlink(shared_->config.socket.c_str());
    }

    void close_sessions() {
        for (const auto& [id, open] : sessions_) HttpSession::close(open.session);
    }

    void finish_stop() {
        if (!done_ || accepting_ || !sessions_.empty()) return;
        timer_.cancel();
        asio::post(executor_, std::exchange(done_, nullptr));
    }

    asio::any_io_executor executor_;
    asio::strand<asio::any_io_executor> strand_;
    Acceptor acceptor_;
    asio::steady_timer timer_;
    std::shared_ptr<HttpShared> shared_;
    std::map<std::uint64_t, Open> sessions_;
    std::size_t leaving_ = 0;
    std::map<asio::ip::address, std::uint32_t> per_address_;
    std::uint64_t next_id_ = 1;
    bool accepting_ = false;
    std::function<void()> done_;
    std::atomic<std::uint64_t> accepted_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<std::uint64_t> displaced_{0};
};

HttpServer::HttpServer(asio::any_io_executor executor, HttpServerConfig config)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(config))) {}

HttpServer::~HttpServer() { impl_->abandon(); }

Expected<std::uint16_t, std::string> HttpServer::start() { return impl_->start(); }

void HttpServer::stop(std::function<void()> done) { impl_->stop(std::move(done)); }

HttpServer::Counters HttpServer::counters() const { return impl_->counters(); }

}  // namespace monodon::node
