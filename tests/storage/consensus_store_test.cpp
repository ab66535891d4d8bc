#include "storage/consensus_store.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>

#include <catch2/catch.hpp>

#include "storage/store_reader.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;

namespace {

dag::HeaderRef header(std::uint64_t round, std::uint16_t author, std::string_view content = "x") {
    return {dag::Round{round}, dag::ValidatorIndex{author}, sha256(as_bytes(content))};
}

dag::Record vote_record(const dag::HeaderRef& ref) { return dag::VoteRecord{vote_for(ref)}; }

/// Fails a step with an error, a number of times, after letting some pass.
struct Faults {
    std::atomic<int> error{0};
    std::atomic<lmdb::DiskStep> step{lmdb::DiskStep::commit};
    std::atomic<int> times{0};
    std::atomic<int> failed{0};

    lmdb::FaultHook hook() {
        return [this](lmdb::DiskStep at) {
            if (at != step || times <= 0) return 0;
            --times;
            ++failed;
            return error.load();
        };
    }
};

}  // namespace

TEST_CASE("the callbacks run in the order of the writes, once everything before is durable") {
    const TemporaryDirectory directory;
    const auto store = open_consensus(consensus_options(directory.path()));
    std::vector<std::uint64_t> order;
    Signal last;
    constexpr std::uint64_t kWrites = 500;
    for (std::uint64_t round = 1; round <= kWrites; ++round) {
        store->write({vote_record(header(round, 1))}, [&order, &last, round] {
            order.push_back(round);
            if (round == kWrites) last.raise();
        });
    }
    REQUIRE(last.wait());
    REQUIRE(order.size() == kWrites);
    CHECK(std::ranges::is_sorted(order));
    const WriterStats stats = store->stats();
    CHECK(stats.written == kWrites);
    // They were written in groups: the writer was busy with the first when the others came.
    CHECK(stats.group_size.count < kWrites / 2);
    CHECK(stats.commit_seconds.count == stats.group_size.count);
    CHECK(stats.queued_writes == 0);
    CHECK(stats.queued_bytes == 0);
}

TEST_CASE("a store that is closed writes what was queued") {
    const TemporaryDirectory directory;
    bool durable = false;
    {
        const auto store = open_consensus(consensus_options(directory.path()));
        for (std::uint64_t round = 1; round <= 50; ++round) store->write({vote_record(header(round, 2))}, {});
        store->write({}, [&] { durable = true; });
    }
    CHECK(durable);
    const auto store = open_consensus(consensus_options(directory.path()));
    const auto recovered = recover(*store, four_members(), {});
    REQUIRE(recovered);
    REQUIRE(recovered->state.votes.size() == 1);
    CHECK(recovered->state.votes[0].round == dag::Round{50});
}

TEST_CASE("a new store is fresh until the first vote or header, and only a new one can be made") {
    const TemporaryDirectory directory;
    auto options = consensus_options(directory.path() / "consensus");
    options.environment.create = false;
    const auto none = ConsensusStore::open(options, four_members());
    REQUIRE_FALSE(none);
    CHECK(none.error().error == StoreError::missing);

    options.environment.create = true;
    const auto fresh = [](const ConsensusStore& store) { return recover(store, four_members(), {})->fresh; };
    {
        const auto store = open_consensus(options);
        CHECK(fresh(*store));
        store->write({dag::CertificateRecord{certificate({dag::Round{1}, dag::ValidatorIndex{0}}, {})}}, {});
        flush(*store);
        CHECK(fresh(*store));
    }
    const auto store = open_consensus(options);
    CHECK(fresh(*store));
    store->write({vote_record(header(1, 0))}, {});
    flush(*store);
    CHECK_FALSE(fresh(*store));
}

