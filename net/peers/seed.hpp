#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/core/keys.hpp"

namespace monodon::net {

/// Where to begin when nobody is known.
struct Seed {
    /// Refuse any other, if given.
    std::optional<PeerId> peer;
    std::string address;
    /// `host:port` or `peer-id@host:port`.
    [[nodiscard]] static std::optional<Seed> parse(std::string_view text);
};

}  // namespace monodon::net
