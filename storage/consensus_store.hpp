#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dag/events.hpp"
#include "storage/lmdb/environment.hpp"
#include "storage/tables/peer_notes.hpp"
#include "storage/writer_stats.hpp"

namespace monodon::storage {

struct ConsensusTables;

/// Called once, on a writer's thread, when its disk can no longer be trusted: the process logs the reason and
/// exits with code 65. After it the writer writes nothing and calls nothing.
using FatalHandler = std::function<void(std::string reason)>;

/// Writes rows in a transaction that it shares with others. May run more than once and has no effects but on
/// its transaction.
using TableWrite = std::function<Result<void>(lmdb::WriteTransaction&, const ConsensusTables&)>;

struct ConsensusOptions {
    lmdb::EnvironmentOptions environment;
    /// Of all that the members agreed on, the parameters of ordering included: commits that were ordered by
    /// others do not continue under these. A store keeps the first that it is opened with.
    std::optional<Digest> genesis = {};
    FatalHandler fatal;
    /// Between two attempts on a full disk.
    std::chrono::milliseconds retry_after{1000};
    /// More may have been signed with the key of this home than the store knows: it is marked, so that the
    /// others are asked before anything is signed (consensus.md 9.3).
    bool ask_first = false;
    /// Rows that pruning removes in a transaction of its own, if the file is so large that the room for them
    /// is a small part of it.
    std::size_t prune_slice = 1000;
};

/// What has left the store, or is leaving it.
struct PruneTarget {
    /// Certificates of this round and below.
    dag::Round certificates;
    /// Commits of this index and below.
    dag::CommitIndex commits;
};

/// Votes, own headers, certificates and commits: what safety rests on (consensus.md 3). One thread writes,
/// first in, first out, and takes all that waits into one synced transaction. Thread-safe.
class ConsensusStore {
 public:
    /// With `environment.create` a store that is not there is made, carrying the `fresh` mark: for a
    /// brand-new home only, since a member with the mark votes without asking the others (consensus.md 9.3).
    /// A store of another chain, committee or genesis is refused.
    static Result<std::unique_ptr<ConsensusStore>> open(ConsensusOptions options,
                                                        const dag::Committee& committee);
    /// Writes what is queued, unless the disk is full, and ends the writer.
    ~ConsensusStore();

    /// Queues the records for one transaction. `durable` (may be empty) runs on the writer's thread once they
    /// and everything queued before are synced; it is short and opens no transaction. A write that fails ends
    /// the process through the fatal handler: there is no callback for it. Records that contradict what is
    /// stored (a vote for a lower round, a second header in a slot, a gap in the commits) are our bug and
    /// abort.
    void write(std::vector<dag::Record> records, std::function<void()> durable);

    /// The same for rows that are no record of the engine (checkpoints, journal): about `bytes`
    /// in about `rows`, so that room is reserved for them.
    void write(TableWrite other, std::size_t bytes, std::size_t rows, std::function<void()> durable);

    /// Writes or removes notes about peers, whenever there is room for them beside what safety rests on: a
    /// few with each transaction, the rest while nothing else waits. There is no callback. Of several changes
    /// of one note the last counts.
    void note(std::vector<NoteChange> changes);
    /// Changes of notes that are not durable yet.
    [[nodiscard]] std::size_t notes_waiting() const;

    /// Lets everything up to the target leave, in bounded slices between the writes. Targets only rise;
    /// nothing above the graph floor leaves, and never the newest commit.
    void prune(PruneTarget target);

    [[nodiscard]] WriterStats stats() const;
    /// Certificates and commits removed by pruning since the start.
    [[nodiscard]] std::uint64_t pruned() const;
    /// Not all that the last target lets go of has left.
    [[nodiscard]] bool pruning() const;
    [[nodiscard]] const lmdb::Environment& environment() const;
    [[nodiscard]] const ConsensusTables& tables() const;

 private:
    class State;
    explicit ConsensusStore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace monodon::storage
