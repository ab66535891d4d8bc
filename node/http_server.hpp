#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "net/core/expected.hpp"
#include "net/core/time.hpp"
#include "node/host_port.hpp"
#include "node/http_types.hpp"

namespace monodon::node {

/// What one server lets its clients hold. Together with the routes' largest bodies this bounds its memory:
/// connections x (header_bytes + body + response).
struct HttpLimits {
    std::uint32_t connections = 256;
    /// Loopback addresses are exempt: all local clients share one.
    std::uint32_t connections_per_address = 64;
    /// A connection that has waited for its client longer than this, to send a request or to take an answer,
    /// makes room when all places are taken, the longest first: who holds places is not served for it.
    Duration patience = std::chrono::seconds(1);
    std::uint32_t header_bytes = 16 * 1024;
    /// A connection without a request under way is closed after this time.
    Duration idle = std::chrono::seconds(30);
    /// From the first byte of a request to the end of its header, and from there to the end of its body:
    /// however slowly they drip, they do not take longer.
    Duration header = std::chrono::seconds(5);
    Duration body = std::chrono::seconds(20);
    /// For a handler's answer; then 504.
    Duration handler = std::chrono::seconds(70);
    /// For a client to take a response.
    Duration write = std::chrono::seconds(30);
    /// How long stop() waits for requests under way.
    Duration stop = std::chrono::milliseconds(700);
};

struct HttpServerConfig {
    std::vector<Route> routes;
    HttpLimits limits;
    /// Server header.
    std::string server = "monodon";

    // Exactly one of the two:
    /// TCP. Requests must name a host in `hosts`, a loopback name or address, or the address they arrived at
    /// (else 421: a foreign page whose name resolves to us), and a POST must not come from another origin
    /// (403).
    std::optional<HostPort> listen;
    /// A TCP socket that is bound already, used instead of binding one to `listen`; the server owns it from
    /// start() on. -1 for none.
    int listen_fd = -1;
    std::vector<std::string> hosts;

    /// Unix socket, at most kSocketPathMax bytes, mode 0600 from the first moment; a POST is answered only
    /// for our own user and root (403). A socket that is left over is removed: the caller holds the lock of
    /// the home.
    std::filesystem::path socket;
    /// Members may connect and read (mode 0660); empty for none.
    std::string group;
};

/// An HTTP/1.1 server of one listening socket: bounded in everything, one request at a time per connection,
/// keep-alive. start() and stop() once each; all methods are thread-safe. Runs on the executor given, which
/// must outlive it; each connection on a strand of its own.
class HttpServer {
 public:
    HttpServer(boost::asio::any_io_executor executor, HttpServerConfig config);
    /// Closes at once what stop() has not closed.
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// The port (0 for a Unix socket), or why the socket cannot be had.
    [[nodiscard]] Expected<std::uint16_t, std::string> start();
    /// Takes no new request, lets those under way finish for at most limits.stop, closes, then calls `done`
    /// on the executor.
    void stop(std::function<void()> done);

    struct Counters {
        std::uint64_t connections = 0;  ///< open
        std::uint64_t accepted = 0;
        std::uint64_t refused = 0;    ///< over a limit on connections
        std::uint64_t displaced = 0;  ///< closed to make room for another
        std::uint64_t requests = 0;
    };
    [[nodiscard]] Counters counters() const;

 private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace monodon::node
