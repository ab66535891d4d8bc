#include "storage/doctor.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/lmdb/pages.hpp"
#include "storage/local_checkpoints.hpp"
#include "storage/rebuild.hpp"
#include "storage/record.hpp"
#include "storage/tables/consensus_tables.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;
using dag::CommitIndex, dag::Round, dag::ValidatorIndex;

namespace {

/// A home as a node leaves it: consensus, batches, state and checkpoints, with pages that were freed.
struct LivedIn {
    TemporaryDirectory directory;
    DagMaker maker;
    std::uint64_t rounds;

    explicit LivedIn(std::uint64_t count = 200) : rounds(count) {
        auto options = consensus_options(home() / "consensus");
        options.environment.preallocate = std::size_t{64} << 10;
        const auto store = open_consensus(options);
        auto bodies = batch_options(home() / "batches");
        bodies.environment.preallocate = std::size_t{64} << 10;
        const auto batches = open_batches(bodies);
        for (std::uint64_t round = 1; round <= count; ++round) {
            batches->set_highest_round(Round{round});
            const auto sealed = batch(ValidatorIndex{1}, round, Round{round}, 200 + round * 37 % 9000);
            put_durably(*batches, sealed);
            auto made = maker.add_round();
            store->write(made.records(), {});
            for (const auto& each : made.certificates)
                store->write({dag::VoteRecord{vote_for(each->ref())}}, {});
            const auto& own = made.certificates[0]->header;
            store->write({dag::OwnHeaderRecord{dag::Verification::trusted(dag::Header(own))}}, {});
        }
        const auto naming = batch(ValidatorIndex{2}, 1, Round{count});
        store->write({dag::CertificateRecord{
                         certificate({Round{count + 1000}, ValidatorIndex{0}}, {}, 0, {naming.entry})}},
                     {});
        store->write({dag::GraphFloorRecord{Round{count / 2}}}, {});
        store->note({{NoteKind::standing, Bytes(38, Byte{1}), Bytes(300, Byte{2})},
                     {NoteKind::address_book, Bytes(38, Byte{3}), Bytes(600, Byte{4})}});
        flush(*store);
        store->prune({Round{count / 4}, CommitIndex{}});
        REQUIRE(eventually([&] { return !store->pruning(); }));
        CheckpointOptions checkpoints;
        checkpoints.directory = files();
        auto maker_of_checkpoints = LocalCheckpoints::open(checkpoints, *store, four_members());
        REQUIRE(maker_of_checkpoints);
        REQUIRE((*maker_of_checkpoints)->make());
        make_state();
    }
    void make_state() const {
        lmdb::EnvironmentOptions options;
        options.directory = home() / "state";
        options.create = true;
        options.preallocate = std::size_t{64} << 10;
        auto environment = lmdb::Environment::open(options);
        REQUIRE(environment);
        const auto tables = (*environment)->tables({"state"});
        REQUIRE(tables);
        auto written =
            lmdb::write_growing(**environment, 0, [&](lmdb::WriteTransaction& transaction) -> Result<void> {
                for (std::uint64_t key = 0; key < 300; ++key) {
                    const auto put = put_record(transaction, tables->front(), index_key(CommitIndex{key}),
                                                Bytes(key * 7, Byte{9}));
                    if (!put) return put;
                }
                return {};
            });
        REQUIRE(written);
    }
    [[nodiscard]] const std::filesystem::path& home() const { return directory.path(); }
    [[nodiscard]] std::filesystem::path files() const { return home() / "checkpoints"; }
    [[nodiscard]] CheckReport check(std::uint64_t life = 4096) const {
        CheckOptions options;
        options.recovery.life = life;
        options.recovery.checkpoints = files();
        return check_home(home(), four_members(), options);
    }
};

std::string all_of(const CheckReport& report) {
    std::string text;
    for (const Finding& each : report.findings)
        text += std::string(describe(each.severity)) + " " + each.place + ": " + each.text + "\n";
    return text;
}

void flip(const std::filesystem::path& path, std::uint64_t at, unsigned bit) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ (1 << bit)));
    REQUIRE(file);
}

/// What depends on a byte of a data file that is whole.
std::optional<std::string> watched(const std::filesystem::path& data, std::uint64_t at) {
    lmdb::PageWalkOptions options;
    options.watch = at;
    auto walk = lmdb::walk_pages(data, options);
    REQUIRE(walk);
    REQUIRE(walk->faults.empty());
    return walk->watched;
}

}  // namespace

