#pragma once

#include "storage/recovery.hpp"
#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage {

/// Reads the certificates above the graph floor, by the strategy of the options, and says in the summary how.
/// One use; keeps references to all.
class GraphLoader {
 public:
    GraphLoader(const ConsensusTables& tables, const lmdb::Transaction& transaction,
                const dag::Committee& committee, const RecoveryOptions& options)
        : tables_(tables), transaction_(transaction), committee_(committee), options_(options) {}

    /// Fills the certificates and the graph's part of `recovered`, whose progress is known.
    [[nodiscard]] Result<void> load(Recovered& recovered);

 private:
    [[nodiscard]] Result<void> from_scratch();
    /// False if there is no checkpoint that verifies.
    [[nodiscard]] Result<bool> from_checkpoint();
    [[nodiscard]] Result<void> read_checkpoint(dag::Round round);
    [[nodiscard]] Result<void> verify_state(const LocalCheckpoint& checkpoint) const;
    [[nodiscard]] Result<void> add_missing();
    [[nodiscard]] Result<void> add_missing_of(dag::ValidatorIndex author,
                                              const std::vector<dag::AuthorSet>& known);
    void take_row(dag::Slot slot, Result<dag::VerifiedCertificate> certificate);
    void tell();

    const ConsensusTables& tables_;
    const lmdb::Transaction& transaction_;
    const dag::Committee& committee_;
    const RecoveryOptions& options_;
    Recovered* recovered_ = nullptr;
};

}  // namespace monodon::storage
