#include <algorithm>

#include <catch2/catch.hpp>

#include "storage/migration.hpp"
#include "storage/record.hpp"
#include "storage/store_reader.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;
using dag::CommitIndex, dag::Round, dag::ValidatorIndex;

namespace {

struct Tables {
    TemporaryDirectory directory;
    std::unique_ptr<ConsensusStore> consensus = open_consensus(consensus_options(directory.path() / "c"));
    std::unique_ptr<BatchStore> batches = open_batches(batch_options(directory.path() / "b"));
    StoreReader reader{*consensus, *batches, four_members()};

    void write(TableWrite write) {
        Signal durable;
        consensus->write(std::move(write), 4096, 4, [&] { durable.raise(); });
        REQUIRE(durable.wait());
    }
};

dag::VerifiedCertificate naming(dag::Slot slot, const std::vector<SealedBatch>& batches) {
    std::vector<dag::PayloadEntry> payload;
    for (const SealedBatch& each : batches) payload.push_back(each.entry);
    return certificate(slot, {}, 0, payload);
}

LocalCheckpoint checkpoint_at(std::uint64_t round) {
    LocalCheckpoint made;
    made.round = Round{round};
    made.last.index = CommitIndex{round};
    made.graph_floor = Round{round - 1};
    made.certificates = 4;
    made.segments.push_back({Round{round}, Round{round}, 4, 1000, ContentId{{1, 2, 3}}});
    return made;
}

StoredConsensusState state_at(std::uint64_t round) {
    StoredConsensusState state;
    state.last.index = CommitIndex{round};
    state.anchor.round = Round{round};
    state.plain_bytes = 77;
    return state;
}

}  // namespace

TEST_CASE("a batch leads to the certificates that name it, and one that none names is unreferenced") {
    Tables stores;
    const ValidatorIndex author{1};
    std::vector<SealedBatch> sealed;
    for (std::uint64_t number = 0; number < 4; ++number) sealed.push_back(batch(author, number, Round{5}));
    for (const SealedBatch& each : sealed) put_durably(*stores.batches, each);
    stores.consensus->write({dag::CertificateRecord{naming({Round{6}, author}, {sealed[0], sealed[1]})}}, {});
    // An adopted batch is named twice.
    stores.consensus->write({dag::CertificateRecord{naming({Round{9}, ValidatorIndex{2}}, {sealed[1]})}}, {});
    flush(*stores.consensus);

    const dag::Epoch epoch = four_members().epoch();
    const EpochSlot first{epoch, {Round{6}, author}};
    const EpochSlot second{epoch, {Round{9}, ValidatorIndex{2}}};
    CHECK(stores.reader.certificates_of(sealed[0].entry.batch) == std::vector{first});
    CHECK(stores.reader.certificates_of(sealed[1].entry.batch) == std::vector{first, second});
    CHECK(stores.reader.certificates_of(sealed[1].entry.batch, 1) == std::vector{first});
    CHECK(stores.reader.certificates_of(sealed[2].entry.batch).empty());

    const auto page = stores.reader.unreferenced_batches(author, Round{5});
    REQUIRE(page.items.size() == 2);
    CHECK(page.items[0].batch == sealed[2].entry.batch);
    CHECK(page.items[1].batch == sealed[3].entry.batch);
    CHECK_FALSE(page.next);
    CHECK(stores.reader.unreferenced_batches(ValidatorIndex{2}, Round{5}).items.empty());

    const auto one = stores.reader.unreferenced_batches(author, Round{5}, {}, {.items = 1});
    REQUIRE(one.items.size() == 1);
    REQUIRE(one.next);
    const auto rest = stores.reader.unreferenced_batches(author, Round{5}, one.next, {.items = 1});
    REQUIRE(rest.items.size() == 1);
    CHECK(rest.items[0].batch == sealed[3].entry.batch);
}

