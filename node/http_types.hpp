#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "net/core/bytes.hpp"

namespace monodon::node {

enum class HttpMethod : std::uint8_t { get, post };

/// One request, decoded. Owns everything.
struct HttpRequest {
    HttpMethod method = HttpMethod::get;
    /// As it was sent, without the query.
    std::string path;
    /// Values of the {name} segments of the route, percent-decoded: any bytes.
    std::map<std::string, std::string> params;
    /// Percent-decoded; only names that the route knows.
    std::map<std::string, std::string> query;
    /// Never null.
    SharedBytes body = std::make_shared<const Bytes>();

    /// Empty if absent.
    [[nodiscard]] std::string param(const std::string& name) const;
    [[nodiscard]] std::optional<std::string> query_value(const std::string& name) const;
};

struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

/// `{"error":{"code":...,"message":...}}`. The message says what to do.
[[nodiscard]] HttpResponse error_response(unsigned status, std::string_view code, std::string_view message);

/// The answer to one request, once, from any thread. Copies answer the same request: the first call counts.
/// If the last copy goes without a call, the client gets 500.
class Respond {
 public:
    using Sink = std::function<void(HttpResponse)>;
    /// Takes what is to be called when nobody waits any more.
    using Watch = std::function<void(std::function<void()>)>;
    Respond() = default;
    explicit Respond(Sink sink, Watch watch = {});
    void operator()(HttpResponse response) const;
    /// Calls back at most once, on the executor of the connection: when the client has gone away, or was told
    /// that it took too long, before there was an answer.
    void when_gone(std::function<void()> callback) const;

 private:
    struct State;
    std::shared_ptr<State> state_;
};

using HttpHandler = std::function<void(HttpRequest, Respond)>;

/// One entry of a server's table. Of two routes that match, the one with fewer {name} segments is taken.
struct Route {
    HttpMethod method = HttpMethod::get;
    /// `/v1/tx/{id}`: a {name} stands for one segment.
    std::string pattern;
    /// Names of query parameters; any other is refused.
    std::vector<std::string> query;
    /// One line for the index of endpoints.
    std::string help;
    /// Called on the executor of the connection; must return quickly and answer now or later.
    HttpHandler handler;
    /// Largest body in bytes: more is 413.
    std::size_t body_max = 0;
};

class RouteTable {
 public:
    explicit RouteTable(std::vector<Route> routes) : routes_(std::move(routes)) {}

    struct Match {
        const Route* route = nullptr;
        HttpRequest request;
    };
    /// The route and the decoded request without a body, or the answer: 400, 404 or 405.
    [[nodiscard]] std::variant<Match, HttpResponse> find(std::string_view method,
                                                         std::string_view target) const;
    [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
    std::vector<Route> routes_;
};

/// Nothing if a `%` is not followed by two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
/// Everything but letters, digits, `-`, `.`, `_` and `~` is escaped.
[[nodiscard]] std::string percent_encode(std::string_view bytes);

}  // namespace monodon::node
