#pragma once

#include <optional>

#include "net/core/bytes.hpp"

namespace monodon::net {

/// A compressed chunk may become this many times as long, and no more.
inline constexpr std::size_t kCompressionRatioMax = 64;

/// One zstd frame that states its size; nothing if that would not save an eighth.
[[nodiscard]] std::optional<Bytes> compress_chunk(ByteView chunk);

/// Appends the plain bytes of one compressed chunk to `out`. False, and `out` is as before, unless the chunk
/// is one whole zstd frame that states a size of at most `most` bytes and kCompressionRatioMax times its own,
/// which is checked before anything is decompressed, and has exactly that size.
[[nodiscard]] bool decompress_chunk(ByteView chunk, std::size_t most, Bytes& out);

}  // namespace monodon::net
