#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage/batch_store.hpp"
#include "storage/consensus_store.hpp"
#include "storage/recovery_strategy.hpp"
#include "tests/bench/figures.hpp"

/// Shared by the parts of the storage benchmark: a store to measure.
namespace monodon::storage::bench {

using monodon::bench::Figure;
using monodon::bench::Figures;
using monodon::bench::give_up;
using monodon::bench::machine_load;
using monodon::bench::print;
using monodon::bench::quantile_us;

using Clock = std::chrono::steady_clock;
[[nodiscard]] inline double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}
[[nodiscard]] inline double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values.at(values.size() / 2);
}

/// Ends the process with a sentence if this is an error.
template <class T>
T must(Result<T> result);

[[nodiscard]] std::unique_ptr<ConsensusStore> open_consensus(const std::filesystem::path& home);
[[nodiscard]] std::unique_ptr<BatchStore> open_batches(const std::filesystem::path& home,
                                                       std::uint64_t life = 4096);

/// Counts callbacks that run on a writer's thread.
class Arrivals {
 public:
    void arrived() {
        const std::lock_guard lock(mutex_);
        ++count_;
        changed_.notify_all();
    }
    void wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return count_ >= count; });
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t count_ = 0;
};

/// A file that is there with all its blocks: nothing but the sync is measured.
class BareFile {
 public:
    explicit BareFile(const std::filesystem::path& path);
    ~BareFile();
    BareFile(const BareFile&) = delete;
    BareFile& operator=(const BareFile&) = delete;

    /// Writes a page and syncs it; the seconds.
    double write_and_sync();

 private:
    const int file_;
    const std::string page_;
    std::uint64_t next_ = 0;
};

/// A batch of its own for each number, though all share one body: the store does not hash again.
struct Batches {
    explicit Batches(std::size_t bytes);
    [[nodiscard]] dag::PayloadEntry entry(std::uint64_t number, dag::Round sealed) const;
    SharedBytes body;
};

[[nodiscard]] std::string recovery_name(std::uint64_t certificates, RecoveryStrategy strategy);
void measure_recovery(const std::filesystem::path& directory, std::uint64_t certificates, Figures& figures);
void measure_writes(const std::filesystem::path& directory, Figures& figures);
void measure_sizes(const std::filesystem::path& directory, Figures& figures);

template <class T>
T must(Result<T> result) {
    if (!result) give_up(result.error().text);
    return std::move(*result);
}

}  // namespace monodon::storage::bench
