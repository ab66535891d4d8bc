#pragma once

#include <string>

#include "net/core/expected.hpp"

namespace monodon::tools {

/// What a process says by its exit code; scripts rely on them.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitCannotConnect = 3;
inline constexpr int kExitNotReady = 4;
inline constexpr int kExitTimedOut = 5;
inline constexpr int kExitStoreDamaged = 65;
inline constexpr int kExitHomeInUse = 73;
inline constexpr int kExitConfiguration = 78;

/// Why a command ends without having done its work: the exit code, and a sentence that says what to do.
struct Failure {
    int code = kExitFailed;
    std::string message;
};

template <class T>
using Result = Expected<T, Failure>;

[[nodiscard]] inline Unexpected<Failure> failure(int code, std::string message) {
    return Unexpected{Failure{code, std::move(message)}};
}

}  // namespace monodon::tools
