#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "storage/tables/peer_notes.hpp"

namespace monodon::storage {

/// Changes of notes that wait for a transaction with room for them. A later change of the same note takes the
/// place of the one that waits, so that what waits on a full disk is bounded by the peers, not by time. No
/// lock, no I/O.
class PendingNotes {
 public:
    /// Both kinds together; a change of one more note is dropped.
    static constexpr std::size_t kMost = 2 * PeerNoteTable::kRowsMax;

    void add(NoteChange change) {
        const Key key{change.note.has_value(), change.kind, change.peer};
        changes_.erase({!change.note, change.kind, change.peer});
        if (changes_.size() >= kMost && !changes_.contains(key)) return;
        changes_.insert_or_assign(key, Waiting{std::move(change), ++added_});
    }

    /// At most so many, removals first: they make room in the table.
    struct Slice {
        std::vector<NoteChange> changes;
        /// The newest change that existed when it was taken.
        std::uint64_t as_of = 0;
    };
    [[nodiscard]] Slice slice(std::size_t most) const {
        Slice slice{{}, added_};
        slice.changes.reserve(std::min(most, changes_.size()));
        for (const auto& [key, waiting] : changes_) {
            if (slice.changes.size() >= most) break;
            slice.changes.push_back(waiting.change);
        }
        return slice;
    }

    /// The slice is durable. What was changed meanwhile goes on waiting.
    void done(const Slice& slice) {
        for (const NoteChange& change : slice.changes) {
            const auto found = changes_.find({change.note.has_value(), change.kind, change.peer});
            if (found != changes_.end() && found->second.number <= slice.as_of) changes_.erase(found);
        }
    }

    [[nodiscard]] std::size_t size() const { return changes_.size(); }

 private:
    struct Key {
        bool put;
        NoteKind kind;
        Bytes peer;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Waiting {
        NoteChange change;
        std::uint64_t number = 0;
    };

    std::map<Key, Waiting> changes_;
    std::uint64_t added_ = 0;
};

}  // namespace monodon::storage
