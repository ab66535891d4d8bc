#include "storage/retention.hpp"

#include <catch2/catch.hpp>

#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;
using dag::CommitIndex, dag::Round, dag::ValidatorIndex;

namespace {

struct Stores {
    TemporaryDirectory directory;
    std::unique_ptr<ConsensusStore> consensus;
    std::unique_ptr<BatchStore> batches;
    std::optional<StoreReader> reader;
    DagMaker maker;

    explicit Stores(std::uint64_t life = 4096, std::size_t prune_slice = 1000) {
        auto options = consensus_options(directory.path() / "consensus");
        options.prune_slice = prune_slice;
        consensus = open_consensus(options);
        auto batch_settings = batch_options(directory.path() / "batches");
        batch_settings.life = life;
        batches = open_batches(batch_settings);
        reader.emplace(*consensus, *batches, four_members());
    }
    void grow(int rounds) {
        for (int round = 0; round < rounds; ++round) {
            auto records = maker.add_round().records();
            records.emplace_back(dag::GraphFloorRecord{dag::below(maker.round(), 60)});
            consensus->write(std::move(records), {});
        }
        flush(*consensus);
    }
    [[nodiscard]] bool pruned_to(Round floor) const {
        return eventually([&] { return reader->certificates({}, floor).items.empty(); });
    }
};

}  // namespace

TEST_CASE("what is served, what is not executed, what recovery needs and what the graph holds stays") {
    Stores stores;
    stores.grow(500);
    RetentionOptions options{.commits = 100, .window = 20, .life = 200, .history_events = 40};
    const auto floors = [&](std::uint64_t executed) {
        return choose_floors(*stores.reader, *stores.batches, options, CommitIndex{executed});
    };
    // Served from commit 400 on, whose history reaches to round 380; within LIFE of 500 from commit 300 on.
    CHECK(floors(500).consensus.certificates == Round{379});
    CHECK(floors(500).consensus.commits == CommitIndex{298});
    CHECK(floors(500).batches == Round{379});
    // An application that is behind holds everything.
    CHECK(floors(150).consensus.certificates == Round{129});
    CHECK(floors(150).consensus.commits == CommitIndex{128});
    CHECK(floors(0).consensus.certificates == Round{0});
    CHECK(floors(0).consensus.commits == CommitIndex{0});
    // An application that says more than was committed does not.
    CHECK(floors(9999).consensus.certificates == Round{379});
    // Nothing that the graph holds leaves.
    options.commits = 1;
    CHECK(floors(500).consensus.certificates == Round{440});
    // The events of the reputation stay.
    options.life = 1;
    options.history_events = 100;
    CHECK(floors(500).consensus.commits == CommitIndex{399});
    options.commits = 100'000;
    CHECK(floors(500).consensus.certificates == Round{0});
}

TEST_CASE("more batches than the disk may hold raise the floor, but not above what is executed") {
    Stores stores(100);
    stores.batches->set_highest_round(Round{3000});
    for (std::uint64_t generation = 0; generation < 3; ++generation) {
        put_durably(*stores.batches,
                    batch(ValidatorIndex{0}, generation, Round{generation * kGenerationRounds}));
    }
    stores.grow(1500);
    const RetentionOptions options{.batch_bytes = 0, .window = 20, .life = 100, .history_events = 40};
    const auto floor = [&](std::uint64_t executed) {
        return choose_floors(*stores.reader, *stores.batches, options, CommitIndex{executed}).batches;
    };
    // The two older generations should leave, which needs 2047 + 100 + 1; the graph is at 1440.
    CHECK(floor(1500) == Round{1440});
    CHECK(floor(1200) == Round{1179});
    apply_retention(*stores.reader, *stores.consensus, *stores.batches, options, CommitIndex{1000});
    CHECK(stores.batches->usage().generations == 3);
    apply_retention(*stores.reader, *stores.consensus, *stores.batches, options, CommitIndex{1500});
    CHECK(stores.batches->usage().generations == 2);
}

