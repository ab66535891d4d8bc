#include "storage/rebuild.hpp"

#include <algorithm>

#include "storage/record.hpp"
#include "storage/tables/batches.hpp"
#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage {

namespace {

constexpr std::size_t kRowsPerRebuildStep = 1000;
/// A certificate of a large committee leads to hundreds of rows.
constexpr std::size_t kRoom = std::size_t{16} << 20;

using Visit = std::function<Result<void>(lmdb::WriteTransaction&, lmdb::Row)>;

/// Shows `visit` all rows of a table, a bounded number in a transaction. It must not change that table.
Result<void> for_each_row(lmdb::Environment& environment, lmdb::Table table, const Visit& visit) {
    Bytes from;
    bool more = true;
    while (more) {
        Bytes rest;
        auto fill = [&](lmdb::WriteTransaction& transaction) -> Result<void> {
            rest.clear();
            auto cursor = transaction.cursor(table);
            if (!cursor) return Unexpected{cursor.error()};
            std::size_t rows = 0;
            auto row = from.empty() ? cursor->first() : cursor->at_or_after(from);
            for (; row && *row; row = cursor->next(), ++rows) {
                if (rows == kRowsPerRebuildStep) {
                    rest.assign((*row)->key.begin(), (*row)->key.end());
                    return {};
                }
                // A change elsewhere can move what a row points to.
                const Bytes key((*row)->key.begin(), (*row)->key.end());
                const Bytes value((*row)->value.begin(), (*row)->value.end());
                if (auto done = visit(transaction, {key, value}); !done) return done;
            }
            if (!row) return Unexpected{row.error()};
            return {};
        };
        if (auto written = lmdb::write_growing(environment, kRoom, fill); !written) return written;
        more = !rest.empty();
        from = std::move(rest);
    }
    return {};
}

/// Removes the rows of an index for which `sound` is false.
Result<void> sweep(lmdb::Environment& environment, lmdb::Table table,
                   const std::function<bool(const lmdb::Transaction&, lmdb::Row)>& sound) {
    std::vector<Bytes> doomed;
    {
        auto transaction = environment.read();
        if (!transaction) return Unexpected{transaction.error()};
        auto cursor = transaction->cursor(table);
        if (!cursor) return Unexpected{cursor.error()};
        auto row = cursor->first();
        for (; row && *row; row = cursor->next()) {
            if (!sound(*transaction, **row)) doomed.emplace_back((*row)->key.begin(), (*row)->key.end());
        }
        if (!row) return Unexpected{row.error()};
    }
    if (doomed.empty()) return {};
    return lmdb::write_growing(environment, kRoom, [&](lmdb::WriteTransaction& transaction) -> Result<void> {
        for (const Bytes& key : doomed) {
            if (auto erased = transaction.erase(table, key); !erased) return Unexpected{erased.error()};
        }
        return {};
    });
}

class Rebuild {
 public:
    Rebuild(lmdb::Environment& environment, const std::vector<lmdb::Table>& tables)
        : environment_(environment),
          certificates_(tables[0]),
          digests_(tables[1]),
          authors_(tables[2]),
          references_(tables[3]),
          commits_(tables[4]),
          marks_(tables[5]) {}

    static std::vector<const char*> names() {
        return {CertificateTable::kName,
                CertificateTable::kDigestsName,
                CertificateTable::kAuthorsName,
                BatchReferenceTable::kName,
                CommitTable::kName,
                CommitTable::kMarksName};
    }

    Result<void> run() {
        auto done = for_each_row(environment_, certificates_,
                                 [this](lmdb::WriteTransaction& transaction, lmdb::Row row) {
                                     return index_certificate(transaction, row);
                                 });
        if (done) {
            done = for_each_row(environment_, commits_,
                                [this](lmdb::WriteTransaction& transaction, lmdb::Row row) {
                                    return mark_certificates(transaction, row);
                                });
        }
        const auto leads = [this](const lmdb::Transaction& transaction, lmdb::Row row) {
            return leads_to_certificate(transaction, row);
        };
        if (done) done = sweep(environment_, digests_, leads);
        if (done) done = sweep(environment_, authors_, leads);
        if (done) done = sweep(environment_, references_, leads);
        if (done)
            done = sweep(environment_, marks_, [this](const lmdb::Transaction& transaction, lmdb::Row row) {
                const auto known = transaction.get(digests_, row.key);
                return known && *known && mark_is_sound(transaction, row);
            });
        return done;
    }

