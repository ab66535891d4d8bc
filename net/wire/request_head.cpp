#include "net/wire/request_head.hpp"

#include <algorithm>

#include "net/wire/pack.hpp"

namespace monodon::net {

namespace {

constexpr Byte kPair = 0x92;

/// A big-endian number of `bytes` bytes after the tag at `at`; nothing if the bytes are not there.
std::optional<std::uint64_t> number(ByteView input, std::size_t at, std::size_t bytes) {
    if (input.size() < at + 1 + bytes) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t index = 0; index < bytes; ++index) value = value << 8U | input[at + 1 + index];
    return value;
}

}  // namespace

RequestHeadBytes encode(const RequestHead& head) {
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(head.deadline).count();
    PackWriter writer;
    writer.array(2).u64(static_cast<std::uint64_t>(std::max<std::int64_t>(milliseconds, 0)));
    Bytes bytes = writer.take();
    // The header of the binary alone, in the fixed 32-bit form: the body follows from its own buffer.
    bytes.push_back(0xC6);
    for (unsigned shift = 32; shift > 0; shift -= 8) {
        bytes.push_back(static_cast<Byte>(head.body_bytes >> (shift - 8)));
    }
    RequestHeadBytes out;
    MONODON_CHECK(bytes.size() <= out.bytes.size());
    std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
    out.size = bytes.size();
    return out;
}

std::optional<RequestHead> decode_request_head(ByteView request, std::size_t& size) {
    if (request.size() < 2 || request[0] != kPair) return std::nullopt;
    std::size_t at = 1;
    std::optional<std::uint64_t> milliseconds;
    if (const Byte tag = request[at]; tag < 0x80) {
        milliseconds = tag;
        at += 1;
    } else if (tag == 0xCC || tag == 0xCD || tag == 0xCE) {
        const std::size_t bytes = std::size_t{1} << (tag - 0xCCU);
        milliseconds = number(request, at, bytes);
        at += 1 + bytes;
    }
    const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(kRequestDeadlineMax).count();
    if (!milliseconds || *milliseconds > static_cast<std::uint64_t>(most) || at >= request.size()) {
        return std::nullopt;
    }
    const Byte tag = request[at];
    if (tag < 0xC4 || tag > 0xC6) return std::nullopt;
    const std::size_t bytes = std::size_t{1} << (tag - 0xC4U);
    const auto body = number(request, at, bytes);
    if (!body) return std::nullopt;
    size = at + 1 + bytes;
    return RequestHead{std::chrono::milliseconds(*milliseconds), static_cast<std::uint32_t>(*body)};
}

}  // namespace monodon::net
