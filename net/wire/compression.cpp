#include "net/wire/compression.hpp"

#include <algorithm>

#include <zstd.h>

namespace monodon::net {

namespace {

// The fastest of the ordinary levels: what is compressed goes over one link once.
constexpr int kLevel = 1;

}  // namespace

std::optional<Bytes> compress_chunk(ByteView chunk) {
    Bytes out(chunk.size() - chunk.size() / 8);
    const std::size_t size = ZSTD_compress(out.data(), out.size(), chunk.data(), chunk.size(), kLevel);
    if (ZSTD_isError(size) != 0 || size * kCompressionRatioMax < chunk.size()) return std::nullopt;
    out.resize(size);
    return out;
}

bool decompress_chunk(ByteView chunk, std::size_t most, Bytes& out) {
    const unsigned long long stated = ZSTD_getFrameContentSize(chunk.data(), chunk.size());
    if (stated == ZSTD_CONTENTSIZE_UNKNOWN || stated == ZSTD_CONTENTSIZE_ERROR) return false;
    if (stated > most || stated > chunk.size() * kCompressionRatioMax) return false;
    if (ZSTD_findFrameCompressedSize(chunk.data(), chunk.size()) != chunk.size()) return false;
    const std::size_t before = out.size();
    out.resize(before + stated);
    const std::size_t size = ZSTD_decompress(out.data() + before, stated, chunk.data(), chunk.size());
    if (ZSTD_isError(size) != 0 || size != stated) {
        out.resize(before);
        return false;
    }
    return true;
}

}  // namespace monodon::net