TEST_CASE("the references of a certificate leave with it, those of others stay") {
    Tables stores;
    const auto sealed = batch(ValidatorIndex{1}, 0, Round{1});
    DagMaker maker;
    for (int round = 0; round < 20; ++round) stores.consensus->write(maker.add_round().records(), {});
    const Round next_round = next(maker.round());
    stores.consensus->write({dag::CertificateRecord{naming({next_round, ValidatorIndex{0}}, {sealed})}}, {});
    stores.consensus->write(
        {dag::CertificateRecord{naming({above(next_round, 5), ValidatorIndex{0}}, {sealed})}}, {});
    stores.consensus->write({dag::GraphFloorRecord{next_round}}, {});
    flush(*stores.consensus);
    REQUIRE(stores.reader.certificates_of(sealed.entry.batch).size() == 2);
    stores.consensus->prune({next_round, CommitIndex{}});
    CHECK(eventually([&] { return stores.reader.certificates_of(sealed.entry.batch).size() == 1; }));
    CHECK(stores.reader.certificates_of(sealed.entry.batch).front().slot.round == above(next_round, 5));
}

TEST_CASE("local checkpoints are found by round, the latest is the highest, and the oldest leave") {
    Tables stores;
    CHECK_FALSE(stores.reader.latest_local_checkpoint());
    for (const std::uint64_t round : {300, 100, 400, 200}) {
        stores.write([&](lmdb::WriteTransaction& transaction, const ConsensusTables& tables) {
            return tables.checkpoints.put(transaction, checkpoint_at(round), state_at(round));
        });
    }
    REQUIRE(stores.reader.latest_local_checkpoint());
    CHECK(stores.reader.latest_local_checkpoint()->round == Round{400});
    const auto at = stores.reader.local_checkpoint(Round{300});
    REQUIRE(at);
    CHECK(at->segments.size() == 1);
    CHECK(at->segments[0].file == ContentId{{1, 2, 3}});
    CHECK(at->graph_floor == Round{299});
    CHECK_FALSE(stores.reader.local_checkpoint(Round{301}));
    REQUIRE(stores.reader.consensus_state(CommitIndex{200}));
    CHECK(stores.reader.consensus_state(CommitIndex{200})->plain_bytes == 77);

    stores.write([](lmdb::WriteTransaction& transaction, const ConsensusTables& tables) -> Result<void> {
        auto left = tables.checkpoints.prune(transaction, four_members().epoch(), 3);
        if (!left) return Unexpected{left.error()};
        CHECK(*left == 1);
        return {};
    });
    const auto kept = stores.reader.local_checkpoints();
    REQUIRE(kept.size() == 3);
    CHECK(kept[0].round == Round{200});
    CHECK(kept[2].round == Round{400});
    CHECK_FALSE(stores.reader.consensus_state(CommitIndex{100}));
    CHECK(stores.reader.consensus_state(CommitIndex{200}));
}

TEST_CASE("quorum checkpoints keep their signatures, are found by index, and leave below an index") {
    Tables stores;
    CHECK_FALSE(stores.reader.latest_quorum_checkpoint());
    for (std::uint64_t index = 64; index <= 64 * 5; index += 64) {
        QuorumCheckpoint made;
        made.claim.index = CommitIndex{index};
        made.signers.insert(ValidatorIndex{2});
        made.signatures.resize(1);
        made.signatures[0].bytes[5] = static_cast<Byte>(index);
        stores.write([&](lmdb::WriteTransaction& transaction, const ConsensusTables& tables) {
            return tables.checkpoints.put(transaction, made);
        });
    }
    CHECK(stores.reader.latest_quorum_checkpoint()->claim.index == CommitIndex{320});
    const auto at = stores.reader.quorum_checkpoint(CommitIndex{128});
    REQUIRE(at);
    CHECK(at->signers.contains(ValidatorIndex{2}));
    REQUIRE(at->signatures.size() == 1);
    CHECK(at->signatures[0].bytes[5] == 128);
    CHECK_FALSE(stores.reader.quorum_checkpoint(CommitIndex{129}));
    stores.write([](lmdb::WriteTransaction& transaction, const ConsensusTables& tables) -> Result<void> {
        auto left = tables.checkpoints.prune_quorum(transaction, CommitIndex{192}, 100);
        if (!left) return Unexpected{left.error()};
        CHECK(*left == 2);
        return {};
    });
    CHECK_FALSE(stores.reader.quorum_checkpoint(CommitIndex{128}));
    CHECK(stores.reader.quorum_checkpoint(CommitIndex{192}));
}

