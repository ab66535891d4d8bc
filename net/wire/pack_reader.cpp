#include <msgpack.hpp>

#include "net/wire/pack.hpp"

namespace monodon::net {

namespace {

/// Refuses what this protocol does not use while msgpack's parser walks over the payload. It keeps nothing,
/// so no count that a sender declares costs memory.
struct FormVisitor : msgpack::null_visitor {
    explicit FormVisitor(std::uint32_t items) : items_left(items) {}

    std::uint32_t items_left;
    unsigned depth = 0;
    PackError error = PackError::malformed;

    bool refuse(PackError why) {
        error = why;
        return false;
    }
    bool start_array(std::uint32_t items) {
        if (++depth > kPackDepthMax) return refuse(PackError::too_deep);
        if (items > items_left) return refuse(PackError::too_many_items);
        items_left -= items;
        return true;
    }
    bool end_array() {
        --depth;
        return true;
    }
    bool start_map(std::uint32_t /*pairs*/) { return refuse(PackError::forbidden_type); }
    bool visit_ext(const char* /*data*/, std::uint32_t /*size*/) { return refuse(PackError::forbidden_type); }
    bool visit_float32(float /*value*/) { return refuse(PackError::forbidden_type); }
    bool visit_float64(double /*value*/) { return refuse(PackError::forbidden_type); }
};

}  // namespace

Expected<PackReader, PackError> PackReader::open(ByteView payload, std::uint32_t items_max) {
    FormVisitor visitor(items_max);
    std::size_t offset = 0;
    const std::string_view text = as_text(payload);
    if (payload.empty() || !msgpack::parse(text.data(), text.size(), offset, visitor)) {
        return Unexpected{visitor.error};
    }
    if (offset != payload.size()) return Unexpected{PackError::malformed};
    return PackReader(payload);
}

Byte PackReader::tag() {
    const Byte value = peek();
    if (rest_.empty()) {
        fail();
    } else {
        rest_ = rest_.subspan(1);
    }
    return value;
}

ByteView PackReader::raw(std::size_t size) {
    if (size > rest_.size()) {
        fail();
        return {};
    }
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
}

std::uint64_t PackReader::big_endian(std::size_t size) {
    std::uint64_t value = 0;
    for (const Byte byte : raw(size)) value = value << 8U | byte;
    return value;
}

void PackReader::begin_array(std::uint32_t items) {
    if (!ok_) return;
    if (items == 0) return item_done();
    if (depth_ == left_.size()) return fail();
    left_[depth_++] = items;
}

void PackReader::item_done() {
    while (ok_ && depth_ > 0 && --left_[depth_ - 1] == 0) --depth_;
}

void PackReader::array(std::uint32_t items) { array_between(items, items); }

std::uint32_t PackReader::array_between(std::uint32_t least, std::uint32_t most) {
    const Byte first = tag();
    std::uint64_t items = 0;
    if ((first & 0xF0U) == 0x90) {
        items = first & 0x0FU;
    } else if (first == 0xDC || first == 0xDD) {
        items = big_endian(first == 0xDC ? 2 : 4);
    } else {
        fail();
    }
    if (ok_ && (items < least || items > most)) fail();
    if (!ok_) return 0;
    begin_array(static_cast<std::uint32_t>(items));
    return static_cast<std::uint32_t>(items);
}

std::uint64_t PackReader::u64(std::uint64_t most) {
    const Byte first = tag();
    std::uint64_t value = first;
    if (first >= 0xCC && first <= 0xCF) {
        value = big_endian(std::size_t{1} << (first - 0xCCU));
    } else if (first >= 0x80) {
        fail();
    }
    if (ok_ && value > most) fail();
    item_done();
    return ok_ ? value : 0;
}

std::int64_t PackReader::i64() {
    const Byte first = peek();
    std::int64_t value = 0;
    if (first >= 0xE0) {
        value = static_cast<std::int8_t>(tag());
    } else if (first >= 0xD0 && first <= 0xD3) {
        tag();
        const std::size_t size = std::size_t{1} << (first - 0xD0U);
        const auto unused_bits = 64 - 8 * size;
        value = static_cast<std::int64_t>(big_endian(size) << unused_bits) >> unused_bits;
    } else {
        return static_cast<std::int64_t>(u64(INT64_MAX));
    }
    item_done();
    return ok_ ? value : 0;
}

bool PackReader::boolean() {
    const Byte first = tag();
    if (first != 0xC2 && first != 0xC3) fail();
    item_done();
    return ok_ && first == 0xC3;
}

bool PackReader::nil() {
    if (peek() != 0xC0) return false;
    tag();
    item_done();
    return true;
}

std::string_view PackReader::text(std::size_t most) {
    const Byte first = tag();
    std::uint64_t size = 0;
    if ((first & 0xE0U) == 0xA0) {
        size = first & 0x1FU;
    } else if (first >= 0xD9 && first <= 0xDB) {
        size = big_endian(std::size_t{1} << (first - 0xD9U));
    } else {
        fail();
    }
    if (ok_ && size > most) fail();
    const ByteView bytes = ok_ ? raw(size) : ByteView{};
    item_done();
    return as_text(bytes);
}

ByteView PackReader::bin(std::size_t most) {
    const Byte first = tag();
    std::uint64_t size = 0;
    if (first >= 0xC4 && first <= 0xC6) {
        size = big_endian(std::size_t{1} << (first - 0xC4U));
    } else {
        fail();
    }
    if (ok_ && size > most) fail();
    const ByteView bytes = ok_ ? raw(size) : ByteView{};
    item_done();
    return bytes;
}

ByteView PackReader::fixed(std::size_t size) {
    const ByteView bytes = bin(size);
    if (bytes.size() != size) {
        fail();
        return {};
    }
    return bytes;
}

Digest PackReader::digest() { return Digest{bytes<32>()}; }

void PackReader::skip() {
    const unsigned outside = depth_;
    do {
        const Byte first = peek();
        if ((first & 0xF0U) == 0x90 || first == 0xDC || first == 0xDD) {
            array_between(0, ~std::uint32_t{0});
        } else if (first >= 0xC4 && first <= 0xC6) {
            bin(SIZE_MAX);
        } else if ((first & 0xE0U) == 0xA0 || (first >= 0xD9 && first <= 0xDB)) {
            text(SIZE_MAX);
        } else if (first == 0xC2 || first == 0xC3) {
            boolean();
        } else if (first == 0xC0) {
            nil();
        } else if (first >= 0xE0 || (first >= 0xD0 && first <= 0xD3)) {
            i64();
        } else {
            u64();
        }
        // The value is over once its own arrays are closed: the one around it has moved on by an item, or
        // closed.
    } while (ok_ && depth_ > outside);
}

void PackReader::skip_rest() {
    while (ok_ && !rest_.empty()) skip();
}

std::string_view name(PackError error) {
    switch (error) {
        case PackError::malformed:
            return "malformed msgpack";
        case PackError::forbidden_type:
            return "a map, an extension or a float";
        case PackError::too_deep:
            return "nested too deep";
        case PackError::too_many_items:
            return "too many items";
    }
    return "bad msgpack";
}

}  // namespace monodon::net
