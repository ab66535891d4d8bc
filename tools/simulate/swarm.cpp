#include "tools/simulate/swarm.hpp"

#include <atomic>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

namespace monodon::sim {

namespace {

constexpr std::size_t kFailedMax = 5;
constexpr Duration kLongDelay = std::chrono::milliseconds(10);

/// What to print when a check of our own ends the process.
thread_local std::array<char, 512> running{};

extern "C" void say_seed(int) {
    (void)!write(STDERR_FILENO, running.data(), std::strlen(running.data()));
    std::signal(SIGABRT, SIG_DFL);
}

void announce(const Options& options) {
    const std::string text = fmt::format("while running: {}\n", command_line(options));
    const std::size_t length = std::min(text.size(), running.size() - 1);
    std::memcpy(running.data(), text.data(), length);
    running.at(length) = '\0';
}

}  // namespace

void Totals::add(const Result& result) {
    ++seeds;
    trace_hash = Random::mix(trace_hash ^ result.trace_hash) + seeds;
    if (result.violation) {
        ++violations;
        if (failed.size() < kFailedMax) failed.push_back(result);
    }
    for (std::size_t at = 0; at < kFaults; ++at) sum.injected.at(at) += result.injected.at(at);
    sum.virtual_time += result.virtual_time;
    sum.events += result.events;
    sum.rounds += result.rounds;
    sum.commits += result.commits;
    sum.skipped += result.skipped;
    sum.ordered_certificates += result.ordered_certificates;
    sum.certificates += result.certificates;
    sum.batches += result.batches;
    sum.acknowledged += result.acknowledged;
    sum.executed += result.executed;
    sum.reproposals += result.reproposals;
    sum.equivocations += result.equivocations;
    sum.request_timeouts += result.request_timeouts;
    sum.refused += result.refused;
    sum.packets += result.packets;
    sum.bytes += result.bytes;
    sum.fetched += result.fetched;
    sum.by_hash += result.by_hash;
    sum.referenced += result.referenced;
    sum.settled_rounds += result.settled_rounds;
    sum.settled_anchors += result.settled_anchors;
    if (result.led_astray && ++led_astray == 1) first_astray = result.seed;
    longest_healing = std::max(longest_healing, result.healed_after);
    for (const Duration each : result.latencies) {
        const auto tenths = static_cast<std::uint64_t>(each * 10 / result.message_delay);
        ++latency_tenths[tenths];
        if (result.message_delay >= kLongDelay) ++long_latency_tenths[tenths];
    }
}

Totals run_swarm(const Swarm& swarm) {
    std::signal(SIGABRT, say_seed);
    Totals totals;
    std::atomic<std::uint64_t> next{swarm.first};
    std::mutex mutex;
    // Results are added in the order of their seeds.
    std::map<std::uint64_t, Result> ready;
    std::uint64_t expected = swarm.first;
    const auto work = [&] {
        for (std::uint64_t seed = next++; seed <= swarm.last; seed = next++) {
            Options options = swarm.options;
            options.seed = seed;
            announce(options);
            Result result = simulate(options);
            const std::lock_guard lock(mutex);
            ready.emplace(seed, std::move(result));
            while (!ready.empty() && ready.begin()->first == expected) {
                totals.add(ready.begin()->second);
                ready.erase(ready.begin());
                ++expected;
            }
            if (swarm.progress) swarm.progress(totals);
        }
    };
    if (swarm.jobs <= 1) {
        work();
        return totals;
    }
    std::vector<std::jthread> threads;
    for (unsigned at = 0; at < swarm.jobs; ++at) threads.emplace_back(work);
    threads.clear();
    return totals;
}

std::string command_line(const Options& options) {
    std::string stakes;
    bool equal = true;
    for (const dag::Stake stake : options.stakes) {
        stakes += fmt::format("{}{}", stakes.empty() ? "" : ",", stake);
        equal = equal && stake == 1;
    }
    std::string line = fmt::format("monodon simulate --seed {} --validators {} --rounds {}", options.seed,
                                   options.stakes.size(), options.rounds);
    if (!equal) line += " --stakes " + stakes;
    if (options.observers > 0) line += fmt::format(" --observers {}", options.observers);
    if (options.faults) line += " --faults " + options.faults->text();
    if (options.leaders) {
        const bool turns = std::holds_alternative<dag::RoundRobin>(*options.leaders);
        line += std::string(" --leaders ") + (turns ? "round-robin" : "reputation");
    }
    if (options.faulty) line += fmt::format(" --faulty {}", *options.faulty);
    if (options.real_crypto) line += " --real-crypto";
    return line;
}

Options shrink(const Options& failing) {
    Options best = failing;
    best.trace = false;
    const Result first = simulate(best);
    if (!first.violation) return best;
    best.faults = first.faults;
    const auto still_fails = [&](const Options& options) {
        const Result result = simulate(options);
        return result.violation && result.violation->invariant == first.violation->invariant;
    };
    const auto take_if_fails = [&](const Options& options) {
        const bool fails = still_fails(options);
        if (fails) best = options;
        return fails;
    };
    for_each_fault([&](Fault fault) {
        if (!best.faults->contains(fault)) return;
        Options fewer = best;
        fewer.faults->erase(fault);
        (void)take_if_fails(fewer);
    });
    while (best.rounds > 4) {
        Options shorter = best;
        shorter.rounds = best.rounds * 2 / 3;
        if (!take_if_fails(shorter)) break;
    }
    while (best.observers > 0) {
        Options fewer = best;
        --fewer.observers;
        if (!take_if_fails(fewer)) break;
    }
    while (best.stakes.size() > 4) {
        Options smaller = best;
        smaller.stakes.pop_back();
        if (!take_if_fails(smaller)) break;
    }
    return best;
}

}  // namespace monodon::sim
