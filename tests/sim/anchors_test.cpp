#include <sstream>

#include <catch2/catch.hpp>

#include "tools/simulate/report.hpp"

namespace monodon::sim {

namespace {

/// Per cent of the rounds that have a committed anchor once reputation has had its say.
double settled(std::string_view faults, dag::LeaderRule leaders) {
    Swarm swarm;
    swarm.last = 10;
    swarm.options.rounds = 200;
    swarm.options.faults = FaultSet::parse(faults);
    swarm.options.leaders = std::move(leaders);
    const Totals totals = run_swarm(swarm);
    REQUIRE(totals.violations == 0);
    REQUIRE(totals.sum.settled_rounds >= 10 * 100);
    return 100 * static_cast<double>(totals.sum.settled_anchors) /
           static_cast<double>(totals.sum.settled_rounds);
}

}  // namespace

TEST_CASE("with one of four silent reputation soon gives nearly every round an anchor again", "[simulator]") {
    const double healthy = settled("none", dag::ReputationRule{});
    const double silent = settled("mute", dag::ReputationRule{});
    INFO(healthy << " % without faults, " << silent << " % with one silent member");
    CHECK(healthy > 95);
    CHECK(silent > healthy - 5);
}

TEST_CASE("without reputation a silent member costs its share of the anchors for ever", "[simulator]") {
    const double healthy = settled("none", dag::RoundRobin{});
    const double silent = settled("mute", dag::RoundRobin{});
    INFO(healthy << " % without faults, " << silent << " % with one silent member");
    CHECK(healthy > 95);
    CHECK(silent < healthy - 5);
}

}  // namespace monodon::sim
