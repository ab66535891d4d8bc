#include <cstdio>
#include <string_view>
#include <utility>

#include "tools/simulate/swarm.hpp"

/// Writes the trace hashes of some seeds of every kind of committee to a file. Every build, with whatever
/// compiler and checks, must write the same: tools/check compares two.
int main(int count, char** words) {
    std::FILE* file = count == 2 ? std::fopen(words[1], "w") : nullptr;
    if (file == nullptr) return 2;
    using monodon::sim::Options;
    struct Kind {
        const char* name;
        std::vector<monodon::dag::Stake> stakes;
        bool real_crypto;
        std::uint64_t seeds;
    };
    const std::vector<Kind> kinds = {{"four", {1, 1, 1, 1}, false, 20},
                                     {"seven", {1, 2, 3, 4, 1, 2, 3}, false, 5},
                                     {"ten", std::vector<monodon::dag::Stake>(10, 1), false, 3},
                                     {"real", {3, 1, 2, 2}, true, 3}};
    for (const Kind& kind : kinds) {
        for (std::uint64_t seed = 1; seed <= kind.seeds; ++seed) {
            Options options;
            options.seed = seed;
            options.stakes = kind.stakes;
            options.real_crypto = kind.real_crypto;
            options.rounds = 40;
            const auto first = monodon::sim::simulate(options);
            const auto second = monodon::sim::simulate(options);
            if (first.trace_hash != second.trace_hash) {
                std::fprintf(stderr, "%s: seed %llu has two hashes\n", kind.name,
                             static_cast<unsigned long long>(seed));
                return 1;
            }
            std::fprintf(file, "%s %llu %016llx\n", kind.name, static_cast<unsigned long long>(seed),
                         static_cast<unsigned long long>(first.trace_hash));
        }
    }
    return std::fclose(file) == 0 ? 0 : 2;
}
