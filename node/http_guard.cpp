#include "node/http_guard.hpp"

#include <algorithm>

#include <boost/asio/ip/address.hpp>

namespace monodon::node {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

/// Without port and brackets.
std::string_view name_of(std::string_view host) {
    if (host.starts_with('[')) {
        const std::size_t end = host.find(']');
        return end == std::string_view::npos ? std::string_view{} : host.substr(1, end - 1);
    }
    return host.substr(0, host.find(':'));
}

}  // namespace

bool is_our_host(std::string_view host, const std::vector<std::string>& names, std::string_view local) {
    const std::string_view name = name_of(host);
    if (name.empty()) return false;
    if (equal(name, "localhost")) return true;
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(name, error);
    if (!error && address.is_loopback()) return true;
    if (!local.empty() && equal(name, local)) return true;
    return std::any_of(names.begin(), names.end(),
                       [name](const std::string& known) { return equal(name, known); });
}

bool is_same_origin(std::string_view origin, std::string_view host) {
    const std::size_t scheme = origin.find("://");
    return scheme != std::string_view::npos && equal(origin.substr(scheme + 3), host);
}

bool may_change(uid_t user, uid_t owner) { return user == owner || user == 0; }

}  // namespace monodon::node
