#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace monodon::fuzz {

struct JsonText {
    std::string text;
    /// How numbers with a fraction or exponent are written is Boost's affair: they are refused wherever a
    /// number is read.
    bool whole_numbers = true;
};

/// The text read by node's strict parser and by that of the tools, which must agree where both have room, and
/// written again; nothing if it is refused.
[[nodiscard]] std::optional<JsonText> json_again(std::string_view text);

}  // namespace monodon::fuzz
