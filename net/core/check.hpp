#pragma once

#include <source_location>
#include <string_view>

namespace monodon {

/// Reports a broken invariant of our own on standard error and aborts. Never reached by bad input from a
/// peer, a client or the disk: those are values (see Expected).
[[noreturn]] void check_failed(std::string_view condition, std::source_location where);

}  // namespace monodon

/// Always on, also in release builds: a validator that is wrong about itself must stop before it signs.
#define MONODON_CHECK(condition)                                                  \
    do {                                                                          \
        if (!(condition)) [[unlikely]]                                            \
            ::monodon::check_failed(#condition, std::source_location::current()); \
    } while (false)
