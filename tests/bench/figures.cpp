#include "tests/bench/figures.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

namespace monodon::bench {

namespace {

std::string shown(double value) {
    if (value >= 100) return fmt::format("{:.0f}", value);
    return value >= 1 ? fmt::format("{:.2f}", value) : fmt::format("{:.4f}", value);
}

void print_table(const Figures& figures) {
    fmt::print("{:<58} {:>10} {:<8} {:>12}  {:<4} {}\n", "figure", "measured", "unit", "goal", "met",
               "requirement");
    for (const Figure& each : figures) {
        std::string goal;
        std::string met;
        if (each.goal) {
            goal = fmt::format("{} {}", each.at_most ? "<=" : ">=", shown(*each.goal));
            met = (each.at_most ? each.value <= *each.goal : each.value >= *each.goal) ? "yes" : "NO";
        }
        fmt::print("{:<58} {:>10} {:<8} {:>12}  {:<4} {}\n", each.name, shown(each.value), each.unit, goal,
                   met, each.required);
    }
}

void print_json(const Figures& figures) {
    std::string list;
    for (const Figure& each : figures) {
        if (!list.empty()) list += ",";
        list += fmt::format(R"({{"figure":"{}","value":{},"unit":"{}")", each.name, each.value, each.unit);
        if (each.goal) list += fmt::format(R"(,"{}":{})", each.at_most ? "at_most" : "at_least", *each.goal);
        if (!each.required.empty()) list += fmt::format(R"(,"required":"{}")", each.required);
        list += "}";
    }
    fmt::print("[{}]\n", list);
}

}  // namespace

double quantile_us(std::vector<double> seconds, double share) {
    std::ranges::sort(seconds);
    const auto at = static_cast<std::size_t>(share * static_cast<double>(seconds.size() - 1));
    return seconds.at(at) * 1e6;
}

Figure machine_load() {
    double load = 0;
    (void)::getloadavg(&load, 1);
    return {"load of this machine at the start (runnable threads)", load, ""};
}

void print(const Figures& figures, bool json) { json ? print_json(figures) : print_table(figures); }

Options options_of(int argc, char** argv) {
    Options options;
    for (int at = 1; at < argc; ++at) {
        const std::string_view word = argv[at];
        if (word == "json") {
            options.json = true;
        } else if (std::filesystem::is_directory(word)) {
            options.directory = word;
        } else {
            give_up("usage: [json] [DIRECTORY], and there is no directory " + std::string(word));
        }
    }
    return options;
}

void give_up(const std::string& why) {
    fmt::print(stderr, "{}\n", why);
    std::exit(1);
}

}  // namespace monodon::bench
