#pragma once

#include <string_view>

namespace monodon::node {

/// Of the program, as the build says.
inline constexpr std::string_view kVersion = MONODON_VERSION;

}  // namespace monodon::node
