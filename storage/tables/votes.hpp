#pragma once

#include <vector>

#include "dag/model/verification.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::storage {

/// Table `votes`: epoch, author -> the last vote that we gave for a header of this author. Rounds only rise;
/// a record that does not, or names another header for the same round, is our bug and aborts.
class VoteTable {
 public:
    static constexpr const char* kName = "votes";
    explicit VoteTable(lmdb::Table table) : table_(table) {}

    [[nodiscard]] Result<void> put(lmdb::WriteTransaction& transaction, const dag::Vote& vote) const;
    /// All of an epoch, ascending by author. A damaged row is an error: without it we could vote twice.
    [[nodiscard]] Result<std::vector<dag::Vote>> all(const lmdb::Transaction& transaction,
                                                     dag::Epoch epoch) const;

 private:
    lmdb::Table table_;
};

/// Table `own_headers`: epoch -> our last header, whole. Rounds only rise, as with votes.
class OwnHeaderTable {
 public:
    static constexpr const char* kName = "own_headers";
    explicit OwnHeaderTable(lmdb::Table table) : table_(table) {}

    [[nodiscard]] Result<void> put(lmdb::WriteTransaction& transaction, const dag::Header& header) const;
    /// A damaged row is an error: without it we could propose twice.
    [[nodiscard]] Result<std::optional<dag::VerifiedHeader>> find(const lmdb::Transaction& transaction,
                                                                  const dag::Committee& committee) const;

 private:
    lmdb::Table table_;
};

}  // namespace monodon::storage
