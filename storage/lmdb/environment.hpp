#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "storage/lmdb/transaction.hpp"

struct MDB_env;

namespace monodon::storage::lmdb {

/// Where a disk can refuse; `make` is each step in which the files of a new environment come into their
/// place.
enum class DiskStep : std::uint8_t { make, reserve, put, commit };
/// For tests: asked before each step; an errno lets the step fail with it, 0 lets it pass.
using FaultHook = std::function<int(DiskStep)>;

struct EnvironmentOptions {
    std::filesystem::path directory;
    /// Makes the directory and an empty environment if there is none.
    bool create = false;
    /// Bytes of address space at first; doubled when full, up to the limit.
    std::size_t map_size = std::size_t{256} << 20;
    std::size_t map_limit = std::size_t{64} << 30;
    /// The most by which reserve() extends the file beyond what it is asked for: a sixteenth of what is in
    /// it, at least 256 KiB, but never more than this. 0: it does nothing.
    std::size_t preallocate = std::size_t{16} << 20;
    unsigned tables = 20;
    /// For looking only, also at the store of another process that is running. Nothing can be written then.
    bool read_only = false;
    FaultHook faults = {};
};

struct EnvironmentStats {
    std::uint64_t map_bytes = 0;
    /// Up to the last page that was ever used; free pages within are used again.
    std::uint64_t used_bytes = 0;
    /// What the file takes on the disk, preallocation included.
    std::uint64_t file_bytes = 0;
    /// Of the read transaction of this process that has been open longest; what it sees cannot be used again.
    double oldest_reader_seconds = 0;
    std::size_t readers = 0;
};

/// One LMDB environment: a directory with one file. At most one handle per directory in a process. Every
/// commit is synced: none of LMDB's flags that weaken that is ever set. Thread-safe, except where a method
/// says otherwise.
class Environment {
 public:
    static Result<std::unique_ptr<Environment>> open(EnvironmentOptions options);
    ~Environment();
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

    /// Opens these tables and makes those that do not exist (`incompatible` where nothing may be written).
    /// Before anybody else uses the environment.
    [[nodiscard]] Result<std::vector<Table>> tables(const std::vector<const char*>& names);

    [[nodiscard]] Result<ReadTransaction> read() const;
    /// Waits for the write transaction before it.
    [[nodiscard]] Result<WriteTransaction> write();

    /// Makes sure that the file has room for this many bytes more, so that the disk refuses before a
    /// transaction and not within its commit. By the thread that writes, without a transaction.
    [[nodiscard]] Result<void> reserve(std::size_t bytes);
    /// Gives back what was reserved and not used: what is not to be written soon. The room is reserved again
    /// when it is. By the thread that writes, without a transaction.
    void trim();
    /// Doubles the map; no_space at its limit. Waits until nobody in this process has a transaction and keeps
    /// new ones waiting. By a thread without a transaction.
    [[nodiscard]] Result<void> grow();
    /// Frees the slots of readers whose process died: they would keep pages from being used again. At
    /// opening, and once a minute by who has it open.
    void check_readers() const;
    /// By how many transactions the oldest reader of any process is behind the newest: what was freed since
    /// can not be used again.
    [[nodiscard]] std::uint64_t oldest_reader_behind() const;

    enum class Pages : std::uint8_t { live, all };
    /// Writes a picture of the environment to a file or pipe, without the pages that are free or with all.
    /// Without them it is `incompatible` if there are pages that are neither used nor free, but only once it
    /// has written. Holds a read transaction meanwhile; a pipe that is closed ends it with an error.
    [[nodiscard]] Result<void> copy_to(int handle, Pages pages) const;

    [[nodiscard]] EnvironmentStats stats() const;
    [[nodiscard]] const std::filesystem::path& directory() const { return options_.directory; }

 private:
    friend class Transaction;
    friend class WriteTransaction;

    explicit Environment(EnvironmentOptions options) : options_(std::move(options)) {}
    Result<void> open_files();
    /// Extends the file to `size`; gives an errno.
    int allocate(std::uint64_t size);
    void extend() const;
    Result<std::vector<Table>> find_tables(const std::vector<const char*>& names) const;
    using Clock = std::chrono::steady_clock;
    /// What a transaction gives back when it leaves.
    using Entry = std::uint64_t;
    [[nodiscard]] Entry enter() const;
    void leave(Entry entry) const;
    [[nodiscard]] int fault(DiskStep step) const { return options_.faults ? options_.faults(step) : 0; }

    EnvironmentOptions options_;
    MDB_env* env_ = nullptr;
    bool registered_ = false;
    /// Bytes of the file that are known to be allocated. Of the writing thread.
    std::uint64_t allocated_ = 0;

    /// The map may only be moved while no transaction is open in the process: transactions enter here, and
    /// wait while it grows.
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    /// When each of them began; the oldest comes first.
    mutable std::map<Entry, Clock::time_point> inside_;
    mutable Entry entered_ = 0;
    bool growing_ = false;
};

/// Runs `fill` in a write transaction and commits it; when the map is full, grows it and does it all again.
/// First reserves room for `bytes` of rows. `fill` therefore may run more than once and has no effects but on
/// its transaction.
[[nodiscard]] Result<void> write_growing(Environment& environment, std::size_t bytes,
                                         const std::function<Result<void>(WriteTransaction&)>& fill);

}  // namespace monodon::storage::lmdb