TEST_CASE("a home that is whole is healthy, and the doctor says what recovery will do") {
    const LivedIn lived;
    const CheckReport report = lived.check();
    INFO(all_of(report));
    CHECK(report.healthy());
    CHECK(report.findings.empty());
    CHECK(report.forecast.starts);
    CHECK(report.forecast.summary.checkpoint == Round{200});
    CHECK(report.forecast.summary.certificates == 401);
    CHECK(report.environments.size() == 3);
    std::map<std::string, std::size_t> rows;
    for (const TableSize& each : report.tables) {
        if (each.environment == "consensus") rows[each.table] = each.rows;
    }
    CHECK(rows.at("certificates") == 150 * 4 + 1);
    CHECK(rows.at(PeerNoteTable::kStandingName) == 1);
    CHECK(rows.at(PeerNoteTable::kBookName) == 1);
    const auto stat = stat_home(lived.home(), four_members().epoch());
    REQUIRE(stat);
    for (const TableSize& each : stat->tables) {
        if (each.environment == "consensus") CHECK(each.rows == rows.at(each.table));
    }
}

TEST_CASE("nobody but the owner can read what a store writes, whatever the umask") {
    const ::mode_t before = ::umask(0);
    const LivedIn lived(10);
    ::umask(before);
    using std::filesystem::perms;
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(lived.home())) {
        const auto mode = entry.status().permissions() & perms::mask;
        INFO(entry.path().string());
        CHECK(mode == (entry.is_directory() ? perms::owner_all : perms::owner_read | perms::owner_write));
        files += entry.is_regular_file() ? 1 : 0;
    }
    CHECK(files >= 8);
}

TEST_CASE("the marks of a home, and what the application has done, are part of what is checked") {
    const LivedIn lived(30);
    CheckOptions options;
    options.recovery.checkpoints = lived.files();
    options.executed = [](const std::filesystem::path&) { return CommitIndex{31}; };
    const CheckReport ahead = check_home(lived.home(), four_members(), options);
    CHECK(ahead.fatal == 1);
    CHECK_FALSE(ahead.forecast.starts);
    CHECK_THAT(all_of(ahead), Catch::Contains("applied commit 31, the store ends with 30"));
    options.executed = [](const std::filesystem::path&) { return CommitIndex{30}; };
    std::ofstream(lived.home() / "rejoin");
    const CheckReport marked = check_home(lived.home(), four_members(), options);
    CHECK(marked.healthy());
    CHECK_THAT(all_of(marked), Catch::Contains("note home: marked"));
    std::filesystem::remove_all(lived.home() / "batches");
    CHECK(check_home(lived.home(), four_members(), options).fatal == 1);

    TemporaryDirectory other;
    CHECK(check_home(other.path(), four_members(), options).fatal == 2);
    std::ofstream(other.path() / "fresh");
    CHECK(check_home(other.path(), four_members(), options).healthy());
}

TEST_CASE("every flipped bit is found, or lies where nothing depends on it") {
    const LivedIn lived;
    const char* const wanted = std::getenv("MONODON_FLIPS");
    const int flips = wanted != nullptr ? std::atoi(wanted) : 200;
    std::mt19937_64 random(4711);
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(lived.home())) {
        if (entry.is_regular_file() && entry.path().filename() != "lock.mdb") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    std::vector<std::uint64_t> sizes;
    for (const auto& file : files) sizes.push_back(std::filesystem::file_size(file));
    std::discrete_distribution<std::size_t> choose(sizes.begin(), sizes.end());
    int found = 0;
    for (int at = 0; at < flips; ++at) {
        // Small files would hardly ever be hit: every other flip takes each file alike.
        const std::size_t which = at % 2 == 0 ? choose(random) : random() % files.size();
        const std::uint64_t offset = random() % sizes[which];
        const unsigned bit = random() % 8;
        const bool data = files[which].filename() == "data.mdb";
        const auto depends = data ? watched(files[which], offset) : std::optional<std::string>("its name");
        flip(files[which], offset, bit);
        const CheckReport report = lived.check();
        INFO(files[which].string() << " byte " << offset << " bit " << bit << ": "
                                   << depends.value_or("free"));
        CHECK(report.complete);
        CHECK((depends.has_value() <= !report.findings.empty()));
        found += report.findings.empty() ? 0 : 1;
        flip(files[which], offset, bit);
    }
    CHECK(found >= flips / 3);
    CHECK(lived.check().findings.empty());
}

