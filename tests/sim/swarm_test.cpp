#include "tools/simulate/swarm.hpp"

#include <cstdlib>

#include <catch2/catch.hpp>

namespace monodon::sim {

namespace {

std::uint64_t number(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Runs as many seeds as MONODON_SIM_SEEDS says, from MONODON_SIM_FIRST on.
void run(std::vector<dag::Stake> stakes, std::uint64_t seeds, bool real_crypto = false,
         std::string_view faults = {}) {
    Swarm swarm;
    swarm.first = number("MONODON_SIM_FIRST", 1);
    swarm.last = swarm.first + number("MONODON_SIM_SEEDS", seeds) - 1;
    swarm.options.stakes = std::move(stakes);
    swarm.options.real_crypto = real_crypto;
    if (!faults.empty()) swarm.options.faults = FaultSet::parse(faults);
    const Totals totals = run_swarm(swarm);
    for (const Result& failed : totals.failed) {
        Options options = swarm.options;
        options.seed = failed.seed;
        FAIL_CHECK(failed.violation->invariant << ": " << failed.violation->what << "\n  "
                                               << command_line(options) << "\n  faults "
                                               << failed.faults.text());
    }
    CHECK(totals.violations == 0);
    // Islands last so long that little is committed; the others make far more.
    CHECK(totals.sum.commits > 5 * totals.seeds);
    CHECK(totals.sum.executed > totals.seeds);
}

}  // namespace

TEST_CASE("a committee of four keeps every invariant under random faults", "[four]") {
    run({1, 1, 1, 1}, 200);
}

TEST_CASE("a committee of four ends with one DAG whatever answers and losses its members had", "[sync]") {
    run({1, 1, 1, 1}, 100, false, "sync");
}

TEST_CASE("members that all lose different things, in islands of any shape, end with one DAG", "[sync]") {
    run({1, 1, 1, 1}, 50, false, "islands,own-loss,crash-reply");
}

TEST_CASE("committees of seven with unequal stakes keep every invariant under random faults", "[seven]") {
    run({1, 2, 3, 4, 1, 2, 3}, 20);
}

TEST_CASE("committees of ten keep every invariant under random faults", "[ten]") {
    run({1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 10);
}

TEST_CASE("a committee with real signatures keeps every invariant under random faults", "[real]") {
    run({3, 1, 2, 2}, 10, true);
}

}  // namespace monodon::sim
