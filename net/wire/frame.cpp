#include "net/wire/frame.hpp"

#include <optional>

namespace monodon::net {

namespace {

template <class T>
void put(FrameHeaderBytes& bytes, std::size_t at, T value) {
    for (std::size_t index = 0; index < sizeof(T); ++index) {
        const auto shift = 8 * (sizeof(T) - 1 - index);
        bytes[at + index] = static_cast<Byte>(static_cast<std::uint64_t>(value) >> shift);
    }
}

template <class T>
T get(std::span<const Byte, kFrameHeaderBytes> bytes, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t index = 0; index < sizeof(T); ++index) value = value << 8U | bytes[at + index];
    return static_cast<T>(value);
}

std::optional<FrameType> to_type(Byte value) {
    switch (const auto type = static_cast<FrameType>(value)) {
        case FrameType::hello:
        case FrameType::hello_ack:
        case FrameType::ping:
        case FrameType::pong:
        case FrameType::goaway:
        case FrameType::released:
        case FrameType::request:
        case FrameType::response:
        case FrameType::error:
        case FrameType::cancel:
        case FrameType::notice:
            return type;
    }
    return std::nullopt;
}

/// The longest payload of a frame that is no chunk of a message.
constexpr std::uint32_t control_payload_max(FrameType type) {
    switch (type) {
        case FrameType::hello:
        case FrameType::hello_ack:
            return 4096;
        case FrameType::error:
        case FrameType::goaway:
            return 64;
        default:
            return 0;
    }
}

bool fields_agree(const FrameHeader& header) {
    if (carries_message(header.type)) {
        // A chunk that is not the last must bring the message forward.
        return header.method != 0 && header.request_id != 0 && (header.last() || header.length > 0) &&
               header.message_class != MessageClass::control &&
               (header.type != FrameType::request || !header.compressed());
    }
    const bool answers = header.type == FrameType::error || header.type == FrameType::cancel;
    return header.flags == kFlagLast && header.chunk == 0 && header.message_class == MessageClass::control &&
           header.length <= control_payload_max(header.type) && (header.method == 0 || answers) &&
           (header.request_id != 0 || !answers);
}

}  // namespace

FrameHeaderBytes encode(const FrameHeader& header) {
    FrameHeaderBytes bytes{};
    bytes[0] = kFrameVersion;
    bytes[1] = static_cast<Byte>(header.type);
    bytes[2] = header.flags;
    bytes[3] = static_cast<Byte>(header.message_class);
    put(bytes, 4, header.method);
    put(bytes, 8, header.request_id);
    put(bytes, 16, header.chunk);
    put(bytes, 20, header.length);
    return bytes;
}

Expected<FrameHeader, FrameError> decode_frame_header(std::span<const Byte, kFrameHeaderBytes> bytes) {
    if (bytes[0] != kFrameVersion) return Unexpected{FrameError::bad_version};
    const auto type = to_type(bytes[1]);
    if (!type) return Unexpected{FrameError::unknown_type};
    if ((bytes[2] & ~(kFlagLast | kFlagZstd)) != 0) return Unexpected{FrameError::bad_flags};
    if (bytes[3] >= kMessageClasses) return Unexpected{FrameError::bad_class};
    if (bytes[6] != 0 || bytes[7] != 0) return Unexpected{FrameError::reserved_bits};
    FrameHeader header;
    header.type = *type;
    header.flags = bytes[2];
    header.message_class = static_cast<MessageClass>(bytes[3]);
    header.method = get<std::uint16_t>(bytes, 4);
    header.request_id = get<std::uint64_t>(bytes, 8);
    header.chunk = get<std::uint32_t>(bytes, 16);
    header.length = get<std::uint32_t>(bytes, 20);
    if (header.length > kFramePayloadMax) return Unexpected{FrameError::too_long};
    if (!fields_agree(header)) return Unexpected{FrameError::bad_field};
    return header;
}

std::string_view name(FrameError error) {
    switch (error) {
        case FrameError::bad_version:
            return "unknown frame version";
        case FrameError::unknown_type:
            return "unknown frame type";
        case FrameError::bad_flags:
            return "unknown frame flags";
        case FrameError::bad_class:
            return "unknown message class";
        case FrameError::reserved_bits:
            return "reserved bits of a frame are set";
        case FrameError::too_long:
            return "frame payload too long";
        case FrameError::bad_field:
            return "frame fields do not agree";
    }
    return "bad frame";
}

}  // namespace monodon::net
