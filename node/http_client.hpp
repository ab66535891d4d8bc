#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "net/core/bytes.hpp"
#include "net/core/expected.hpp"
#include "node/host_port.hpp"

namespace monodon::node {

struct HttpReply {
    unsigned status = 0;
    /// Names in lower case; of repeated ones the last.
    std::map<std::string, std::string> headers;
    std::string body;
    /// Empty if there is no such header.
    [[nodiscard]] std::string header(const std::string& name) const;
};

struct HttpFailure {
    enum class Kind : std::uint8_t {
        connect,  ///< nobody listens there, or not reachable
        timeout,
        broken  ///< the connection ended, or what came is not HTTP
    };
    Kind kind = Kind::connect;
    std::string message;
};

/// A blocking HTTP/1.1 client for tools and tests. Keeps its connection for the next request and connects
/// anew when the server has closed it. Replies above 64 MiB are refused. Not for concurrent use.
class HttpClient {
 public:
    using Timeout = std::chrono::milliseconds;

    [[nodiscard]] static HttpClient tcp(HostPort address);
    [[nodiscard]] static HttpClient unix_socket(std::filesystem::path path);
    ~HttpClient();
    HttpClient(HttpClient&&) noexcept;
    HttpClient& operator=(HttpClient&&) noexcept;

    /// `target` is path and query, percent-encoded. The timeout covers everything, connecting included.
    [[nodiscard]] Expected<HttpReply, HttpFailure> get(std::string_view target, Timeout timeout);
    [[nodiscard]] Expected<HttpReply, HttpFailure> post(
        std::string_view target, ByteView body, Timeout timeout,
        std::string_view content_type = "application/octet-stream");

 private:
    class Impl;
    explicit HttpClient(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace monodon::node
