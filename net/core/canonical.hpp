#pragma once

#include <cstdint>
#include <string_view>

#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"
#include "net/core/expected.hpp"

namespace monodon {

/// The canonical, injective byte encoding of everything that is hashed, signed, stored or relayed
/// (consensus.md 2): fixed-width little-endian integers; every text, byte string and list is preceded by its
/// length or count as 32 bits. Two different objects never have the same bytes.
class CanonicalWriter {
 public:
    CanonicalWriter() = default;
    /// Begins with the length-prefixed domain tag `monodon.<name>.v1`.
    explicit CanonicalWriter(std::string_view name);

    CanonicalWriter& u8(std::uint8_t value) { return integer(value); }
    CanonicalWriter& u16(std::uint16_t value) { return integer(value); }
    CanonicalWriter& u32(std::uint32_t value) { return integer(value); }
    CanonicalWriter& u64(std::uint64_t value) { return integer(value); }
    /// A 32-bit count of list items. More than 2^32 - 1 is our bug.
    CanonicalWriter& count(std::size_t items);
    /// Bytes of a length that the reader knows: digests, keys, signatures.
    CanonicalWriter& fixed(ByteView bytes);
    CanonicalWriter& digest(const Digest& digest) { return fixed(digest.bytes); }
    /// Length and bytes.
    CanonicalWriter& bytes(ByteView bytes);
    CanonicalWriter& text(std::string_view text) { return bytes(as_bytes(text)); }

    /// Room for this many bytes, so that a large object is written without growing.
    void reserve(std::size_t bytes) { out_.reserve(bytes); }
    [[nodiscard]] const Bytes& view() const { return out_; }
    [[nodiscard]] Bytes take() { return std::move(out_); }
    [[nodiscard]] Digest hash() const { return sha256(out_); }

 private:
    template <class T>
    CanonicalWriter& integer(T value) {
        for (unsigned shift = 0; shift < sizeof(T) * 8; shift += 8) {
            out_.push_back(static_cast<Byte>(static_cast<std::uint64_t>(value) >> shift));
        }
        return *this;
    }

    Bytes out_;
};

/// Reads canonical bytes. Never reads past the end: after the first failure every read gives zero and ok() is
/// false, so that a decoder checks once at its end. Allocates nothing; views point into the input.
class CanonicalReader {
 public:
    explicit CanonicalReader(ByteView input) : rest_(input) {}

    std::uint8_t u8() { return integer<std::uint8_t>(); }
    std::uint16_t u16() { return integer<std::uint16_t>(); }
    std::uint32_t u32() { return integer<std::uint32_t>(); }
    std::uint64_t u64() { return integer<std::uint64_t>(); }
    /// A count of at most `most` items of at least `item_bytes` bytes each: a larger count fails here, before
    /// anything is allocated for it.
    std::uint32_t count(std::uint32_t most, std::size_t item_bytes);
    ByteView fixed(std::size_t size);
    Digest digest();
    /// Length and bytes, at most `most` of them.
    ByteView bytes(std::size_t most);

    [[nodiscard]] bool ok() const { return ok_; }
    /// Everything was read, and nothing failed.
    [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }
    [[nodiscard]] std::size_t remaining() const { return rest_.size(); }
    void fail() {
        ok_ = false;
        rest_ = {};
    }

 private:
    template <class T>
    T integer() {
        const ByteView raw = fixed(sizeof(T));
        std::uint64_t value = 0;
        for (std::size_t at = 0; at < raw.size(); ++at)
            value |= static_cast<std::uint64_t>(raw[at]) << (8 * at);
        return static_cast<T>(value);
    }

    ByteView rest_;
    bool ok_ = true;
};

}  // namespace monodon
