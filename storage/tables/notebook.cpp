#include "storage/tables/notebook.hpp"

#include "net/core/canonical.hpp"
#include "net/core/check.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"

namespace monodon::storage {

namespace {

constexpr std::size_t kKindMax = 64;

std::optional<JournalEntry> read_entry(const lmdb::Row& row) {
    const auto payload = open_record(row.key, row.value);
    const auto number = read_index_key(row.key);
    if (!payload || !number) return std::nullopt;
    CanonicalReader reader(*payload);
    JournalEntry entry;
    entry.number = number->value();
    entry.at = reader.u64();
    entry.kind = std::string(as_text(reader.bytes(kKindMax)));
    entry.text = std::string(as_text(reader.bytes(JournalTable::kTextMax)));
    if (!reader.finished()) return std::nullopt;
    return entry;
}

}  // namespace

Result<void> JournalTable::append(lmdb::WriteTransaction& transaction, const JournalEntry& entry) const {
    MONODON_CHECK(entry.kind.size() <= kKindMax);
    std::uint64_t number = 1;
    {
        auto cursor = transaction.cursor(table_);
        if (!cursor) return Unexpected{cursor.error()};
        auto last = cursor->last();
        if (!last) return Unexpected{last.error()};
        const auto newest = *last ? read_index_key((*last)->key) : std::nullopt;
        if (newest) number = newest->value() + 1;
        auto row = cursor->first();
        for (; row && *row; row = cursor->first()) {
            const auto oldest = read_index_key((*row)->key);
            if (oldest && oldest->value() + kKept > number) break;
            if (auto erased = cursor->erase(); !erased) return Unexpected{erased.error()};
        }
        if (!row) return Unexpected{row.error()};
    }
    CanonicalWriter writer;
    writer.u64(entry.at).text(entry.kind).text(std::string_view(entry.text).substr(0, kTextMax));
    return put_record(transaction, table_, index_key(dag::CommitIndex{number}), writer.view());
}

Result<std::vector<JournalEntry>> JournalTable::newest(const lmdb::Transaction& transaction, std::size_t most,
                                                       std::string_view kind) const {
    auto cursor = transaction.cursor(table_);
    if (!cursor) return Unexpected{cursor.error()};
    std::vector<JournalEntry> entries;
    auto row = cursor->last();
    for (; row && *row && entries.size() < most; row = cursor->previous()) {
        auto entry = read_entry(**row);
        if (entry && (kind.empty() || entry->kind == kind)) entries.push_back(std::move(*entry));
    }
    if (!row) return Unexpected{row.error()};
    return entries;
}

}  // namespace monodon::storage