TEST_CASE("a bit that is flipped in each kind of live bytes is found") {
    const LivedIn lived(60);
    std::mt19937_64 random(3);
    for (const char* environment : {"consensus", "state", "batches/g0"}) {
        const auto data = lived.home() / environment / "data.mdb";
        std::map<std::string, int> kinds;
        for (int tries = 0; tries < 250; ++tries) {
            const std::uint64_t offset = random() % std::filesystem::file_size(data);
            const auto depends = watched(data, offset);
            if (!depends || kinds[*depends]++ >= 2) continue;
            const unsigned bit = random() % 8;
            flip(data, offset, bit);
            const CheckReport report = lived.check();
            INFO(environment << " byte " << offset << " bit " << bit << ": " << *depends);
            CHECK_FALSE(report.findings.empty());
            flip(data, offset, bit);
        }
    }
}

TEST_CASE("a file that was cut off, or written over in the middle, is reported and ends no process") {
    const LivedIn lived(40);
    TemporaryDirectory keep;
    std::mt19937_64 random(9);
    int reported = 0;
    for (const char* environment : {"consensus", "state", "batches/g0"}) {
        const auto data = lived.home() / environment / "data.mdb";
        const auto whole = keep.path() / "whole";
        std::filesystem::copy_file(data, whole, std::filesystem::copy_options::overwrite_existing);
        const auto size = std::filesystem::file_size(data);
        for (int attempt = 0; attempt < 24; ++attempt) {
            const std::uint64_t from = attempt == 0 ? 0 : random() % size;
            if (attempt % 2 == 0) {
                std::filesystem::resize_file(data, from);
            } else {
                std::fstream file(data, std::ios::in | std::ios::out | std::ios::binary);
                file.seekp(static_cast<std::streamoff>(from));
                file << std::string(std::min<std::uint64_t>(size - from, 3 * 4096 + 100), '\x5a');
            }
            CHECK(signal_of([&] { (void)lived.check(); }) == 0);
            reported += lived.check().findings.empty() ? 0 : 1;
            std::filesystem::copy_file(whole, data, std::filesystem::copy_options::overwrite_existing);
        }
    }
    // What lies in the room that was reserved and not used yet needs no report.
    CHECK(reported > 20);
    CHECK(lived.check().healthy());
}

TEST_CASE("what was damaged is named by what becomes of it") {
    LivedIn lived(30);
    const auto consensus = lived.home() / "consensus";
    const auto severity_after = [&](const char* table) {
        damage_first_row(consensus, table, 3);
        const CheckReport report = lived.check();
        INFO(table << "\n" << all_of(report));
        CHECK_FALSE(report.healthy());
        REQUIRE_FALSE(report.findings.empty());
        const bool fatal = report.fatal > 0;
        damage_first_row(consensus, table, 3);
        CHECK(lived.check().healthy());
        return fatal;
    };
    CHECK(severity_after("votes"));
    CHECK(severity_after("own_headers"));
    CHECK(severity_after("commits"));
    CHECK_FALSE(severity_after("certificates"));
    CHECK_FALSE(severity_after("certificate_digests"));
    CHECK_FALSE(severity_after("certificates_by_author"));
    CHECK_FALSE(severity_after("batch_references"));
    CHECK_FALSE(severity_after("committed"));
    CHECK_FALSE(severity_after("local_checkpoints"));
    CHECK_FALSE(severity_after("consensus_state"));
    damage_first_row(lived.home() / "batches" / "g0", "batches_by_author");
    const CheckReport batches = lived.check();
    CHECK(batches.healed == 1);
    CHECK(batches.fatal == 0);
}

