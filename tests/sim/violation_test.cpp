#include <sstream>

#include <catch2/catch.hpp>

#include "tests/sim/planted.hpp"
#include "tests/sim/scratch.hpp"
#include "tools/simulate/command.hpp"

/// What the command does with a violation: a planted fault makes one.
namespace monodon::sim {

namespace {

struct Plant {
    explicit Plant(dag::Planted fault) { dag::plant(fault); }
    ~Plant() { dag::plant(dag::Planted::none); }
    Plant(const Plant&) = delete;
    Plant& operator=(const Plant&) = delete;
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a violation names the invariant, the slots, the words that repeat it, and leaves a trace",
          "[report]") {
    const Plant plant(dag::Planted::equivocation_voted);
    const Scratch scratch;
    CommandWords words;
    words.seed = 2;
    words.rounds = 30;
    words.stakes = "3,2,2,2,1";
    words.faults = "equivocate";
    words.trace = scratch.file("broken.jsonl");
    std::ostringstream out;
    std::ostringstream err;
    REQUIRE(run_command(words, out, err) == kSimulateViolation);
    const std::string said = err.str();
    INFO(said);
    CHECK(has(said, "violation of invariant 4 one vote per slot"));
    CHECK(has(said, "voted for ("));
    CHECK(has(said, "and for another header of that slot"));
    CHECK(has(said,
              "monodon simulate --seed 2 --validators 5 --rounds 30 --stakes 3,2,2,2,1 --faults equivocate"));
    CHECK(has(out.str(), "1 violations"));
    CHECK(has(scratch.read("broken.jsonl"), R"("k":"vote","slot":[)"));
}

TEST_CASE("shrinking leaves the faults, rounds and members that the violation needs", "[shrink]") {
    Options options;
    options.seed = 3;
    options.stakes = {1, 2, 3, 1, 2, 3, 1};
    options.faults = FaultSet::parse("loss,slow,crash,equivocate");
    const auto broken_as = [](const Options& each) {
        const Result result = simulate(each);
        return result.violation ? result.violation->invariant : std::string();
    };
    {
        // Needs no fault at all.
        const Plant plant(dag::Planted::vote_before_durable);
        const Options smaller = shrink(options);
        CHECK(smaller.faults->empty());
        CHECK(smaller.stakes.size() == 4);
        CHECK(smaller.rounds <= 4);
        CHECK(broken_as(smaller) == broken_as(options));
    }
    {
        // Needs a member that equivocates.
        const Plant plant(dag::Planted::equivocation_voted);
        const std::string broken = broken_as(options);
        REQUIRE(broken.substr(0, 2) == "4 ");
        const Options smaller = shrink(options);
        CHECK(smaller.faults->contains(Fault::equivocate));
        CHECK(smaller.faults->text().size() < options.faults->text().size());
        CHECK(smaller.rounds < options.rounds);
        CHECK(broken_as(smaller) == broken);
    }
    CHECK(broken_as(options).empty());
}

TEST_CASE("the command shrinks when it is told to, and the trace is that of the smaller run", "[shrink]") {
    const Plant plant(dag::Planted::vote_before_durable);
    const Scratch scratch;
    CommandWords words;
    words.seed = 3;
    words.validators = 7;
    words.trace = scratch.file("broken.jsonl");
    std::ostringstream out;
    std::ostringstream err;
    REQUIRE(run_command(words, out, err) == kSimulateViolation);
    CHECK_FALSE(has(err.str(), "smaller:"));
    const std::string whole = scratch.read("broken.jsonl");
    words.shrink = true;
    REQUIRE(run_command(words, out, err) == kSimulateViolation);
    INFO(err.str());
    CHECK(has(err.str(), "smaller: monodon simulate --seed 3 --validators 4 --rounds"));
    CHECK(scratch.read("broken.jsonl") != whole);
}

}  // namespace monodon::sim
