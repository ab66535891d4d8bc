#include "net/peers/peer_address.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace monodon::net {

namespace {

constexpr std::array<Byte, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool is_mapped(const std::array<Byte, 16>& ip) {
    return std::equal(kMapped.begin(), kMapped.end(), ip.begin());
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Labels of letters, digits and hyphens; the last begins with a letter, or `127.1` would be a name.
bool is_name(std::string_view host) {
    std::string_view label;
    for (std::size_t at = 0; at < host.size(); at += label.size() + 1) {
        label = host.substr(at, host.find('.', at) - at);
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
        if (!std::all_of(label.begin(), label.end(),
                         [](char c) { return is_letter(c) || is_digit(c) || c == '-'; }))
            return false;
    }
    return !label.empty() && is_letter(label.front()) && host.back() != '.';
}

std::optional<std::array<Byte, 16>> parse_v4(const std::string& host) {
    in_addr raw{};
    if (::inet_pton(AF_INET, host.c_str(), &raw) != 1) return std::nullopt;
    std::array<Byte, 16> ip{};
    std::copy(kMapped.begin(), kMapped.end(), ip.begin());
    const std::uint32_t value = ntohl(raw.s_addr);
    for (unsigned at = 0; at < 4; ++at) ip.at(12 + at) = static_cast<Byte>(value >> (24 - 8 * at));
    return ip;
}

std::optional<std::array<Byte, 16>> parse_v6(const std::string& host) {
    in6_addr raw{};
    std::array<char, INET6_ADDRSTRLEN> spelt{};
    if (::inet_pton(AF_INET6, host.c_str(), &raw) != 1) return std::nullopt;
    // One spelling each: else one address would be many.
    if (::inet_ntop(AF_INET6, &raw, spelt.data(), spelt.size()) == nullptr || host != spelt.data())
        return std::nullopt;
    std::array<Byte, 16> ip{};
    std::copy(std::begin(raw.s6_addr), std::end(raw.s6_addr), ip.begin());
    return ip;
}

/// Nobody can be reached there.
bool is_nowhere(const std::array<Byte, 16>& ip) {
    if (is_mapped(ip)) return ip[12] == 0 || ip[12] >= 224;
    const auto zeros = std::all_of(ip.begin(), ip.end() - 1, [](Byte byte) { return byte == 0; });
    return ip[0] == 0xFF || (zeros && ip[15] == 0);
}

bool is_site(const std::array<Byte, 16>& ip) {
    if (!is_mapped(ip)) return (ip[0] & 0xFEU) == 0xFC || (ip[0] == 0xFE && (ip[1] & 0xC0U) == 0x80);
    const unsigned first = ip[12];
    const unsigned second = ip[13];
    return first == 10 || (first == 172 && (second & 0xF0U) == 16) || (first == 192 && second == 168) ||
           (first == 169 && second == 254) || (first == 100 && (second & 0xC0U) == 64);
}

bool is_loopback(const std::array<Byte, 16>& ip) {
    if (is_mapped(ip)) return ip[12] == 127;
    return ip[15] == 1 && std::all_of(ip.begin(), ip.end() - 1, [](Byte byte) { return byte == 0; });
}

}  // namespace

std::optional<PeerAddress> PeerAddress::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (text.size() > kPeerAddressMax || colon == std::string_view::npos) return std::nullopt;
    PeerAddress address;
    const std::string_view port = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc{} || end != port.data() + port.size() || address.port == 0 || port.front() == '0')
        return std::nullopt;
    std::string_view host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        address.host = host.substr(1, host.size() - 2);
        address.ip = parse_v6(address.host);
        if (!address.ip) return std::nullopt;
    } else {
        address.host = host;
        address.ip = parse_v4(address.host);
        if (!address.ip && !is_name(host)) return std::nullopt;
    }
    if (address.ip && is_nowhere(*address.ip)) return std::nullopt;
    address.text = text;
    return address;
}

bool PeerAddress::is_v4() const { return ip && is_mapped(*ip); }

Reach PeerAddress::reach() const {
    if (!ip) return Reach::everywhere;
    if (is_loopback(*ip)) return Reach::machine;
    return is_site(*ip) ? Reach::site : Reach::everywhere;
}

std::string PeerAddress::network(unsigned v4_bits, unsigned v6_bits) const {
    if (!ip) return host;
    unsigned left = is_v4() ? 96 + v4_bits : v6_bits;
    std::array<Byte, 16> kept = *ip;
    for (Byte& byte : kept) {
        const unsigned bits = std::min(left, 8U);
        byte = static_cast<Byte>(byte & (0xFF00U >> bits));
        left -= bits;
    }
    return to_hex(kept);
}

std::string network_group(const PeerAddress& address) { return address.network(16, 32); }
std::string slot_group(const PeerAddress& address) { return address.network(24, 48); }

}  // namespace monodon::net
