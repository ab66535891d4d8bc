#pragma once

#include <string>

#include "tools/simulate/swarm.hpp"

namespace monodon::sim {

/// For people.
[[nodiscard]] std::string summary(const Totals& totals, double seconds);
/// One JSON object of the same.
[[nodiscard]] std::string summary_json(const Totals& totals, double seconds);
/// Of one failed run: the invariant, what broke it, and the words that repeat it.
[[nodiscard]] std::string violation_text(const Result& failed, const Options& options);
/// One line, without its end.
[[nodiscard]] std::string progress_line(const Totals& totals);

}  // namespace monodon::sim
