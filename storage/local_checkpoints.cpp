#include "storage/local_checkpoints.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include <pthread.h>

#include "dag/ordering/orderer.hpp"
#include "net/core/log.hpp"
#include "storage/checkpoint_image.hpp"
#include "storage/commit_history.hpp"
#include "storage/tables/consensus_tables.hpp"
#include "storage/time.hpp"

namespace monodon::storage {

namespace {

/// A file holds the certificates of rounds with the same quotient, so that what is in it does not depend on
/// where the graph begins above the first file; and not more than this, so that memory stays bounded.
constexpr std::uint64_t kSegmentRounds = 64;
constexpr std::size_t kSegmentBytes = std::size_t{8} << 20;
constexpr std::size_t kRowBytes = 64 * 1024;

bool same_segment(dag::Round a, dag::Round b) {
    return a.value() / kSegmentRounds == b.value() / kSegmentRounds;
}

}  // namespace

class LocalCheckpoints::State {
 public:
    State(CheckpointOptions options, ConsensusStore& store, const dag::Committee& committee)
        : options_(std::move(options)), store_(store), committee_(committee), files_(options_.directory) {}

    ~State() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    Result<void> open() {
        if (auto opened = files_.open(); !opened) return opened;
        auto transaction = store_.environment().read();
        if (!transaction) return Unexpected{transaction.error()};
        auto rounds = store_.tables().checkpoints.rounds(*transaction, committee_.epoch());
        if (!rounds) return Unexpected{rounds.error()};
        if (!rounds->empty()) newest_ = rounds->back();
        thread_ = std::thread([this] { run(); });
        return {};
    }

    void consider(dag::Round last_anchor) {
        {
            const std::lock_guard lock(mutex_);
            if (options_.every_rounds == 0 || wanted_) return;
            if (dag::distance(newest_, last_anchor) < options_.every_rounds) return;
            if (std::chrono::steady_clock::now() < not_before_) return;
            wanted_ = true;
        }
        changed_.notify_all();
    }

    Result<std::optional<LocalCheckpoint>> make() {
        // Two at a time would remove each other's files.
        const std::lock_guard one(making_);
        const auto begin = std::chrono::steady_clock::now();
        made_ = {};
        auto checkpoint = write_files();
        if (!checkpoint || !*checkpoint) return checkpoint;
        if (auto noted = write_rows(**checkpoint); !noted) return Unexpected{noted.error()};
        remove_unused();
        made_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        const std::lock_guard lock(mutex_);
        made_.made = stats_.made + 1;
        made_.failed = stats_.failed;
        stats_ = made_;
        newest_ = (*checkpoint)->round;
        return checkpoint;
    }

    [[nodiscard]] CheckpointStats stats() const {
        const std::lock_guard lock(mutex_);
        return stats_;
    }

