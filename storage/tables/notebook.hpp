#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/core/bytes.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::storage {

/// One thing that happened to this store, in the order in which it did.
struct JournalEntry {
    std::uint64_t number = 0;
    /// Microseconds since the Unix epoch.
    std::uint64_t at = 0;
    /// A word that programs look for: `recovery`, `migration`, `copy`, `switch`.
    std::string kind;
    /// A sentence, or what the kind says.
    std::string text;
};

/// Table `journal` (number -> time, kind, text): what an operator wants to know of earlier lives, and what a
/// change of state in several steps must remember across a crash. The oldest leave.
class JournalTable {
 public:
    static constexpr const char* kName = "journal";
    static constexpr std::uint64_t kKept = 1000;
    static constexpr std::size_t kTextMax = 16 * 1024;
    explicit JournalTable(lmdb::Table table) : table_(table) {}

    /// Gives it the next number, and removes what is more than kKept before it.
    [[nodiscard]] Result<void> append(lmdb::WriteTransaction& transaction, const JournalEntry& entry) const;
    /// The newest, descending; of one kind if that is not empty. What does not verify is left out.
    [[nodiscard]] Result<std::vector<JournalEntry>> newest(const lmdb::Transaction& transaction,
                                                           std::size_t most, std::string_view kind) const;

 private:
    lmdb::Table table_;
};

}  // namespace monodon::storage
