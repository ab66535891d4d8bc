#include "storage/recovery.hpp"

#include <array>

#include <catch2/catch.hpp>

#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;
using dag::CommitIndex, dag::Round, dag::ValidatorIndex;

namespace {

/// A closed store of `count` rounds with a vote for each author and an own header.
struct Stored {
    TemporaryDirectory directory;
    std::vector<DagMaker::MadeRound> rounds;

    explicit Stored(int count, std::uint64_t graph_floor = 0) {
        const auto store = open_consensus(consensus_options(directory.path()));
        DagMaker maker;
        for (int round = 0; round < count; ++round) {
            rounds.push_back(maker.add_round());
            store->write(rounds.back().records(), {});
            for (const auto& certificate : rounds.back().certificates) {
                store->write({dag::VoteRecord{vote_for(certificate->ref())}}, {});
            }
            const auto& own = rounds.back().certificates[0]->header;
            store->write({dag::OwnHeaderRecord{dag::Verification::trusted(dag::Header(own))}}, {});
        }
        store->write({dag::GraphFloorRecord{Round{graph_floor}}}, {});
    }
    [[nodiscard]] Result<Recovered> recovered(const RecoveryOptions& options = {}) const {
        return recover(*open_consensus(consensus_options(directory.path())), four_members(), options);
    }
    void damage(const char* table, std::size_t byte = 0) const {
        damage_first_row(directory.path(), table, byte);
    }
    void erase_first(const char* table) const {
        auto environment = lmdb::Environment::open({.directory = directory.path()});
        const auto tables = (*environment)->tables({table});
        auto transaction = (*environment)->write();
        {
            auto cursor = transaction->cursor(tables->front());
            REQUIRE(*cursor->first());
            REQUIRE(cursor->erase());
        }
        REQUIRE(std::move(*transaction).commit());
    }
};

}  // namespace

TEST_CASE("an empty store recovers to the state of a first life") {
    const Stored stored(0);
    const auto recovered = stored.recovered();
    REQUIRE(recovered);
    CHECK(recovered->fresh);
    CHECK(recovered->state.commits.empty());
    CHECK(recovered->state.certificates.empty());
    CHECK(recovered->state.votes.empty());
    CHECK_FALSE(recovered->state.own_header);
    CHECK(recovered->state.graph_floor == Round{0});
    CHECK(recovered->state.executed == CommitIndex{0});
}

TEST_CASE("a life begins with what the one before left") {
    const Stored stored(30, 10);
    const auto recovered = stored.recovered({.life = 4096, .history_events = 5, .executed = CommitIndex{28}});
    REQUIRE(recovered);
    const dag::RecoveredState& state = recovered->state;
    CHECK_FALSE(recovered->fresh);
    CHECK(recovered->dropped.empty());
    CHECK(state.executed == CommitIndex{28});
    CHECK(state.graph_floor == Round{10});
    REQUIRE(state.commits.size() == 30);
    for (std::size_t at = 0; at < 30; ++at)
        CHECK(encode(*state.commits[at]) == encode(*stored.rounds[at].commit));
    REQUIRE(state.certificates.size() == 20 * 4);
    for (std::size_t at = 0; at < state.certificates.size(); ++at) {
        CHECK(encode(*state.certificates[at]) == encode(*stored.rounds[10 + at / 4].certificates[at % 4]));
    }
    REQUIRE(state.votes.size() == 4);
    for (std::uint16_t author = 0; author < 4; ++author) {
        CHECK(encode(state.votes[author]) == encode(vote_for(stored.rounds[29].certificates[author]->ref())));
    }
    REQUIRE(state.own_header);
    CHECK((*state.own_header)->ref() == stored.rounds[29].certificates[0]->ref());
    const auto found = verify_consistency(state);
    CHECK(found.faults.empty());
    CHECK(found.gaps.empty());
}

TEST_CASE(
    "a store that may not know all that was signed says so at every start until the others have answered") {
    const Stored stored(5);
    auto options = consensus_options(stored.directory.path());
    options.ask_first = true;
    (void)open_consensus(options);
    for (int start = 0; start < 2; ++start) {
        const auto recovered = stored.recovered();
        REQUIRE(recovered);
        CHECK(recovered->state.signing == dag::SigningBound{Round{0}, true});
        CHECK(recovered->state.votes.size() == 4);
    }
    {
        const auto store = open_consensus(consensus_options(stored.directory.path()));
        store->write({dag::SigningRecord{{Round{9}, false}}}, {});
    }
    const auto recovered = stored.recovered();
    REQUIRE(recovered);
    CHECK(recovered->state.signing == dag::SigningBound{Round{9}, false});
}

