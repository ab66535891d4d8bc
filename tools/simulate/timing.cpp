#include "tools/simulate/timing.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "tools/simulate/simulation.hpp"

namespace monodon::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::uint64_t kSeeds = 5;
constexpr std::uint64_t kRounds = 150;
/// A sync of a good disk.
constexpr Duration kDisk = microseconds(500);
constexpr std::array<Duration, 6> kDelays = {microseconds(50), microseconds(500), milliseconds(2),
                                             milliseconds(10), milliseconds(50),  milliseconds(150)};

/// What differs between two rows of a table.
struct Setup {
    std::string name;
    dag::EngineConfig engine{};
    unsigned jitter_percent = 20;
    unsigned loss_percent = 0;
    /// Of the last member, beside the delay of the link: a part of it and a fixed one.
    unsigned slow_percent = 0;
    Duration slow{0};
    bool mute = false;
};

Options options_of(const Setup& row, Duration delay) {
    Options options;
    options.rounds = kRounds;
    options.engine = row.engine;
    options.disk_delay = kDisk;
    options.faults = FaultSet{};
    if (row.mute) options.faults->insert(Fault::mute);
    options.links = LinkRule{delay, delay * row.jitter_percent / 100, row.loss_percent, 0, false, 0};
    options.last_is_slow = row.slow + delay * row.slow_percent / 100;
    return options;
}

/// The share of all members' rounds whose certificate others name; the median commit in message
/// delays; rounds a second.
std::string measure(const Setup& row, Duration delay) {
    Options options = options_of(row, delay);
    std::uint64_t slots = 0;
    std::uint64_t named = 0;
    std::uint64_t rounds = 0;
    Duration time{0};
    Duration message{1};
    std::vector<Duration> latencies;
    for (options.seed = 1; options.seed <= kSeeds; ++options.seed) {
        const Result result = simulate(options);
        if (result.violation) return result.violation->invariant;
        slots += result.rounds * options.stakes.size();
        named += result.referenced;
        rounds += result.hurt_rounds;
        time += result.hurt_for;
        message = result.message_delay;
        latencies.insert(latencies.end(), result.latencies.begin(), result.latencies.end());
    }
    std::sort(latencies.begin(), latencies.end());
    const auto of = [](auto part, auto whole) {
        return static_cast<double>(part) / static_cast<double>(std::max<decltype(whole)>(whole, 1));
    };
    const Duration median = latencies.empty() ? Duration{0} : latencies[latencies.size() / 2];
    return fmt::format("{:.0f} % / {:.1f} / {:.1f}", 100 * of(named, slots),
                       of(median.count(), message.count()), of(rounds * 1'000'000, time.count()));
}

std::string table(const std::string& title, const std::vector<Setup>& rows) {
    std::string text = fmt::format("| {} |", title);
    for (const Duration delay : kDelays)
        text += fmt::format(" {} ms |", static_cast<double>(delay.count()) / 1e3);
    text += "\n|";
    for (std::size_t at = 0; at <= kDelays.size(); ++at) text += " --- |";
    text += "\n";
    for (const Setup& row : rows) {
        text += fmt::format("| {} |", row.name);
        for (const Duration delay : kDelays) text += fmt::format(" {} |", measure(row, delay));
        text += "\n";
    }
    return text + "\n";
}

/// The rows of one timer: `set` puts a value in milliseconds into the settings of `base`.
std::vector<Setup> around(const Setup& base, std::vector<int> values,
                          void (*set)(dag::EngineConfig&, Duration)) {
    std::vector<Setup> rows;
    for (const int value : values) {
        Setup row = base;
        row.name = fmt::format("{} ms", value);
        set(row.engine, milliseconds(value));
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace

std::string timing_tables() {
    const Setup even{"even members"};
    Setup jitter{"jitter as long as the delay"};
    jitter.jitter_percent = 100;
    Setup late{"one member 2 ms late"};
    late.slow = milliseconds(2);
    Setup later{"one member half a delay late"};
    later.slow_percent = 50;
    Setup latest{"one member two delays late"};
    latest.slow_percent = 200;
    Setup mute{"one member mute"};
    mute.mute = true;
    Setup loss{"5 % lost"};
    loss.loss_percent = 5;
    std::string text = table("defaults", {even, jitter, late, later, latest, mute, loss});
    const std::vector<int> short_values = {0, 5, 20, 60};
    text += table("`grace`, one member 2 ms late",
                  around(late, short_values, [](auto& engine, Duration value) { engine.grace_max = value; }));
    text +=
        table("`grace`, one member half a delay late",
              around(later, short_values, [](auto& engine, Duration value) { engine.grace_max = value; }));
    text += table("`min_round_delay`", around(even, {0, 2, 5, 20}, [](auto& engine, Duration value) {
                      engine.min_round_delay = value;
                  }));
    text += table("`leader_timeout`, one mute",
                  around(mute, {10, 50, 200, 1000}, [](auto& engine, Duration value) {
                      engine.leader_timeout = value;
                      engine.leader_timeout_max = std::max(value, engine.leader_timeout_max);
                  }));
    text += table("`leader_timeout`, 5 % lost",
                  around(loss, {10, 50, 200, 1000}, [](auto& engine, Duration value) {
                      engine.leader_timeout = value;
                      engine.leader_timeout_max = std::max(value, engine.leader_timeout_max);
                  }));
    text += table("resend, 5 % lost",
                  around(loss, {25, 100, 400}, [](auto& engine, Duration value) { engine.resend = value; }));
    return text;
}

}  // namespace monodon::sim
