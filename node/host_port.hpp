#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace monodon::node {

/// A place to listen or dial: `127.0.0.1:7100`, `[::1]:7100`, `validator-3.example:7100`.
struct HostPort {
    std::string host;  ///< without brackets
    std::uint16_t port = 0;
    [[nodiscard]] std::string text() const;
    friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// Nothing unless the text is a host of at most 253 characters that names or addresses consist of, and a
/// port.
[[nodiscard]] std::optional<HostPort> parse_host_port(std::string_view text);

}  // namespace monodon::node
