#pragma once

#include <cstdint>
#include <map>

#include "dag/events.hpp"

namespace monodon::dag {

/// How many bytes of records are on their way to the disk. Writes become durable first in, first out, so that
/// the word of one is the word of all before it; it asks for that word often enough to know.
class Unsynced {
 public:
    /// About what the records take in the queue and in the store.
    [[nodiscard]] static std::size_t size_of(const Record& record);

    /// Returns whether somebody should be told when it is durable.
    [[nodiscard]] bool wrote(WriteId id, std::size_t bytes, bool notify);
    void durable(WriteId id);

    /// Without word of the last megabyte it counts as not durable.
    [[nodiscard]] std::size_t bytes() const { return written_ - synced_; }

 private:
    static constexpr std::size_t kUntoldMax = std::size_t{1} << 20;

    /// Sums of bytes since the start, also at the writes that will be told.
    std::uint64_t written_ = 0;
    std::uint64_t synced_ = 0;
    std::uint64_t last_told_ = 0;
    std::map<WriteId, std::uint64_t> told_;
};

}  // namespace monodon::dag
