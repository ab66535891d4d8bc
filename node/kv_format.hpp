#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/core/bytes.hpp"

namespace monodon::node {

/// A transaction that begins with these bytes is an operation on the built-in key-value store; any other is
/// opaque: it is ordered and counted, and changes no state.
inline constexpr std::string_view kKvPrefix = "mkv1";
inline constexpr std::size_t kKvKeyBytesMax = 1024;

/// What tells an operation from an equal one: drawn at random by who asks for it, and the same again when it
/// asks again for the same operation. Without it "put a 1" would be one transaction for all time.
using KvNonce = std::array<Byte, 16>;

enum class KvOp : std::uint8_t { put = 1, erase = 2, compare_and_set = 3, get = 4 };

/// One operation. Views point into the transaction it was parsed from.
struct KvOperation {
    KvOp op = KvOp::put;
    /// 1 to kKvKeyBytesMax bytes.
    ByteView key;
    /// Of put and compare_and_set; else empty.
    ByteView value;
    /// Of compare_and_set: the value that must be there, or nothing if the key must be absent.
    std::optional<ByteView> expected;
    KvNonce nonce{};
};

[[nodiscard]] bool is_kv(ByteView transaction);
/// Nothing unless the bytes are the prefix and exactly one operation in its canonical form: prefix, op,
/// nonce, then lengths and bytes. One operation has one encoding, hence one transaction id.
[[nodiscard]] std::optional<KvOperation> parse_kv(ByteView transaction);
/// The transaction. The key must have a legal length.
[[nodiscard]] Bytes encode_kv(const KvOperation& operation);

}  // namespace monodon::node
