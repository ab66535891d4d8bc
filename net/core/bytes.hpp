#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace monodon {

using Byte = std::uint8_t;
using Bytes = std::vector<Byte>;
using ByteView = std::span<const Byte>;
/// Immutable bytes shared between the network, the store and execution without a copy.
using SharedBytes = std::shared_ptr<const Bytes>;

/// The bytes of a text, without a copy; valid as long as the text is.
[[nodiscard]] inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const Byte*>(text.data()), text.size()};
}
/// The text that the bytes spell, without a copy; valid as long as the bytes are.
[[nodiscard]] inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower-case hexadecimal.
[[nodiscard]] std::string to_hex(ByteView bytes);
/// Nothing unless the text is an even number of hexadecimal digits, of either case.
[[nodiscard]] std::optional<Bytes> from_hex(std::string_view text);
/// Base58 with the Bitcoin alphabet, as libp2p peer ids are written.
[[nodiscard]] std::string to_base58(ByteView bytes);
/// Nothing unless every character is in the alphabet and the text has at most 128 characters.
[[nodiscard]] std::optional<Bytes> from_base58(std::string_view text);

}  // namespace monodon
