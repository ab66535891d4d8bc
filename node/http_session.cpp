#include "node/http_session.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/vector_body.hpp>
#include <boost/beast/http/write.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/core/log.hpp"
#include "net/transport/clock.hpp"
#include "node/http_guard.hpp"
#include "node/listen_socket.hpp"

namespace monodon::node {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

namespace {

using Generic = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Generic>;
using Parser = http::request_parser<http::vector_body<Byte>>;
using boost::system::error_code;

/// Read and thrown away after an answer that came before the end of a request, so that the client can take
/// the answer instead of being cut off while it still writes.
constexpr std::size_t kLingerBytes = 1024 * 1024;
constexpr auto kLinger = std::chrono::seconds(1);
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

/// An answer that is awaited: filled on the session's strand.
struct Slot {
    explicit Slot(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    std::optional<HttpResponse> response;
    /// The client has closed its end.
    bool abandoned = false;
    /// To be called if nobody waits for the answer any more.
    std::function<void()> gone;
};

/// Runs `change` with the slot on its executor, if somebody still waits for it there.
template <class Change>
void change_slot(const std::weak_ptr<Slot>& weak, Change change) {
    // Whoever answers may come when the request, or the whole server, is gone.
    const auto held = weak.lock();
    if (!held) return;
    asio::post(held->timer.get_executor(), [weak, change = std::move(change)]() mutable {
        if (const auto slot = weak.lock()) change(*slot);
    });
}

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

std::string local_address(const HttpSocket& socket) {
    error_code error;
    const auto endpoint = socket.local_endpoint(error);
    asio::ip::tcp::endpoint tcp;
    if (error || endpoint.size() > tcp.capacity()) return {};
    std::copy_n(reinterpret_cast<const Byte*>(endpoint.data()), endpoint.size(),
                reinterpret_cast<Byte*>(tcp.data()));
    return tcp.address().to_string();
}

/// The answer to a header that could not be read; nothing if nobody is there to read it.
std::optional<HttpResponse> parse_failure(const error_code& error, std::uint32_t header_bytes) {
    if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        return error_response(431, "header_too_large",
                              fmt::format("a header has at most {} bytes", header_bytes));
    }
    if (error.category() != http::make_error_code(http::error::bad_method).category()) return std::nullopt;
    return error_response(400, "bad_request", fmt::format("not HTTP: {}", error.message()));
}

}  // namespace

class HttpSession::Impl : public std::enable_shared_from_this<Impl> {
 public:
    Impl(HttpSocket socket, std::shared_ptr<HttpShared> shared)
        : stream_(std::move(socket)),
          shared_(std::move(shared)),
          buffer_(limits().header_bytes + kBufferSlack) {
        if (tcp()) {
            local_ = local_address(stream_.socket());
        } else {
            user_ = peer_user(stream_.socket().native_handle());
        }
    }

    asio::awaitable<void> run() {
        while (!finishing_) {
            if (!co_await request_begins()) break;
            busy_ = true;
            const bool keep = co_await exchange();
            busy_ = false;
            if (!keep) break;
            waits_since_ = net::now();
        }
        error_code error;
        stream_.socket().shutdown(asio::socket_base::shutdown_send, error);
        stream_.close();
    }

    void finish() {
        finishing_ = true;
        if (!busy_) stream_.close();
    }

    void close() {
        finishing_ = true;
        if (slot_) slot_->timer.cancel();
        stream_.close();
    }

    [[nodiscard]] asio::any_io_executor executor() { return stream_.get_executor(); }
    [[nodiscard]] Time waits_since() const { return waits_since_.load(std::memory_order_relaxed); }

 private:
    static constexpr std::size_t kBufferSlack = 64 * 1024;

    [[nodiscard]] const HttpLimits& limits() const { return shared_->config.limits; }
    [[nodiscard]] bool tcp() const { return shared_->config.listen.has_value(); }

    /// Waits for the first byte of the next request.
    asio::awaitable<bool> request_begins() {
        if (buffer_.size() > 0) co_return true;
        stream_.expires_after(limits().idle);
        auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(kReadBytes), as_result);
        if (error) co_return false;
        buffer_.commit(size);
        co_return true;
    }

