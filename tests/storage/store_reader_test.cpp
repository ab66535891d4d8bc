#include "storage/store_reader.hpp"

#include <set>

#include <catch2/catch.hpp>

#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;
using dag::CommitIndex, dag::Round, dag::Slot, dag::ValidatorIndex;

namespace {

/// A store of twelve rounds; round 12 has no commit that orders more than its anchor.
struct Filled {
    TemporaryDirectory directory;
    std::unique_ptr<ConsensusStore> consensus =
        open_consensus(consensus_options(directory.path() / "consensus"));
    std::unique_ptr<BatchStore> batches = open_batches(batch_options(directory.path() / "batches"));
    StoreReader reader{*consensus, *batches, four_members()};
    std::vector<DagMaker::MadeRound> rounds;

    Filled() {
        DagMaker maker;
        for (int round = 0; round < 12; ++round) {
            rounds.push_back(maker.add_round());
            consensus->write(rounds.back().records(), {});
        }
        flush(*consensus);
    }
};

std::vector<Slot> slots(const CertificatePage& page) {
    std::vector<Slot> slots;
    for (const auto& certificate : page.items) slots.push_back(certificate->ref().slot());
    return slots;
}

/// All pages, with the promise that each goes on.
std::vector<Slot> walk(const StoreReader& reader, Slot first, Round last, PageLimits limits,
                       Ordered ordered) {
    std::vector<Slot> all;
    for (int pages = 0; pages < 1000; ++pages) {
        const auto page = reader.certificates(first, last, limits, ordered);
        for (const Slot& slot : slots(page)) all.push_back(slot);
        if (!page.next) return all;
        REQUIRE(*page.next > first);
        if (!all.empty()) REQUIRE(*page.next > all.back());
        first = *page.next;
    }
    FAIL("the pages do not end");
    return all;
}

}  // namespace

TEST_CASE("a certificate is found by digest and by slot, and is the one that was written") {
    const Filled filled;
    for (const auto& round : filled.rounds) {
        for (const auto& certificate : round.certificates) {
            const auto by_digest = filled.reader.certificate(certificate->header.digest);
            const auto by_slot = filled.reader.certificate(certificate->ref().slot());
            REQUIRE(by_digest);
            REQUIRE(by_slot);
            CHECK(encode(**by_digest) == encode(*certificate));
            CHECK(encode(**by_slot) == encode(*certificate));
        }
    }
    CHECK_FALSE(filled.reader.certificate(sha256(as_bytes("none"))));
    CHECK_FALSE(filled.reader.certificate(Slot{Round{13}, ValidatorIndex{0}}));
    CHECK(filled.reader.damaged() == 0);
}

TEST_CASE("a range of rounds comes ascending, whatever the limits cut") {
    const Filled filled;
    const Slot from{Round{3}, ValidatorIndex{2}};
    const auto whole = filled.reader.certificates(from, Round{5});
    CHECK_FALSE(whole.next);
    REQUIRE(whole.items.size() == 2 + 4 + 4);
    CHECK(slots(whole).front() == from);
    CHECK(slots(whole).back() == Slot{Round{5}, ValidatorIndex{3}});
    CHECK(std::ranges::is_sorted(slots(whole)));

    const std::size_t one = encode(*whole.items[0]).size();
    for (const PageLimits limits : {PageLimits{3, 1 << 20}, PageLimits{1, 0}, PageLimits{0, 0},
                                    PageLimits{100, 2 * one + 200}, PageLimits{100, 1}}) {
        CHECK(walk(filled.reader, from, Round{5}, limits, Ordered::either) == slots(whole));
    }
    CHECK(filled.reader.certificates({Round{13}, {}}, Round{20}).items.empty());
    CHECK(filled.reader.certificates({Round{5}, {}}, Round{4}).items.empty());
}

TEST_CASE("a range can be narrowed to what was ordered and what was not") {
    const Filled filled;
    const Slot first{Round{1}, ValidatorIndex{0}};
    const auto yes = walk(filled.reader, first, Round{12}, {2, 1 << 20}, Ordered::yes);
    const auto no = walk(filled.reader, first, Round{12}, {1, 1 << 20}, Ordered::no);
    CHECK(yes.size() == 45);
    CHECK(no.size() == 3);
    for (const Slot& slot : no) CHECK(slot.round == Round{12});
    for (const auto& round : filled.rounds) {
        for (const auto& ref : round.commit->certificates) {
            CHECK(filled.reader.commit_of(ref.digest) == round.commit->index);
        }
    }
    CHECK_FALSE(filled.reader.commit_of(filled.rounds.back().certificates[1]->header.digest));
}

TEST_CASE("the certificates of one author come ascending, in pages that go on") {
    const Filled filled;
    Round first{2};
    std::vector<Slot> all;
    for (;;) {
        const auto page = filled.reader.certificates_by(ValidatorIndex{3}, first, Round{9}, {3, 1 << 20});
        for (const Slot& slot : slots(page)) all.push_back(slot);
        if (!page.next) break;
        REQUIRE(page.next->round > first);
        first = page.next->round;
    }
    REQUIRE(all.size() == 8);
    for (std::size_t at = 0; at < all.size(); ++at) CHECK(all[at] == Slot{Round{at + 2}, ValidatorIndex{3}});
    CHECK(filled.reader.certificates_by(ValidatorIndex{4}, Round{1}, Round{12}).items.empty());
}

