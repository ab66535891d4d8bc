#pragma once

#include <optional>
#include <string>

#include "dag/model/committee.hpp"
#include "dag/model/signing.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::storage {

/// The layout of all tables of `consensus/` and of the generations of batches. 2: batch_references,
/// consensus_state, checkpoints, journal and address book. 3: standings.
inline constexpr std::uint32_t kSchemaVersion = 3;

/// What a store was made for; written once.
struct Identity {
    std::uint32_t schema = kSchemaVersion;
    std::string chain;
    Digest committee;
    /// Microseconds since the Unix epoch.
    std::uint64_t created_at = 0;
};

/// How far a store is; written with every transaction.
struct Progress {
    dag::Round highest_round;
    /// Rounds at or below it have left the graph.
    dag::Round graph_floor;
    /// Certificates of these rounds and below have left the store, or are leaving it.
    dag::Round store_floor;
    /// Commits of this index and below have left the store, or are leaving it.
    dag::CommitIndex commit_floor;
    dag::CommitIndex last_commit;
    Digest last_commit_digest;
    dag::Round last_anchor;
    /// Rows present.
    std::uint64_t certificates = 0;
    std::uint64_t commits = 0;
    /// Executed transactions in all commits ever written.
    std::uint64_t transactions = 0;
    /// Of the last transaction, in microseconds since the Unix epoch.
    std::uint64_t updated_at = 0;
};

/// Table `metadata`: name -> value.
class MetadataTable {
 public:
    static constexpr const char* kName = "metadata";
    explicit MetadataTable(lmdb::Table table) : table_(table) {}

    [[nodiscard]] Result<std::optional<Identity>> identity(const lmdb::Transaction& transaction) const;
    [[nodiscard]] Result<void> put(lmdb::WriteTransaction& transaction, const Identity& identity) const;

    /// What the members agreed on before the first round, as the node digests it; nothing in a store that was
    /// made without.
    [[nodiscard]] Result<std::optional<Digest>> genesis(const lmdb::Transaction& transaction) const;
    [[nodiscard]] Result<void> put_genesis(lmdb::WriteTransaction& transaction, const Digest& genesis) const;

    [[nodiscard]] Result<Progress> progress(const lmdb::Transaction& transaction) const;
    [[nodiscard]] Result<void> put(lmdb::WriteTransaction& transaction, const Progress& progress) const;

    /// The mark of a store that has never held a vote or an own header.
    [[nodiscard]] Result<bool> fresh(const lmdb::Transaction& transaction) const;
    [[nodiscard]] Result<void> mark_fresh(lmdb::WriteTransaction& transaction) const;
    [[nodiscard]] Result<void> clear_fresh(lmdb::WriteTransaction& transaction) const;

    /// In which rounds this member may sign; without the row in all.
    [[nodiscard]] Result<dag::SigningBound> signing(const lmdb::Transaction& transaction) const;
    [[nodiscard]] Result<void> put(lmdb::WriteTransaction& transaction, const dag::SigningBound& bound) const;
    /// The mark of a backup, and of a store that stands in for a lost one: the others are asked first, at
    /// every start until that has succeeded.
    [[nodiscard]] Result<void> mark_ask_first(lmdb::WriteTransaction& transaction) const;

 private:
    lmdb::Table table_;
};

}  // namespace monodon::storage
