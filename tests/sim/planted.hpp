#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "dag/planted.hpp"
#include "tools/simulate/simulation.hpp"

/// Shows that a planted fault is found. Every run is a process of its own, since some faults end it by a
/// check of the engine.
namespace monodon::sim {

struct Finding {
    std::uint64_t seed = 0;
    /// The invariant that broke, with what broke it; or `a check of the engine`.
    std::string what;
};

/// Gives what is wrong; nothing if all is well.
using Trial = std::function<std::optional<std::string>(std::uint64_t seed)>;

/// The first seed of 1..`seeds` whose trial finds something while the fault is planted, and nothing without.
[[nodiscard]] std::optional<Finding> find(dag::Planted fault, std::uint64_t seeds, const Trial& trial);

/// Runs the options with the seed.
[[nodiscard]] Trial simulation(Options options);
/// Committees of four with these faults, each at its random strength, over 60 rounds.
[[nodiscard]] Trial simulation_with(std::string_view faults);
/// As simulation_with(); but members do not notice by what others hold that they have forgotten a signature,
/// which hides what a restart forgets.
[[nodiscard]] Trial simulation_unnoticed(std::string_view faults);
/// A random DAG, in a random order of insertion, against the rules as the oracle of tests/dag reads them.
[[nodiscard]] Trial ordering_by_the_rules();

/// Fails the test unless the fault is found within so many seeds, by what begins with `expected`.
void require_found(dag::Planted fault, std::uint64_t seeds, const Trial& trial, std::string_view expected);

}  // namespace monodon::sim