TEST_CASE("commits are found by index and in ranges") {
    const Filled filled;
    for (const auto& round : filled.rounds) {
        const auto found = filled.reader.commit(round.commit->index);
        REQUIRE(found);
        CHECK(encode(*found) == encode(*round.commit));
    }
    CHECK(filled.reader.commit(CommitIndex{0}) == nullptr);
    CHECK(filled.reader.commit(CommitIndex{13}) == nullptr);
    CHECK(filled.reader.first_commit() == CommitIndex{1});
    CHECK(filled.reader.last_commit() == CommitIndex{12});

    CommitIndex first{4};
    std::vector<CommitIndex> all;
    for (;;) {
        const auto page = filled.reader.commits(first, {4, 1});
        REQUIRE(page.items.size() == 1);
        all.push_back(page.items[0]->index);
        if (!page.next) break;
        REQUIRE(*page.next > first);
        first = *page.next;
    }
    CHECK(all.size() == 9);
    CHECK(filled.reader.commits(CommitIndex{1}).items.size() == 12);
    CHECK(filled.reader.commits(CommitIndex{13}).items.empty());
}

TEST_CASE("the metadata say how far the store is") {
    const Filled filled;
    filled.consensus->write({dag::GraphFloorRecord{Round{7}}}, {});
    filled.consensus->write({dag::GraphFloorRecord{Round{6}}}, {});
    flush(*filled.consensus);
    const Progress progress = filled.reader.progress();
    CHECK(progress.highest_round == Round{12});
    CHECK(progress.graph_floor == Round{7});
    CHECK(progress.last_commit == CommitIndex{12});
    CHECK(progress.last_commit_digest == filled.rounds.back().commit->digest);
    CHECK(progress.last_anchor == Round{12});
    CHECK(progress.certificates == 48);
    CHECK(progress.commits == 12);
    CHECK(progress.transactions == 120);
    CHECK(progress.updated_at > 0);
}

TEST_CASE("an empty store has nothing, and says so") {
    const TemporaryDirectory directory;
    const auto consensus = open_consensus(consensus_options(directory.path() / "consensus"));
    const auto batches = open_batches(batch_options(directory.path() / "batches"));
    const StoreReader reader(*consensus, *batches, four_members());
    CHECK_FALSE(reader.first_commit());
    CHECK_FALSE(reader.last_commit());
    CHECK(reader.certificates({}, Round{100}).items.empty());
    CHECK(reader.commits(CommitIndex{1}).items.empty());
    CHECK_FALSE(reader.batch({sha256(as_bytes("none")), {}, {}, {}, 0, 0}));
    CHECK(reader.damaged() == 0);
}

TEST_CASE("the engine reads batches and commits through the same door") {
    const Filled filled;
    const auto made = batch(ValidatorIndex{2}, 1, Round{3});
    put_durably(*filled.batches, made);
    const dag::DagReader& reader = filled.reader;
    CHECK(reader.batch(made.entry) == made.entry);
    CHECK(reader.commit(CommitIndex{5})->digest == filled.rounds[4].commit->digest);
}

TEST_CASE("what is damaged is not there, and a page goes on behind it") {
    TemporaryDirectory directory;
    DagMaker maker;
    const auto path = directory.path() / "consensus";
    std::vector<DagMaker::MadeRound> rounds;
    {
        const auto store = open_consensus(consensus_options(path));
        for (int round = 0; round < 3; ++round) {
            rounds.push_back(maker.add_round());
            store->write(rounds.back().records(), {});
        }
    }
    damage_first_row(path, "certificates", 40);
    damage_first_row(path, "commits", 5);
    auto consensus = open_consensus(consensus_options(path));
    const auto batches = open_batches(batch_options(directory.path() / "batches"));
    const StoreReader reader(*consensus, *batches, four_members());
    const auto& bad = rounds[0].certificates[0];
    CHECK_FALSE(reader.certificate(bad->ref().slot()));
    CHECK_FALSE(reader.certificate(bad->header.digest));
    CHECK(reader.certificates({}, Round{3}).items.size() == 11);
    CHECK(reader.certificates_by(ValidatorIndex{0}, Round{1}, Round{3}).items.size() == 2);
    CHECK(reader.commit(CommitIndex{1}) == nullptr);
    CHECK(reader.commit(CommitIndex{2}) != nullptr);
    CHECK(reader.damaged() >= 5);

    // Fetched again, it takes its place again.
    consensus->write({dag::CertificateRecord{bad}}, {});
    flush(*consensus);
    CHECK(reader.certificate(bad->header.digest));
    CHECK(reader.progress().certificates == 12);
}

TEST_CASE("a certificate that does not verify is told of by its slot, however it is asked for") {
    const TemporaryDirectory directory;
    DagMaker maker;
    const auto round = maker.add_round();
    open_consensus(consensus_options(directory.path() / "consensus"))->write(round.records(), {});
    damage_first_row(directory.path() / "consensus", "certificates", 40);
    const auto consensus = open_consensus(consensus_options(directory.path() / "consensus"));
    const auto batches = open_batches(batch_options(directory.path() / "batches"));
    StoreReader reader(*consensus, *batches, four_members());
    std::vector<Slot> told;
    reader.set_damaged([&](Slot slot) { told.push_back(slot); });
    const auto ref = round.certificates[0]->ref();
    CHECK_FALSE(reader.certificate(ref.digest));
    CHECK_FALSE(reader.certificate(ref.slot()));
    CHECK(reader.certificates({Round{1}, ValidatorIndex{0}}, Round{1}).items.size() == 3);
    CHECK(reader.certificates_by(ValidatorIndex{0}, Round{1}, Round{1}).items.empty());
    CHECK(told == std::vector<Slot>(4, ref.slot()));
    // Written again it is there.
    consensus->write({dag::CertificateRecord{round.certificates[0]}}, {});
    flush(*consensus);
    CHECK(reader.certificate(ref.digest));
    CHECK(reader.progress().certificates == 4);
    CHECK(told.size() == 4);
}
