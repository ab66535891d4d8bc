#pragma once

#include <optional>

#include "net/core/bytes.hpp"
#include "net/transport/observation.hpp"
#include "net/wire/assembler.hpp"
#include "net/wire/method.hpp"

namespace monodon::net {

/// The payload of an ERROR frame: a number and what it counts. There is no text in it, so that no error tells
/// anything about the machine that sent it.
[[nodiscard]] Bytes encode(RpcFailure failure);
/// Nothing if it is malformed, unknown, or one that never travels.
[[nodiscard]] std::optional<RpcFailure> decode_failure(ByteView payload);

/// What of a message that can not become whole its sender answers for.
[[nodiscard]] Violation violation_of(AssemblyError error, std::string_view where = {});

}  // namespace monodon::net
