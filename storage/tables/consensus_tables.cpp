#include "storage/tables/consensus_tables.hpp"

#include <algorithm>

namespace monodon::storage {

namespace {

class Applier {
 public:
    Applier(const ConsensusTables& tables, lmdb::WriteTransaction& transaction, Progress& progress)
        : tables_(tables), transaction_(transaction), progress_(progress) {}

    Result<void> operator()(const dag::CertificateRecord& record) {
        auto inserted = tables_.certificates.insert(transaction_, *record.certificate);
        if (!inserted) return Unexpected{inserted.error()};
        if (*inserted) ++progress_.certificates;
        auto named = tables_.references.insert(transaction_, record.certificate->header);
        if (!named) return named;
        progress_.highest_round = std::max(progress_.highest_round, record.certificate->header.round);
        return {};
    }
    Result<void> operator()(const dag::VoteRecord& record) {
        if (auto put = tables_.votes.put(transaction_, record.vote); !put) return put;
        return tables_.metadata.clear_fresh(transaction_);
    }
    Result<void> operator()(const dag::OwnHeaderRecord& record) {
        if (auto put = tables_.own_headers.put(transaction_, *record.header); !put) return put;
        return tables_.metadata.clear_fresh(transaction_);
    }
    Result<void> operator()(const dag::CommitRecord& record) {
        return tables_.commits.append(transaction_, *record.commit, progress_);
    }
    Result<void> operator()(const dag::GraphFloorRecord& record) {
        progress_.graph_floor = std::max(progress_.graph_floor, record.floor);
        return {};
    }
    Result<void> operator()(const dag::SigningRecord& record) {
        if (auto put = tables_.metadata.put(transaction_, record.bound); !put) return put;
        return tables_.metadata.clear_fresh(transaction_);
    }

 private:
    const ConsensusTables& tables_;
    lmdb::WriteTransaction& transaction_;
    Progress& progress_;
};

using Pruned = ConsensusTables::Pruned;

/// The row itself, those of digest and author, and the mark.
constexpr std::size_t kRowsOfCertificate = 4;

Result<void> prune_certificates(const ConsensusTables& tables, lmdb::WriteTransaction& transaction,
                                Progress& progress, std::size_t most, Pruned& pruned) {
    auto cursor = tables.certificates.by_slot(transaction);
    if (!cursor) return Unexpected{cursor.error()};
    auto row = cursor->first();
    for (; row && *row; row = cursor->first()) {
        const auto slot = read_slot_key((*row)->key);
        if (slot && slot->slot.round > progress.store_floor) break;
        const auto digest = CertificateTable::digest_of(**row);
        const std::vector<Digest> named = CertificateTable::payload_of(**row);
        const std::size_t rows = kRowsOfCertificate + named.size();
        if (pruned.rows + rows > most) {
            pruned.next = rows;
            return {};
        }
        // Erased first: erasing elsewhere can move the row that the cursor stands on.
        if (auto erased = cursor->erase(); !erased) return Unexpected{erased.error()};
        ++pruned.entries;
        pruned.rows += rows;
        if (progress.certificates > 0) --progress.certificates;
        if (slot) {
            auto erased = tables.certificates.erase_indices(transaction, *slot, digest);
            if (erased) erased = tables.references.erase(transaction, *slot, named);
            if (!erased) return Unexpected{erased.error()};
        }
        if (digest) {
            auto erased = tables.commits.erase_mark(transaction, *digest);
            if (!erased) return Unexpected{erased.error()};
        }
    }
    if (!row) return Unexpected{row.error()};
    return {};
}

Result<void> prune_commits(const ConsensusTables& tables, lmdb::WriteTransaction& transaction,
                           Progress& progress, std::size_t most, Pruned& pruned) {
    auto cursor = tables.commits.by_index(transaction);
    if (!cursor) return Unexpected{cursor.error()};
    auto row = cursor->first();
    for (; row && *row; row = cursor->first()) {
        const auto index = read_index_key((*row)->key);
        if (index && *index > progress.commit_floor) break;
        if (pruned.rows == most) {
            pruned.next = 1;
            return {};
        }
        if (auto erased = cursor->erase(); !erased) return Unexpected{erased.error()};
        ++pruned.entries;
        ++pruned.rows;
        if (progress.commits > 0) --progress.commits;
    }
    if (!row) return Unexpected{row.error()};
    return {};
}

}  // namespace

Result<ConsensusTables> ConsensusTables::open(lmdb::Environment& environment) {
    auto tables = environment.tables(
        {CertificateTable::kName, CertificateTable::kDigestsName, CertificateTable::kAuthorsName,
         VoteTable::kName, OwnHeaderTable::kName, CommitTable::kName, CommitTable::kMarksName,
         MetadataTable::kName, BatchReferenceTable::kName, CheckpointTables::kLocalName,
         CheckpointTables::kStateName, CheckpointTables::kQuorumName, JournalTable::kName,
         PeerNoteTable::kBookName, PeerNoteTable::kStandingName});
    if (!tables) return Unexpected{tables.error()};
    const auto& table = *tables;
    return ConsensusTables{CertificateTable(table[0], table[1], table[2]),
                           VoteTable(table[3]),
                           OwnHeaderTable(table[4]),
                           CommitTable(table[5], table[6]),
                           MetadataTable(table[7]),
                           BatchReferenceTable(table[8]),
                           CheckpointTables(table[9], table[10], table[11]),
                           JournalTable(table[12]),
                           PeerNoteTable(table[13], table[14])};
}

Result<void> ConsensusTables::apply(lmdb::WriteTransaction& transaction, const dag::Record& record,
                                    Progress& progress) const {
    return std::visit(Applier(*this, transaction, progress), record);
}

Result<ConsensusTables::Pruned> ConsensusTables::prune(lmdb::WriteTransaction& transaction,
                                                       Progress& progress, std::size_t most) const {
    Pruned pruned;
    auto done = prune_certificates(*this, transaction, progress, most, pruned);
    if (done && pruned.next == 0) done = prune_commits(*this, transaction, progress, most, pruned);
    if (!done) return Unexpected{done.error()};
    return pruned;
}

}  // namespace monodon::storage
