#include "node/http_client.hpp"

#include <algorithm>

#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "node/home.hpp"

namespace monodon::node {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

namespace {

using Generic = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Generic>;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kReplyBytesMax = 64ULL << 20;
constexpr std::uint32_t kHeaderBytesMax = 64 * 1024;

HttpFailure failure(HttpFailure::Kind kind, std::string_view what, const error_code& error) {
    if (error == beast::error::timeout)
        return {HttpFailure::Kind::timeout, fmt::format("{}: timed out", what)};
    return {kind, fmt::format("{}: {}", what, error.message())};
}

}  // namespace

std::string HttpReply::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
}

class HttpClient::Impl {
 public:
    explicit Impl(HostPort address)
        : where_(address.text()), host_(address.text()), address_(std::move(address)) {}
    explicit Impl(const std::filesystem::path& path)
        : where_(path.string()), host_("localhost"), path_(path.string()) {}

    Expected<HttpReply, HttpFailure> exchange(http::verb method, std::string_view target, ByteView body,
                                              Timeout timeout, std::string_view content_type) {
        deadline_ = Clock::now() + timeout;
        if (const auto ready = connect(); !ready) return Unexpected{ready.error()};

        http::request<http::string_body> request(method, {target.data(), target.size()}, 11);
        request.set(http::field::host, host_);
        request.set(http::field::user_agent, "monodon");
        if (method == http::verb::post) {
            request.set(http::field::content_type, {content_type.data(), content_type.size()});
            request.body() = std::string(as_text(body));
            request.prepare_payload();
        }
        stream_->expires_at(deadline_);
        const error_code unsent = wait_for([&](auto done) { http::async_write(*stream_, request, done); });

        // A server that refuses a request may answer before it has read it all: look for that answer in any
        // case.
        http::response_parser<http::string_body> parser;
        parser.body_limit(kReplyBytesMax);
        parser.header_limit(kHeaderBytesMax);
        beast::flat_buffer buffer;
        const error_code unread =
            wait_for([&](auto done) { http::async_read(*stream_, buffer, parser, done); });
        if (unread) {
            stream_.reset();
            return Unexpected{failure(HttpFailure::Kind::broken, where_, unsent ? unsent : unread)};
        }
        if (unsent || !parser.get().keep_alive()) stream_.reset();
        return reply(parser.release());
    }

 private:
    /// Runs one asynchronous operation to its end.
    template <class Start>
    error_code wait_for(Start start) {
        error_code result;
        start([&result](const error_code& error, const auto&...) { result = error; });
        context_.restart();
        context_.run();
        return result;
    }

    static HttpReply reply(http::response<http::string_body> message) {
        HttpReply out;
        out.status = message.result_int();
        for (const auto& field : message) {
            std::string name(field.name_string());
            std::transform(name.begin(), name.end(), name.begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            });
            out.headers[std::move(name)] = std::string(field.value());
        }
        out.body = std::move(message.body());
        return out;
    }

    /// Nothing has come that belongs to no request, in particular no end.
    [[nodiscard]] bool is_usable() {
        if (!stream_) return false;
        Byte byte = 0;
        return ::recv(stream_->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
               errno == EAGAIN;
    }

    Expected<void, HttpFailure> connect() {
        if (is_usable()) return {};
        return path_.empty() ? connect_tcp() : connect_unix();
    }

    Expected<void, HttpFailure> connect_unix() {
        if (path_.size() > kSocketPathMax) {
            return Unexpected{
                HttpFailure{HttpFailure::Kind::connect, fmt::format("{}: the path is too long", path_)}};
        }
        const error_code error = connect_to(asio::local::stream_protocol::endpoint(path_));
        if (error) return Unexpected{failure(HttpFailure::Kind::connect, where_, error)};
        return {};
    }

    Expected<void, HttpFailure> connect_tcp() {
        asio::ip::tcp::resolver resolver(context_);
        error_code error;
        const auto found = resolver.resolve(address_.host, std::to_string(address_.port), error);
        if (error) return Unexpected{failure(HttpFailure::Kind::connect, where_, error)};
        for (const auto& entry : found) {
            error = connect_to(entry.endpoint());
            if (!error) return {};
        }
        return Unexpected{failure(HttpFailure::Kind::connect, where_, error)};
    }

    error_code connect_to(const Generic::endpoint& endpoint) {
        stream_.emplace(context_);
        stream_->expires_at(deadline_);
        const error_code error = wait_for([&](auto done) { stream_->async_connect(endpoint, done); });
        if (error) stream_.reset();
        return error;
    }

    std::string where_;
    /// For the Host header.
    std::string host_;
    HostPort address_;
    std::string path_;
    asio::io_context context_;
    std::optional<Stream> stream_;
    Clock::time_point deadline_;
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

HttpClient HttpClient::tcp(HostPort address) {
    return HttpClient(std::make_unique<Impl>(std::move(address)));
}

HttpClient HttpClient::unix_socket(std::filesystem::path path) {
    return HttpClient(std::make_unique<Impl>(path));
}

Expected<HttpReply, HttpFailure> HttpClient::get(std::string_view target, Timeout timeout) {
    return impl_->exchange(http::verb::get, target, {}, timeout, "");
}

Expected<HttpReply, HttpFailure> HttpClient::post(std::string_view target, ByteView body, Timeout timeout,
                                                  std::string_view content_type) {
    return impl_->exchange(http::verb::post, target, body, timeout, content_type);
}

}  // namespace monodon::node