    /// One request and its answer; false if the connection ends with it.
    asio::awaitable<bool> exchange() {
        Parser& parser = parser_.emplace();
        parser.header_limit(limits().header_bytes);
        parser.body_limit(boost::none);
        stream_.expires_after(limits().header);
        auto [error, size] = co_await http::async_read_header(stream_, buffer_, parser, as_result);
        if (error) {
            if (const auto response = parse_failure(error, limits().header_bytes))
                co_await refuse_request(*response);
            co_return false;
        }
        ++shared_->requests;
        const Parser::value_type& head = parser.get();
        head_only_ = head.method() == http::verb::head;
        auto found = shared_->table.find(view(head.method_string()), view(head.target()));
        if (auto refused = check(found)) {
            co_await refuse_request(std::move(*refused));
            co_return false;
        }

        auto& match = std::get<RouteTable::Match>(found);
        parser.body_limit(match.route->body_max);
        if (!parser.is_done() && !co_await read_body()) co_return false;
        waits_since_ = Time::max();
        const bool keep = parser.get().keep_alive();
        match.request.body = std::make_shared<const Bytes>(std::move(parser.get().body()));
        auto response = co_await answer(match.route, std::move(match.request));
        if (!response) co_return false;
        co_return co_await write(std::move(*response), keep && !finishing_) && keep;
    }

    /// The refusal of a request of which the header is known, if it is to be refused.
    std::optional<HttpResponse> check(std::variant<RouteTable::Match, HttpResponse>& found) const {
        const Parser::value_type& head = parser_->get();
        if (auto refused = tcp() ? check_host(head) : check_user(head)) return refused;
        if (auto* refused = std::get_if<HttpResponse>(&found)) return std::move(*refused);
        const std::size_t most = std::get<RouteTable::Match>(found).route->body_max;
        if (parser_->content_length().value_or(0) > most) return too_large(most);
        return std::nullopt;
    }

    std::optional<HttpResponse> check_host(const Parser::value_type& head) const {
        const auto hosts = head.equal_range(http::field::host);
        if (std::distance(hosts.first, hosts.second) != 1) {
            return error_response(400, "bad_request", "a request needs one Host header");
        }
        const std::string_view host = view(hosts.first->value());
        if (!is_our_host(host, shared_->names, local_)) {
            return error_response(
                421, "host",
                "the request names another host; ours are localhost, the address of api.listen and "
                "those of api.hosts");
        }
        const std::string_view origin = view(head[http::field::origin]);
        if (head.method() == http::verb::post && !origin.empty() && !is_same_origin(origin, host)) {
            return error_response(403, "origin", "pages of other origins may not change anything here");
        }
        return std::nullopt;
    }

    std::optional<HttpResponse> check_user(const Parser::value_type& head) const {
        const bool reads = head.method() == http::verb::get || head.method() == http::verb::head;
        if (reads || may_change(user_, ::geteuid())) return std::nullopt;
        return error_response(403, "not_owner",
                              "only the user that runs the node, and root, may change anything");
    }

    static HttpResponse too_large(std::size_t most) {
        return error_response(413, "too_large",
                              fmt::format("the body of this request has at most {} bytes", most));
    }

