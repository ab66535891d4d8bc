#include "storage/consensus_store.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>

#include <fmt/format.h>

#include "storage/group_writer.hpp"
#include "storage/migration.hpp"
#include "storage/pending_notes.hpp"
#include "storage/tables/consensus_tables.hpp"
#include "storage/time.hpp"

namespace monodon::storage {

namespace {

/// What a row that comes or goes can make new in its tree: its leaf and a half of it that is split off. The
/// branches above are shared with other rows: there is one to at least 17 pages below it, or, for few rows in
/// a large tree, two more pages a row.
constexpr std::size_t kLeafBytesPerRow = 2 * 4096;
constexpr std::size_t kPathBytesPerRow = 4 * 4096;
constexpr std::size_t kPagesPerBranch = 16;
/// The roots, and the list of free pages.
constexpr std::size_t kRootBytes = std::size_t{128} << 10;
constexpr std::size_t kGroupBytesMax = std::size_t{4} << 20;
/// Notes that one transaction takes along: 96 KiB at most, so that no vote waits long for them.
constexpr std::size_t kNotesPerTransaction = 64;
/// Rows that leave with a write, beside those in proportion to it.
constexpr std::size_t kPruneWithWrite = 16;

/// What a record takes, for the queue and for the room on the disk; from above.
struct RecordSize {
    std::size_t bytes = 0;
    std::size_t rows = 0;
};

std::size_t header_bytes(const dag::Header& header) {
    constexpr std::size_t kFixed = 8 + 8 + 2 + 8 + 4 + 4 + 40 + sizeof(Signature);
    constexpr std::size_t kParent = 2 + sizeof(Digest);
    return kFixed + header.payload.size() * dag::kPayloadEntryBytes + header.parents.size() * kParent;
}

struct Measure {
    static constexpr std::size_t kKeyAndSum = 64;

    RecordSize operator()(const dag::CertificateRecord& record) const {
        const auto& certificate = *record.certificate;
        const std::size_t named = certificate.header.payload.size();
        return {header_bytes(certificate.header) + certificate.signatures.size() * sizeof(Signature) +
                    (3 + named) * kKeyAndSum,
                3 + named};
    }
    RecordSize operator()(const dag::VoteRecord&) const { return {sizeof(dag::Vote) + kKeyAndSum, 1}; }
    RecordSize operator()(const dag::OwnHeaderRecord& record) const {
        return {header_bytes(*record.header) + kKeyAndSum, 1};
    }
    RecordSize operator()(const dag::CommitRecord& record) const {
        const auto& commit = *record.commit;
        const std::size_t certificates = commit.certificates.size();
        return {sizeof(dag::Commit) + certificates * (dag::kHeaderRefBytes + kKeyAndSum) +
                    commit.failed.size() * sizeof(dag::Slot) +
                    commit.payload.size() * dag::kPayloadEntryBytes,
                1 + certificates};
    }
    RecordSize operator()(const dag::GraphFloorRecord&) const { return {kKeyAndSum, 1}; }
    RecordSize operator()(const dag::SigningRecord&) const { return {kKeyAndSum, 1}; }
};

struct ConsensusWrite {
    std::vector<dag::Record> records;
    /// Rows that are no record of the engine.
    TableWrite other;
    std::function<void()> durable;
    std::size_t bytes = 0;
    std::size_t rows = 0;
};

}  // namespace

class ConsensusStore::State {
 public:
    State(ConsensusOptions options, std::unique_ptr<lmdb::Environment> environment, ConsensusTables tables)
        : prune_slice_(options.prune_slice),
          environment_(std::move(environment)),
          tables_(tables),
          writer_({"consensus", options.retry_after, kGroupBytesMax},
                  {[this](std::span<ConsensusWrite> group) { return write_group(group); },
                   [this] { return idle(); }, std::move(options.fatal)}) {}

