#include <catch2/catch.hpp>

#include "tests/sync/transport.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

namespace {

struct Store {
    explicit Store(std::uint64_t rounds) {
        dag.rounds(1, rounds, "ABCD");
        source.add_all(dag);
    }
    DagBuilder dag{4};
    MemorySource source{dag.committee()};
};

/// Asks for the rest until there is none: how many certificates came, in how many answers.
std::pair<std::size_t, std::size_t> page_through(const SyncSource& source, SyncRequest request,
                                                 const AnswerBudget& budget) {
    std::size_t came = 0;
    std::size_t answers = 0;
    while (true) {
        const SyncResponse response = answer(source, request, std::nullopt, budget);
        REQUIRE(fits(request, response));
        ++answers;
        REQUIRE(answers < 10'000);
        if (const auto* found = std::get_if<Certificates>(&response)) came += found->certificates.size();
        const auto rest = rest_of(request, response);
        if (!rest) return {came, answers};
        request = *rest;
    }
}

GetCertificates all_digests(const DagBuilder& dag) {
    GetCertificates request;
    for (const VerifiedCertificate& each : dag.certificates()) request.headers.push_back(each->header.digest);
    return request;
}

}  // namespace

TEST_CASE("every answer is within its limits, has one item at least, and paging ends with everything") {
    const Store store(50);
    for (const std::size_t items : {1, 3, 64, 1000}) {
        for (const std::size_t bytes : {std::size_t{1}, std::size_t{2000}, kReplyBytes}) {
            AnswerBudget budget;
            budget.certificates = items;
            budget.bytes = bytes;
            const auto all = std::pair{std::size_t{200}, std::size_t{200}};
            for (const SyncRequest& request :
                 {SyncRequest(GetCertificatesInRange{Round{1}, Round{90}}),
                  SyncRequest(all_digests(store.dag)),
                  SyncRequest(GetMissingCertificates{{}, Round{1}, Round{90}})}) {
                const auto [came, answers] = page_through(store.source, request, budget);
                CHECK(came == all.first);
                CHECK(answers <= all.second + 1);
                CHECK(answers >= 200 / items);
            }
        }
    }
}

TEST_CASE("what is known does not come, and takes no more looking than the answer may hold") {
    const Store store(3000);
    KnownRounds known{Round{0}, {}};
    // All but C of round 2,900 in every round, D missing: each round must be looked at.
    for (std::uint64_t round = 1; round <= 3000; ++round) known.authors.push_back(members("ABC"));
    AnswerBudget budget;
    budget.certificates = 100;
    const GetMissingCertificates request{known, Round{1}, Round{3000}};
    (void)answer(store.source, request, std::nullopt, budget);
    CHECK(store.source.read() <= 4 * 100 + 64);
    const auto [came, answers] = page_through(store.source, request, budget);
    CHECK(came == 3000);
}

TEST_CASE("rounds that the asker has wholly are not read") {
    const Store store(3000);
    KnownRounds known{Round{0}, {}};
    for (std::uint64_t round = 1; round <= 2998; ++round) known.authors.push_back(members("ABCD"));
    const SyncResponse response =
        answer(store.source, GetMissingCertificates{known, Round{1}, Round{3000}}, std::nullopt, {});
    CHECK(std::get<Certificates>(response).certificates.size() == 8);
    CHECK(store.source.read() <= 8);
}

TEST_CASE("an answer whose time is over stops, and still gets on") {
    const Store store(50);
    AnswerBudget budget;
    budget.expired = [] { return true; };
    for (const SyncRequest& request : {SyncRequest(all_digests(store.dag)),
                                       SyncRequest(GetMissingCertificates{{}, Round{1}, Round{50}})}) {
        const SyncResponse response = answer(store.source, request, std::nullopt, budget);
        CHECK(std::get<Certificates>(response).next);
        CHECK(page_through(store.source, request, budget).first == 200);
    }
}

TEST_CASE("below the store's floor there is nothing to be had, and the asker is told where it begins") {
    Store store(20);
    store.source.prune(Round{11});
    for (const SyncRequest& request : {SyncRequest(GetCertificatesInRound{Round{10}}),
                                       SyncRequest(GetCertificatesInRange{Round{10}, Round{15}}),
                                       SyncRequest(GetMissingCertificates{{}, Round{10}, Round{15}})}) {
        const SyncResponse response = answer(store.source, request, std::nullopt, {});
        REQUIRE(std::holds_alternative<SyncError>(response));
        CHECK(std::get<SyncError>(response).lowest == Round{11});
    }
    // What the asker has itself nobody needs.
    const SyncResponse response =
        answer(store.source, GetMissingCertificates{{Round{10}, {}}, Round{5}, Round{15}}, std::nullopt, {});
    CHECK(std::get<Certificates>(response).certificates.size() == 20);
}

TEST_CASE("requests beyond their limits, or that go nowhere, are malformed") {
    const Store store(2);
    KnownRounds too_many;
    too_many.authors.resize(kKnownRoundsMax + 1);
    GetCertificates too_long;
    too_long.headers.resize(kDigestsPerRequestMax + 1);
    for (const SyncRequest& request :
         {SyncRequest(GetCertificates{}), SyncRequest(too_long), SyncRequest(GetBatches{}),
          SyncRequest(GetCertificatesInRound{Round{0}}),
          SyncRequest(GetCertificatesInRange{Round{3}, Round{2}}),
          SyncRequest(GetMissingCertificates{too_many, Round{1}, Round{2}})}) {
        const SyncResponse response = answer(store.source, request, std::nullopt, {});
        REQUIRE(std::holds_alternative<SyncError>(response));
        CHECK(std::get<SyncError>(response).why == SyncError::Why::malformed);
    }
}

TEST_CASE("a response with what was not asked for, out of order, twice, or that leads back is none") {
    const Store store(6);
    const auto of = [&](std::initializer_list<const char*> named) {
        Certificates made;
        for (const char* each : named) made.certificates.push_back(store.dag.at(each).shared());
        return made;
    };
    const SyncRequest range = GetCertificatesInRange{Round{2}, Round{4}};
    CHECK(fits(range, of({"A2", "C2", "B4"})));
    CHECK_FALSE(fits(range, of({"A1"})));
    CHECK_FALSE(fits(range, of({"A5"})));
    CHECK_FALSE(fits(range, of({"C2", "A2"})));
    CHECK_FALSE(fits(range, of({"C2", "C2"})));
    CHECK_FALSE(fits(range, HighestRound{}));
    Certificates back = of({"B3"});
    back.next = Continuation{slot("B3"), 0};
    CHECK_FALSE(fits(range, back));
    back.next = Continuation{slot("C3"), 0};
    CHECK(fits(range, back));
    back.next = Continuation{slot("A5"), 0};
    CHECK_FALSE(fits(range, back));
    Certificates nothing;
    nothing.next = Continuation{slot("A2"), 0};
    CHECK_FALSE(fits(range, nothing));

    const SyncRequest list = GetCertificates{{store.dag.ref("A2").digest, store.dag.ref("B2").digest}};
    CHECK(fits(list, of({"B2"})));
    CHECK_FALSE(fits(list, of({"B2", "A2"})));
    CHECK_FALSE(fits(list, of({"C2"})));
    Certificates part = of({"A2"});
    part.next = Continuation{{}, 1};
    CHECK(fits(list, part));
    part.next = Continuation{{}, 2};
    CHECK_FALSE(fits(list, part));

    const SyncRequest missing = GetMissingCertificates{{Round{0}, {members("AB")}}, Round{1}, Round{2}};
    CHECK(fits(missing, of({"C1", "A2"})));
    CHECK_FALSE(fits(missing, of({"A1"})));
}