TEST_CASE("an own header ends the freshness too, and is kept whole") {
    const TemporaryDirectory directory;
    const auto store = open_consensus(consensus_options(directory.path()));
    const auto made = certificate({dag::Round{1}, dag::ValidatorIndex{0}}, {}, 7);
    store->write({dag::OwnHeaderRecord{dag::Verification::trusted(dag::Header(made->header))}}, {});
    flush(*store);
    const auto recovered = recover(*store, four_members(), {});
    REQUIRE(recovered);
    CHECK_FALSE(recovered->fresh);
    REQUIRE(recovered->state.own_header);
    CHECK(encode(**recovered->state.own_header) == encode(made->header));
}

TEST_CASE("a store keeps the genesis that it was first opened with") {
    TemporaryDirectory directory;
    auto options = consensus_options(directory.path() / "c");
    CHECK(open_consensus(options));
    const Digest first{{1}};
    options.genesis = first;
    CHECK(open_consensus(options));
    CHECK(open_consensus(options));
    options.genesis = Digest{{2}};
    const auto refused = ConsensusStore::open(options, four_members());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().error == StoreError::incompatible);
    CHECK_THAT(refused.error().text, Catch::Contains(first.short_hex()));
}

TEST_CASE("a store of another chain or committee is refused") {
    const TemporaryDirectory directory;
    CHECK(open_consensus(consensus_options(directory.path())));
    auto members = std::vector<dag::Member>(4);
    for (std::size_t at = 0; at < 4; ++at)
        members[at] = four_members().member(dag::ValidatorIndex{std::uint16_t(at)});
    const auto other_chain = dag::Committee::make("another", dag::Epoch{0}, members, false);
    members[0].stake = 2;
    const auto other_stake = dag::Committee::make("storage-test", dag::Epoch{0}, members, false);
    for (const auto* committee : {&*other_chain, &*other_stake}) {
        const auto opened = ConsensusStore::open(consensus_options(directory.path()), *committee);
        REQUIRE_FALSE(opened);
        CHECK(opened.error().error == StoreError::incompatible);
    }
    CHECK(open_consensus(consensus_options(directory.path())));
}

TEST_CASE("a record that contradicts what is stored aborts: it is our bug, and nothing of it may leave") {
    const auto aborts = [](std::vector<dag::Record> first, std::vector<dag::Record> second) {
        const TemporaryDirectory directory;
        return signal_of([&] {
                   const auto store = open_consensus(consensus_options(directory.path()));
                   store->write(std::move(first), {});
                   flush(*store);
                   store->write(std::move(second), {});
                   flush(*store);
               }) == SIGABRT;
    };
    CHECK(aborts({vote_record(header(5, 1))}, {vote_record(header(4, 1))}));
    CHECK(aborts({vote_record(header(5, 1))}, {vote_record(header(5, 1, "other"))}));
    CHECK_FALSE(aborts({vote_record(header(5, 1))}, {vote_record(header(5, 1))}));
    CHECK_FALSE(aborts({vote_record(header(5, 1))}, {vote_record(header(4, 2)), vote_record(header(6, 1))}));

    const dag::Slot slot{dag::Round{3}, dag::ValidatorIndex{0}};
    const auto own = [&](std::uint64_t round, std::uint64_t salt) -> dag::Record {
        const auto made = certificate({dag::Round{round}, dag::ValidatorIndex{0}}, {}, salt);
        return dag::OwnHeaderRecord{dag::Verification::trusted(dag::Header(made->header))};
    };
    CHECK(aborts({own(3, 0)}, {own(2, 0)}));
    CHECK(aborts({own(3, 0)}, {own(3, 1)}));
    CHECK_FALSE(aborts({own(3, 0)}, {own(3, 0), own(4, 0)}));

    CHECK(aborts({dag::CertificateRecord{certificate(slot, {}, 1)}},
                 {dag::CertificateRecord{certificate(slot, {}, 2)}}));
    CHECK_FALSE(aborts({dag::CertificateRecord{certificate(slot, {}, 1)}},
                       {dag::CertificateRecord{certificate(slot, {}, 1)}}));

    DagMaker maker;
    const auto one = maker.add_round();
    maker.add_round();
    const auto three = maker.add_round();
    CHECK(aborts(one.records(), three.records()));
}

