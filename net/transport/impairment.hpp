#pragma once

#include <cstdint>
#include <set>

#include "net/core/time.hpp"
#include "net/wire/method.hpp"

namespace monodon::net {

/// For tests and experiments only: makes this node a worse peer than it is. The node's configuration calls it
/// `[debug]`.
struct Impairment {
    /// Every message leaves this much later: notices, requests, replies, errors and pings.
    Duration send_delay{0};
    /// Messages of these methods are never sent; the caller is not told.
    std::set<Method> drop_outgoing;
    /// Of all replies but those about peers, on whatever connection, every so manyth has a wrong byte;
    /// 0: none.
    std::uint64_t corrupt_replies = 0;
};

}  // namespace monodon::net
