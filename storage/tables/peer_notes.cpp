#include "storage/tables/peer_notes.hpp"

#include "net/core/check.hpp"
#include "storage/record.hpp"

namespace monodon::storage {

Result<void> PeerNoteTable::apply(lmdb::WriteTransaction& transaction,
                                  std::span<const NoteChange> changes) const {
    for (const NoteChange& change : changes) {
        MONODON_CHECK(!change.peer.empty() && change.peer.size() <= kPeerMax);
        const lmdb::Table notes = table(change.kind);
        if (!change.note) {
            if (auto erased = transaction.erase(notes, change.peer); !erased) {
                return Unexpected{erased.error()};
            }
            continue;
        }
        MONODON_CHECK(change.note->size() <= kNoteMax);
        auto rows = transaction.count(notes);
        if (!rows) return Unexpected{rows.error()};
        if (*rows >= kRowsMax) {
            auto known = transaction.get(notes, change.peer);
            if (!known) return Unexpected{known.error()};
            if (!*known) continue;
        }
        if (auto put = put_record(transaction, notes, change.peer, *change.note); !put) return put;
    }
    return {};
}

Result<std::vector<PeerNote>> PeerNoteTable::all(const lmdb::Transaction& transaction, NoteKind kind) const {
    auto cursor = transaction.cursor(table(kind));
    if (!cursor) return Unexpected{cursor.error()};
    std::vector<PeerNote> notes;
    auto row = cursor->first();
    for (; row && *row && notes.size() < kRowsMax; row = cursor->next()) {
        const auto note = open_record((*row)->key, (*row)->value);
        if (!note) continue;
        notes.push_back({Bytes((*row)->key.begin(), (*row)->key.end()), Bytes(note->begin(), note->end())});
    }
    if (!row) return Unexpected{row.error()};
    return notes;
}

}  // namespace monodon::storage