TEST_CASE("a full disk delays writes, which then succeed in order") {
    const TemporaryDirectory directory;
    Faults faults;
    auto options = consensus_options(directory.path());
    options.environment.faults = faults.hook();
    const auto store = open_consensus(options);
    for (const auto step : {lmdb::DiskStep::reserve, lmdb::DiskStep::put}) {
        faults.step = step;
        faults.error = ENOSPC;
        faults.failed = 0;
        faults.times = 1'000'000;
        const std::uint64_t round = step == lmdb::DiskStep::put ? 20 : 10;
        std::vector<int> order;
        Signal durable;
        store->write({vote_record(header(round, 1))}, [&] { order.push_back(1), durable.raise(); });
        REQUIRE(eventually([&] { return faults.failed >= 3; }));
        store->write({vote_record(header(round + 1, 1))}, [&] { order.push_back(2), durable.raise(); });
        CHECK(store->stats().stalled);
        CHECK(store->stats().queued_writes == 2);
        CHECK(order.empty());
        faults.times = 0;
        REQUIRE(durable.wait(2));
        CHECK(order == std::vector<int>{1, 2});
        CHECK_FALSE(store->stats().stalled);
        CHECK(store->stats().errors >= 3);
    }
}

TEST_CASE("a full disk that pruning meets is forgotten once pruning goes on") {
    const TemporaryDirectory directory;
    Faults faults;
    auto options = consensus_options(directory.path());
    options.environment.faults = faults.hook();
    const auto store = open_consensus(options);
    DagMaker maker;
    for (int round = 0; round < 20; ++round) store->write(maker.add_round().records(), {});
    store->write({dag::GraphFloorRecord{dag::Round{10}}}, {});
    flush(*store);
    faults.step = lmdb::DiskStep::reserve;
    faults.error = ENOSPC;
    faults.times = 1'000'000;
    store->prune({dag::Round{10}, dag::CommitIndex{10}});
    REQUIRE(eventually([&] { return store->stats().stalled.has_value(); }));
    faults.times = 0;
    CHECK(eventually([&] { return store->pruned() == 50; }));
    CHECK(eventually([&] { return !store->stats().stalled; }));
}

TEST_CASE("small writes that find room do not end the stall of a pruning that finds none") {
    const TemporaryDirectory directory;
    Faults faults;
    auto options = consensus_options(directory.path());
    options.environment.faults = faults.hook();
    const auto store = open_consensus(options);
    DagMaker maker;
    for (int round = 0; round < 20; ++round) store->write(maker.add_round().records(), {});
    store->write({dag::GraphFloorRecord{dag::Round{10}}}, {});
    flush(*store);
    for (std::uint64_t turn = 0; turn < 3; ++turn) {
        faults.step = lmdb::DiskStep::reserve;
        faults.error = ENOSPC;
        faults.times = 1'000'000;
        store->prune({dag::Round{10}, dag::CommitIndex{10}});
        REQUIRE(eventually([&] { return store->stats().stalled.has_value(); }));
        // Room for the write alone: the next attempt to prune comes after it.
        faults.times = 0;
        bool still = false;
        Signal durable;
        store->write({vote_record(header(30 + turn, 1))}, [&] {
            faults.times = 1'000'000;
            still = store->stats().stalled.has_value();
            durable.raise();
        });
        REQUIRE(durable.wait(1));
        CHECK(still);
    }
    faults.times = 0;
    CHECK(eventually([&] { return !store->stats().stalled && store->pruned() == 50; }));
}

TEST_CASE("a store on a full disk can be closed") {
    const TemporaryDirectory directory;
    Faults faults;
    auto options = consensus_options(directory.path());
    options.retry_after = std::chrono::hours(1);
    options.environment.faults = faults.hook();
    const auto store = open_consensus(options);
    faults.step = lmdb::DiskStep::reserve;
    faults.error = ENOSPC;
    faults.times = 1'000'000;
    bool durable = false;
    store->write({vote_record(header(1, 1))}, [&] { durable = true; });
    CHECK(eventually([&] { return store->stats().stalled.has_value(); }));
    CHECK_FALSE(durable);
}

