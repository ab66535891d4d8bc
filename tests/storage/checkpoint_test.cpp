#include <fstream>
#include <random>

#include <catch2/catch.hpp>

#include "storage/checkpoint_files.hpp"
#include "storage/checkpoint_image.hpp"
#include "storage/local_checkpoints.hpp"
#include "storage/store_reader.hpp"
#include "storage/tables/consensus_tables.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;
using dag::CommitIndex, dag::Round, dag::ValidatorIndex;

namespace {

std::vector<Bytes> encoded(const std::vector<dag::VerifiedCertificate>& certificates) {
    std::vector<Bytes> all;
    for (const auto& each : certificates) all.push_back(encode(*each));
    return all;
}

/// A store that grows, with checkpoints made when a test says so.
struct StoredHome {
    TemporaryDirectory directory;
    DagMaker maker;
    std::unique_ptr<ConsensusStore> store = open_consensus(consensus_options(directory.path() / "c"));
    std::unique_ptr<LocalCheckpoints> checkpoints = open_checkpoints();

    [[nodiscard]] std::filesystem::path files() const { return directory.path() / "checkpoints"; }
    std::unique_ptr<LocalCheckpoints> open_checkpoints() {
        CheckpointOptions options;
        options.directory = files();
        options.every_rounds = 10;
        options.retry_after = std::chrono::milliseconds(20);
        auto opened = LocalCheckpoints::open(options, *store, four_members());
        REQUIRE(opened);
        return std::move(*opened);
    }
    void grow(int rounds) {
        for (int round = 0; round < rounds; ++round) store->write(maker.add_round().records(), {});
        flush(*store);
    }
    void raise_floor(std::uint64_t round) {
        store->write({dag::GraphFloorRecord{Round{round}}}, {});
        flush(*store);
    }
    LocalCheckpoint make() {
        auto made = checkpoints->make();
        REQUIRE(made);
        REQUIRE(*made);
        return **made;
    }
    [[nodiscard]] Recovered recovered(RecoveryStrategy strategy) const {
        RecoveryOptions options;
        options.strategy = strategy;
        options.checkpoints = files();
        auto result = recover(*store, four_members(), options);
        REQUIRE(result);
        return std::move(*result);
    }
    /// By every strategy the same state comes out.
    void check_same() const {
        const auto scratch = recovered(RecoveryStrategy::from_scratch);
        CHECK_FALSE(scratch.summary.checkpoint);
        for (const auto strategy : {RecoveryStrategy::from_checkpoint, RecoveryStrategy::hybrid}) {
            const auto other = recovered(strategy);
            CHECK(encoded(other.state.certificates) == encoded(scratch.state.certificates));
            CHECK(other.state.commits.size() == scratch.state.commits.size());
            CHECK(other.state.graph_floor == scratch.state.graph_floor);
            const auto found = verify_consistency(other.state);
            CHECK(found.faults.empty());
            CHECK(found.gaps.empty());
        }
    }
    [[nodiscard]] std::size_t file_count() const {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(files())) ++count;
        return count;
    }
};

void flip(const std::filesystem::path& path, std::size_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ 4);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
}

}  // namespace

TEST_CASE("what a segment holds comes out of it bit for bit, whatever its parents are") {
    std::mt19937_64 random(11);
    std::vector<dag::VerifiedCertificate> all;
    std::vector<dag::HeaderRef> last;
    for (std::uint64_t round = 5; round < 40; ++round) {
        std::vector<dag::HeaderRef> made;
        for (std::uint16_t author = 0; author < 4; ++author) {
            if (random() % 5 == 0) continue;
            std::vector<dag::Parent> parents;
            for (const dag::HeaderRef& ref : last) {
                if (random() % 4 != 0) parents.push_back({ref.author, ref.digest});
            }
            // A parent that is not in the segment, or another one than is.
            if (random() % 3 == 0) parents.push_back({ValidatorIndex{9}, sha256(as_bytes("elsewhere"))});
            std::vector<dag::PayloadEntry> payload;
            for (std::uint64_t left = random() % 3; left > 0; --left)
                payload.push_back(batch(ValidatorIndex{author}, random(), Round{round}).entry);
            all.push_back(certificate({Round{round}, ValidatorIndex{author}}, parents, random(), payload));
            made.push_back(all.back()->ref());
        }
        last = made;
        // Rounds without any certificate.
        if (random() % 6 == 0) ++round;
    }
    SegmentWriter writer;
    for (const auto& each : all) writer.add(*each);
    CHECK(writer.count() == all.size());
    const Bytes plain = writer.finish();
    CHECK(writer.empty());
    std::vector<dag::VerifiedCertificate> read;
    REQUIRE(read_segment(plain, four_members().epoch(), Round{0}, read));
    CHECK(encoded(read) == encoded(all));
    for (std::size_t at = 0; at < all.size(); ++at) CHECK(read[at]->header.digest == all[at]->header.digest);

    // Cut short anywhere, it is refused and leaves nothing behind.
    for (std::size_t size = 0; size < plain.size(); size += 7) {
        std::vector<dag::VerifiedCertificate> none;
        CHECK_FALSE(read_segment(ByteView(plain).first(size), four_members().epoch(), Round{0}, none));
        CHECK(none.empty());
    }
    CHECK_FALSE(read_segment(plain, dag::Epoch{7}, Round{0}, read));

    // A parent by an author that no committee has.
    Bytes stranger = plain;
    const auto found = std::ranges::search(stranger, sha256(as_bytes("elsewhere")).bytes);
    REQUIRE_FALSE(found.empty());
    *(found.begin() - 2) = dag::kCommitteeMax;
    CHECK_FALSE(read_segment(stranger, four_members().epoch(), Round{0}, read));
}

