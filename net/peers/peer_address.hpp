#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/core/bytes.hpp"

namespace monodon::net {

/// From where an address can be reached at all; the narrower comes later.
enum class Reach : std::uint8_t { everywhere, site, machine };

/// An address at which somebody says that a peer listens: `host:port`, the host a literal or a name.
///
/// The texts come from strangers and some are dialled, so each has one spelling only, and what no peer can
/// listen at is no address: port 0, unspecified, broadcast, multicast and reserved networks, and names that a
/// resolver would take for a number.
struct PeerAddress {
    /// As it was written.
    std::string text;
    /// Without brackets.
    std::string host;
    std::uint16_t port = 0;
    /// Of a literal, IPv4 in its mapped form; nothing: the host is a name.
    std::optional<std::array<Byte, 16>> ip;

    [[nodiscard]] static std::optional<PeerAddress> parse(std::string_view text);

    [[nodiscard]] bool is_v4() const;
    /// A name counts as reachable from everywhere.
    [[nodiscard]] Reach reach() const;
    /// Who has many addresses mostly has them side by side: the first so many bits of the literal, at most
    /// `v4_bits` or `v6_bits`. Of a name, the name.
    [[nodiscard]] std::string network(unsigned v4_bits, unsigned v6_bits) const;
};

inline constexpr std::size_t kPeerAddressMax = 84;

/// The networks whose addresses are counted as one source (network.md 5).
[[nodiscard]] std::string network_group(const PeerAddress& address);
/// The networks that share slots.
[[nodiscard]] std::string slot_group(const PeerAddress& address);

}  // namespace monodon::net
