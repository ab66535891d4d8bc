#include "tests/sim/planted.hpp"

#include <array>
#include <csignal>
#include <cstdio>

#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "net/core/check.hpp"
#include "tests/dag/dag_builder.hpp"
#include "tests/dag/oracle.hpp"
#include "tests/dag/random_dag.hpp"

namespace monodon::sim {

namespace {

/// A run that takes longer goes round in circles.
constexpr unsigned kSecondsMax = 60;

/// The child's side: what the trial says goes into the pipe.
[[noreturn]] void try_alone(dag::Planted fault, const Trial& trial, std::uint64_t seed, int pipe) {
    (void)std::freopen("/dev/null", "w", stderr);
    alarm(kSecondsMax);
    dag::plant(fault);
    // Catch2's handlers would report a check that ends the process as a failure of the test.
    std::signal(SIGABRT, SIG_DFL);
    const std::string what = trial(seed).value_or("");
    const bool written = write(pipe, what.data(), what.size()) == static_cast<ssize_t>(what.size());
    _exit(written ? 0 : 1);
}

std::optional<std::string> run_alone(dag::Planted fault, const Trial& trial, std::uint64_t seed) {
    std::array<int, 2> ends{};
    MONODON_CHECK(pipe(ends.data()) == 0);
    const pid_t child = fork();
    MONODON_CHECK(child >= 0);
    if (child == 0) try_alone(fault, trial, seed, ends[1]);
    close(ends[1]);
    std::string what;
    std::array<char, 512> part{};
    for (ssize_t got = 0; (got = read(ends[0], part.data(), part.size())) > 0;) {
        what.append(part.data(), static_cast<std::size_t>(got));
    }
    close(ends[0]);
    int status = 0;
    MONODON_CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status) == SIGABRT ? "a check of the engine" : "the process was ended";
    }
    if (what.empty()) return std::nullopt;
    return what;
}

Options options_with(std::string_view faults) {
    Options options;
    options.rounds = 60;
    options.faults = FaultSet::parse(faults);
    REQUIRE(options.faults.has_value());
    return options;
}

}  // namespace

std::optional<Finding> find(dag::Planted fault, std::uint64_t seeds, const Trial& trial) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const auto what = run_alone(fault, trial, seed);
        if (what && !run_alone(dag::Planted::none, trial, seed)) return Finding{seed, *what};
    }
    return std::nullopt;
}

Trial simulation(Options options) {
    return [options](std::uint64_t seed) -> std::optional<std::string> {
        Options each = options;
        each.seed = seed;
        const Result result = simulate(each);
        if (!result.violation) return std::nullopt;
        return result.violation->invariant + ": " + result.violation->what;
    };
}

Trial simulation_with(std::string_view faults) { return simulation(options_with(faults)); }

Trial simulation_unnoticed(std::string_view faults) {
    Options options = options_with(faults);
    options.engine = dag::EngineConfig{};
    options.engine->retention = 3 * options.engine->ordering.window;
    options.engine->notice_forgotten = false;
    return simulation(options);
}

Trial ordering_by_the_rules() {
    return [](std::uint64_t seed) -> std::optional<std::string> {
        namespace test = dag::test;
        test::Random random(~seed);
        const test::RandomDag random_dag(seed);
        const dag::Committee committee = test::committee_of(random_dag.stakes);
        test::Oracle oracle(random_dag.config, committee);
        for (const auto& certificate : random_dag.certificates) oracle.insert(certificate);
        oracle.evaluate();
        test::Node node(committee, random_dag.config);
        for (const auto& certificate : random_dag.shuffled(random)) node.insert(certificate);
        if (node.commits.size() != oracle.commits().size()) return "another number of commits";
        for (std::size_t at = 0; at < node.commits.size(); ++at) {
            if (node.commits[at]->digest != oracle.commits()[at].digest) return "another commit";
        }
        return std::nullopt;
    };
}

void require_found(dag::Planted fault, std::uint64_t seeds, const Trial& trial, std::string_view expected) {
    const auto found = find(fault, seeds, trial);
    REQUIRE(found.has_value());
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(found->seed), found->what.c_str());
    CHECK(found->what.substr(0, expected.size()) == expected);
}

}  // namespace monodon::sim