TEST_CASE("a consensus state comes back as it was, and no truncation of it is taken for one") {
    dag::ConsensusState state;
    state.last.index = CommitIndex{77};
    state.anchor.round = Round{80};
    state.events.push_back(
        {CommitIndex{76}, {Round{79}, ValidatorIndex{2}}, {}, {{Round{78}, ValidatorIndex{1}}}});
    state.ordered.resize(21);
    state.ordered[3].insert(ValidatorIndex{3});
    state.executed.push_back({Round{70}, sha256(as_bytes("a batch"))});
    const Bytes plain = encode_consensus_state(state);
    CHECK(decode_consensus_state(plain) == state);
    for (std::size_t size = 0; size < plain.size(); ++size)
        CHECK_FALSE(decode_consensus_state(ByteView(plain).first(size)));
}

TEST_CASE("recovery from a checkpoint gives what recovery from scratch gives") {
    StoredHome home;
    CHECK_FALSE(*home.checkpoints->make());
    home.grow(150);
    home.raise_floor(20);
    const auto checkpoint = home.make();
    CHECK(checkpoint.round == Round{150});
    CHECK(checkpoint.certificates == 130 * 4);
    home.check_same();
    const auto recovered = home.recovered(RecoveryStrategy::hybrid);
    CHECK(recovered.summary.checkpoint == Round{150});
    CHECK(recovered.summary.from_files == 130 * 4);
    CHECK(recovered.summary.from_rows == 0);
    CHECK(recovered.summary.highest_round == Round{150});
    CHECK_THAT(recovered.summary.text(), Catch::Contains("checkpoint of round 150"));

    // What came after it, and a floor that has risen since.
    home.grow(30);
    home.raise_floor(100);
    home.check_same();
    const auto later = home.recovered(RecoveryStrategy::hybrid);
    CHECK(later.summary.from_files == 50 * 4);
    CHECK(later.summary.from_rows == 30 * 4);
}

TEST_CASE("certificates that come late, below the round of the checkpoint, are recovered too") {
    StoredHome home;
    home.grow(20);
    home.make();
    // An author outside of the first four rounds' usual ones: a second chain of the same committee.
    const auto late = certificate({Round{21}, ValidatorIndex{3}}, {});
    home.store->write({dag::CertificateRecord{late}}, {});
    flush(*home.store);
    const auto recovered = home.recovered(RecoveryStrategy::from_checkpoint);
    CHECK(recovered.summary.from_rows == 1);
    CHECK(recovered.state.certificates.back()->ref() == late->ref());
    home.check_same();
}

TEST_CASE("a file in which nothing has changed is not written again") {
    StoredHome home;
    home.grow(300);
    home.make();
    const auto first = home.checkpoints->stats();
    CHECK(first.files_kept == 0);
    home.grow(10);
    home.make();
    const auto second = home.checkpoints->stats();
    // Of five segments of 64 rounds four are whole; the last, and the state, are new.
    CHECK(second.files_kept == 4);
    CHECK(second.files_written == 2);
    CHECK(second.bytes_written < first.bytes_written / 2);
    home.check_same();
}

