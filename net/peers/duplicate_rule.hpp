#pragma once

#include <cstdint>

#include "net/core/keys.hpp"

namespace monodon::net {

/// A connection between the same two peers, as seen by one of them.
struct ConnectionOrigin {
    /// We dialled it.
    bool outbound = false;
    /// Of the peer's process, from its hello.
    std::uint64_t nonce = 0;
};

/// Of two connections between the same peers one stays, and both ends must choose the same: the one that the
/// greater peer id dialled. Of two that the same end dialled the newer stays, for its dialler has given up
/// the older; and so does any to a process that was started after the older connection was made.
[[nodiscard]] inline bool newer_replaces_older(const PeerId& self, const PeerId& peer,
                                               const ConnectionOrigin& older, const ConnectionOrigin& newer) {
    if (older.nonce != newer.nonce || older.outbound == newer.outbound) return true;
    return newer.outbound == (self > peer);
}

}  // namespace monodon::net
