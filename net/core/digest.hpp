#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "net/core/bytes.hpp"

namespace monodon {

/// A SHA-256 value.
struct Digest {
    std::array<Byte, 32> bytes{};
    friend auto operator<=>(const Digest&, const Digest&) = default;
    /// 64 hexadecimal digits.
    [[nodiscard]] std::string hex() const { return to_hex(bytes); }
    /// The first 8 digits, for people and logs.
    [[nodiscard]] std::string short_hex() const { return hex().substr(0, 8); }
    [[nodiscard]] static std::optional<Digest> parse(std::string_view hex);
};

/// SHA-256 in steps. Not for concurrent use; reusable after finish().
class Sha256 {
 public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    void update(ByteView bytes);
    /// The digest of all that was given since construction or the last finish().
    [[nodiscard]] Digest finish();

 private:
    struct Context;
    std::unique_ptr<Context> context_;
};

[[nodiscard]] Digest sha256(ByteView bytes);

}  // namespace monodon

/// For lookups only: dag/ iterates over ordered containers.
template <>
struct std::hash<monodon::Digest> {
    std::size_t operator()(const monodon::Digest& digest) const noexcept {
        std::size_t head = 0;
        std::memcpy(&head, digest.bytes.data(), sizeof head);
        return head;
    }
};
