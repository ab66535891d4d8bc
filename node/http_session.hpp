#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include "net/transport/as_result.hpp"
#include "node/http_server.hpp"

namespace monodon::node {

using net::as_result;
using HttpSocket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol>;

/// What all connections of one server look at.
struct HttpShared {
    explicit HttpShared(HttpServerConfig wanted) : config(std::move(wanted)), table(config.routes) {
        if (config.listen) names.push_back(config.listen->host);
    }
    const HttpServerConfig config;
    const RouteTable table;
    /// By which requests may call this host: those of the configuration, and what it listens at.
    std::vector<std::string> names = config.hosts;
    std::atomic<std::uint64_t> open{0};
    std::atomic<std::uint64_t> requests{0};
};

/// One connection of a server: reads a request, has it answered, writes the answer, again. Runs on the strand
/// that is the executor of its socket; the static functions may be called from anywhere.
class HttpSession {
 public:
    HttpSession(HttpSocket socket, std::shared_ptr<HttpShared> shared);
    ~HttpSession();
    HttpSession(const HttpSession&) = delete;
    HttpSession& operator=(const HttpSession&) = delete;

    /// Runs until the connection has ended, then calls `ended` on its strand.
    static void spawn(std::shared_ptr<HttpSession> session, std::function<void()> ended);
    /// Ends after the request under way; at once if there is none.
    static void finish(std::shared_ptr<HttpSession> session);
    static void close(std::shared_ptr<HttpSession> session);
    /// Since when it waits for its client; Time::max() while a request is being answered. Thread-safe.
    [[nodiscard]] Time waits_since() const;
    /// Tells a connection that there is no room for it, as far as that is possible without waiting.
    static void refuse(HttpSocket socket);

 private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace monodon::node