TEST_CASE("a damaged state is to be made again from the commits only while all of them are here") {
    const LivedIn lived;
    const auto state = lived.home() / "state";
    damage_first_row(state, "state");
    const CheckReport all = lived.check();
    CHECK(all.fatal == 1);
    CHECK_THAT(all_of(all), Catch::Contains("is damaged; what is in it follows from the commits: move"));
    RetentionOptions options;
    options.commits = 10;
    options.life = 5;
    REQUIRE(prune_home(lived.home(), four_members(), options, CommitIndex{200}, {}));
    const CheckReport some = lived.check(options.life);
    CHECK(some.fatal == 1);
    CHECK_THAT(all_of(some), Catch::Contains("have left the store: restore " + state.string()));
    CHECK_THAT(all_of(some), !Catch::Contains("follows from the commits"));

    flip(state / "data.mdb", 2 * 4096 + 10, 3);
    for (std::uint64_t page = 3; lived.check(options.life).fatal == 1; ++page)
        flip(state / "data.mdb", page * 4096 + 10, 3);
    CHECK_THAT(all_of(lived.check(options.life)), !Catch::Contains("follows from the commits"));
    std::filesystem::remove_all(lived.home() / "consensus");
    CHECK_THAT(all_of(lived.check(options.life)), Catch::Contains("only a whole consensus store can tell"));
}

TEST_CASE("compacting writes damaged indices again and gives free pages back") {
    LivedIn lived;
    const auto consensus = lived.home() / "consensus";
    for (const char* table :
         {"certificate_digests", "certificates_by_author", "batch_references", "committed"}) {
        damage_first_row(consensus, table, 2);
    }
    const CheckReport before = lived.check();
    CHECK(before.healed >= 4);
    CHECK(before.fatal == 0);
    const auto compacted = compact_home(lived.home(), {});
    REQUIRE(compacted);
    CHECK(compacted->bytes_after < compacted->bytes_before);
    const CheckReport after = lived.check();
    INFO(all_of(after));
    CHECK(after.healthy());
    for (const EnvironmentSize& each : after.environments) CHECK(each.free_bytes == 0);
    const auto store = open_consensus(consensus_options(consensus));
    RecoveryOptions options;
    CHECK(recover(*store, four_members(), options));
}

TEST_CASE("a list of batches or marks that is whole and wrong is found, and compacting mends it") {
    const LivedIn lived;
    const auto change = [&](const char* environment, const char* table,
                            const std::function<void(lmdb::WriteTransaction&, lmdb::Table)>& how) {
        lmdb::EnvironmentOptions options;
        options.directory = lived.home() / environment;
        auto opened = lmdb::Environment::open(options);
        REQUIRE(opened);
        const auto tables = (*opened)->tables({table});
        REQUIRE(tables);
        REQUIRE(lmdb::write_growing(**opened, 0, [&](lmdb::WriteTransaction& transaction) -> Result<void> {
            how(transaction, tables->front());
            return {};
        }));
    };
    change("batches/g0", "batches_by_author", [](lmdb::WriteTransaction& transaction, lmdb::Table table) {
        Bytes key;
        {
            auto cursor = transaction.cursor(table);
            REQUIRE(cursor);
            const auto row = cursor->first();
            REQUIRE(row);
            key.assign((*row)->key.begin(), (*row)->key.end());
        }
        REQUIRE(transaction.erase(table, key));
        // Of a batch that is not there.
        key.back() ^= Byte{1};
        REQUIRE(put_record(transaction, table, key, {}));
    });
    // Of this one no commit knows.
    const auto naming = batch(ValidatorIndex{2}, 1, Round{lived.rounds});
    const auto uncommitted =
        certificate({Round{lived.rounds + 1000}, ValidatorIndex{0}}, {}, 0, {naming.entry});
    change("consensus", "committed", [&](lmdb::WriteTransaction& transaction, lmdb::Table table) {
        const Digest& digest = uncommitted->header.digest;
        REQUIRE(put_record(transaction, table, digest.bytes, index_key(CommitIndex{lived.rounds})));
    });
    const CheckReport before = lived.check();
    INFO(all_of(before));
    CHECK(before.healed == 2);
    CHECK(before.fatal == 0);
    CHECK_THAT(all_of(before), Catch::Contains("are not those that are listed by author"));
    CHECK_THAT(all_of(before), Catch::Contains("are marked as committed"));
    REQUIRE(compact_home(lived.home(), {}));
    const CheckReport after = lived.check();
    INFO(all_of(after));
    CHECK(after.healthy());
}

