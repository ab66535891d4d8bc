#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/core/expected.hpp"

namespace monodon::storage {

/// What somebody reacts to; the details are text for people.
enum class StoreError : std::uint8_t {
    missing,       ///< there is no store here, and none may be made
    in_use,        ///< open already in this process
    incompatible,  ///< not what was asked for: of another chain, committee or schema, or no checkpoint
    damaged,       ///< a row or a file does not verify
    map_full,      ///< the memory map must grow; nothing was written
    no_space,  ///< the disk or the map limit is full; nothing was synced, the same write may be tried again
    failed,    ///< any other error of the disk: the environment must not be written any more
};
[[nodiscard]] std::string_view describe(StoreError error);

struct Failure {
    StoreError error;
    /// One sentence for the log, with what was being done and what the system said.
    std::string text;
};

template <class T>
using Result = Expected<T, Failure>;

[[nodiscard]] inline Unexpected<Failure> fail(StoreError error, std::string text) {
    return Unexpected{Failure{error, std::move(text)}};
}

}  // namespace monodon::storage