TEST_CASE("any other error of the disk is fatal: one reason, no callback, nothing written after it") {
    for (const auto step : {lmdb::DiskStep::reserve, lmdb::DiskStep::put, lmdb::DiskStep::commit}) {
        const TemporaryDirectory directory;
        Faults faults;
        Signal fatal;
        std::vector<std::string> reasons;
        bool durable = false;
        {
            auto options = consensus_options(directory.path());
            options.environment.faults = faults.hook();
            options.fatal = [&](std::string reason) {
                reasons.push_back(std::move(reason));
                fatal.raise();
            };
            const auto store = open_consensus(options);
            store->write({vote_record(header(1, 1))}, {});
            flush(*store);
            faults.step = step;
            faults.error = EIO;
            faults.times = 1;
            store->write({vote_record(header(2, 1))}, [&] { durable = true; });
            REQUIRE(fatal.wait());
            store->write({vote_record(header(3, 1))}, [&] { durable = true; });
            CHECK(store->stats().stopped);
        }
        CHECK_FALSE(durable);
        REQUIRE(reasons.size() == 1);
        CHECK_THAT(reasons[0], Catch::Contains("Input/output error"));
        const auto store = open_consensus(consensus_options(directory.path()));
        CHECK(recover(*store, four_members(), {})->state.votes.front().round == dag::Round{1});
    }
}

TEST_CASE("no space within a commit is fatal: a sync may have failed") {
    const TemporaryDirectory directory;
    Faults faults;
    Signal fatal;
    auto options = consensus_options(directory.path());
    options.environment.faults = faults.hook();
    options.fatal = [&](const std::string&) { fatal.raise(); };
    const auto store = open_consensus(options);
    faults.error = ENOSPC;
    faults.times = 1;
    store->write({vote_record(header(1, 1))}, {});
    CHECK(fatal.wait());
}

TEST_CASE("a full map grows under the writer, and the whole group is written") {
    const TemporaryDirectory directory;
    auto options = consensus_options(directory.path());
    options.environment.map_size = 256 * 1024;
    const auto store = open_consensus(options);
    const auto map_before = store->environment().stats().map_bytes;
    DagMaker maker;
    for (int round = 0; round < 300; ++round) store->write(maker.add_round().records(), {});
    flush(*store);
    CHECK(store->environment().stats().map_bytes > map_before);
    const auto found = verify_store(*store, four_members());
    CHECK(found.faults.empty());
    CHECK(found.gaps.empty());
    CHECK(recover(*store, four_members(), {})->progress.certificates == 1200);
}

TEST_CASE("a certificate that was stored by its hash gets its signatures when they come, and keeps them") {
    const TemporaryDirectory directory;
    const auto store = open_consensus(consensus_options(directory.path()));
    const auto batches = open_batches(batch_options(directory.path() / "batches"));
    const StoreReader reader(*store, *batches, four_members());
    const dag::Slot slot{dag::Round{1}, dag::ValidatorIndex{2}};
    const dag::VerifiedCertificate whole = certificate(slot, {});
    dag::Certificate bare = *whole;
    bare.signers = {};
    bare.signatures.clear();
    const auto stored = [&](const dag::VerifiedCertificate& each) {
        store->write({dag::CertificateRecord{each}}, {});
        flush(*store);
        return reader.certificate(whole->header.digest).value();
    };
    CHECK_FALSE(stored(dag::Verification::trusted(bare))->has_proof());
    CHECK(stored(whole)->signatures == whole->signatures);
    CHECK(stored(dag::Verification::trusted(bare))->has_proof());
    CHECK(reader.certificates({dag::Round{1}, {}}, dag::Round{9}, {10, 1 << 20}).items.size() == 1);
}