TEST_CASE("lost pages keep no copy from being made, and compacting gives them back") {
    const LivedIn lived(60);
    for (const char* environment : {"consensus", "state", "batches/g0"}) {
        const auto data = lived.home() / environment / "data.mdb";
        // The last page is one that belongs to nothing.
        std::fstream file(data, std::ios::in | std::ios::out | std::ios::binary);
        const auto number_at = [&](std::uint64_t offset) {
            std::uint64_t number = 0;
            file.seekg(static_cast<std::streamoff>(offset));
            file.read(reinterpret_cast<char*>(&number), sizeof number);
            return number;
        };
        const std::uint64_t newest = number_at(16 + 128) > number_at(4096 + 16 + 128) ? 0 : 4096;
        const std::uint64_t last = number_at(newest + 16 + 120) + 1;
        file.seekp(static_cast<std::streamoff>(newest + 16 + 120));
        file.write(reinterpret_cast<const char*>(&last), sizeof last);
        file.close();
        if (std::filesystem::file_size(data) < (last + 1) * 4096)
            std::filesystem::resize_file(data, (last + 1) * 4096);
    }
    const CheckReport before = lived.check();
    INFO(all_of(before));
    CHECK(before.healthy());
    CHECK(before.notes == 3);
    CHECK_THAT(all_of(before), Catch::Contains("1 pages belong to nothing"));
    TemporaryDirectory other;
    BackupOptions options;
    options.destination = other.path() / "copy";
    options.epoch = four_members().epoch();
    const auto made = backup_home(lived.home(), options);
    if (!made) FAIL(made.error().text);
    CHECK(check_home(options.destination, four_members(), {}).healthy());

    const auto compacted = compact_home(lived.home(), {});
    if (!compacted) FAIL(compacted.error().text);
    CHECK(compacted->bytes_after <= compacted->bytes_before);
    const CheckReport after = lived.check();
    INFO(all_of(after));
    CHECK(after.healthy());
    CHECK(after.findings.empty());
    for (std::size_t at = 0; at < before.tables.size(); ++at)
        CHECK(before.tables[at].bytes == after.tables[at].bytes);
    for (const char* environment : {"consensus", "state", "batches/g0"})
        CHECK_FALSE(std::filesystem::exists(lived.home() / environment / "rewritten"));
}

TEST_CASE("a file whose structure is damaged is not compacted") {
    const LivedIn lived(20);
    const auto data = lived.home() / "state" / "data.mdb";
    std::uint64_t at = 2 * 4096;
    while (!watched(data, at)) at += 4096;
    flip(data, at, 3);
    const auto consensus = std::filesystem::last_write_time(lived.home() / "consensus" / "data.mdb");
    const auto compacted = compact_home(lived.home(), {});
    REQUIRE_FALSE(compacted);
    CHECK(compacted.error().error == StoreError::damaged);
    CHECK(std::filesystem::last_write_time(lived.home() / "consensus" / "data.mdb") == consensus);
}

TEST_CASE("a backup is whole, is of one moment, and is marked") {
    const LivedIn lived;
    TemporaryDirectory other;
    BackupOptions options;
    options.destination = other.path() / "copy";
    options.epoch = four_members().epoch();
    std::uint64_t last = 0;
    options.observe = [&](const DoctorProgress& progress) {
        CHECK(progress.done <= progress.total);
        CHECK(progress.done >= last);
        last = progress.done;
        // However this ends, nobody takes what is there for the original.
        CHECK(std::filesystem::exists(options.destination / "rejoin"));
        return true;
    };
    const auto made = backup_home(lived.home(), options);
    if (!made) FAIL(made.error().text);
    CHECK(made->environments == 3);
    CHECK(made->last_commit.index == CommitIndex{200});
    CHECK(made->highest_round == Round{1200});
    CHECK(std::filesystem::exists(options.destination / "rejoin"));
    CheckOptions check;
    const CheckReport report = check_home(options.destination, four_members(), check);
    // Its checkpoints were not copied, and it does without.
    INFO(all_of(report));
    CHECK(report.healthy());
    CHECK(report.forecast.starts);
    CHECK(report.forecast.summary.used == RecoveryStrategy::from_scratch);
    const auto again = backup_home(lived.home(), options);
    REQUIRE_FALSE(again);
    CHECK_THAT(again.error().text, Catch::Contains("exists already"));
}

