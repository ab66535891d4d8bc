#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "node/http_client.hpp"
#include "node/http_server.hpp"

namespace monodon::node::test {

inline constexpr int kDeadlineMs = 20'000;

/// Two threads that run what is given to the executor.
class Io {
 public:
    Io() {
        for (int at = 0; at < 2; ++at) threads_.emplace_back([this] { context_.run(); });
    }
    ~Io() {
        work_.reset();
        context_.stop();
        for (std::thread& thread : threads_) thread.join();
    }
    Io(const Io&) = delete;
    Io& operator=(const Io&) = delete;
    [[nodiscard]] boost::asio::any_io_executor executor() { return context_.get_executor(); }

 private:
    boost::asio::io_context context_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
    std::vector<std::thread> threads_;
};

/// A server that runs until the end of its scope.
class Server {
 public:
    explicit Server(HttpServerConfig config)
        : server_(std::make_unique<HttpServer>(io_.executor(), std::move(config))) {
        const auto port = server_->start();
        if (!port) FAIL(port.error());
        port_ = *port;
    }
    ~Server() {
        if (!stopped_) stop();
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void stop() {
        std::promise<void> done;
        server_->stop([&] { done.set_value(); });
        CHECK(done.get_future().wait_for(std::chrono::milliseconds(kDeadlineMs)) ==
              std::future_status::ready);
        stopped_ = true;
    }
    /// The test has stopped it.
    void stopped() { stopped_ = true; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    HttpServer* operator->() { return server_.get(); }

 private:
    Io io_;
    std::unique_ptr<HttpServer> server_;
    std::uint16_t port_ = 0;
    bool stopped_ = false;
};

/// A TCP connection that sends exactly the bytes it is told to.
class RawConnection {
 public:
    explicit RawConnection(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    ~RawConnection() { ::close(socket_); }
    RawConnection(const RawConnection&) = delete;
    RawConnection& operator=(const RawConnection&) = delete;

    /// As much as the other end takes before it closes.
    void try_send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    void send(std::string_view text) { try_send(text); }

    /// What comes until this part has come.
    std::string read_until(const std::string& part) {
        std::string text;
        while (text.find(part) == std::string::npos) {
            if (!read_some(text)) FAIL("the connection ended after: " << text);
        }
        return text;
    }
    /// What comes until the other end closes.
    std::string read_all() {
        std::string text;
        while (read_some(text)) {
        }
        return text;
    }
    /// The other end has closed, or does so within this time.
    bool ended_within(std::chrono::milliseconds time) {
        pollfd wanted{socket_, POLLIN, 0};
        if (::poll(&wanted, 1, static_cast<int>(time.count())) <= 0) return false;
        char byte = 0;
        return ::recv(socket_, &byte, 1, 0) <= 0;
    }

 private:
    bool read_some(std::string& text) {
        pollfd wanted{socket_, POLLIN, 0};
        if (::poll(&wanted, 1, kDeadlineMs) <= 0)
            FAIL("nothing came for " << kDeadlineMs << " ms after: " << text);
        char buffer[4096];
        const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
        if (got <= 0) return false;
        text.append(buffer, static_cast<std::size_t>(got));
        return true;
    }

    int socket_;
};

/// Says one thing to the first who connects, whatever he says.
class Babbler {
 public:
    explicit Babbler(std::string text) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(socket_, 1) == 0);
        socklen_t size = sizeof address;
        REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, text = std::move(text)] {
            const int peer = ::accept(socket_, nullptr, nullptr);
            if (peer < 0) return;
            ::send(peer, text.data(), text.size(), MSG_NOSIGNAL);
            ::close(peer);
        });
    }
    ~Babbler() {
        ::shutdown(socket_, SHUT_RDWR);
        thread_.join();
        ::close(socket_);
    }
    Babbler(const Babbler&) = delete;
    Babbler& operator=(const Babbler&) = delete;
    [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
    int socket_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

/// Waits until the condition holds; false if it does not within a generous time.
template <class Condition>
bool eventually(Condition condition) {
    boost::asio::io_context context;
    boost::asio::steady_timer timer(context);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kDeadlineMs);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        timer.expires_after(std::chrono::milliseconds(2));
        timer.wait();
    }
    return true;
}

inline HttpResponse text_response(std::string body) {
    HttpResponse response;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
}

inline Route get(std::string pattern, HttpHandler handler) {
    return {HttpMethod::get, std::move(pattern), {}, "", std::move(handler)};
}

inline Route echo(std::size_t most) {
    return {HttpMethod::post,
            "/echo",
            {},
            "",
            [](const HttpRequest& request, const Respond& respond) {
                respond(text_response(std::string(as_text(*request.body))));
            },
            most};
}

inline Route hello() {
    return get("/hello", [](const HttpRequest&, const Respond& respond) { respond(text_response("hello")); });
}

inline HttpServerConfig tcp(std::vector<Route> routes) {
    HttpServerConfig config;
    config.routes = std::move(routes);
    config.listen = HostPort{"127.0.0.1", 0};
    return config;
}

inline constexpr std::string_view kHello = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

}  // namespace monodon::node::test
