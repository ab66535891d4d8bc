#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "dag/config.hpp"
#include "storage/checkpoint_files.hpp"
#include "storage/consensus_store.hpp"

namespace monodon::storage {

struct CheckpointOptions {
    /// Of the files; made if it is not there.
    std::filesystem::path directory;
    dag::OrderingConfig ordering;
    /// A checkpoint whenever the last anchor has risen by so many rounds; 0: none.
    std::uint64_t every_rounds = 100;
    /// The newest stay.
    std::size_t keep = 3;
    /// After one that failed; doubled with each that fails after it, up to 64 times.
    std::chrono::milliseconds retry_after{10'000};
};

struct CheckpointStats {
    std::uint64_t made = 0;
    std::uint64_t failed = 0;
    /// Of the last that was made.
    dag::Round round;
    double seconds = 0;
    std::uint64_t certificates = 0;
    std::uint64_t files_written = 0;
    std::uint64_t files_kept = 0;
    std::uint64_t bytes_written = 0;
};

/// Makes local checkpoints in a thread of its own: the certificates above the graph floor, and what ordering
/// carries (reputation, ordered flags, executed set). The certificates lie in files of 64 rounds; a file in
/// which nothing has changed since the last checkpoint is not written again. Nothing waits for a checkpoint,
/// and one that fails is made later, more and more rarely: all of it is in the tables too. Thread-safe; ends
/// before the store.
class LocalCheckpoints {
 public:
    static Result<std::unique_ptr<LocalCheckpoints>> open(CheckpointOptions options, ConsensusStore& store,
                                                          const dag::Committee& committee);
    /// Waits for the one that is being made.
    ~LocalCheckpoints();

    /// The last anchor is of this round: begins a checkpoint if one is due. At once; about once a second.
    void consider(dag::Round last_anchor);
    /// Makes one now, on this thread; returns when it is durable. Nothing before the first commit.
    [[nodiscard]] Result<std::optional<LocalCheckpoint>> make();

    [[nodiscard]] CheckpointStats stats() const;

 private:
    class State;
    explicit LocalCheckpoints(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace monodon::storage
