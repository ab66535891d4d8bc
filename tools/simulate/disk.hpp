#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "dag/engine.hpp"
#include "tools/simulate/packet.hpp"
#include "tools/simulate/random.hpp"

namespace monodon::sim {

/// What one member has written: the consensus store, whose transactions become durable whole and in order;
/// the batch store, whose writes become durable in any order; and the application's state, which may be
/// older than both. Knows no time: its owner says when a sync begins and ends.
class Disk final : public dag::DagReader {
 public:
    // ---- the consensus store
    void queue(dag::Persist write) { queued_.push_back(std::move(write)); }
    [[nodiscard]] bool has_queued() const { return !queued_.empty(); }
    /// Everything queued goes to the disk together.
    void begin_sync();
    [[nodiscard]] bool syncing() const { return !syncing_.empty(); }
    /// What was on its way is durable. Gives the writes that want to be told, in order.
    [[nodiscard]] std::vector<dag::WriteId> end_sync();

    // ---- the batch store
    void queue_batch(Batch batch) { queued_batches_.push_back(std::move(batch)); }
    /// One transaction: both or neither.
    [[nodiscard]] bool has_queued_batches() const { return !queued_batches_.empty(); }
    void begin_batch_sync();
    [[nodiscard]] bool syncing_batches() const { return !syncing_batches_.empty(); }
    [[nodiscard]] std::vector<Batch> end_batch_sync();
    [[nodiscard]] const Batch* find_batch(const Digest& digest) const;
    [[nodiscard]] const std::map<Digest, Batch>& batches() const { return batches_; }

    // ---- the application
    /// Its state is synced up to here.
    void applied(dag::CommitIndex index) { applied_ = index; }
    [[nodiscard]] dag::CommitIndex applied() const { return applied_; }

    /// The process ends: of the transactions that were on their way to the disk a first part survives, of
    /// the batches any; nothing else does. With `none`, nothing.
    void crash(Random& random, bool none);

    /// A backup: what is durable now, with the mark that its owner may have signed more since.
    [[nodiscard]] Disk backup() const;

    /// The same choice of rows as storage/recovery makes.
    [[nodiscard]] dag::RecoveredState recover(std::uint64_t history_events, std::uint64_t life) const;

    // ---- what is durable
    [[nodiscard]] std::optional<dag::PayloadEntry> batch(const dag::PayloadEntry& named) const override;
    [[nodiscard]] dag::CommitPtr commit(dag::CommitIndex index) const override;
    [[nodiscard]] const dag::VerifiedCertificate* certificate(const Digest& header) const;
    [[nodiscard]] const std::map<dag::Slot, dag::VerifiedCertificate>& certificates() const {
        return certificates_;
    }
    [[nodiscard]] const std::map<dag::ValidatorIndex, dag::Vote>& votes() const { return votes_; }
    [[nodiscard]] const std::optional<dag::VerifiedHeader>& own_header() const { return own_header_; }
    [[nodiscard]] const dag::SigningBound& signing() const { return signing_; }
    [[nodiscard]] dag::CommitIndex last_commit() const {
        return dag::CommitIndex{static_cast<std::uint64_t>(commits_.size())};
    }
    [[nodiscard]] bool has_executed(const Digest& batch) const { return executed_.contains(batch); }

 private:
    void write(const dag::Record& record);

    std::deque<dag::Persist> queued_;
    std::vector<dag::Persist> syncing_;
    std::vector<Batch> queued_batches_;
    std::vector<Batch> syncing_batches_;

    std::map<dag::Slot, dag::VerifiedCertificate> certificates_;
    std::map<Digest, dag::VerifiedCertificate> by_digest_;
    std::map<dag::ValidatorIndex, dag::Vote> votes_;
    std::optional<dag::VerifiedHeader> own_header_;
    dag::SigningBound signing_;
    std::vector<dag::CommitPtr> commits_;
    std::map<Digest, Batch> batches_;
    /// Batches that a durable commit executes.
    std::set<Digest> executed_;
    dag::Round floor_;
    dag::CommitIndex applied_;
};

}  // namespace monodon::sim
