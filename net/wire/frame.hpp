#pragma once

#include <array>
#include <cstdint>

#include "net/core/bytes.hpp"
#include "net/core/expected.hpp"
#include "net/wire/method.hpp"

namespace monodon::net {

enum class FrameType : std::uint8_t {
    hello = 0x01,
    hello_ack = 0x02,
    ping = 0x10,
    pong = 0x11,
    goaway = 0x12,
    /// How many bytes of notices of the data class its sender has got rid of on this connection, as the id.
    released = 0x13,
    request = 0x20,
    response = 0x21,
    error = 0x22,
    cancel = 0x23,
    notice = 0x30,
};

inline constexpr std::uint8_t kFrameVersion = 1;
inline constexpr std::size_t kFrameHeaderBytes = 24;
inline constexpr std::size_t kFramePayloadMax = 65536;
inline constexpr std::uint8_t kFlagLast = 0x01;
inline constexpr std::uint8_t kFlagZstd = 0x02;

/// The 24 bytes before every payload (network.md 2). Big-endian on the wire.
struct FrameHeader {
    FrameType type = FrameType::notice;
    std::uint8_t flags = kFlagLast;
    MessageClass message_class = MessageClass::control;
    /// A number, not a Method: what is unknown is answered, not refused.
    std::uint16_t method = 0;
    std::uint64_t request_id = 0;
    std::uint32_t chunk = 0;
    std::uint32_t length = 0;

    [[nodiscard]] bool last() const { return (flags & kFlagLast) != 0; }
    [[nodiscard]] bool compressed() const { return (flags & kFlagZstd) != 0; }
    friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

/// What is wrong with a header. All of them end the connection.
enum class FrameError : std::uint8_t {
    bad_version,
    unknown_type,
    bad_flags,
    bad_class,
    reserved_bits,
    too_long,
    /// A chunk number, a method, a request id or a length that this type of frame cannot have.
    bad_field,
};
[[nodiscard]] std::string_view name(FrameError error);

using FrameHeaderBytes = std::array<Byte, kFrameHeaderBytes>;

[[nodiscard]] FrameHeaderBytes encode(const FrameHeader& header);
/// Every field is checked, and what the type of frame demands of the fields together.
[[nodiscard]] Expected<FrameHeader, FrameError> decode_frame_header(
    std::span<const Byte, kFrameHeaderBytes> bytes);

/// Frames that carry messages of methods and may come in chunks.
[[nodiscard]] constexpr bool carries_message(FrameType type) {
    return type == FrameType::request || type == FrameType::response || type == FrameType::notice;
}

}  // namespace monodon::net
