#include "tools/simulate/command.hpp"

#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <ostream>
#include <sstream>

#include <fmt/format.h>

#include "tools/simulate/picture.hpp"
#include "tools/simulate/report.hpp"
#include "tools/simulate/timing.hpp"

namespace monodon::sim {

namespace {

/// Counting beyond it would begin again at 0.
constexpr std::uint64_t kSeedNever = std::numeric_limits<std::uint64_t>::max();
/// Virtual time is counted in 64 bits of microseconds.
constexpr std::uint64_t kRoundsMax = 1'000'000;

constexpr std::uint64_t kObserversMax = 32;

struct Usage {
    std::string why;
};

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

Expected<std::vector<dag::Stake>, Usage> read_stakes(const CommandWords& words) {
    std::vector<dag::Stake> stakes;
    if (words.stakes.empty()) {
        stakes.assign(words.validators == 0 ? 4 : words.validators, 1);
    } else {
        std::istringstream list(words.stakes);
        for (std::string word; std::getline(list, word, ',');) {
            const auto stake = number(word);
            if (!stake || *stake == 0 || *stake > 1'000'000) {
                return Unexpected{
                    Usage{"--stakes is a list of whole numbers from 1 to 1000000, such as 1,2,3,4"}};
            }
            stakes.push_back(*stake);
        }
        if (words.validators != 0 && words.validators != stakes.size()) {
            return Unexpected{Usage{"--stakes names another number of validators than --validators"}};
        }
    }
    if (stakes.size() < 4 || stakes.size() > 64) return Unexpected{Usage{"4 to 64 validators"}};
    return stakes;
}

/// Which can be opened like a file, and only reading it fails.
bool is_directory(const std::string& name) {
    std::error_code ignored;
    return std::filesystem::is_directory(name, ignored);
}

Expected<std::optional<FaultSet>, Usage> read_faults(const std::string& words) {
    if (words.empty()) return std::optional<FaultSet>{};
    if (const auto faults = FaultSet::parse(words)) return std::optional<FaultSet>{*faults};
    if (is_directory(words)) return Unexpected{Usage{"cannot read " + words + ": it is a directory"}};
    std::ifstream file(words);
    std::stringstream text;
    text << file.rdbuf();
    const auto faults = file ? FaultSet::parse(text.str()) : std::nullopt;
    if (faults) return std::optional<FaultSet>{*faults};
    FaultSet all = *FaultSet::parse("all");
    return Unexpected{
        Usage{"--faults is a file or a list of: all, none, benign, byzantine, sync, " + all.text()}};
}

Expected<Swarm, Usage> read(const CommandWords& words) {
    Swarm swarm;
    swarm.first = swarm.last = words.seed;
    if (words.seed == kSeedNever) return Unexpected{Usage{"--seed is a whole number below 2^64 - 1"}};
    if (!words.seeds.empty()) {
        const std::size_t dots = words.seeds.find("..");
        const auto first = number(words.seeds.substr(0, dots));
        const auto last = dots == std::string::npos ? first : number(words.seeds.substr(dots + 2));
        if (!first || !last || *last < *first || *last == kSeedNever)
            return Unexpected{Usage{"--seeds is A..B, such as 1..1000"}};
        swarm.first = *first;
        swarm.last = *last;
    }
    auto stakes = read_stakes(words);
    if (!stakes) return Unexpected{stakes.error()};
    auto faults = read_faults(words.faults);
    if (!faults) return Unexpected{faults.error()};
    swarm.options.seed = swarm.first;
    swarm.options.stakes = std::move(*stakes);
    if (words.observers > kObserversMax)
        return Unexpected{Usage{fmt::format("--observers is at most {}", kObserversMax)}};
    swarm.options.observers = words.observers;
    swarm.options.faults = *faults;
    if (words.leaders == "reputation") {
        swarm.options.leaders = dag::ReputationRule{};
    } else if (words.leaders == "round-robin") {
        swarm.options.leaders = dag::RoundRobin{};
    } else if (!words.leaders.empty()) {
        return Unexpected{Usage{"--leaders is reputation or round-robin"}};
    }
    if (words.rounds < 1 || words.rounds > kRoundsMax)
        return Unexpected{Usage{fmt::format("--rounds is from 1 to {}", kRoundsMax)}};
    swarm.options.rounds = words.rounds;
    swarm.options.faulty = words.faulty;
    swarm.options.real_crypto = words.real_crypto;
    swarm.jobs = std::max(words.jobs, 1U);
    if (!words.trace.empty() && swarm.first != swarm.last) {
        return Unexpected{Usage{"--trace is of one seed"}};
    }
    swarm.options.trace = !words.trace.empty();
    return swarm;
}

bool write_file(const std::string& name, const std::string& text) {
    std::ofstream file(name, std::ios::binary);
    file << text;
    return static_cast<bool>(file.flush());
}

int draw(const CommandWords& words, std::ostream& out, std::ostream& err) {
    std::ifstream file(words.draw);
    if (!file || is_directory(words.draw)) {
        err << "cannot read " << words.draw << "\n";
        return kSimulateUsage;
    }
    const std::string drawn = picture(file, words.node);
    if (drawn.empty()) {
        err << words.draw << " holds no trace of node " << words.node << "\n";
        return kSimulateUsage;
    }
    out << drawn;
    return kSimulateDone;
}

/// Says what broke and leaves a trace of it behind.
void explain(const Result& failed, const CommandWords& words, const Swarm& swarm, std::ostream& err) {
    err << violation_text(failed, swarm.options);
    Options again = swarm.options;
    again.seed = failed.seed;
    if (words.shrink) {
        again = shrink(again);
        err << "  smaller: " << command_line(again) << "\n";
    }
    again.trace = true;
    const std::string name =
        words.trace.empty() ? fmt::format("simulate-{}.jsonl", failed.seed) : words.trace;
    if (write_file(name, simulate(again).trace)) {
        err << "  trace: " << name << "\n";
    } else {
        err << "  the trace could not be written to " << name << "\n";
    }
}

}  // namespace

int run_command(const CommandWords& words, std::ostream& out, std::ostream& err) {
    if (!words.draw.empty()) return draw(words, out, err);
    if (words.timing) {
        out << timing_tables();
        return kSimulateDone;
    }
    auto swarm = read(words);
    if (!swarm) {
        err << swarm.error().why << "\n";
        return kSimulateUsage;
    }
    if (words.progress && swarm->first != swarm->last) {
        swarm->progress = [&err](const Totals& totals) {
            if (totals.seeds % 20 == 0) err << "\r" << progress_line(totals) << std::flush;
        };
    }
    const auto begin = std::chrono::steady_clock::now();
    Totals totals;
    bool written = true;
    if (swarm->options.trace) {
        const Result result = simulate(swarm->options);
        totals.add(result);
        written = write_file(words.trace, result.trace);
        if (!written) err << "cannot write " << words.trace << "\n";
    } else {
        totals = run_swarm(*swarm);
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    if (swarm->progress) err << "\n";
    out << (words.json ? summary_json(totals, taken.count()) : summary(totals, taken.count()));
    out.flush();
    if (!totals.failed.empty()) explain(totals.failed.front(), words, *swarm, err);
    if (totals.violations > 0) return kSimulateViolation;
    return written ? kSimulateDone : kSimulateUsage;
}

}  // namespace monodon::sim
