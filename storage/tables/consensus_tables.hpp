#pragma once

#include "storage/tables/batch_references.hpp"
#include "storage/tables/certificates.hpp"
#include "storage/tables/checkpoints.hpp"
#include "storage/tables/commits.hpp"
#include "storage/tables/metadata.hpp"
#include "storage/tables/notebook.hpp"
#include "storage/tables/peer_notes.hpp"
#include "storage/tables/votes.hpp"

namespace monodon::storage {

/// The tables of `consensus/`. Immutable once opened; used with any transaction of that environment.
struct ConsensusTables {
    CertificateTable certificates;
    VoteTable votes;
    OwnHeaderTable own_headers;
    CommitTable commits;
    MetadataTable metadata;
    BatchReferenceTable references;
    CheckpointTables checkpoints;
    JournalTable journal;
    PeerNoteTable notes;

    [[nodiscard]] static Result<ConsensusTables> open(lmdb::Environment& environment);

    /// Writes one record as part of what `progress` counts.
    [[nodiscard]] Result<void> apply(lmdb::WriteTransaction& transaction, const dag::Record& record,
                                     Progress& progress) const;
    struct Pruned {
        /// Certificates and commits.
        std::size_t entries = 0;
        /// Rows of all tables, which is what takes room.
        std::size_t rows = 0;
        /// The rows of the next one would have been too many; 0 if nothing is left to remove.
        std::size_t next = 0;
    };
    /// Removes what the floors of `progress` have left behind: certificates and commits, each with all of its
    /// rows or not at all, and at most `most` rows.
    [[nodiscard]] Result<Pruned> prune(lmdb::WriteTransaction& transaction, Progress& progress,
                                       std::size_t most) const;
};

}  // namespace monodon::storage
