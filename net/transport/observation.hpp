#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "net/core/time.hpp"

namespace monodon::net {

/// What a peer does wrong and itself answers for, never what it passes on (network.md 6).
enum class Fault : std::uint8_t {
    timeout,
    ignored_rate_limit,
    /// A reply that nobody asked for, a request id that was used before, more open than was allowed.
    unsolicited,
    /// NOT_FOUND within the range that it says it holds.
    withheld,
    wrong_data,
    /// A signature or digest that does not verify, on something that was served as evidence by itself.
    bad_evidence,
    malformed,
    oversize,
    wrong_chain,
    invalid_hello,
};
inline constexpr std::size_t kFaults = 10;

/// A reply that was what had been asked for, and not empty.
struct Useful {};
/// How long a reply took from the moment of its request, or a ping: to its first byte and to its last.
struct Measured {
    Duration first_byte{0};
    Duration whole{0};
    std::uint64_t bytes = 0;
};
using Observation = std::variant<Useful, Measured, Fault>;

/// A rule that was broken, for which the connection ends.
struct Violation {
    Fault fault = Fault::malformed;
    /// In words, for the log.
    std::string text;
};

}  // namespace monodon::net
