#include <atomic>
#include <cerrno>
#include <future>

#include <catch2/catch.hpp>

#include "storage/doctor.hpp"
#include "storage/pending_notes.hpp"
#include "storage/store_reader.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;

namespace {

Bytes peer(std::size_t number) { return {static_cast<Byte>(number >> 8), static_cast<Byte>(number)}; }

NoteChange put(std::size_t number, Bytes note, NoteKind kind = NoteKind::standing) {
    return {kind, peer(number), std::move(note)};
}
NoteChange removal(std::size_t number, NoteKind kind = NoteKind::standing) {
    return {kind, peer(number), std::nullopt};
}

/// A store that is opened again and again.
struct Noted {
    TemporaryDirectory directory;
    ConsensusOptions options = consensus_options(directory.path() / "c");
    std::unique_ptr<BatchStore> batches = open_batches(batch_options(directory.path() / "b"));
    std::unique_ptr<ConsensusStore> store = open_consensus(options);

    [[nodiscard]] std::vector<PeerNote> notes(NoteKind kind = NoteKind::standing) const {
        return StoreReader(*store, *batches, four_members()).notes(kind);
    }
    [[nodiscard]] bool written() const {
        return eventually([&] { return store->notes_waiting() == 0; });
    }
    void reopen() {
        store.reset();
        store = open_consensus(options);
    }
};

dag::Record vote(std::uint64_t round) {
    return dag::VoteRecord{vote_for({dag::Round{round}, dag::ValidatorIndex{1}, sha256(as_bytes("header"))})};
}

}  // namespace

TEST_CASE("notes are replaced and removed one by one, each kind by itself, and outlive the process") {
    Noted noted;
    noted.store->note({put(1, {10}), put(2, {20}), put(3, {}), put(1, {99}, NoteKind::address_book)});
    REQUIRE(noted.written());
    noted.store->note({put(1, {11, 12}), removal(2), removal(7), put(4, {40}), removal(4)});
    // What was not written yet is written at the end.
    noted.reopen();
    CHECK(noted.notes() == std::vector<PeerNote>{{peer(1), {11, 12}}, {peer(3), {}}});
    CHECK(noted.notes(NoteKind::address_book) == std::vector<PeerNote>{{peer(1), {99}}});
}

TEST_CASE("no kind of note has more rows than its bound, and those that are there can still change") {
    Noted noted;
    std::vector<NoteChange> changes;
    for (std::size_t at = 0; at < PeerNoteTable::kRowsMax; ++at) changes.push_back(put(at, {1}));
    noted.store->note(changes);
    REQUIRE(noted.written());
    noted.store->note({put(5000, {2}), put(17, {3}), put(5000, {4}, NoteKind::address_book)});
    REQUIRE(noted.written());
    auto notes = noted.notes();
    CHECK(notes.size() == PeerNoteTable::kRowsMax);
    CHECK(notes[17].note == Bytes{3});
    CHECK(notes.back().peer == peer(PeerNoteTable::kRowsMax - 1));
    CHECK(noted.notes(NoteKind::address_book).size() == 1);
    // Whichever stands first in the list, a removal makes room for what comes.
    noted.store->note({put(5000, {5}), removal(4000)});
    REQUIRE(noted.written());
    notes = noted.notes();
    CHECK(notes.size() == PeerNoteTable::kRowsMax);
    CHECK(notes.back() == PeerNote{peer(5000), {5}});
}

TEST_CASE("a vote waits for the notes of one transaction only") {
    Noted noted;
    Signal busy;
    std::promise<void> go_on;
    noted.store->write({vote(1)}, [&] {
        busy.raise();
        go_on.get_future().wait();
    });
    REQUIRE(busy.wait());
    std::vector<NoteChange> changes;
    for (std::size_t at = 0; at < 1000; ++at)
        changes.push_back(put(at, Bytes(PeerNoteTable::kNoteMax, Byte{7})));
    noted.store->note(changes);
    Signal durable;
    std::size_t waiting = 0;
    noted.store->write({vote(2)}, [&] {
        waiting = noted.store->notes_waiting();
        durable.raise();
    });
    go_on.set_value();
    REQUIRE(durable.wait());
    CHECK(waiting == 1000 - 64);
    REQUIRE(noted.written());
    CHECK(noted.notes().size() == 1000);
}

TEST_CASE("on a full disk notes wait as everything does, and of each the last change counts") {
    std::atomic<bool> full{false};
    Noted noted;
    noted.store.reset();
    noted.options.retry_after = std::chrono::milliseconds(1);
    noted.options.environment.faults = [&](lmdb::DiskStep step) {
        return full && step == lmdb::DiskStep::reserve ? ENOSPC : 0;
    };
    bool fatal = false;
    noted.options.fatal = [&](const std::string&) { fatal = true; };
    noted.store = open_consensus(noted.options);
    full = true;
    noted.store->note({put(1, {1})});
    REQUIRE(eventually([&] { return noted.store->stats().stalled.has_value(); }));
    for (std::size_t at = 0; at < 3 * PendingNotes::kMost; ++at) noted.store->note({put(1, {2})});
    CHECK(noted.store->notes_waiting() == 1);
    noted.store->note({put(1, {3}), put(2, {4})});
    full = false;
    REQUIRE(noted.written());
    CHECK(noted.notes() == std::vector<PeerNote>{{peer(1), {3}}, {peer(2), {4}}});
    CHECK(eventually([&] { return !noted.store->stats().stalled; }));
    noted.store.reset();
    CHECK_FALSE(fatal);
}

TEST_CASE("a damaged note is left out, harms nothing else and can be written again") {
    Noted noted;
    noted.store->note({put(1, {1}), put(2, {2})});
    noted.store.reset();
    damage_first_row(noted.directory.path() / "c", PeerNoteTable::kStandingName);
    noted.store = open_consensus(noted.options);
    CHECK(noted.notes() == std::vector<PeerNote>{{peer(2), {2}}});
    noted.store->note({put(1, {5})});
    REQUIRE(noted.written());
    CHECK(noted.notes() == std::vector<PeerNote>{{peer(1), {5}}, {peer(2), {2}}});
}

TEST_CASE("changes that wait are bounded, and what changes while a slice is written is not lost") {
    PendingNotes pending;
    pending.add(put(1, {1}));
    const auto slice = pending.slice(10);
    REQUIRE(slice.changes.size() == 1);
    pending.add(put(1, {2}));
    pending.done(slice);
    REQUIRE(pending.size() == 1);
    CHECK(pending.slice(10).changes.front().note == Bytes{2});
    pending.add(removal(1));
    REQUIRE(pending.size() == 1);
    CHECK_FALSE(pending.slice(10).changes.front().note);
    pending.done(pending.slice(10));
    CHECK(pending.size() == 0);

    for (std::size_t at = 0; at < 2 * PendingNotes::kMost; ++at) pending.add(put(at, {1}));
    CHECK(pending.size() == PendingNotes::kMost);
    pending.add(put(3, {2}));
    CHECK(pending.size() == PendingNotes::kMost);
    CHECK(pending.slice(10).changes[3].note == Bytes{2});
}
