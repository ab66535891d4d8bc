#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/core/time.hpp"

/// Quantities as people write them in configuration and queries.
namespace monodon::node {

/// `50us`, `5ms`, `2s`, `3m`, `1h`, or `0`. Nothing for anything else and beyond ten years.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);
/// In the largest unit that divides it; parse_duration() reads it back.
[[nodiscard]] std::string duration_text(Duration duration);

/// `131072`, `128KiB`, `64MiB`, `2GiB`, `1TiB`. Nothing for anything else and for 2^63 and above.
[[nodiscard]] std::optional<std::uint64_t> parse_byte_size(std::string_view text);
/// In the largest unit that divides it; parse_byte_size() reads it back.
[[nodiscard]] std::string byte_size_text(std::uint64_t bytes);

/// Decimal digits only.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace monodon::node