    asio::awaitable<bool> read_body() {
        stream_.expires_after(limits().body);
        if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
            auto [error, size] = co_await asio::async_write(stream_, asio::buffer(kContinue), as_result);
            if (error) co_return false;
        }
        auto [error, size] = co_await http::async_read(stream_, buffer_, *parser_, as_result);
        if (!error) co_return true;
        if (error == http::error::body_limit) {
            // Without a length it comes to light only here.
            co_await refuse_request(
                error_response(413, "too_large", "the body of this request is too large"));
        } else if (const auto response = parse_failure(error, limits().header_bytes)) {
            co_await refuse_request(*response);
        }
        co_return false;
    }

    /// Nothing if the client has gone, or the connection is being closed.
    asio::awaitable<std::optional<HttpResponse>> answer(const Route* route, HttpRequest request) {
        const auto slot = std::make_shared<Slot>(stream_.get_executor());
        slot_ = slot;
        slot->timer.expires_after(limits().handler);
        const std::weak_ptr<Slot> weak = slot;
        const auto fill = [weak](HttpResponse response) {
            change_slot(weak, [response = std::move(response)](Slot& filled) mutable {
                filled.response = std::move(response);
                filled.timer.cancel();
            });
        };
        const auto watch = [weak](std::function<void()> gone) {
            change_slot(weak,
                        [gone = std::move(gone)](Slot& watched) mutable { watched.gone = std::move(gone); });
        };
        route->handler(std::move(request), Respond(fill, watch));
        watch_for_end(slot);
        if (!slot->response) co_await slot->timer.async_wait(as_result);
        slot_.reset();
        error_code error;
        stream_.socket().cancel(error);
        if (slot->response) co_return std::move(slot->response);
        if (slot->gone) slot->gone();
        if (slot->abandoned || finishing_) co_return std::nullopt;
        co_return error_response(504, "timeout", "no answer in time; ask again later");
    }

    /// A client that hangs up frees its place at once, however long its request would have waited.
    void watch_for_end(const std::shared_ptr<Slot>& slot) {
        stream_.socket().async_wait(
            asio::socket_base::wait_read,
            [self = weak_from_this(), weak = std::weak_ptr<Slot>(slot)](const error_code& error) {
                const auto session = self.lock();
                const auto watched = weak.lock();
                if (error || !session || !watched) return;
                Byte byte = 0;
                const auto got =
                    ::recv(session->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
                // A next request that came early waits for its turn.
                if (got > 0 || (got < 0 && errno == EAGAIN)) return;
                watched->abandoned = true;
                watched->timer.cancel();
            });
    }

    asio::awaitable<bool> write(HttpResponse response, bool keep) {
        http::response<http::string_body> message(static_cast<http::status>(response.status), 11);
        message.set(http::field::server, shared_->config.server);
        if (!response.content_type.empty()) message.set(http::field::content_type, response.content_type);
        message.set(http::field::cache_control, "no-store");
        message.set("X-Content-Type-Options", "nosniff");
        for (const auto& [name, value] : response.headers) message.set(name, value);
        message.keep_alive(keep);
        message.content_length(response.body.size());
        if (!head_only_) message.body() = std::move(response.body);
        waits_since_ = net::now();
        stream_.expires_after(limits().write);
        auto [error, size] = co_await http::async_write(stream_, message, as_result);
        co_return !error;
    }

    /// Answers a request that was not read to its end; the connection ends with it.
    asio::awaitable<void> refuse_request(HttpResponse response) {
        if (!co_await write(std::move(response), false)) co_return;
        error_code error;
        stream_.socket().shutdown(asio::socket_base::shutdown_send, error);
        stream_.expires_after(kLinger);
        std::array<Byte, kReadBytes> sink{};
        for (std::size_t left = kLingerBytes; !error && left > 0;) {
            auto [failed, size] = co_await stream_.async_read_some(asio::buffer(sink), as_result);
            error = failed;
            left -= std::min(left, size);
        }
    }

    static constexpr std::size_t kReadBytes = 4096;

    Stream stream_;
    std::shared_ptr<HttpShared> shared_;
    beast::flat_buffer buffer_;
    /// Of the request under way.
    std::optional<Parser> parser_;
    /// Address that a TCP connection arrived at.
    std::string local_;
    /// At the other end of a Unix socket.
    uid_t user_ = 0;
    std::shared_ptr<Slot> slot_;
    bool busy_ = false;
    std::atomic<Time> waits_since_{net::now()};
    bool finishing_ = false;
    bool head_only_ = false;
};

namespace {

/// Keeps the session until it has run.
asio::awaitable<void> run_session([[maybe_unused]] std::shared_ptr<HttpSession> session,
                                  asio::awaitable<void> run) {
    co_await std::move(run);
}

}  // namespace

HttpSession::HttpSession(HttpSocket socket, std::shared_ptr<HttpShared> shared)
    : impl_(std::make_shared<Impl>(std::move(socket), std::move(shared))) {}

HttpSession::~HttpSession() = default;

void HttpSession::spawn(std::shared_ptr<HttpSession> session, std::function<void()> ended) {
    Impl& impl = *session->impl_;
    asio::co_spawn(impl.executor(), run_session(session, impl.run()),
                   [session, ended = std::move(ended)](const std::exception_ptr& failure) {
                       if (failure) log::error(log::Category::api, "a request has failed with an exception");
                       ended();
                   });
}

void HttpSession::finish(std::shared_ptr<HttpSession> session) {
    const auto executor = session->impl_->executor();
    asio::post(executor, [session = std::move(session)] { session->impl_->finish(); });
}

void HttpSession::close(std::shared_ptr<HttpSession> session) {
    const auto executor = session->impl_->executor();
    asio::post(executor, [session = std::move(session)] { session->impl_->close(); });
}

Time HttpSession::waits_since() const { return impl_->waits_since(); }

void HttpSession::refuse(HttpSocket socket) {
    error_code error;
    socket.non_blocking(true, error);
    socket.send(asio::buffer(kFull), 0, error);
    socket.close(error);
}

}  // namespace monodon::node
