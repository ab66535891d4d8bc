#pragma once

#include <optional>
#include <span>
#include <vector>

#include "net/core/bytes.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::storage {

/// What is noted about a peer; each kind has a table of its own, and whoever writes it decides on its form.
enum class NoteKind : std::uint8_t { address_book, standing };

struct PeerNote {
    Bytes peer;
    Bytes note;
    friend bool operator==(const PeerNote&, const PeerNote&) = default;
};

struct NoteChange {
    NoteKind kind = NoteKind::standing;
    Bytes peer;
    /// Nothing removes what is noted.
    std::optional<Bytes> note;
};

/// Tables `address_book` and `standings`: peer id -> what the network knows of the peer. Nothing rests on a
/// note: it may be missing, and is then learned again.
class PeerNoteTable {
 public:
    static constexpr const char* kBookName = "address_book";
    static constexpr const char* kStandingName = "standings";
    /// Of a kind. Peers choose who is noted, so no kind takes more than rows x (row and page overhead), 8
    /// MiB.
    static constexpr std::size_t kRowsMax = 4096;
    static constexpr std::size_t kPeerMax = 128;
    /// Two rows fit into a page.
    static constexpr std::size_t kNoteMax = 1536;
    PeerNoteTable(lmdb::Table book, lmdb::Table standings) : book_(book), standings_(standings) {}

    /// In the order given. A new row beyond kRowsMax is left out. An empty or longer peer, or a longer note,
    /// is our bug.
    [[nodiscard]] Result<void> apply(lmdb::WriteTransaction& transaction,
                                     std::span<const NoteChange> changes) const;
    /// Ascending by peer. What does not verify is left out.
    [[nodiscard]] Result<std::vector<PeerNote>> all(const lmdb::Transaction& transaction,
                                                    NoteKind kind) const;

 private:
    [[nodiscard]] lmdb::Table table(NoteKind kind) const {
        return kind == NoteKind::address_book ? book_ : standings_;
    }

    lmdb::Table book_;
    lmdb::Table standings_;
};

}  // namespace monodon::storage
