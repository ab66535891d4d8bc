#include <catch2/catch.hpp>

#include "tools/simulate/swarm.hpp"

/// Seeds that have found something, each with what was found.
namespace monodon::sim {

namespace {

Result run(std::uint64_t seed, std::string_view faults, std::vector<dag::Stake> stakes = {1, 1, 1, 1}) {
    Options options;
    options.seed = seed;
    options.stakes = std::move(stakes);
    options.faults = FaultSet::parse(faults);
    return simulate(options);
}

}  // namespace

TEST_CASE("a batch named only by a certificate that is never ordered is adopted when its author is dead",
          "[regressions]") {
    const Result result = run(1167, "partition,one-way,dead,slow-disk,disk-full,backup");
    if (result.violation) FAIL(result.violation->what);
    CHECK(result.injected.at(static_cast<std::size_t>(Fault::dead)) == 1);
    CHECK(result.acknowledged > 0);
}

TEST_CASE("a batch sealed before the first round is remembered until it is adopted", "[regressions]") {
    const Result result = run(518, "loss,reorder,silent,pause,blackout,dead,disk-full,write-error,backup");
    if (result.violation) FAIL(result.violation->what);
    CHECK(result.injected.at(static_cast<std::size_t>(Fault::dead)) == 1);
}

TEST_CASE("a schedule that holds on to a dead member gets over it in the end", "[regressions]") {
    const Result result = run(52, "partition,pause,crash,dead,clock,slow-disk,disk-full,write-error,backup");
    if (result.violation) FAIL(result.violation->what);
    CHECK(result.led_astray);
}

TEST_CASE("a batch of the dead may outlive a schedule that gives every round to the dead", "[regressions]") {
    const Result result = run(107, "flapping,dead,slow-disk,disk-full,false-claim");
    if (result.violation) FAIL(result.violation->what);
    CHECK(result.led_astray);
}

TEST_CASE("a backup of the disk brings back the application's state that belongs to it", "[regressions]") {
    const Result result =
        run(371, "flapping,slow,silent,blackout,disk-full,write-error,backup", {1, 2, 3, 4, 5, 6, 7});
    if (result.violation) FAIL(result.violation->what);
    CHECK(result.injected.at(static_cast<std::size_t>(Fault::backup)) > 1);
}

TEST_CASE("ranges are asked of several members within the bound of requests", "[regressions]") {
    const Result result = run(1, "loss,duplicate,silent,pause,backup", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    if (result.violation) FAIL(result.violation->what);
    CHECK(result.injected.at(static_cast<std::size_t>(Fault::pause)) > 0);
}

}  // namespace monodon::sim