TEST_CASE("a backup has the generation that began while consensus was copied") {
    const LivedIn lived(30);
    TemporaryDirectory other;
    BackupOptions options;
    options.destination = other.path() / "copy";
    options.epoch = four_members().epoch();
    const Round later{kGenerationRounds + 1};
    const auto sealed = batch(ValidatorIndex{1}, 1, later);
    bool begun = false;
    options.observe = [&](const DoctorProgress& progress) {
        CHECK(progress.done <= progress.total);
        if (progress.step != "consensus" || std::exchange(begun, true)) return true;
        const auto batches = open_batches(batch_options(lived.home() / "batches"));
        batches->set_highest_round(later);
        put_durably(*batches, sealed);
        return true;
    };
    const auto made = backup_home(lived.home(), options);
    if (!made) FAIL(made.error().text);
    CHECK(begun);
    CHECK(made->environments == 4);
    CHECK(open_batches(batch_options(options.destination / "batches"))->get(sealed.entry.batch, later));
}

TEST_CASE("a backup beside a running node is of one moment, and one that is ended leaves nothing") {
    LivedIn lived(50);
    const auto home = lived.home();
    // The node is another process: this one may open each file once.
    int ends[2] = {-1, -1};
    REQUIRE(::pipe(ends) == 0);
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        auto store = ConsensusStore::open(consensus_options(home / "consensus"), four_members());
        if (!store) ::_exit(3);
        ::close(ends[0]);
        // Ends by itself if the test does.
        for (int round = 0; round < 20000; ++round) {
            Signal durable;
            (*store)->write(lived.maker.add_round().records(), [&] { durable.raise(); });
            if (!durable.wait()) ::_exit(4);
            if (round == 0 && ::write(ends[1], "x", 1) != 1) ::_exit(5);
        }
        ::_exit(6);
    }
    ::close(ends[1]);
    char byte = 0;
    const auto told = ::read(ends[0], &byte, 1);
    ::close(ends[0]);
    REQUIRE(told == 1);
    TemporaryDirectory other;
    BackupOptions options;
    options.destination = other.path() / "copy";
    options.epoch = four_members().epoch();
    const auto made = backup_home(home, options);
    BackupOptions ended = options;
    ended.destination = other.path() / "ended";
    ended.observe = [](const DoctorProgress& progress) { return progress.step != "consensus"; };
    const auto none = backup_home(home, ended);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    if (!made) FAIL(made.error().text);
    CHECK(made->last_commit.index > CommitIndex{50});
    const CheckReport report = check_home(options.destination, four_members(), {});
    INFO(all_of(report));
    CHECK(report.fatal == 0);
    CHECK(report.forecast.starts);
    CHECK_FALSE(none);
    CHECK_FALSE(std::filesystem::exists(ended.destination));
}

TEST_CASE("the numbers of a home are read without its rows") {
    const LivedIn lived;
    const auto stat = stat_home(lived.home(), four_members().epoch());
    if (!stat) FAIL(stat.error().text);
    CHECK(stat->identity.chain == "storage-test");
    CHECK(stat->identity.schema == kSchemaVersion);
    CHECK(stat->progress.last_commit == CommitIndex{200});
    CHECK(stat->checkpoints == std::vector{Round{200}});
    CHECK(stat->generations == 1);
    CHECK(stat->environments.size() == 3);
    for (const EnvironmentSize& each : stat->environments) CHECK(each.live_bytes > 0);
}

TEST_CASE("pruning lets go at once of what retention need not keep") {
    const LivedIn lived;
    RetentionOptions options;
    options.commits = 10;
    options.life = 5;
    const auto floor = [&] { return stat_home(lived.home(), four_members().epoch())->progress.store_floor; };
    const auto before = floor();
    const auto ended = prune_home(lived.home(), four_members(), options, CommitIndex{200},
                                  [](const DoctorProgress&) { return false; });
    REQUIRE_FALSE(ended);
    CHECK_THAT(ended.error().text, Catch::Contains("it was ended"));
    CHECK(floor() == before);
    std::vector<DoctorProgress> told;
    const auto pruned = prune_home(lived.home(), four_members(), options, CommitIndex{200},
                                   [&](const DoctorProgress& now) { return told.push_back(now), true; });
    REQUIRE_FALSE(told.empty());
    CHECK(told.front().done == 0);
    CHECK(told.front().total > 0);
    CHECK(told.back().done <= told.back().total);
    if (!pruned) FAIL(pruned.error().text);
    CHECK(pruned->rows > 0);
    CHECK(pruned->floors.consensus.certificates > Round{50});
    const CheckReport report = lived.check(options.life);
    INFO(all_of(report));
    CHECK(report.healthy());
}
