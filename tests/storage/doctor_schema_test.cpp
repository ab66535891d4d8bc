#include <fstream>

#include <catch2/catch.hpp>

#include "storage/doctor.hpp"
#include "storage/tables/consensus_tables.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;

namespace {

std::string found_in(const CheckReport& report) {
    std::string text;
    for (const Finding& each : report.findings) text += each.place + ": " + each.text + "\n";
    return text;
}

}  // namespace

TEST_CASE("a store of a schema that nobody knows is neither healthy, nor written, nor copied") {
    const std::uint32_t schema = GENERATE(0U, kSchemaVersion + 1);
    TemporaryDirectory home;
    std::filesystem::create_directories(home.path() / "batches");
    {
        DagMaker maker;
        const auto store = open_consensus(consensus_options(home.path() / "consensus"));
        for (int round = 0; round < 20; ++round) store->write(maker.add_round().records(), {});
    }
    set_schema(home.path() / "consensus", schema);
    const std::string said = "schema version " + std::to_string(schema) + ", this program knows 1 to ";
    const CheckReport report = check_home(home.path(), four_members(), {});
    INFO(found_in(report));
    CHECK(report.fatal == 1);
    CHECK_FALSE(report.forecast.starts);
    CHECK_THAT(found_in(report), Catch::Contains(said));
    const auto bytes = [&] {
        std::ifstream file(home.path() / "consensus" / "data.mdb", std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const std::string before = bytes();
    const auto refuses = [&](const auto& result) {
        REQUIRE_FALSE(result);
        CHECK(result.error().error == StoreError::incompatible);
        CHECK_THAT(result.error().text, Catch::Contains(said));
    };
    refuses(known_store(home.path()));
    refuses(compact_home(home.path(), {}));
    refuses(stat_home(home.path(), four_members().epoch()));
    BackupOptions options;
    options.destination = home.path() / "copy";
    refuses(backup_home(home.path(), options));
    CHECK_FALSE(std::filesystem::exists(options.destination));
    CHECK(bytes() == before);
}

TEST_CASE("a store of an older schema is one that the next start brings to this one") {
    TemporaryDirectory home;
    std::filesystem::create_directories(home.path() / "batches");
    const auto options = consensus_options(home.path() / "consensus");
    {
        // As schema 2 had it: all but the standings.
        auto environment = lmdb::Environment::open({.directory = home.path() / "consensus", .create = true});
        REQUIRE(environment);
        std::vector<const char*> names{CertificateTable::kName,        CertificateTable::kDigestsName,
                                       CertificateTable::kAuthorsName, VoteTable::kName,
                                       OwnHeaderTable::kName,          CommitTable::kName,
                                       CommitTable::kMarksName,        BatchReferenceTable::kName,
                                       CheckpointTables::kLocalName,   CheckpointTables::kStateName,
                                       CheckpointTables::kQuorumName,  JournalTable::kName,
                                       PeerNoteTable::kBookName,       MetadataTable::kName};
        const auto tables = (*environment)->tables(names);
        REQUIRE(tables);
        const MetadataTable metadata(tables->back());
        REQUIRE(lmdb::write_growing(**environment, 0, [&](lmdb::WriteTransaction& transaction) {
            const Identity old{2, four_members().chain(), four_members().digest(), 1};
            auto put = metadata.put(transaction, old);
            return put ? metadata.put(transaction, Progress{}) : put;
        }));
    }
    const CheckReport older = check_home(home.path(), four_members(), {});
    INFO(found_in(older));
    CHECK(older.healthy());
    CHECK(older.forecast.starts);
    CHECK(older.forecast.older_schema == 2U);
    CHECK_THAT(found_in(older),
               Catch::Contains("the next start brings it to " + std::to_string(kSchemaVersion)));
    CHECK(known_store(home.path()));

    open_consensus(options).reset();
    const CheckReport brought = check_home(home.path(), four_members(), {});
    INFO(found_in(brought));
    CHECK(brought.healthy());
    CHECK(brought.findings.empty());
    CHECK_FALSE(brought.forecast.older_schema);
}
