#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dag/model/batch.hpp"
#include "storage/consensus_store.hpp"

namespace monodon::storage {

/// Rounds of sealing that share one LMDB environment, which leaves the disk as a whole.
inline constexpr std::uint64_t kGenerationRounds = 1024;
/// What a stored batch takes beside its bytes in the pages of its own: the page header of LMDB, the entry,
/// two checksums. Batches of k x 4096 - kBatchOverhead bytes fill their pages.
inline constexpr std::size_t kBatchOverhead = 16 + dag::kPayloadEntryBytes + 2 * 8;

struct BatchOptions {
    /// The directory of the generations, and how each is opened; made if it is not there. A generation that
    /// has reached `map_limit` takes no more offered batches. What is named still goes in, as long as the
    /// disk has room: the committee has agreed to execute it, and what waited for ever in front of the writer
    /// would keep the batches of all later generations waiting with it.
    lmdb::EnvironmentOptions environment;
    FatalHandler fatal;
    /// Called, if given, when the body of a batch does not verify: it is to be fetched and put again. With
    /// the first round of its generation. On the reader's thread, at each read; quick.
    std::function<void(const Digest&, dag::Round)> damaged = {};
    std::chrono::milliseconds retry_after{1000};
    /// LIFE: how many rounds a sealed batch lives (consensus.md 8.9).
    std::uint64_t life = 4096;
    /// Batches sealed further above our highest round are refused.
    std::uint64_t ahead = 128;
    /// Per author, of offered batches that no delivered commit names, in the pages they take.
    std::uint64_t unreferenced_bytes_max = std::uint64_t{256} << 20;
    /// Batches that wait for the writer; beyond it put() answers busy.
    std::size_t queue_bytes_max = std::size_t{128} << 20;
    /// The newest durable batches stay in memory.
    std::size_t cache_bytes = std::size_t{64} << 20;
    /// Environments open at a time, and how many of the newest are searched for a digest without a hint. Live
    /// traffic needs those of the last LIFE/2 rounds.
    std::size_t open_generations = 40;
    std::size_t searched_generations = 32;
};

/// Why we are given a batch.
enum class Standing : std::uint8_t {
    offered,  ///< its author sent it unasked: it counts against the author, and must still be of use
    named,    ///< we fetched it, or made it: a header or certificate names it
};

/// Nothing is acknowledged, nothing is kept, the callback will not run.
enum class PutError : std::uint8_t {
    too_far_ahead,  ///< sealed more than `ahead` rounds above our highest
    too_old,        ///< can not be executed any more, or its generation has left
    author_full,    ///< the author's unreferenced bytes are at their limit
    busy,           ///< the writer is behind, or its disk or this generation is full
};
[[nodiscard]] std::string_view describe(PutError error);

/// Bodies of batches, in generations by the round in which they were sealed. One thread writes with group
/// commit. What is not durable yet is not visible. Thread-safe; reads take at most 100 ms.
class BatchStore {
 public:
    static Result<std::unique_ptr<BatchStore>> open(BatchOptions options);
    /// Writes what is queued, unless the disk is full, and ends the writer.
    ~BatchStore();

    /// `entry` is what payload_entry() says of `bytes`. `durable` runs on the writer's thread, in the order
    /// of the calls, once the batch is synced; also for a batch that was there already.
    Expected<void, PutError> put(const dag::PayloadEntry& entry, SharedBytes bytes, Standing standing,
                                 std::function<void()> durable);

    /// The encoded batch; null if it is not here (also when its row is damaged: it is to be fetched again).
    /// Without the round in which it was sealed only the newest generations are searched.
    [[nodiscard]] SharedBytes get(const Digest& digest) const;
    [[nodiscard]] SharedBytes get(const Digest& digest, dag::Round sealed) const;
    /// What a header may say of a durable batch: looked for among those sealed near this round first, then as
    /// get() does without it.
    [[nodiscard]] std::optional<dag::PayloadEntry> entry(const Digest& digest, dag::Round sealed) const;

    struct Listed {
        dag::WorkerId worker;
        std::uint64_t sequence = 0;
        Digest batch;
        friend auto operator<=>(const Listed&, const Listed&) = default;
    };
    /// Batches of this author in the generation of round `sealed`, ascending by worker and sequence, at most
    /// `most`, beginning after `after`.
    [[nodiscard]] std::vector<Listed> by_author(dag::Epoch epoch, dag::ValidatorIndex author,
                                                dag::Round sealed, const std::optional<Listed>& after,
                                                std::size_t most) const;

    /// A commit that is delivered, so that all its batches are here, names these: they count no longer
    /// against their authors.
    void referenced(std::span<const dag::PayloadEntry> entries);
    /// The highest round of a verified certificate; never falls. At start and whenever it rises.
    void set_highest_round(dag::Round round);

    /// Removes the generations whose last sealed round + LIFE is below the store floor. On the caller's
    /// thread, which may take as long as the file system needs to free them.
    void prune(dag::Round store_floor);
    /// The lowest store floor at which the generations that stay take at most this much disk, round 0 if all
    /// may stay. The newest generation always stays.
    [[nodiscard]] dag::Round floor_for_bytes(std::uint64_t bytes) const;

    /// Frees the slots of readers that died, in the generations that are open; once a minute.
    void check_readers() const;

    [[nodiscard]] WriterStats stats() const;
    struct Usage {
        std::uint64_t disk_bytes = 0;
        /// Of the generation in which batches are sealed now; to be held against its `map_limit`.
        std::uint64_t newest_bytes = 0;
        std::uint64_t cache_bytes = 0;
        /// The most of any author.
        std::uint64_t unreferenced_bytes = 0;
        std::size_t generations = 0;
        std::size_t open_generations = 0;
        /// Of the generations that are open, as in EnvironmentStats and Environment::oldest_reader_behind().
        double oldest_reader_seconds = 0;
        std::uint64_t oldest_reader_behind = 0;
        /// Reads that failed since the start.
        std::uint64_t damaged = 0;
    };
    [[nodiscard]] Usage usage() const;

 private:
    class State;
    explicit BatchStore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace monodon::storage