TEST_CASE("the newest three checkpoints stay, with their files and no others") {
    StoredHome home;
    for (int made = 0; made < 6; ++made) {
        home.grow(100);
        home.raise_floor(static_cast<std::uint64_t>(made) * 100);
        home.make();
    }
    const auto batches = open_batches(batch_options(home.directory.path() / "b"));
    const StoreReader reader(*home.store, *batches, four_members());
    const auto kept = reader.local_checkpoints();
    REQUIRE(kept.size() == 3);
    CHECK(kept[0].round == Round{400});
    CHECK(reader.latest_local_checkpoint()->round == Round{600});
    std::size_t files = 0;
    for (const LocalCheckpoint& each : kept) files += each.segments.size() + 1;
    CHECK(home.file_count() == files);
    home.check_same();
}

TEST_CASE("a checkpoint is made in the background whenever the anchor has risen far enough") {
    StoredHome home;
    home.grow(9);
    home.checkpoints->consider(Round{9});
    home.grow(1);
    home.checkpoints->consider(Round{10});
    CHECK(eventually([&] { return home.checkpoints->stats().made == 1; }));
    CHECK(home.checkpoints->stats().round == Round{10});
    home.checkpoints->consider(Round{19});
    // One that was made before a restart counts.
    home.checkpoints.reset();
    home.checkpoints = home.open_checkpoints();
    home.grow(9);
    home.checkpoints->consider(Round{19});
    home.grow(1);
    home.checkpoints->consider(Round{20});
    CHECK(eventually([&] { return home.checkpoints->stats().made == 1; }));
    CHECK(home.checkpoints->stats().round == Round{20});
}

TEST_CASE("a checkpoint that fails is tried again, and more and more rarely") {
    StoredHome home;
    home.grow(10);
    std::filesystem::remove_all(home.files());
    std::ofstream(home.files()) << "in the way";
    const auto tried_for = [&](std::chrono::milliseconds time) {
        const auto until = std::chrono::steady_clock::now() + time;
        (void)eventually([&] {
            home.checkpoints->consider(Round{10});
            return std::chrono::steady_clock::now() >= until;
        });
        return home.checkpoints->stats().failed;
    };
    const auto failed = tried_for(std::chrono::milliseconds(300));
    CHECK(failed >= 1);
    // At 20, 40, 80 ms and so on.
    CHECK(failed <= 5);
    std::filesystem::remove(home.files());
    std::filesystem::create_directory(home.files());
    CHECK(eventually([&] {
        home.checkpoints->consider(Round{10});
        return home.checkpoints->stats().made == 1;
    }));
}

TEST_CASE("a damaged checkpoint gives way to the one before, and the last of them to the rows") {
    StoredHome home;
    home.grow(100);
    home.make();
    home.grow(100);
    home.make();
    const auto whole = encoded(home.recovered(RecoveryStrategy::from_scratch).state.certificates);
    std::mt19937_64 random(5);
    const auto newest = home.recovered(RecoveryStrategy::hybrid);
    REQUIRE(newest.summary.checkpoint == Round{200});
    std::size_t fallen = 0;
    std::size_t damaged = 0;
    for (const auto& entry : std::filesystem::directory_iterator(home.files())) {
        const std::size_t at = random() % entry.file_size();
        flip(entry.path(), at);
        const auto recovered = home.recovered(RecoveryStrategy::hybrid);
        CHECK(encoded(recovered.state.certificates) == whole);
        fallen += recovered.summary.fallbacks.empty() ? 0 : 1;
        ++damaged;
        flip(entry.path(), at);
    }
    CHECK(damaged >= 6);
    CHECK(fallen >= 4);
    // Both: only the rows are left, and an operator who forbade them is told.
    for (const auto& entry : std::filesystem::directory_iterator(home.files())) flip(entry.path(), 20);
    const auto recovered = home.recovered(RecoveryStrategy::hybrid);
    CHECK(recovered.summary.used == RecoveryStrategy::from_scratch);
    CHECK(recovered.summary.fallbacks.size() == 2);
    // In the words that the journal keeps.
    CHECK_THAT(recovered.summary.text(), Catch::Contains("passed over: checkpoint of round 200: ") &&
                                             Catch::Contains(", checkpoint of round 100: "));
    CHECK(encoded(recovered.state.certificates) == whole);
    RecoveryOptions options;
    options.strategy = RecoveryStrategy::from_checkpoint;
    options.checkpoints = home.files();
    const auto refused = recover(*home.store, four_members(), options);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().text, Catch::Contains("hybrid"));
    // Nothing that the node needs is lost: what is wrong is what it was told to do.
    CHECK(refused.error().error == StoreError::incompatible);
}