    void write(std::vector<dag::Record> records, std::function<void()> durable) {
        ConsensusWrite write{std::move(records), {}, std::move(durable), 0, 0};
        for (const dag::Record& record : write.records) {
            const RecordSize size = std::visit(Measure{}, record);
            write.bytes += size.bytes;
            write.rows += size.rows;
        }
        writer_.push(std::move(write), std::numeric_limits<std::size_t>::max());
    }

    void write(TableWrite other, std::size_t bytes, std::size_t rows, std::function<void()> durable) {
        ConsensusWrite write{{}, std::move(other), std::move(durable), bytes, rows};
        writer_.push(std::move(write), std::numeric_limits<std::size_t>::max());
    }

    /// At the end all that waits is written, the notes last.
    ~State() {
        const PendingNotes::Slice rest = notes(PendingNotes::kMost);
        if (rest.changes.empty()) return;
        write(
            [changes = rest.changes](lmdb::WriteTransaction& transaction, const ConsensusTables& tables) {
                return tables.notes.apply(transaction, changes);
            },
            note_bytes(rest), rest.changes.size(), {});
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void note(std::vector<NoteChange> changes) {
        {
            const std::lock_guard lock(mutex_);
            for (NoteChange& change : changes) notes_.add(std::move(change));
        }
        writer_.wake();
    }
    [[nodiscard]] std::size_t notes_waiting() const {
        const std::lock_guard lock(mutex_);
        return notes_.size();
    }

    void prune(PruneTarget target) {
        {
            const std::lock_guard lock(mutex_);
            target_.certificates = std::max(target_.certificates, target.certificates);
            target_.commits = std::max(target_.commits, target.commits);
            prune_pending_ = true;
        }
        writer_.wake();
    }

    [[nodiscard]] WriterStats stats() const { return writer_.stats(); }
    [[nodiscard]] std::uint64_t pruned() const { return pruned_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool pending() const {
        const std::lock_guard lock(mutex_);
        return prune_pending_;
    }
    [[nodiscard]] const lmdb::Environment& environment() const { return *environment_; }
    [[nodiscard]] const ConsensusTables& tables() const { return tables_; }

 private:
    Result<void> write_group(std::span<ConsensusWrite> group) {
        std::size_t bytes = 0;
        std::size_t rows = 0;
        for (const ConsensusWrite& write : group) {
            bytes += write.bytes;
            rows += write.rows;
        }
        if (rows == 0) return {};
        // In proportion to what is written, so that pruning keeps up and no vote waits long for it.
        return transact(group, bytes, rows, rows + rows / 2 + kPruneWithWrite);
    }

    Result<bool> idle() {
        if (!pending() && notes_waiting() == 0) return false;
        std::size_t slice = 0;
        if (pending()) {
            // The room for it is a small part of the file.
            const std::size_t fitting = used_bytes() / kPagesPerBranch / kLeafBytesPerRow;
            slice = std::max({std::min(fitting, prune_slice_), kPruneWithWrite, prune_next_});
        }
        if (auto done = transact({}, 0, 0, slice); !done) return Unexpected{done.error()};
        return pending() || notes_waiting() > 0;
    }

    [[nodiscard]] std::uint64_t used_bytes() const { return environment_->stats().used_bytes; }
    /// From above, with not one page that is free in the file.
    [[nodiscard]] std::size_t room_for(std::size_t bytes, std::size_t rows) const {
        const std::size_t branches = used_bytes() / kPagesPerBranch;
        return 2 * bytes + std::min(rows * kPathBytesPerRow, rows * kLeafBytesPerRow + branches) + kRootBytes;
    }

    /// Writes the group, of so many rows, and some notes, and removes at most `prune_most` old ones.
    Result<void> transact(std::span<ConsensusWrite> group, std::size_t bytes, std::size_t rows,
                          std::size_t prune_most) {
        ConsensusTables::Pruned pruned;
        const bool prune = pending() && prune_most > 0;
        const PruneTarget target = prune_target();
        const PendingNotes::Slice noted = notes(kNotesPerTransaction);
        bytes += note_bytes(noted);
        rows += noted.changes.size() + (prune ? prune_most : 0);
        const std::size_t room = room_for(bytes, rows);
        auto fill = [&](lmdb::WriteTransaction& transaction) -> Result<void> {
            auto progress = tables_.metadata.progress(transaction);
            if (!progress) return Unexpected{progress.error()};
            for (const ConsensusWrite& write : group) {
                for (const dag::Record& record : write.records) {
                    if (auto done = tables_.apply(transaction, record, *progress); !done) return done;
                }
                if (!write.other) continue;
                if (auto done = write.other(transaction, tables_); !done) return done;
            }
            if (auto done = tables_.notes.apply(transaction, noted.changes); !done) return done;
            if (prune) {
                raise_floors(*progress, target);
                auto removed = tables_.prune(transaction, *progress, prune_most);
                if (!removed) return Unexpected{removed.error()};
                pruned = *removed;
            }
            progress->updated_at = now_microseconds();
            return tables_.metadata.put(transaction, *progress);
        };
        auto written = lmdb::write_growing(*environment_, room, fill);
        if (written && prune) note_pruned(pruned);
        if (written) {
            const std::lock_guard lock(mutex_);
            notes_.done(noted);
        }
        return written;
    }

    [[nodiscard]] PendingNotes::Slice notes(std::size_t most) const {
        const std::lock_guard lock(mutex_);
        return notes_.slice(most);
    }
    static std::size_t note_bytes(const PendingNotes::Slice& slice) {
        std::size_t bytes = 0;
        for (const NoteChange& change : slice.changes) {
            bytes += change.peer.size() + (change.note ? change.note->size() : 0);
        }
        return bytes;
    }

    /// Nothing that the graph holds leaves, nor the newest commit: recovery begins with them.
    static void raise_floors(Progress& progress, const PruneTarget& target) {
        const auto newest = progress.last_commit.value();
        const dag::CommitIndex before_newest{newest > 0 ? newest - 1 : 0};
        progress.store_floor =
            std::max(progress.store_floor, std::min(target.certificates, progress.graph_floor));
        progress.commit_floor = std::max(progress.commit_floor, std::min(target.commits, before_newest));
    }

    [[nodiscard]] PruneTarget prune_target() const {
        const std::lock_guard lock(mutex_);
        return target_;
    }
    void note_pruned(const ConsensusTables::Pruned& pruned) {
        pruned_.fetch_add(pruned.entries, std::memory_order_relaxed);
        prune_next_ = pruned.next;
        if (pruned.next > 0) return;
        const std::lock_guard lock(mutex_);
        prune_pending_ = false;
    }

    const std::size_t prune_slice_;
    std::unique_ptr<lmdb::Environment> environment_;
    const ConsensusTables tables_;
    mutable std::mutex mutex_;
    PruneTarget target_;
    bool prune_pending_ = false;
    PendingNotes notes_;
    std::atomic<std::uint64_t> pruned_{0};
    /// The rows of what is to be removed next. Of the writing thread.
    std::size_t prune_next_ = 0;
    /// Last: its thread uses all of the above.
    GroupWriter<ConsensusWrite> writer_;
};

namespace {

/// Makes the rows of a new store, or compares those of an old one with what it should be for.
Result<void> settle_identity(lmdb::Environment& environment, const ConsensusTables& tables, bool create,
                             const dag::Committee& committee) {
    std::optional<Identity> identity;
    {
        auto transaction = environment.read();
        if (!transaction) return Unexpected{transaction.error()};
        auto stored = tables.metadata.identity(*transaction);
        if (!stored) return Unexpected{stored.error()};
        identity = std::move(*stored);
    }
    const std::string where = environment.directory().string();
    if (!identity) {
        if (!create)
            return fail(StoreError::missing, fmt::format("the store in {} was never finished", where));
        return lmdb::write_growing(environment, kRootBytes,
                                   [&](lmdb::WriteTransaction& transaction) -> Result<void> {
                                       const Identity made{kSchemaVersion, committee.chain(),
                                                           committee.digest(), now_microseconds()};
                                       if (auto put = tables.metadata.put(transaction, made); !put)
                                           return put;
                                       if (auto put = tables.metadata.put(transaction, Progress{}); !put)
                                           return put;
                                       return tables.metadata.mark_fresh(transaction);
                                   });
    }
    if (identity->chain != committee.chain() || identity->committee != committee.digest()) {
        return fail(StoreError::incompatible,
                    fmt::format("{} is a store of chain {} with committee {}, not of {} with {}", where,
                                identity->chain, identity->committee.short_hex(), committee.chain(),
                                committee.digest().short_hex()));
    }
    return migrate(environment, tables, *identity);
}

Result<void> settle_genesis(lmdb::Environment& environment, const ConsensusTables& tables,
                            const Digest& genesis) {
    {
        auto transaction = environment.read();
        if (!transaction) return Unexpected{transaction.error()};
        const auto stored = tables.metadata.genesis(*transaction);
        if (!stored) return Unexpected{stored.error()};
        if (*stored == genesis) return {};
        if (*stored) {
            return fail(
                StoreError::incompatible,
                fmt::format("{} was ordered under genesis {}, the genesis file has digest {}: put the "
                            "file of the chain back",
                            environment.directory().string(), (*stored)->short_hex(), genesis.short_hex()));
        }
    }
    return lmdb::write_growing(environment, kRootBytes, [&](lmdb::WriteTransaction& transaction) {
        return tables.metadata.put_genesis(transaction, genesis);
    });
}

}  // namespace

Result<std::unique_ptr<ConsensusStore>> ConsensusStore::open(ConsensusOptions options,
                                                             const dag::Committee& committee) {
    auto environment = lmdb::Environment::open(options.environment);
    if (!environment) return Unexpected{environment.error()};
    auto tables = ConsensusTables::open(**environment);
    if (!tables) return Unexpected{tables.error()};
    auto settled = settle_identity(**environment, *tables, options.environment.create, committee);
    if (!settled) return Unexpected{settled.error()};
    if (options.genesis) {
        auto bound = settle_genesis(**environment, *tables, *options.genesis);
        if (!bound) return Unexpected{bound.error()};
    }
    if (options.ask_first) {
        auto marked =
            lmdb::write_growing(**environment, kRootBytes, [&](lmdb::WriteTransaction& transaction) {
                return tables->metadata.mark_ask_first(transaction);
            });
        if (!marked) return Unexpected{marked.error()};
    }
    auto state = std::make_unique<State>(std::move(options), std::move(*environment), *tables);
    return std::unique_ptr<ConsensusStore>(new ConsensusStore(std::move(state)));
}

ConsensusStore::ConsensusStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ConsensusStore::~ConsensusStore() = default;

void ConsensusStore::write(std::vector<dag::Record> records, std::function<void()> durable) {
    state_->write(std::move(records), std::move(durable));
}

void ConsensusStore::write(TableWrite other, std::size_t bytes, std::size_t rows,
                           std::function<void()> durable) {
    state_->write(std::move(other), bytes, rows, std::move(durable));
}

void ConsensusStore::note(std::vector<NoteChange> changes) { state_->note(std::move(changes)); }
std::size_t ConsensusStore::notes_waiting() const { return state_->notes_waiting(); }
void ConsensusStore::prune(PruneTarget target) { state_->prune(target); }
WriterStats ConsensusStore::stats() const { return state_->stats(); }
std::uint64_t ConsensusStore::pruned() const { return state_->pruned(); }
bool ConsensusStore::pruning() const { return state_->pending(); }
const lmdb::Environment& ConsensusStore::environment() const { return state_->environment(); }
const ConsensusTables& ConsensusStore::tables() const { return state_->tables(); }

}  // namespace monodon::storage
