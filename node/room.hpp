#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace monodon::node {

/// How much room a store has left; all in bytes.
struct Room {
    std::uint64_t free = 0;
    /// Of the whole file system; 0 if it is not known.
    std::uint64_t total = 0;
    struct Map {
        std::string name;
        std::uint64_t used = 0;
        std::uint64_t limit = 0;
    };
    std::vector<Map> maps;
    /// Why a writer waits for room; empty if none does.
    std::string stalled;
};

struct Watermarks {
    std::uint64_t low = 0;
    std::uint64_t critical = 0;
    std::uint64_t map_percent = 100;

    /// On a small file system a tenth and a fortieth of it are enough: a test machine is usable, and a disk
    /// of 20 GiB has the full watermarks.
    [[nodiscard]] Watermarks fitted(std::uint64_t total) const;
};

/// What must wait for room, in words; empty where nothing must.
struct Shortage {
    /// Clients are refused, and the node is not ready.
    std::string transactions;
    /// No headers are made. Votes, order and execution go on as long as there is a byte: they are what makes
    /// old data removable.
    std::string proposals;
    friend bool operator==(const Shortage&, const Shortage&) = default;
};

/// What was short `before` stays so until there is an eighth more than the mark: free bytes that go up and
/// down at a mark, as they do while old data is removed, would have clients refused and taken each second.
[[nodiscard]] Shortage shortage(const Room& room, const Watermarks& configured, const Shortage& before = {});

}  // namespace monodon::node
