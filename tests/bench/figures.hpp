#pragma once

#include <optional>
#include <string>
#include <vector>

/// What the benchmarks print: one list of figures, as a table or as one line of JSON.
namespace monodon::bench {

struct Figure {
    std::string name;
    double value = 0;
    std::string unit;
    /// Of the design page. `at_most` or at least that.
    std::optional<double> goal = {};
    bool at_most = true;
    /// What the requirement's own table says, in its words.
    std::string required = {};
};
using Figures = std::vector<Figure>;

/// Of times in seconds, in microseconds. There must be at least one.
[[nodiscard]] double quantile_us(std::vector<double> seconds, double share);

/// What the other threads of this machine keep it busy with: a figure of a busy machine says little.
[[nodiscard]] Figure machine_load();

void print(const Figures& figures, bool json);

/// `[json] [DIRECTORY]`: one line of JSON instead of a table, and below which directory to write.
struct Options {
    bool json = false;
    std::string directory = ".";
};
[[nodiscard]] Options options_of(int argc, char** argv);

/// Ends the process with a sentence.
[[noreturn]] void give_up(const std::string& why);

}  // namespace monodon::bench
