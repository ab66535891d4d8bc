#pragma once

#include <vector>

#include "dag/events.hpp"
#include "storage/lmdb/environment.hpp"
#include "storage/tables/metadata.hpp"

namespace monodon::storage {

/// Tables `commits` (index -> encoded commit, with its reputation event) and `committed` (certificate digest
/// -> index of the commit that ordered it). A mark leaves with its certificate, not with its commit.
class CommitTable {
 public:
    static constexpr const char* kName = "commits";
    static constexpr const char* kMarksName = "committed";

    CommitTable(lmdb::Table commits, lmdb::Table marks) : commits_(commits), marks_(marks) {}

    /// The commit after the last one that `progress` knows; anything else is our bug and aborts.
    [[nodiscard]] Result<void> append(lmdb::WriteTransaction& transaction, const dag::Commit& commit,
                                      Progress& progress) const;

    [[nodiscard]] Result<std::optional<dag::CommitPtr>> find(const lmdb::Transaction& transaction,
                                                             const dag::Committee& committee,
                                                             dag::CommitIndex index) const;
    [[nodiscard]] Result<std::optional<dag::CommitIndex>> mark(const lmdb::Transaction& transaction,
                                                               const Digest& certificate) const;
    [[nodiscard]] Result<void> erase_mark(lmdb::WriteTransaction& transaction,
                                          const Digest& certificate) const;

    [[nodiscard]] Result<lmdb::Cursor> by_index(const lmdb::Transaction& transaction) const;
    [[nodiscard]] Result<lmdb::Cursor> marks(const lmdb::Transaction& transaction) const;
    /// The commit of a row of by_index(), checked against checksum, key and digest.
    [[nodiscard]] static Result<dag::CommitPtr> read(const dag::Committee& committee, lmdb::Row row);
    /// The certificates that an encoded commit orders; none if it is none.
    [[nodiscard]] static std::vector<Digest> certificates_of(ByteView payload);

 private:
    lmdb::Table commits_;
    lmdb::Table marks_;
};

}  // namespace monodon::storage
