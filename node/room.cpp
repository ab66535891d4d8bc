#include "node/room.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace monodon::node {

namespace {

/// The part of a mark that there must be more of for what was short to be enough again.
constexpr std::uint64_t kMoreToGoOn = 8;

/// To a tenth of a mebibyte: for people.
std::string size_text(std::uint64_t bytes) {
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1U << 20U));
}

}  // namespace

Watermarks Watermarks::fitted(std::uint64_t total) const {
    if (total == 0) return *this;
    return {std::min(low, total / 10), std::min(critical, total / 40), map_percent};
}

Shortage shortage(const Room& room, const Watermarks& configured, const Shortage& before) {
    Watermarks marks = configured.fitted(room.total);
    if (!before.transactions.empty()) {
        marks.low += marks.low / kMoreToGoOn;
        marks.map_percent -= marks.map_percent / kMoreToGoOn;
    }
    if (!before.proposals.empty()) marks.critical += marks.critical / kMoreToGoOn;
    Shortage found;
    const auto less = [&](std::uint64_t mark) {
        return fmt::format("{} are free on the disk, less than {}", size_text(room.free), size_text(mark));
    };
    if (room.free < marks.critical) found.proposals = less(marks.critical);
    if (!room.stalled.empty()) {
        found.transactions = room.stalled;
    } else if (room.free < marks.low) {
        found.transactions = less(marks.low);
    }
    for (const Room::Map& map : room.maps) {
        if (!found.transactions.empty() || map.limit == 0) continue;
        if (map.used <= map.limit / 100 * marks.map_percent) continue;
        found.transactions = fmt::format("{} uses {} of at most {}: raise its limit in storage.*", map.name,
                                         size_text(map.used), size_text(map.limit));
    }
    return found;
}

}  // namespace monodon::node