 private:
    void run() {
        pthread_setname_np(pthread_self(), "checkpoints");
        for (;;) {
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [this] { return stopping_ || wanted_; });
                if (stopping_) return;
            }
            const auto made = make();
            const std::lock_guard lock(mutex_);
            wanted_ = false;
            if (made) {
                failed_in_a_row_ = 0;
                continue;
            }
            ++stats_.failed;
            if (stopping_) return;
            constexpr unsigned kDoublings = 6;
            not_before_ = std::chrono::steady_clock::now() +
                          options_.retry_after * (1U << std::min(failed_in_a_row_++, kDoublings));
            log::warn(log::Category::storage, "no local checkpoint; the next is made later",
                      {{"error", made.error().text}});
        }
    }

    Result<std::optional<LocalCheckpoint>> write_files() {
        LocalCheckpoint checkpoint;
        StoredConsensusState& state = state_row_;
        dag::ConsensusState consensus;
        {
            auto transaction = store_.environment().read();
            if (!transaction) return Unexpected{transaction.error()};
            auto progress = store_.tables().metadata.progress(*transaction);
            if (!progress) return Unexpected{progress.error()};
            if (progress->last_commit == dag::CommitIndex{}) return std::optional<LocalCheckpoint>();
            const std::uint64_t events = options_.ordering.history_events(committee_.size());
            auto commits = read_history(store_.tables(), *transaction, committee_,
                                        {options_.ordering.batch_life, events}, *progress);
            if (!commits) return Unexpected{commits.error()};
            dag::Orderer orderer(options_.ordering, committee_);
            dag::Graph empty(committee_, progress->graph_floor);
            orderer.restore(*commits, empty);
            consensus = orderer.state();
            checkpoint.epoch = committee_.epoch();
            checkpoint.round = consensus.anchor.round;
            checkpoint.last = consensus.last;
            checkpoint.graph_floor = progress->graph_floor;
            checkpoint.highest_round = progress->highest_round;
            checkpoint.created_at = now_microseconds();
        }
        const Bytes plain = encode_consensus_state(consensus);
        auto written = put(plain);
        if (!written) return Unexpected{written.error()};
        state = {consensus.last,
                 consensus.anchor,
                 checkpoint.graph_floor,
                 consensus_state_digest(committee_, consensus),
                 static_cast<std::uint32_t>(plain.size()),
                 *written};
        if (auto done = write_segments(checkpoint); !done) return Unexpected{done.error()};
        if (auto synced = files_.sync(); !synced) return Unexpected{synced.error()};
        return std::optional(std::move(checkpoint));
    }

    Result<ContentId> put(ByteView plain) {
        auto written = files_.put(plain);
        if (!written) return Unexpected{written.error()};
        made_.files_written += written->file_bytes > 0 ? 1 : 0;
        made_.files_kept += written->file_bytes > 0 ? 0 : 1;
        made_.bytes_written += written->file_bytes;
        return written->id;
    }

    /// A transaction for each file: certificates that come late are not in it, and recovery adds them.
    Result<void> write_segments(LocalCheckpoint& checkpoint) {
        dag::Slot from{next(checkpoint.graph_floor), dag::ValidatorIndex{}};
        for (;;) {
            SegmentWriter writer;
            auto rest = collect(from, writer);
            if (!rest) return Unexpected{rest.error()};
            if (!writer.empty()) {
                CheckpointSegment segment;
                segment.first = writer.first();
                segment.last = writer.last();
                segment.certificates = writer.count();
                const Bytes plain = writer.finish();
                segment.plain_bytes = static_cast<std::uint32_t>(plain.size());
                auto written = put(plain);
                if (!written) return Unexpected{written.error()};
                segment.file = *written;
                checkpoint.segments.push_back(segment);
                checkpoint.certificates += segment.certificates;
            }
            if (!*rest) break;
            from = **rest;
            const std::lock_guard lock(mutex_);
            if (stopping_) return fail(StoreError::failed, "the node stops");
        }
        made_.round = checkpoint.round;
        made_.certificates = checkpoint.certificates;
        return {};
    }

    /// Fills one file from this slot on; gives where the next begins.
    Result<std::optional<dag::Slot>> collect(dag::Slot from, SegmentWriter& writer) {
        auto transaction = store_.environment().read();
        if (!transaction) return Unexpected{transaction.error()};
        auto cursor = store_.tables().certificates.by_slot(*transaction);
        if (!cursor) return Unexpected{cursor.error()};
        auto row = cursor->at_or_after(slot_key(committee_.epoch(), from));
        for (; row && *row; row = cursor->next()) {
            const auto at = read_slot_key((*row)->key);
            if (!at || at->epoch != committee_.epoch()) return std::optional<dag::Slot>();
            if (!writer.empty() &&
                (!same_segment(writer.first(), at->slot.round) || writer.bytes() >= kSegmentBytes)) {
                return std::optional(at->slot);
            }
            const auto certificate = CertificateTable::read(committee_, **row);
            // A damaged one is left out: it is fetched again and is in the next.
            if (certificate) writer.add(**certificate);
        }
        if (!row) return Unexpected{row.error()};
        return std::optional<dag::Slot>();
    }

    Result<void> write_rows(const LocalCheckpoint& checkpoint) {
        struct Written {
            std::mutex mutex;
            std::condition_variable changed;
            bool durable = false;
        };
        const auto written = std::make_shared<Written>();
        store_.write(
            [checkpoint, state = state_row_, keep = options_.keep](
                lmdb::WriteTransaction& transaction, const ConsensusTables& tables) -> Result<void> {
                if (auto put = tables.checkpoints.put(transaction, checkpoint, state); !put) return put;
                auto pruned = tables.checkpoints.prune(transaction, checkpoint.epoch, keep);
                if (!pruned) return Unexpected{pruned.error()};
                return {};
            },
            kRowBytes, 2 + options_.keep,
            [written] {
                const std::lock_guard lock(written->mutex);
                written->durable = true;
                written->changed.notify_all();
            });
        std::unique_lock lock(written->mutex);
        // A writer that has ended calls nothing: then this thread only waits for the end of the process.
        while (!written->changed.wait_for(lock, std::chrono::milliseconds(100),
                                          [&] { return written->durable; })) {
            const std::lock_guard stop(mutex_);
            if (stopping_) return fail(StoreError::failed, "the node stops");
        }
        return {};
    }

    void remove_unused() {
        auto transaction = store_.environment().read();
        if (!transaction) return;
        const auto& table = store_.tables().checkpoints;
        auto rounds = table.rounds(*transaction, committee_.epoch());
        if (!rounds) return;
        std::set<ContentId> kept;
        for (const dag::Round round : *rounds) {
            const auto checkpoint = table.find(*transaction, committee_.epoch(), round);
            if (!checkpoint || !*checkpoint) return;
            for (const CheckpointSegment& segment : (*checkpoint)->segments) kept.insert(segment.file);
            const auto state = table.state(*transaction, (*checkpoint)->last.index);
            if (!state) return;
            if (*state) kept.insert((*state)->file);
        }
        files_.keep_only(kept);
    }

    const CheckpointOptions options_;
    ConsensusStore& store_;
    const dag::Committee& committee_;
    CheckpointFiles files_;

    std::mutex making_;
    /// Of the one that is being made; under `making_`.
    CheckpointStats made_;
    StoredConsensusState state_row_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    CheckpointStats stats_;
    dag::Round newest_;
    std::chrono::steady_clock::time_point not_before_{};
    unsigned failed_in_a_row_ = 0;
    bool wanted_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

Result<std::unique_ptr<LocalCheckpoints>> LocalCheckpoints::open(CheckpointOptions options,
                                                                 ConsensusStore& store,
                                                                 const dag::Committee& committee) {
    auto state = std::make_unique<State>(std::move(options), store, committee);
    if (auto opened = state->open(); !opened) return Unexpected{opened.error()};
    return std::unique_ptr<LocalCheckpoints>(new LocalCheckpoints(std::move(state)));
}

LocalCheckpoints::LocalCheckpoints(std::unique_ptr<State> state) : state_(std::move(state)) {}
LocalCheckpoints::~LocalCheckpoints() = default;
void LocalCheckpoints::consider(dag::Round last_anchor) { state_->consider(last_anchor); }
Result<std::optional<LocalCheckpoint>> LocalCheckpoints::make() { return state_->make(); }
CheckpointStats LocalCheckpoints::stats() const { return state_->stats(); }

}  // namespace monodon::storage
