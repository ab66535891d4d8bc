#pragma once

#include <cstdlib>
#include <cstring>

#include <dlfcn.h>

namespace monodon::test {

/// The C library's function that one of ours stands before.
template <class Function>
[[nodiscard]] Function next_function(const char* name) {
    void* const found = ::dlsym(RTLD_NEXT, name);
    if (found == nullptr) std::abort();
    Function function = nullptr;
    std::memcpy(&function, &found, sizeof function);
    return function;
}

}  // namespace monodon::test
