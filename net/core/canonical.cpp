#include "net/core/canonical.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "net/core/check.hpp"

namespace monodon {

CanonicalWriter::CanonicalWriter(std::string_view name) {
    text(std::string("monodon.").append(name).append(".v1"));
}

CanonicalWriter& CanonicalWriter::count(std::size_t items) {
    MONODON_CHECK(items <= std::numeric_limits<std::uint32_t>::max());
    return u32(static_cast<std::uint32_t>(items));
}

CanonicalWriter& CanonicalWriter::fixed(ByteView bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
}

CanonicalWriter& CanonicalWriter::bytes(ByteView bytes) { return count(bytes.size()).fixed(bytes); }

std::uint32_t CanonicalReader::count(std::uint32_t most, std::size_t item_bytes) {
    const std::uint32_t items = u32();
    if (items > most || items * static_cast<std::uint64_t>(item_bytes) > rest_.size()) {
        fail();
        return 0;
    }
    return items;
}

ByteView CanonicalReader::fixed(std::size_t size) {
    if (!ok_ || size > rest_.size()) {
        fail();
        return {};
    }
    const ByteView result = rest_.first(size);
    rest_ = rest_.subspan(size);
    return result;
}

Digest CanonicalReader::digest() {
    Digest result;
    const ByteView raw = fixed(result.bytes.size());
    std::copy(raw.begin(), raw.end(), result.bytes.begin());
    return result;
}

ByteView CanonicalReader::bytes(std::size_t most) {
    const std::uint32_t size = u32();
    if (size > most) {
        fail();
        return {};
    }
    return fixed(size);
}

}  // namespace monodon
