#include "storage/tables/commits.hpp"

#include "net/core/check.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"

namespace monodon::storage {

Result<void> CommitTable::append(lmdb::WriteTransaction& transaction, const dag::Commit& commit,
                                 Progress& progress) const {
    MONODON_CHECK(commit.index == next(progress.last_commit));
    MONODON_CHECK(commit.previous == progress.last_commit_digest);
    const IndexKey key = index_key(commit.index);
    if (auto put = put_record(transaction, commits_, key, encode(commit)); !put) return put;
    for (const dag::HeaderRef& certificate : commit.certificates) {
        if (auto put = put_record(transaction, marks_, certificate.digest.bytes, key); !put) return put;
    }
    progress.last_commit = commit.index;
    progress.last_commit_digest = commit.digest;
    progress.last_anchor = commit.anchor.round;
    ++progress.commits;
    progress.transactions += commit.transactions;
    return {};
}

Result<std::optional<dag::CommitPtr>> CommitTable::find(const lmdb::Transaction& transaction,
                                                        const dag::Committee& committee,
                                                        dag::CommitIndex index) const {
    const IndexKey key = index_key(index);
    auto row = transaction.get(commits_, key);
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<dag::CommitPtr>();
    auto commit = read(committee, {key, **row});
    if (!commit) return Unexpected{commit.error()};
    return std::optional(std::move(*commit));
}

Result<std::optional<dag::CommitIndex>> CommitTable::mark(const lmdb::Transaction& transaction,
                                                          const Digest& certificate) const {
    auto row = get_record(transaction, marks_, certificate.bytes);
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<dag::CommitIndex>();
    auto index = read_index_key(**row);
    if (!index) return damaged_row(kMarksName, certificate.bytes);
    return index;
}

Result<void> CommitTable::erase_mark(lmdb::WriteTransaction& transaction, const Digest& certificate) const {
    auto erased = transaction.erase(marks_, certificate.bytes);
    if (!erased) return Unexpected{erased.error()};
    return {};
}

Result<lmdb::Cursor> CommitTable::by_index(const lmdb::Transaction& transaction) const {
    return transaction.cursor(commits_);
}

Result<lmdb::Cursor> CommitTable::marks(const lmdb::Transaction& transaction) const {
    return transaction.cursor(marks_);
}

Result<dag::CommitPtr> CommitTable::read(const dag::Committee& committee, lmdb::Row row) {
    const auto payload = open_record(row.key, row.value);
    const auto index = read_index_key(row.key);
    if (!payload || !index) return damaged_row(kName, row.key);
    auto commit = dag::decode_commit(committee, *payload);
    if (!commit || commit->index != *index) return damaged_row(kName, row.key);
    return std::make_shared<const dag::Commit>(std::move(*commit));
}

std::vector<Digest> CommitTable::certificates_of(ByteView payload) {
    // Index, digest of the commit before, and anchor come first.
    CanonicalReader reader(payload);
    (void)reader.fixed(8 + sizeof(Digest) + dag::kHeaderRefBytes);
    constexpr std::uint32_t kAny = ~std::uint32_t{0};
    std::vector<Digest> certificates;
    for (std::uint32_t left = reader.count(kAny, dag::kHeaderRefBytes); left > 0; --left)
        certificates.push_back(dag::read_header_ref(reader).digest);
    return certificates;
}

}  // namespace monodon::storage
