#include "net/wire/pack.hpp"

namespace monodon::net {

void PackWriter::head(Byte tag, std::uint64_t value, unsigned bytes) {
    out_.push_back(tag);
    for (unsigned shift = bytes * 8; shift > 0; shift -= 8) {
        out_.push_back(static_cast<Byte>(value >> (shift - 8)));
    }
}

PackWriter& PackWriter::array(std::size_t items) {
    MONODON_CHECK(items <= 0xFFFFFFFFU);
    if (items < 16) {
        out_.push_back(static_cast<Byte>(0x90U | items));
    } else if (items <= 0xFFFF) {
        head(0xDC, items, 2);
    } else {
        head(0xDD, items, 4);
    }
    return *this;
}

PackWriter& PackWriter::u64(std::uint64_t value) {
    if (value < 0x80) {
        out_.push_back(static_cast<Byte>(value));
    } else if (value <= 0xFF) {
        head(0xCC, value, 1);
    } else if (value <= 0xFFFF) {
        head(0xCD, value, 2);
    } else if (value <= 0xFFFFFFFFU) {
        head(0xCE, value, 4);
    } else {
        head(0xCF, value, 8);
    }
    return *this;
}

PackWriter& PackWriter::i64(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (value >= 0) return u64(bits);
    if (value >= -32) {
        out_.push_back(static_cast<Byte>(bits));
    } else if (value >= INT8_MIN) {
        head(0xD0, bits, 1);
    } else if (value >= INT16_MIN) {
        head(0xD1, bits, 2);
    } else if (value >= INT32_MIN) {
        head(0xD2, bits, 4);
    } else {
        head(0xD3, bits, 8);
    }
    return *this;
}

PackWriter& PackWriter::boolean(bool value) {
    out_.push_back(value ? 0xC3 : 0xC2);
    return *this;
}

PackWriter& PackWriter::nil() {
    out_.push_back(0xC0);
    return *this;
}

PackWriter& PackWriter::text(std::string_view text) {
    MONODON_CHECK(text.size() <= 0xFFFFFFFFU);
    if (text.size() < 32) {
        out_.push_back(static_cast<Byte>(0xA0U | text.size()));
    } else if (text.size() <= 0xFF) {
        head(0xD9, text.size(), 1);
    } else if (text.size() <= 0xFFFF) {
        head(0xDA, text.size(), 2);
    } else {
        head(0xDB, text.size(), 4);
    }
    const ByteView bytes = as_bytes(text);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
}

PackWriter& PackWriter::bin(ByteView bytes) {
    MONODON_CHECK(bytes.size() <= 0xFFFFFFFFU);
    if (bytes.size() <= 0xFF) {
        head(0xC4, bytes.size(), 1);
    } else if (bytes.size() <= 0xFFFF) {
        head(0xC5, bytes.size(), 2);
    } else {
        head(0xC6, bytes.size(), 4);
    }
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
}

}  // namespace monodon::net
