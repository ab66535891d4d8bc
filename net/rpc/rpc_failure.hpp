#pragma once

#include <optional>

#include "net/core/bytes.hpp"
#include "net/wire/method.hpp"

namespace monodon::net {

/// The payload of an ERROR frame: a number and what it counts. There is no text in it, so that no error tells
/// anything about the machine that sent it.
[[nodiscard]] Bytes encode(RpcFailure failure);
/// Nothing if it is malformed, unknown, or one that never travels.
[[nodiscard]] std::optional<RpcFailure> decode_failure(ByteView payload);

}  // namespace monodon::net
