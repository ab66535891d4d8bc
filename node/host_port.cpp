#include "node/host_port.hpp"

#include <algorithm>
#include <charconv>

namespace monodon::node {
namespace {

constexpr std::size_t kHostMax = 253;

bool is_host_character(char c, bool bracketed) {
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alphanumeric || c == '.') return true;
    return bracketed ? c == ':' || c == '%' : c == '-' || c == '_';
}

}  // namespace

std::string HostPort::text() const {
    const std::string number = ":" + std::to_string(port);
    return host.find(':') != std::string::npos ? "[" + host + "]" + number : host + number;
}

std::optional<HostPort> parse_host_port(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);

    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto fits = [bracketed](char c) { return is_host_character(c, bracketed); };
    if (host.empty() || host.size() > kHostMax || !std::all_of(host.begin(), host.end(), fits))
        return std::nullopt;
    // Brackets are for what has colons: each place has one spelling.
    if (bracketed && host.find(':') == std::string_view::npos) return std::nullopt;

    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size()) return std::nullopt;
    return HostPort{std::string(host), number};
}

}  // namespace monodon::node