 private:
    Result<void> index_certificate(lmdb::WriteTransaction& transaction, lmdb::Row row) {
        const auto at = read_slot_key(row.key);
        const auto digest = CertificateTable::digest_of(row);
        // It is fetched again, and indexed then.
        if (!at || !digest) return {};
        if (auto put = put_record(transaction, digests_, digest->bytes, row.key); !put) return put;
        auto put = put_record(transaction, authors_, author_round_key(at->epoch, at->slot), {});
        if (!put) return put;
        return BatchReferenceTable(references_).insert(transaction, *at, CertificateTable::payload_of(row));
    }

    /// Of the certificates that are still here.
    Result<void> mark_certificates(lmdb::WriteTransaction& transaction, lmdb::Row row) {
        const auto payload = open_record(row.key, row.value);
        if (!payload) return {};
        for (const Digest& certificate : CommitTable::certificates_of(*payload)) {
            auto present = transaction.get(digests_, certificate.bytes);
            if (!present) return Unexpected{present.error()};
            if (!*present) continue;
            if (auto put = put_record(transaction, marks_, certificate.bytes, row.key); !put) return put;
        }
        return {};
    }

    bool leads_to_certificate(const lmdb::Transaction& transaction, lmdb::Row row) const {
        const auto payload = open_record(row.key, row.value);
        if (!payload) return false;
        std::optional<EpochSlot> at = read_author_round_key(row.key);
        if (const auto reference = read_reference_key(row.key)) at = reference->at;
        if (row.key.size() == sizeof(Digest)) at = read_slot_key(*payload);
        if (!at) return false;
        const auto present = transaction.get(certificates_, slot_key(at->epoch, at->slot));
        return present && *present;
    }

    /// Of a commit that is here, and names the certificate, or has left.
    bool mark_is_sound(const lmdb::Transaction& transaction, lmdb::Row row) const {
        const auto index = open_record(row.key, row.value);
        if (!index) return false;
        const auto commit = transaction.get(commits_, *index);
        if (!commit) return false;
        if (!*commit) {
            auto cursor = transaction.cursor(commits_);
            const auto oldest = cursor ? cursor->first() : Unexpected{cursor.error()};
            return oldest && *oldest && std::ranges::lexicographical_compare(*index, (*oldest)->key);
        }
        // What a damaged commit names is not known.
        const auto payload = open_record(*index, **commit);
        if (!payload) return true;
        const auto named = CommitTable::certificates_of(*payload);
        return std::ranges::any_of(
            named, [&](const Digest& each) { return std::ranges::equal(each.bytes, row.key); });
    }

    lmdb::Environment& environment_;
    const lmdb::Table certificates_;
    const lmdb::Table digests_;
    const lmdb::Table authors_;
    const lmdb::Table references_;
    const lmdb::Table commits_;
    const lmdb::Table marks_;
};

}  // namespace

Result<void> rebuild_indices(const std::filesystem::path& consensus) {
    lmdb::EnvironmentOptions options;
    options.directory = consensus;
    auto environment = lmdb::Environment::open(std::move(options));
    if (!environment) return Unexpected{environment.error()};
    auto tables = (*environment)->tables(Rebuild::names());
    if (!tables) return Unexpected{tables.error()};
    return Rebuild(**environment, *tables).run();
}

Result<void> rebuild_batch_list(const std::filesystem::path& generation) {
    lmdb::EnvironmentOptions options;
    options.directory = generation;
    auto environment = lmdb::Environment::open(std::move(options));
    if (!environment) return Unexpected{environment.error()};
    const auto tables = (*environment)->tables({BatchTable::kName, BatchTable::kAuthorsName});
    if (!tables) return Unexpected{tables.error()};
    const lmdb::Table batches = tables->at(0);
    const lmdb::Table authors = tables->at(1);
    // What is listed for a batch that is not there, or in another place than its own.
    auto done = sweep(**environment, authors, [&](const lmdb::Transaction& transaction, lmdb::Row row) {
        const auto at = read_batch_author_key(row.key);
        if (!at || !open_record(row.key, row.value)) return false;
        const auto batch = transaction.get(batches, at->batch.bytes);
        if (!batch || !*batch) return false;
        const auto listed = BatchTable::listed_under(at->batch.bytes, **batch);
        // A damaged batch is fetched again, and listed then as now.
        return !listed || std::ranges::equal(*listed, row.key);
    });
    if (!done) return done;
    return for_each_row(**environment, batches,
                        [&](lmdb::WriteTransaction& transaction, lmdb::Row row) -> Result<void> {
                            const auto listed = BatchTable::listed_under(row.key, row.value);
                            if (!listed) return {};
                            const auto present = transaction.get(authors, *listed);
                            if (!present) return Unexpected{present.error()};
                            if (*present) return {};
                            return put_record(transaction, authors, *listed, {});
                        });
}

}  // namespace monodon::storage
