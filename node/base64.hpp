#pragma once

#include <string>

#include "net/core/bytes.hpp"

namespace monodon::node {

/// RFC 4648 with padding: bytes within JSON.
[[nodiscard]] std::string to_base64(ByteView bytes);

}  // namespace monodon::node