TEST_CASE("a store that stands in for a lost one is not fresh") {
    const TemporaryDirectory directory;
    auto options = consensus_options(directory.path());
    options.ask_first = true;
    const auto recovered = recover(*open_consensus(options), four_members(), {});
    REQUIRE(recovered);
    CHECK_FALSE(recovered->fresh);
    CHECK(recovered->state.signing.ask);
}

TEST_CASE("a damaged bound on what may be signed is fatal") {
    const Stored stored(3);
    {
        const auto store = open_consensus(consensus_options(stored.directory.path()));
        store->write({dag::SigningRecord{{Round{9}, false}}}, {});
    }
    auto environment = lmdb::Environment::open({.directory = stored.directory.path()});
    REQUIRE(environment);
    const auto tables = (*environment)->tables({"metadata"});
    REQUIRE(tables);
    auto transaction = (*environment)->write();
    REQUIRE(transaction);
    REQUIRE(transaction->put(tables->front(), as_bytes("signing"), as_bytes("not what was written")));
    REQUIRE(std::move(*transaction).commit());
    environment->reset();
    const auto recovered = stored.recovered();
    REQUIRE_FALSE(recovered);
    CHECK_THAT(recovered.error().text, Catch::Contains("must not sign again"));
}

TEST_CASE("the commits are those within LIFE of the newest anchor, and enough for the reputation") {
    const Stored stored(50);
    const auto first = [&](std::uint64_t life, std::uint64_t events) {
        const auto recovered = stored.recovered({.life = life, .history_events = events, .executed = {}});
        REQUIRE(recovered);
        CHECK(recovered->state.commits.back()->index == CommitIndex{50});
        return recovered->state.commits.front()->index.value();
    };
    CHECK(first(10, 0) == 40);
    CHECK(first(10, 30) == 21);
    CHECK(first(10, 500) == 1);
    CHECK(first(4096, 0) == 1);
}

TEST_CASE("a damaged vote or own header is fatal: without it we could sign twice") {
    for (const char* table : {"votes", "own_headers"}) {
        const Stored stored(3);
        stored.damage(table, 20);
        const auto recovered = stored.recovered();
        REQUIRE_FALSE(recovered);
        CHECK(recovered.error().error == StoreError::damaged);
        CHECK_THAT(recovered.error().text, Catch::Contains("must not sign again"));
    }
}

TEST_CASE("a damaged or missing commit, or its metadata, is fatal and says what to do") {
    const auto refused = [](const Stored& stored) {
        const auto recovered = stored.recovered();
        REQUIRE_FALSE(recovered);
        CHECK(recovered.error().error == StoreError::damaged);
        CHECK_THAT(recovered.error().text, Catch::Contains("--rejoin"));
    };
    for (const std::size_t byte : {0U, 30U, 100U}) {
        const Stored stored(3);
        stored.damage("commits", byte);
        refused(stored);
    }
    const Stored missing(3);
    missing.erase_first("commits");
    refused(missing);
    // `fresh` is gone by now: `identity` comes first, `progress` is the other.
    const Stored metadata(3);
    metadata.erase_first("metadata");
    {
        auto options = consensus_options(metadata.directory.path());
        options.environment.create = false;
        CHECK_FALSE(ConsensusStore::open(options, four_members()));
    }
    // A store made over it knows of no commit, and finds some.
    refused(metadata);
}

TEST_CASE("a damaged identity keeps the store closed") {
    const Stored stored(1);
    stored.damage("metadata", 2);
    const auto opened = ConsensusStore::open(consensus_options(stored.directory.path()), four_members());
    REQUIRE_FALSE(opened);
    CHECK(opened.error().error == StoreError::damaged);
}

TEST_CASE("a damaged commit below what is needed does no harm") {
    const Stored stored(50);
    stored.damage("commits", 3);
    CHECK(stored.recovered({.life = 10, .history_events = 20, .executed = CommitIndex{1}}));
}

