#include "tests/fuzz/target.hpp"

// A fault on purpose: what cannot find it finds nothing.
namespace monodon::fuzz::planted_target {

namespace {

void planted(ByteView input) { MONODON_CHECK(!as_text(input).starts_with("narwhal")); }

std::vector<Seed> seeds() { return {{"harmless", copy_of(as_bytes("monodon"))}}; }

const Registration kPlanted{{{"planted", "fails on purpose: the fuzzer must find it", 64, planted, seeds}}};

}  // namespace

}  // namespace monodon::fuzz::planted_target
