#include <catch2/catch.hpp>

#include "tools/simulate/simulation.hpp"
#include "tools/simulate/swarm.hpp"

namespace monodon::sim {

namespace {

Options options_of(std::uint64_t seed, std::string_view faults) {
    Options options;
    options.seed = seed;
    options.rounds = 40;
    options.faults = FaultSet::parse(faults);
    REQUIRE(options.faults.has_value());
    return options;
}

}  // namespace

TEST_CASE("the same seed gives the same trace twice, another seed another one", "[simulator]") {
    Options options;
    options.rounds = 40;
    for (options.seed = 1; options.seed <= 5; ++options.seed) {
        const Result first = simulate(options);
        const Result second = simulate(options);
        CHECK(first.trace_hash == second.trace_hash);
        CHECK(first.events == second.events);
        Options other = options;
        other.seed += 100;
        CHECK(simulate(other).trace_hash != first.trace_hash);
    }
}

TEST_CASE("a run with its faults named is the run that drew them", "[simulator]") {
    Options options;
    options.seed = 12;
    options.rounds = 40;
    const Result drawn = simulate(options);
    options.faults = drawn.faults;
    CHECK(simulate(options).trace_hash == drawn.trace_hash);
}

TEST_CASE("the number of threads changes nothing", "[simulator]") {
    Swarm swarm;
    swarm.first = 1;
    swarm.last = 8;
    swarm.options.rounds = 20;
    const Totals one = run_swarm(swarm);
    swarm.jobs = 3;
    const Totals three = run_swarm(swarm);
    CHECK(one.trace_hash == three.trace_hash);
    CHECK(one.sum.commits == three.sum.commits);
}

TEST_CASE("without faults nearly every certificate is ordered and nothing is skipped for long",
          "[simulator]") {
    const Result result = simulate(options_of(3, "none"));
    CHECK_FALSE(result.violation.has_value());
    CHECK(result.rounds >= 40);
    CHECK(result.ordered_certificates * 10 >= result.certificates * 8);
    CHECK(result.injected == FaultCounts{});
}

TEST_CASE("every kind of fault alone leaves its mark and is survived", "[simulator]") {
    for_each_fault([](Fault fault) {
        FaultCounts injected{};
        for (std::uint64_t seed = 1; seed <= 6; ++seed) {
            // Only who has lost something asks for it.
            const bool of_replies = fault == Fault::lying_reply || fault == Fault::withhold_reply ||
                                    fault == Fault::slow_reply || fault == Fault::crash_reply;
            const std::string also = of_replies ? ",loss" : "";
            const Result result = simulate(options_of(seed, std::string(name(fault)) + also));
            INFO(name(fault) << " with seed " << seed);
            if (result.violation) FAIL_CHECK(result.violation->invariant << ": " << result.violation->what);
            injected.at(static_cast<std::size_t>(fault)) +=
                result.injected.at(static_cast<std::size_t>(fault));
        }
        INFO(name(fault));
        CHECK(injected.at(static_cast<std::size_t>(fault)) > 0);
    });
}

TEST_CASE("ancestors are taken by their hashes, also of members that lie about signatures", "[simulator]") {
    std::uint64_t by_hash = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const Result result = simulate(options_of(seed, "own-loss,lying-reply,crash,loss"));
        INFO("seed " << seed);
        // Each was voted for by a quorum: the judge looks.
        if (result.violation) FAIL_CHECK(result.violation->invariant << ": " << result.violation->what);
        by_hash += result.by_hash;
    }
    CHECK(by_hash > 100);
}

TEST_CASE("observers follow through all faults and sign nothing", "[simulator]") {
    Options options;
    options.rounds = 40;
    for (options.seed = 1; options.seed <= 40; ++options.seed) {
        options.observers = 1 + options.seed % 3;
        const Result result = simulate(options);
        INFO("seed " << options.seed << " with " << options.observers << " observers, "
                     << result.faults.text());
        if (result.violation) FAIL_CHECK(result.violation->invariant << ": " << result.violation->what);
    }
    Options none = options_of(3, "none");
    none.observers = 2;
    Simulation simulation(none);
    REQUIRE_FALSE(simulation.run().violation);
    for (const NodeId node : {NodeId{4}, NodeId{5}}) {
        CHECK(simulation.member(node).is_observer());
        CHECK(simulation.member(node).applied().value() > 10);
        CHECK(simulation.member(node).disk().votes().empty());
        CHECK_FALSE(simulation.member(node).disk().own_header());
    }
}

TEST_CASE("fault lists are read and written in one form", "[simulator]") {
    const auto set = FaultSet::parse("crash, loss\n");
    REQUIRE(set.has_value());
    CHECK(set->text() == "loss,crash");
    CHECK(FaultSet::parse(FaultSet::parse("all")->text()) == FaultSet::parse("benign,byzantine"));
    CHECK(FaultSet::parse("none")->empty());
    CHECK(FaultSet::parse("sync")->contains(Fault::islands));
    CHECK_FALSE(FaultSet::parse("crahs").has_value());
}

TEST_CASE("a crash keeps a first part of the transactions on their way to the disk", "[simulator]") {
    const Keyring keys(1, {1, 1, 1, 1}, false);
    const auto vote_of = [&](std::uint64_t round) {
        return dag::sign_vote(keys.committee(), keys.signer(dag::ValidatorIndex{0}), dag::ValidatorIndex{0},
                              {dag::Round{round}, dag::ValidatorIndex{1}, Digest{}});
    };
    std::set<std::uint64_t> survived;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        Disk disk;
        Random random(seed);
        disk.queue({dag::WriteId{1}, {dag::VoteRecord{vote_of(1)}}, true});
        disk.begin_sync();
        CHECK(disk.end_sync() == std::vector<dag::WriteId>{dag::WriteId{1}});
        disk.queue({dag::WriteId{2}, {dag::VoteRecord{vote_of(2)}}, true});
        disk.queue({dag::WriteId{3}, {dag::VoteRecord{vote_of(3)}}, true});
        disk.begin_sync();
        disk.queue({dag::WriteId{4}, {dag::VoteRecord{vote_of(4)}}, true});
        disk.crash(random, false);
        survived.insert(disk.votes().at(dag::ValidatorIndex{1}).round.value());
    }
    CHECK(survived == std::set<std::uint64_t>{1, 2, 3});
}

TEST_CASE("stand-in signatures are refused when anything about them is wrong", "[simulator]") {
    Keyring keys(1, {1, 1, 1, 1}, false);
    const dag::HeaderRef ref{dag::Round{1}, dag::ValidatorIndex{1}, Digest{}};
    const dag::Vote good =
        dag::sign_vote(keys.committee(), keys.signer(dag::ValidatorIndex{0}), dag::ValidatorIndex{0}, ref);
    CHECK(keys.check(std::make_shared<const dag::Vote>(good)).has_value());
    dag::Vote other_round = good;
    other_round.round = dag::Round{2};
    CHECK_FALSE(keys.check(std::make_shared<const dag::Vote>(other_round)).has_value());
    dag::Vote other_voter = good;
    other_voter.voter = dag::ValidatorIndex{2};
    CHECK_FALSE(keys.check(std::make_shared<const dag::Vote>(other_voter)).has_value());
}

}  // namespace monodon::sim
