#include <algorithm>
#include <cstdlib>
#include <random>

#include <catch2/catch.hpp>

#include "storage/store_reader.hpp"
#include "tests/storage/recorded_disk.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;
using dag::Round, dag::ValidatorIndex;

namespace {

/// What was acknowledged, and after how many operations of the disk.
struct Acknowledged {
    std::size_t position = 0;
    std::optional<dag::Vote> vote;
    std::optional<dag::HeaderRef> own_header;
    std::optional<dag::HeaderRef> certificate;
    dag::CommitPtr commit;
    std::optional<dag::PayloadEntry> batch;
};

class Ledger {
 public:
    void add(Acknowledged acknowledged) {
        const std::lock_guard lock(mutex_);
        acknowledged.position = RecordedDisk::position();
        all_.push_back(std::move(acknowledged));
    }
    [[nodiscard]] const std::vector<Acknowledged>& all() const { return all_; }

 private:
    std::mutex mutex_;
    std::vector<Acknowledged> all_;
};

ConsensusOptions small(const std::filesystem::path& directory) {
    auto options = consensus_options(directory);
    options.environment.preallocate = std::size_t{64} << 10;
    return options;
}

BatchOptions small_batches(const std::filesystem::path& directory) {
    auto options = batch_options(directory);
    options.environment.preallocate = std::size_t{64} << 10;
    return options;
}

/// Some rounds of a validator's life, in writes of many sizes, with pruning between them.
void live(const std::filesystem::path& directory, Ledger& ledger) {
    const auto consensus = open_consensus(small(directory / "consensus"));
    const auto batches = open_batches(small_batches(directory / "batches"));
    DagMaker maker;
    for (std::uint64_t round = 1; round <= 60; ++round) {
        batches->set_highest_round(Round{round});
        const auto sealed = batch(ValidatorIndex{1}, round, Round{round}, 100 + round * 331 % 6000);
        REQUIRE(batches->put(sealed.entry, sealed.bytes, Standing::named, [&ledger, entry = sealed.entry] {
            ledger.add({.vote = {}, .own_header = {}, .certificate = {}, .commit = {}, .batch = entry});
        }));
        const auto made = maker.add_round();
        for (const auto& each : made.certificates) {
            const dag::Vote vote = vote_for(each->ref());
            consensus->write({dag::VoteRecord{vote}}, [&ledger, vote] {
                ledger.add({.vote = vote, .own_header = {}, .certificate = {}, .commit = {}, .batch = {}});
            });
        }
        const auto& own = made.certificates[0]->header;
        consensus->write(
            {dag::OwnHeaderRecord{dag::Verification::trusted(dag::Header(own))}}, [&ledger, ref = own.ref()] {
                ledger.add({.vote = {}, .own_header = ref, .certificate = {}, .commit = {}, .batch = {}});
            });
        consensus->write(made.records(), [&ledger, made] {
            for (const auto& each : made.certificates) {
                ledger.add(
                    {.vote = {}, .own_header = {}, .certificate = each->ref(), .commit = {}, .batch = {}});
            }
            ledger.add({.vote = {}, .own_header = {}, .certificate = {}, .commit = made.commit, .batch = {}});
        });
        if (round % 3 == 0) flush(*consensus);
        if (round % 20 == 0) {
            consensus->write({dag::GraphFloorRecord{Round{round - 15}}}, {});
            consensus->prune({Round{round - 18}, {}});
        }
    }
    flush(*consensus);
}

void check_promises(const dag::RecoveredState& state, const Acknowledged& each) {
    if (each.vote) {
        const auto found = std::ranges::find(state.votes, each.vote->author, &dag::Vote::author);
        REQUIRE(found != state.votes.end());
        CHECK(found->round >= each.vote->round);
        if (found->round == each.vote->round) CHECK(found->header == each.vote->header);
    }
    if (each.own_header) {
        REQUIRE(state.own_header);
        const dag::HeaderRef own = (*state.own_header)->ref();
        CHECK(own.round >= each.own_header->round);
        if (own.round == each.own_header->round) CHECK(own.digest == each.own_header->digest);
    }
}

void check_state(const std::filesystem::path& directory, std::size_t position, const Ledger& ledger) {
    auto options = small(directory / "consensus");
    // Before the store was finished nothing was acknowledged, and the home still says that it is new.
    options.environment.create = true;
    const auto consensus = open_consensus(options);
    const auto batches = open_batches(small_batches(directory / "batches"));
    const StoreReader reader(*consensus, *batches, four_members());
    const auto recovered = recover(*consensus, four_members(), {});
    if (!recovered) FAIL(recovered.error().text);
    CHECK(recovered->dropped.empty());
    const auto found = verify_store(*consensus, four_members());
    CHECK(found.faults.empty());
    CHECK(found.indices.empty());
    const Round floor = recovered->progress.store_floor;
    for (const Acknowledged& each : ledger.all()) {
        if (each.position > position) continue;
        check_promises(recovered->state, each);
        if (each.certificate && each.certificate->round > floor)
            CHECK(reader.certificate(each.certificate->digest));
        if (each.commit) {
            const auto commit = reader.commit(each.commit->index);
            CHECK((commit && commit->digest == each.commit->digest));
        }
        if (each.batch) CHECK(batches->get(each.batch->batch, each.batch->sealed_round));
    }
}

}  // namespace

TEST_CASE("after any power loss all that was acknowledged is there, and no promise is contradicted") {
    const char* const wanted = std::getenv("MONODON_POWER_LOSSES");
    const int states = wanted != nullptr ? std::atoi(wanted) : 500;
    TemporaryDirectory life;
    Ledger ledger;
    RecordedDisk::begin(life.path());
    live(life.path(), ledger);
    RecordedDisk::end();
    const std::size_t operations = RecordedDisk::position();
    REQUIRE(operations > 200);
    REQUIRE(ledger.all().size() > 500);
    const auto syncs = RecordedDisk::syncs();
    REQUIRE(syncs.size() > 40);
    std::mt19937_64 random(static_cast<std::uint64_t>(states));
    for (int state = 0; state < states; ++state) {
        // Half of them around a sync, where something has just become durable or is about to.
        std::size_t position = random() % (operations + 1);
        if (state % 2 == 0) position = std::min(operations, syncs[random() % syncs.size()] + random() % 3);
        INFO("state " << state << " after operation " << position << " of " << operations);
        TemporaryDirectory left;
        RecordedDisk::build(left.path(), position, random);
        check_state(left.path(), position, ledger);
    }
}
