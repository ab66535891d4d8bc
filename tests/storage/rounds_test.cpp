#include <algorithm>

#include <catch2/catch.hpp>

#include "storage/local_checkpoints.hpp"
#include "storage/retention.hpp"
#include "storage/store_reader.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;
using dag::CommitIndex, dag::Round, dag::ValidatorIndex;

namespace {

constexpr std::uint64_t kRoundsOfLife = 40;
constexpr std::uint64_t kDepth = 30;
constexpr RetentionOptions kKept{.commits = 100, .window = 20, .life = 60, .history_events = 40};

struct Written {
    DagMaker::MadeRound round;
    SealedBatch batch;
};

/// One process of a validator: the stores as they are on the disk.
struct Life {
    std::unique_ptr<ConsensusStore> consensus;
    std::unique_ptr<BatchStore> batches;
    StoreReader reader;
    std::filesystem::path files;
    std::unique_ptr<LocalCheckpoints> checkpoints;

    explicit Life(const std::filesystem::path& home)
        : consensus(open_consensus(consensus_options(home / "consensus"))),
          batches(open_batches(batch_options(home / "batches"))),
          reader(*consensus, *batches, four_members()),
          files(home / "checkpoints") {
        CheckpointOptions options;
        options.directory = files;
        options.every_rounds = 0;
        // No more history than is kept.
        options.ordering.batch_life = kKept.life;
        auto opened = LocalCheckpoints::open(options, *consensus, four_members());
        REQUIRE(opened);
        checkpoints = std::move(*opened);
    }

    /// What a validator writes in a round, in the order in which it does.
    Written live(DagMaker& maker) {
        const Round round = next(maker.round());
        Written written{{}, batch(ValidatorIndex{0}, round.value(), round)};
        batches->set_highest_round(round);
        put_durably(*batches, written.batch);
        written.round = maker.add_round(0, {written.batch.entry});
        const auto& own = written.round.certificates[0]->header;
        consensus->write({dag::OwnHeaderRecord{dag::Verification::trusted(dag::Header(own))}}, {});
        for (const auto& each : written.round.certificates)
            consensus->write({dag::VoteRecord{vote_for(each->ref())}}, {});
        auto records = written.round.records();
        records.emplace_back(dag::GraphFloorRecord{dag::below(round, kDepth)});
        consensus->write(std::move(records), {});
        return written;
    }

    [[nodiscard]] Recovered recovered(CommitIndex executed) const {
        RecoveryOptions options;
        options.life = kKept.life;
        options.history_events = kKept.history_events;
        options.executed = executed;
        options.checkpoints = files;
        auto result = recover(*consensus, four_members(), options);
        REQUIRE(result);
        return std::move(*result);
    }
};

void check_recovered(const Recovered& recovered, const std::vector<Written>& all) {
    const dag::RecoveredState& state = recovered.state;
    const std::size_t rounds = all.size();
    REQUIRE_FALSE(state.commits.empty());
    CHECK(state.commits.back()->digest == all.back().round.commit->digest);
    CHECK(state.graph_floor == Round{rounds - kDepth});
    REQUIRE(state.certificates.size() == kDepth * 4);
    for (std::size_t at = 0; at < state.certificates.size(); ++at) {
        const auto& written = all[rounds - kDepth + at / 4].round.certificates[at % 4];
        CHECK(encode(*state.certificates[at]) == encode(*written));
    }
    REQUIRE(state.votes.size() == 4);
    for (const dag::Vote& vote : state.votes) {
        CHECK(vote.round == Round{rounds});
        CHECK(vote.header == all.back().round.certificates[vote.author.value()]->header.digest);
    }
    REQUIRE(state.own_header);
    CHECK((*state.own_header)->digest == all.back().round.certificates[0]->header.digest);
    const Consistency found = verify_consistency(state);
    CHECK(found.faults.empty());
    CHECK(found.gaps.empty());
}

/// Every round that is kept can be asked for, from the certificate to its commit and its batch and back.
void check_queries(const Life& life, const std::vector<Written>& all, std::uint64_t first) {
    for (std::uint64_t round = first; round <= all.size(); ++round) {
        const Written& written = all[round - 1];
        const auto& certificate = written.round.certificates[0];
        CHECK(life.reader.certificate(certificate->header.digest));
        // Member r mod 4 is the anchor of round r and in commit r; the others come with the next.
        const CommitIndex index{round % 4 == 0 ? round : round + 1};
        const auto ordered = life.reader.commit_of(certificate->header.digest);
        CHECK(ordered == (index.value() <= all.size() ? std::optional(index) : std::nullopt));
        const auto naming = life.reader.certificates_of(written.batch.entry.batch);
        REQUIRE(naming.size() == 1);
        CHECK(naming[0].slot == certificate->ref().slot());
        CHECK(life.batches->get(written.batch.entry.batch, Round{round}));
    }
}

}  // namespace

TEST_CASE("what many rounds of consensus wrote is there in each life that follows, and old rounds leave") {
    const TemporaryDirectory directory;
    DagMaker maker;
    std::vector<Written> all;
    std::uint64_t first = 1;
    for (int lives = 0; lives < 6; ++lives) {
        Life life(directory.path());
        const Recovered recovered = life.recovered(CommitIndex{all.size()});
        CHECK(recovered.fresh == all.empty());
        if (!all.empty()) {
            CHECK(recovered.summary.checkpoint == Round{all.size() - kRoundsOfLife / 2});
            check_recovered(recovered, all);
            check_queries(life, all, first);
        }
        for (std::uint64_t round = 1; round <= kRoundsOfLife; ++round) {
            all.push_back(life.live(maker));
            if (round != kRoundsOfLife / 2) continue;
            flush(*life.consensus);
            REQUIRE(life.checkpoints->make());
        }
        flush(*life.consensus);
        const CommitIndex executed{all.size()};
        apply_retention(life.reader, *life.consensus, *life.batches, kKept, executed);
        REQUIRE(eventually([&] { return !life.consensus->pruning(); }));
        first = life.reader.progress().store_floor.value() + 1;
        CHECK(life.reader.certificates({}, Round{first - 1}).items.empty());
        CHECK(life.reader.progress().certificates == (all.size() + 1 - first) * 4);
    }
    CHECK(all.size() == 240);
    CHECK(first > 100);
    const Life last(directory.path());
    CHECK(verify_store(*last.consensus, four_members()).faults.empty());
}
