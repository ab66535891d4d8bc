#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"
#include "net/core/expected.hpp"

namespace monodon::net {

/// Writes a msgpack payload: arrays with fixed positions, integers, booleans, nil, text and binary, each in
/// its shortest form. The caller writes as many items as it announced.
class PackWriter {
 public:
    PackWriter() = default;
    /// Room for a payload of about this size.
    explicit PackWriter(std::size_t bytes) { out_.reserve(bytes); }

    PackWriter& array(std::size_t items);
    PackWriter& u64(std::uint64_t value);
    PackWriter& i64(std::int64_t value);
    PackWriter& boolean(bool value);
    PackWriter& nil();
    PackWriter& text(std::string_view text);
    PackWriter& bin(ByteView bytes);
    PackWriter& digest(const Digest& digest) { return bin(digest.bytes); }

    [[nodiscard]] const Bytes& view() const { return out_; }
    [[nodiscard]] Bytes take() { return std::move(out_); }
    [[nodiscard]] SharedBytes share() { return std::make_shared<const Bytes>(std::move(out_)); }

 private:
    void head(Byte tag, std::uint64_t value, unsigned bytes);

    Bytes out_;
};

enum class PackError : std::uint8_t {
    /// Not one whole msgpack value, or bytes after it.
    malformed,
    /// A map, an extension or a floating-point number.
    forbidden_type,
    too_deep,
    too_many_items,
};
[[nodiscard]] std::string_view name(PackError error);

inline constexpr unsigned kPackDepthMax = 16;
/// Items of all arrays together, the arrays counted as items: far more than any message of this protocol has.
inline constexpr std::uint32_t kPackItemsMax = 65536;

/// Reads a msgpack payload in the order in which it was written, straight into the caller's types: no object
/// tree, no allocation; texts and binaries are views into the payload.
///
/// open() proves the form of the whole payload first. After that only types, limits and array sizes can be
/// wrong: the first that is makes ok() false for good, and every later read gives zero, so that a decoder
/// checks finished() once, at its end. An array has to be read to its last item before what follows it.
class PackReader {
 public:
    [[nodiscard]] static Expected<PackReader, PackError> open(ByteView payload,
                                                              std::uint32_t items_max = kPackItemsMax);

    /// An array of exactly so many items.
    void array(std::uint32_t items);
    /// An array of `least` to `most` items; how many.
    std::uint32_t array_between(std::uint32_t least, std::uint32_t most);
    std::uint64_t u64(std::uint64_t most = ~std::uint64_t{0});
    std::uint32_t u32(std::uint32_t most = ~std::uint32_t{0}) {
        return static_cast<std::uint32_t>(u64(most));
    }
    std::uint16_t u16(std::uint16_t most = 0xFFFF) { return static_cast<std::uint16_t>(u64(most)); }
    std::uint8_t u8(std::uint8_t most = 0xFF) { return static_cast<std::uint8_t>(u64(most)); }
    std::int64_t i64();
    bool boolean();
    /// True, and the nil is read, if the next value is nil: how an absent value is written.
    bool nil();
    /// Valid UTF-8 is not demanded: a text is bytes that people may read.
    std::string_view text(std::size_t most);
    ByteView bin(std::size_t most);
    /// Binary of exactly this size; empty after a failure.
    ByteView fixed(std::size_t size);
    Digest digest();
    template <std::size_t N>
    std::array<Byte, N> bytes() {
        std::array<Byte, N> value{};
        const ByteView raw = fixed(N);
        for (std::size_t at = 0; at < raw.size(); ++at) value[at] = raw[at];
        return value;
    }
    /// The next value, whatever it is, with all that is in it.
    void skip();
    /// All that is left of the payload: for HELLO, which alone ignores unknown trailing fields.
    void skip_rest();

    [[nodiscard]] bool ok() const { return ok_; }
    /// Everything was read, and nothing failed.
    [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }
    void fail() {
        ok_ = false;
        rest_ = {};
    }

 private:
    explicit PackReader(ByteView payload) : rest_(payload) {}
    [[nodiscard]] Byte peek() const { return rest_.empty() ? Byte{0xC1} : rest_.front(); }
    Byte tag();
    ByteView raw(std::size_t size);
    std::uint64_t big_endian(std::size_t size);
    void begin_array(std::uint32_t items);
    /// One item of the innermost array was read; closes the arrays that it completes.
    void item_done();

    ByteView rest_;
    /// Items left of each open array, outermost first.
    std::array<std::uint32_t, kPackDepthMax> left_{};
    unsigned depth_ = 0;
    bool ok_ = true;
};

}  // namespace monodon::net
