#pragma once

#include <array>
#include <optional>

#include "net/core/bytes.hpp"
#include "net/core/time.hpp"

namespace monodon::net {

/// The longest time a request may be given.
inline constexpr Duration kRequestDeadlineMax = std::chrono::seconds(30);

/// Every request is the msgpack array [milliseconds until its deadline, binary body]. The head is what comes
/// before the body, so that the body itself is sent and received without a copy.
struct RequestHead {
    Duration deadline{0};
    std::uint32_t body_bytes = 0;
};

/// A request head on the wire: at most 1 + 3 + 5 bytes.
struct RequestHeadBytes {
    std::array<Byte, 16> bytes{};
    std::size_t size = 0;
    [[nodiscard]] ByteView view() const { return ByteView(bytes).first(size); }
};
[[nodiscard]] RequestHeadBytes encode(const RequestHead& head);

/// Reads the head from the beginning of a request and sets `size` to its length; nothing if it is malformed,
/// cut short, or asks for more than kRequestDeadlineMax.
[[nodiscard]] std::optional<RequestHead> decode_request_head(ByteView request, std::size_t& size);

}  // namespace monodon::net
