#pragma once

#include <string>

namespace monodon::sim {

/// What the timers of consensus.md 6 do over links of all lengths, as tables in Markdown: the defaults with
/// even members, with a slow and with a mute one, then each timer by itself around its default. In a cell:
/// the share of all members' rounds whose certificate another member names in the next round, the median from
/// an anchor's header to its commit in message delays, rounds a second. Takes about a minute; the same on
/// every machine.
[[nodiscard]] std::string timing_tables();

}  // namespace monodon::sim