TEST_CASE("a damaged or missing commit that is still to be executed is fatal and says what to do") {
    for (const bool missing : {false, true}) {
        const Stored stored(50);
        if (missing) stored.erase_first("commits");
        if (!missing) stored.damage("commits", 3);
        const auto recovered = stored.recovered({.life = 10, .history_events = 20, .executed = {}});
        REQUIRE_FALSE(recovered);
        CHECK(recovered.error().error == StoreError::damaged);
        CHECK_THAT(recovered.error().text, Catch::Contains("--rejoin"));
    }
    CHECK(Stored(50).recovered({.life = 10, .history_events = 20, .executed = {}}));
}

TEST_CASE("a damaged certificate is left out and reported: it is fetched again") {
    const Stored stored(3);
    stored.damage("certificates", 50);
    const auto recovered = stored.recovered();
    REQUIRE(recovered);
    CHECK(recovered->dropped.size() == 1);
    CHECK(recovered->state.certificates.size() == 11);
    const auto found = verify_consistency(recovered->state);
    CHECK(found.faults.empty());
    CHECK(found.gaps.size() == 4);
}

TEST_CASE("an application ahead of the commits is refused: the store is older than what was handed out") {
    const Stored stored(3);
    const auto recovered = stored.recovered({.life = 4096, .history_events = 0, .executed = CommitIndex{4}});
    REQUIRE_FALSE(recovered);
    CHECK_THAT(recovered.error().text, Catch::Contains("applied commit 4"));
}

TEST_CASE("the state is checked for what contradicts itself") {
    const Stored stored(6);
    const auto whole = stored.recovered();
    REQUIRE(whole);
    const auto faults = [&](const std::function<void(dag::RecoveredState&)>& change) {
        dag::RecoveredState state = whole->state;
        change(state);
        return verify_consistency(state).faults.size();
    };
    CHECK(faults([](auto&) {}) == 0);
    CHECK(faults([](auto& state) { state.commits.erase(state.commits.begin() + 2); }) > 0);
    CHECK(faults([](auto& state) { state.certificates.push_back(state.certificates.back()); }) > 0);
    CHECK(faults([](auto& state) { state.graph_floor = Round{7}; }) > 0);
    CHECK(faults([](auto& state) { state.graph_floor = Round{1}; }) > 0);
    CHECK(faults([](auto& state) {
              state.certificates[0] = certificate(state.certificates[0]->ref().slot(), {}, 99);
          }) == 4);
    CHECK(faults([](auto& state) { state.votes[0].header = sha256(as_bytes("other")); }) == 1);
}

TEST_CASE("a whole store is checked row by row, and each kind of damage is found") {
    const auto check = [](const Stored& stored) {
        return verify_store(*open_consensus(consensus_options(stored.directory.path())), four_members());
    };
    const Stored whole(5);
    CHECK(check(whole).faults.empty());
    CHECK(check(whole).gaps.empty());

    const auto damaged = [&](const char* table) {
        const Stored stored(5);
        stored.damage(table, 3);
        const auto found = check(stored);
        return std::array{found.faults.size(), found.gaps.size(), found.indices.size()};
    };
    CHECK(damaged("certificates")[0] == 0);
    CHECK(damaged("certificates")[1] > 0);
    CHECK(damaged("certificate_digests")[2] > 0);
    CHECK(damaged("certificates_by_author")[2] > 0);
    CHECK(damaged("committed")[2] == 1);
    for (const char* index : {"certificate_digests", "certificates_by_author", "committed"})
        CHECK(damaged(index)[0] == 0);
    CHECK(damaged("votes")[0] == 1);
    CHECK(damaged("own_headers")[0] == 1);
    CHECK(damaged("commits")[0] > 0);

    const auto erased = [&](const char* table) {
        const Stored stored(5);
        stored.erase_first(table);
        const auto found = check(stored);
        return std::pair(found.faults.size(), found.indices.size());
    };
    CHECK(erased("certificates").first > 0);
    CHECK(erased("certificate_digests") == std::pair<std::size_t, std::size_t>(0, 1));
    CHECK(erased("certificates_by_author") == std::pair<std::size_t, std::size_t>(0, 1));
    CHECK(erased("commits").first == 1);
    CHECK(erased("committed") == std::pair<std::size_t, std::size_t>(0, 1));
}
