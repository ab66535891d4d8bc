#include <catch2/catch.hpp>

#include "tools/simulate/simulation.hpp"

namespace monodon::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// Two members of four crash at their write boundaries `first` and `second` (queued, durable, told) and come
/// back after 10 ms; all have batches to order meanwhile.
void crash_at(unsigned first, unsigned second) {
    INFO("member 0 crashes at boundary " << first << ", member 1 at boundary " << second);
    Options options;
    options.seed = 1'000 + first;
    options.faults = FaultSet{};
    options.engine = dag::EngineConfig{};
    options.engine->ordering.window = 5;
    options.links = LinkRule{microseconds(300), microseconds(200), 0, 0, false, 0};
    options.disk_delay = microseconds(400);
    Simulation run(options);
    run.start();
    run.member(0).crash_at_write(first);
    run.member(1).crash_at_write(second);
    for (int turn = 0; turn < 40; ++turn) {
        run.member(static_cast<NodeId>(turn % 4)).submit();
        run.advance(milliseconds(10));
    }
    run.advance(std::chrono::seconds(2));
    const dag::CommitIndex decided = run.member(0).disk().last_commit();
    run.advance(std::chrono::seconds(3));
    Random order(first);
    run.judge().replay(order);
    if (const auto& violation = run.judge().violation()) {
        FAIL(violation->invariant << ": " << violation->what);
    }
    REQUIRE(decided.value() > 10);
    for (NodeId node = 0; node < 4; ++node) {
        REQUIRE(run.member(node).running());
        CHECK(run.member(node).applied() >= decided);
    }
}

}  // namespace

TEST_CASE("a member that restarts between any two writes continues the one sequence", "[simulator][P3]") {
    for (unsigned boundary = 1; boundary <= 200; ++boundary) crash_at(boundary, 1'000'000);
}

TEST_CASE("two members that restart one after the other between any two writes continue the one sequence",
          "[simulator][P3]") {
    for (unsigned boundary = 1; boundary <= 100; ++boundary) crash_at(boundary, 201 - boundary);
}

}  // namespace monodon::sim
