#pragma once

#include <optional>
#include <vector>

#include "net/core/bytes.hpp"

namespace monodon::net {

/// The request GetPeers has no fields; its answer is at most kSampleMax records, each as its subject signed
/// it.
[[nodiscard]] SharedBytes encode_get_peers();
[[nodiscard]] bool decode_get_peers(ByteView request);
[[nodiscard]] SharedBytes encode_peers(const std::vector<Bytes>& records);
/// Nothing if it is malformed, has more records or longer ones than there can be. What is in the records is
/// not looked at.
[[nodiscard]] std::optional<std::vector<Bytes>> decode_peers(ByteView reply);

}  // namespace monodon::net
