#pragma once

#include <iosfwd>
#include <string>

#include "tools/simulate/packet.hpp"

namespace monodon::sim {

/// The DAG of one node at the end of a trace as text: a line per round, a column per member, the newest round
/// last; beside it the crashes and starts of members at that time. Lines that it does not know are passed
/// over.
[[nodiscard]] std::string picture(std::istream& trace, NodeId node);

}  // namespace monodon::sim
