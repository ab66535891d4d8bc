#include <cstring>

#include <benchmark/benchmark.h>

#include "net/core/canonical.hpp"
#include "net/core/digest.hpp"
#include "net/core/keys.hpp"

// What every message costs at least. The plain copy stands beside them as the limit of the machine: a figure
// means something only as a ratio within one run.

namespace monodon {
namespace {

void copy_batch(benchmark::State& state) {
    const Bytes from(static_cast<std::size_t>(state.range(0)), Byte{7});
    Bytes to(from.size());
    for (auto _ : state) {
        std::memcpy(to.data(), from.data(), from.size());
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void hash_batch(benchmark::State& state) {
    const Bytes batch(static_cast<std::size_t>(state.range(0)), Byte{7});
    for (auto _ : state) benchmark::DoNotOptimize(sha256(batch));
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void sign_vote(benchmark::State& state) {
    const KeyPair pair = KeyPair::from_seed({1});
    const Bytes vote(128, Byte{7});
    for (auto _ : state) benchmark::DoNotOptimize(pair.sign(vote));
}

void verify_vote(benchmark::State& state) {
    const KeyPair pair = KeyPair::from_seed({1});
    const Bytes vote(128, Byte{7});
    const Signature signature = pair.sign(vote);
    const Ed25519Verifier verifier;
    for (auto _ : state) benchmark::DoNotOptimize(verifier.verify(pair.public_key(), vote, signature));
}

void encode_digests(benchmark::State& state) {
    const Digest digest = sha256(as_bytes("parent"));
    for (auto _ : state) {
        CanonicalWriter writer("bench");
        writer.count(100);
        for (int parent = 0; parent < 100; ++parent) writer.u64(1).digest(digest);
        benchmark::DoNotOptimize(writer.take());
    }
}

BENCHMARK(copy_batch)->Arg(512 * 1024);
BENCHMARK(hash_batch)->Arg(512)->Arg(512 * 1024);
BENCHMARK(sign_vote);
BENCHMARK(verify_vote);
BENCHMARK(encode_digests);

}  // namespace
}  // namespace monodon

BENCHMARK_MAIN();
