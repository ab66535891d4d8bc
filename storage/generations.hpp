#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/tables/batches.hpp"

namespace monodon::storage {

/// One environment of batches.
struct Generation {
    std::unique_ptr<lmdb::Environment> environment;
    BatchTable table;
};
/// Of the directory `g<number>`; nothing for other names.
[[nodiscard]] std::optional<std::uint64_t> generation_number(std::string_view name);
using GenerationPtr = std::shared_ptr<Generation>;

/// The directories `g<number>` below one directory, each an environment, of which a bounded number is open:
/// those used last. Thread-safe. What is in use is not closed; the files of a removed generation stay until
/// its last user lets go of it.
class Generations {
 public:
    Generations(lmdb::EnvironmentOptions options, std::size_t open_max)
        : options_(std::move(options)), open_max_(open_max) {}

    /// Makes the directory if it is not there, looks what is in it, finishes removals that were cut short,
    /// and gives back the room that a life before this one had reserved and not used.
    [[nodiscard]] Result<void> scan();

    /// Makes the generation if it is not there; null if it, or one above it, was removed.
    [[nodiscard]] Result<GenerationPtr> obtain(std::uint64_t number);
    /// Null if it is not there.
    [[nodiscard]] Result<GenerationPtr> find(std::uint64_t number);
    /// The highest numbers, descending.
    [[nodiscard]] std::vector<std::uint64_t> newest(std::size_t count) const;

    struct Size {
        std::uint64_t number = 0;
        std::uint64_t disk_bytes = 0;
    };
    /// Ascending.
    [[nodiscard]] std::vector<Size> sizes() const;
    /// Those that are open now.
    [[nodiscard]] std::vector<GenerationPtr> open() const;
    /// With its files. Numbers rise from call to call.
    void remove(std::uint64_t number);

 private:
    struct Slot {
        GenerationPtr open;
        std::uint64_t used = 0;
    };
    /// Opens its files, or makes them.
    [[nodiscard]] Result<GenerationPtr> open_files(std::uint64_t number) const;
    Result<GenerationPtr> open_locked(std::uint64_t number, Slot& slot);
    void close_unused();
    /// Renames the files, so that a removal that is cut short is finished at the next start. Under `mutex_`.
    [[nodiscard]] std::filesystem::path doom(std::uint64_t number) const;
    [[nodiscard]] std::filesystem::path path(std::uint64_t number) const;

    const lmdb::EnvironmentOptions options_;
    const std::size_t open_max_;
    /// Held while a generation is made, which takes several syncs: readers of the others do not wait for it.
    /// Before `mutex_`.
    std::mutex making_;
    mutable std::mutex mutex_;
    std::map<std::uint64_t, Slot> slots_;
    std::uint64_t uses_ = 0;
    /// All numbers below are gone for good.
    std::uint64_t lowest_ = 0;
};

}  // namespace monodon::storage
