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
    /// Removes at most `most` rows, certificates and commits, that the floors of `progress` have left behind;
    /// gives how many.
    [[nodiscard]] Result<std::size_t> prune(lmdb::WriteTransaction& transaction, Progress& progress,
                                            std::size_t most) const;
};

}  // namespace monodon::storage
