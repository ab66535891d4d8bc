#include "node/http_types.hpp"

#include <algorithm>
#include <atomic>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace monodon::node {
namespace {

/// `/v1/tx/{id}` is three segments; the empty text before the first `/` is none.
std::vector<std::string_view> segments(std::string_view path) {
    std::vector<std::string_view> out;
    for (std::size_t at = 1; at <= path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        out.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

bool is_variable(std::string_view segment) { return segment.starts_with('{'); }

using Params = std::map<std::string, std::string>;

/// The values of the {name} segments; nothing if the route does not match.
std::optional<Params> match(std::string_view pattern, const std::vector<std::string>& path) {
    const auto wanted = segments(pattern);
    if (wanted.size() != path.size()) return std::nullopt;
    Params params;
    for (std::size_t at = 0; at < path.size(); ++at) {
        if (is_variable(wanted[at])) {
            if (path[at].empty()) return std::nullopt;
            params.emplace(wanted[at].substr(1, wanted[at].size() - 2), path[at]);
        } else if (wanted[at] != path[at]) {
            return std::nullopt;
        }
    }
    return params;
}

/// The query, or what is wrong with it.
std::variant<Params, std::string> parse_query(std::string_view query, const std::vector<std::string>& known) {
    Params out;
    for (std::size_t at = 0; at < query.size();) {
        const std::size_t end = std::min(query.find('&', at), query.size());
        const std::string_view pair = query.substr(at, end - at);
        at = end + 1;
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        const auto name = percent_decode(pair.substr(0, equals));
        const auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())));
        if (!name || !value) return "a % in the query must be followed by two hexadecimal digits";
        if (std::find(known.begin(), known.end(), *name) == known.end()) {
            return known.empty()
                       ? "this endpoint takes no query parameters"
                       : fmt::format("query parameters of this endpoint: {}", fmt::join(known, ", "));
        }
        if (!out.emplace(*name, *value).second) return fmt::format("query parameter {} comes twice", *name);
    }
    return out;
}

/// Of two routes that match the one that is more exact.
std::size_t variables(const Route& route) {
    return static_cast<std::size_t>(std::count(route.pattern.begin(), route.pattern.end(), '{'));
}

}  // namespace

std::string HttpRequest::param(const std::string& name) const {
    const auto found = params.find(name);
    return found == params.end() ? "" : found->second;
}

std::optional<std::string> HttpRequest::query_value(const std::string& name) const {
    const auto found = query.find(name);
    if (found == query.end()) return std::nullopt;
    return found->second;
}

HttpResponse error_response(unsigned status, std::string_view code, std::string_view message) {
    HttpResponse response;
    response.status = status;
    const boost::json::object error{{"code", boost::json::string_view(code.data(), code.size())},
                                    {"message", boost::json::string_view(message.data(), message.size())}};
    response.body = boost::json::serialize(boost::json::object{{"error", error}}) + "\n";
    return response;
}

struct Respond::State {
    State(Sink wanted_sink, Watch wanted_watch)
        : sink(std::move(wanted_sink)), watch(std::move(wanted_watch)) {}
    ~State() {
        if (!called) sink(error_response(500, "internal", "the request was dropped; try again"));
    }
    std::atomic<bool> called{false};
    Sink sink;
    Watch watch;
};

Respond::Respond(Sink sink, Watch watch)
    : state_(std::make_shared<State>(std::move(sink), std::move(watch))) {}

void Respond::operator()(HttpResponse response) const {
    if (state_ && !state_->called.exchange(true)) state_->sink(std::move(response));
}

void Respond::when_gone(std::function<void()> callback) const {
    if (state_ && state_->watch && !state_->called) state_->watch(std::move(callback));
}

std::variant<RouteTable::Match, HttpResponse> RouteTable::find(std::string_view method,
                                                               std::string_view target) const {
    if (target.empty() || target.front() != '/') {
        return error_response(400, "bad_request", "the target of a request must be a path");
    }
    const std::size_t question = std::min(target.find('?'), target.size());
    const std::string_view path = target.substr(0, question);
    std::vector<std::string> decoded;
    for (const std::string_view segment : segments(path)) {
        auto text = percent_decode(segment);
        if (!text) {
            return error_response(400, "bad_request",
                                  "a % in the path must be followed by two hexadecimal digits");
        }
        decoded.push_back(std::move(*text));
    }

    const Route* best = nullptr;
    Params params;
    std::string allowed;
    for (const Route& route : routes_) {
        auto values = match(route.pattern, decoded);
        if (!values) continue;
        const bool get = route.method == HttpMethod::get;
        if (get ? method != "GET" && method != "HEAD" : method != "POST") {
            allowed = get ? "GET, HEAD" : "POST";
        } else if (best == nullptr || variables(route) < variables(*best)) {
            best = &route;
            params = std::move(*values);
        }
    }
    if (best == nullptr && !allowed.empty()) {
        HttpResponse response = error_response(405, "method", fmt::format("this path takes {}", allowed));
        response.headers.emplace_back("Allow", allowed);
        return response;
    }
    if (best == nullptr) return error_response(404, "not_found", "there is no such path");

    auto query = parse_query(target.substr(std::min(question + 1, target.size())), best->query);
    if (const auto* wrong = std::get_if<std::string>(&query)) return error_response(400, "bad_query", *wrong);
    Match found;
    found.route = best;
    found.request.method = best->method;
    found.request.path = std::string(path);
    found.request.params = std::move(params);
    found.request.query = std::get<Params>(std::move(query));
    return found;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            out += text[at];
            continue;
        }
        if (text.size() - at < 3) return std::nullopt;
        const auto byte = from_hex(text.substr(at + 1, 2));
        if (!byte) return std::nullopt;
        out += static_cast<char>(byte->front());
        at += 2;
    }
    return out;
}

std::string percent_encode(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

}  // namespace monodon::node