TEST_CASE("a checkpoint of another history, or a row that does not verify, is passed over") {
    StoredHome home;
    home.grow(50);
    auto checkpoint = home.make();
    SECTION("another history") {
        checkpoint.last.digest.bytes[0] ^= 1;
        home.store->write(
            [checkpoint](lmdb::WriteTransaction& transaction, const ConsensusTables& tables) -> Result<void> {
                auto state = tables.checkpoints.state(transaction, checkpoint.last.index);
                if (!state) return Unexpected{state.error()};
                (*state)->last = checkpoint.last;
                return tables.checkpoints.put(transaction, checkpoint, **state);
            },
            4096, 2, {});
        flush(*home.store);
        const auto recovered = home.recovered(RecoveryStrategy::hybrid);
        CHECK(recovered.summary.fallbacks.size() == 1);
        CHECK(recovered.state.certificates.size() == 200);
    }
    for (const char* table : {"local_checkpoints", "consensus_state"}) {
        DYNAMIC_SECTION(table) {
            home.checkpoints.reset();
            home.store.reset();
            damage_first_row(home.directory.path() / "c", table, 30);
            home.store = open_consensus(consensus_options(home.directory.path() / "c"));
            const auto recovered = home.recovered(RecoveryStrategy::hybrid);
            CHECK(recovered.summary.fallbacks.size() == 1);
            CHECK(recovered.state.certificates.size() == 200);
        }
    }
}

TEST_CASE("a certificate whose row is damaged is whole again from a checkpoint") {
    StoredHome home;
    home.grow(30);
    home.make();
    home.checkpoints.reset();
    home.store.reset();
    damage_first_row(home.directory.path() / "c", "certificates", 40);
    home.store = open_consensus(consensus_options(home.directory.path() / "c"));
    const auto scratch = home.recovered(RecoveryStrategy::from_scratch);
    CHECK(scratch.dropped.size() == 1);
    CHECK(scratch.damaged == std::vector{dag::Slot{Round{1}, ValidatorIndex{0}}});
    CHECK(scratch.state.certificates.size() == 119);
    const auto hybrid = home.recovered(RecoveryStrategy::hybrid);
    CHECK(hybrid.dropped.empty());
    CHECK(hybrid.state.certificates.size() == 120);
}

TEST_CASE("each bit of a checkpoint file counts, and a damaged file is written again") {
    const TemporaryDirectory directory;
    CheckpointFiles files(directory.path());
    Bytes plain(400);
    for (std::size_t at = 0; at < plain.size(); ++at) plain[at] = static_cast<Byte>(at % 7 * at);
    const auto written = files.put(plain);
    REQUIRE(written);
    const auto path = directory.path() / written->id.name();
    const auto flip = [&](std::uint64_t bit) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(static_cast<std::streamoff>(bit / 8));
        const int byte = file.get();
        file.seekp(static_cast<std::streamoff>(bit / 8));
        file.put(static_cast<char>(byte ^ (1 << bit % 8)));
    };
    const std::uint64_t bits = std::filesystem::file_size(path) * 8;
    std::uint64_t missed = 0;
    for (std::uint64_t bit = 0; bit < bits; ++bit) {
        flip(bit);
        missed += files.get(written->id, plain.size()) ? 1 : 0;
        flip(bit);
    }
    CHECK(missed == 0);
    const auto again = files.put(plain);
    REQUIRE(again);
    CHECK(again->file_bytes == 0);
    flip(bits / 2);
    const auto healed = files.put(plain);
    REQUIRE(healed);
    CHECK(healed->file_bytes > 0);
    CHECK(files.get(written->id, plain.size()));
}

TEST_CASE("recovery tells how far it is") {
    StoredHome home;
    home.grow(2100);
    RecoveryOptions options;
    std::vector<std::uint64_t> told;
    options.progress = [&](const RecoveryProgress& progress) {
        told.push_back(progress.done);
        CHECK(progress.at_most == 8400);
    };
    REQUIRE(recover(*home.store, four_members(), options));
    CHECK(told == std::vector<std::uint64_t>{4096, 8192});
}

TEST_CASE("the names of the strategies are those of the configuration") {
    for (const auto each :
         {RecoveryStrategy::from_scratch, RecoveryStrategy::from_checkpoint, RecoveryStrategy::hybrid}) {
        CHECK(parse_recovery_strategy(describe(each)) == each);
    }
    CHECK_FALSE(parse_recovery_strategy("fast"));
}