TEST_CASE("pruned rounds leave whole, with all their indices, and recovery finds what it needs") {
    Stores stores(4096, 50);
    stores.grow(300);
    const RetentionOptions options{.commits = 100, .window = 20, .life = 150, .history_events = 40};
    apply_retention(*stores.reader, *stores.consensus, *stores.batches, options, CommitIndex{300});
    const Round floor{179};
    REQUIRE(stores.pruned_to(floor));
    REQUIRE(eventually([&] { return stores.reader->first_commit() == CommitIndex{149}; }));
    REQUIRE(eventually([&] { return stores.consensus->pruned() == 179 * 4 + 148; }));
    const Progress progress = stores.reader->progress();
    CHECK(progress.store_floor == floor);
    CHECK(progress.certificates == (300 - 179) * 4);
    CHECK(progress.commits == 300 - 148);
    const auto found = verify_store(*stores.consensus, four_members());
    CHECK(found.faults.empty());
    CHECK(found.gaps.empty());
    const auto recovered = recover(*stores.consensus, four_members(),
                                   {.life = 150, .history_events = 40, .executed = CommitIndex{300}});
    REQUIRE(recovered);
    CHECK(recovered->state.commits.front()->index == CommitIndex{150});
    // More than was kept cannot be recovered, and is not invented.
    CHECK_FALSE(recover(*stores.consensus, four_members(),
                        {.life = 151, .history_events = 40, .executed = CommitIndex{300}}));
}

TEST_CASE("a target beyond the graph floor or the newest commit takes no more than is allowed") {
    Stores stores;
    stores.grow(100);
    stores.consensus->prune({Round{1000}, CommitIndex{1000}});
    REQUIRE(stores.pruned_to(Round{40}));
    REQUIRE(eventually([&] { return stores.reader->first_commit() == CommitIndex{100}; }));
    CHECK(stores.reader->certificates({Round{41}, {}}, Round{100}).items.size() == 60 * 4);
    CHECK(stores.reader->progress().store_floor == Round{40});
}

TEST_CASE("pruning keeps up with writing, and the file stops growing") {
    Stores stores;
    const RetentionOptions options{.commits = 100, .window = 20, .life = 100, .history_events = 40};
    std::uint64_t settled = 0;
    for (int part = 0; part < 20; ++part) {
        stores.grow(150);
        const CommitIndex executed{stores.maker.round().value()};
        apply_retention(*stores.reader, *stores.consensus, *stores.batches, options, executed);
        REQUIRE(eventually([&] { return !stores.consensus->pruning(); }));
        if (part == 5) settled = stores.consensus->environment().stats().used_bytes;
    }
    const std::uint64_t end = stores.consensus->environment().stats().used_bytes;
    // 2,100 rounds were written since: kept, they would have more than tripled it. How much slack there is
    // depends on how the writer grouped them.
    CHECK(end < settled + settled / 2);
    CHECK(stores.pruned_to(Round{3000 - 100 - 21}));
    // 3,000 rounds were written; 121 with their commits stay.
    CHECK(stores.reader->progress().certificates == 121 * 4);
}

TEST_CASE("a certificate that names many batches leaves whole, though its rows are more than a slice") {
    Stores stores(4096, 50);
    std::vector<dag::PayloadEntry> payload;
    for (std::uint64_t at = 0; at < 200; ++at)
        payload.push_back(batch(ValidatorIndex{0}, at, Round{1}, 40).entry);
    for (int round = 0; round < 20; ++round)
        stores.consensus->write(stores.maker.add_round(0, payload).records(), {});
    stores.consensus->write({dag::GraphFloorRecord{Round{15}}}, {});
    flush(*stores.consensus);
    CHECK(stores.reader->certificates_of(payload[7].batch, 100).size() == 20);
    stores.consensus->prune({Round{12}, CommitIndex{12}});
    REQUIRE(eventually([&] { return !stores.consensus->pruning(); }));
    CHECK(stores.consensus->pruned() == 12 * 4 + 12);
    CHECK(stores.reader->certificates_of(payload[7].batch, 100).size() == 8);
    CHECK(verify_store(*stores.consensus, four_members()).faults.empty());
}

TEST_CASE("the room that is taken ahead stays in proportion to a small store, also for pruning") {
    Stores stores;
    for (int round = 0; round < 300; ++round) stores.grow(1);
    stores.consensus->prune({Round{200}, CommitIndex{200}});
    REQUIRE(eventually([&] { return !stores.consensus->pruning(); }));
    const auto stats = stores.consensus->environment().stats();
    // With the rows of a whole slice it would be 8 MB.
    CHECK(stats.file_bytes < stats.used_bytes + (std::uint64_t{2} << 20));
}
