#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/target.hpp"

// What libFuzzer's main calls. One program has all targets; MONODON_FUZZ_TARGET names the one to run.

namespace {

const monodon::fuzz::Target* chosen() {
    const char* name = std::getenv("MONODON_FUZZ_TARGET");
    const monodon::fuzz::Target* target = name == nullptr ? nullptr : monodon::fuzz::find_target(name);
    if (target == nullptr) {
        std::fputs("MONODON_FUZZ_TARGET names no target; `fuzz_replay list` does\n", stderr);
        std::exit(2);
    }
    return target;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const monodon::fuzz::Target* const target = chosen();
    // The bytes lie in a buffer of exactly their size: reading beyond is seen.
    target->run({data, size});
    return 0;
}