TEST_CASE("the journal is read newest first, by kind, and forgets its oldest entries") {
    Tables stores;
    stores.write([](lmdb::WriteTransaction& transaction, const ConsensusTables& tables) -> Result<void> {
        for (std::uint64_t number = 1; number <= JournalTable::kKept + 10; ++number) {
            auto done = tables.journal.append(
                transaction, {0, number, number % 2 == 0 ? "even" : "odd", std::to_string(number)});
            if (!done) return done;
        }
        return {};
    });
    const auto newest = stores.reader.journal(3);
    REQUIRE(newest.size() == 3);
    CHECK(newest[0].text == "1010");
    CHECK(newest[0].number == 1010);
    CHECK(newest[2].text == "1008");
    const auto odd = stores.reader.journal(2, "odd");
    REQUIRE(odd.size() == 2);
    CHECK(odd[1].text == "1007");
    const auto all = stores.reader.journal(10'000);
    CHECK(all.size() == JournalTable::kKept);
    CHECK(all.back().text == "11");
}

TEST_CASE("a store of schema 1 is brought to this version, and nothing of it is lost") {
    TemporaryDirectory directory;
    const auto options = consensus_options(directory.path() / "c");
    std::vector<SealedBatch> sealed;
    {
        const auto store = open_consensus(options);
        for (std::uint64_t round = 1; round <= 5000; ++round) {
            sealed.push_back(batch(ValidatorIndex{0}, round, Round{round}));
            store->write({dag::CertificateRecord{naming({Round{round}, ValidatorIndex{0}}, {sealed.back()})}},
                         {});
        }
        flush(*store);
    }
    set_schema(options.environment.directory, 1);
    const auto store = open_consensus(options);
    const auto batches = open_batches(batch_options(directory.path() / "b"));
    const StoreReader reader(*store, *batches, four_members());
    for (const std::uint64_t round : {1, 2000, 2001, 4001, 5000}) {
        const auto found = reader.certificates_of(sealed[round - 1].entry.batch);
        REQUIRE(found.size() == 1);
        CHECK(found[0].slot.round == Round{round});
    }
    REQUIRE(reader.journal(1).size() == 1);
    CHECK(reader.journal(1)[0].kind == "migration");
    CHECK(reader.progress().certificates == 5000);
}

TEST_CASE("a store that has no standings yet is brought to this version by who writes, and by nobody else") {
    TemporaryDirectory directory;
    const auto options = consensus_options(directory.path() / "c");
    open_consensus(options).reset();
    set_schema(options.environment.directory, 2);
    CHECK(open_consensus(options)->environment().stats().used_bytes > 0);
    open_consensus(options).reset();
    {
        auto environment = lmdb::Environment::open({.directory = options.environment.directory});
        REQUIRE(environment);
        const auto tables = ConsensusTables::open(**environment);
        REQUIRE(tables);
        auto transaction = (*environment)->read();
        REQUIRE(transaction);
        CHECK(tables->metadata.identity(*transaction).value()->schema == kSchemaVersion);
    }
    const auto old = directory.path() / "old";
    {
        auto environment = lmdb::Environment::open({.directory = old, .create = true});
        REQUIRE(environment);
        REQUIRE((*environment)->tables({CertificateTable::kName}));
    }
    auto environment = lmdb::Environment::open({.directory = old, .read_only = true});
    REQUIRE(environment);
    const auto refused = ConsensusTables::open(**environment);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().error == StoreError::incompatible);
    CHECK_THAT(refused.error().text, Catch::Contains("run this one on it once"));
}

TEST_CASE("a store of an unknown schema is refused, with what to do, and stays as it is") {
    for (const std::uint32_t schema : {0U, kSchemaVersion + 1}) {
        TemporaryDirectory directory;
        const auto options = consensus_options(directory.path() / "c");
        open_consensus(options).reset();
        set_schema(options.environment.directory, schema);
        for (int attempt = 0; attempt < 2; ++attempt) {
            const auto refused = ConsensusStore::open(options, four_members());
            REQUIRE_FALSE(refused);
            CHECK(refused.error().error == StoreError::incompatible);
            CHECK_THAT(refused.error().text, Catch::Contains("schema version " + std::to_string(schema)));
            CHECK_THAT(refused.error().text,
                       Catch::Contains(schema == 0 ? "in between" : "a newer monodon has written it"));
        }
    }
}
