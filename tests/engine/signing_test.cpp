#include <catch2/catch.hpp>

#include "dag/sync/rejoin.hpp"
#include "tests/engine/fixtures.hpp"

namespace signing_test {

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

HighestRoundReply shows(const Committee& committee, std::uint64_t round) {
    return {make_certificate(committee, round, 1, {}), std::nullopt};
}

/// Who is asked now.
std::map<ValidatorIndex, RequestId> poll(Rejoin& rejoin, RequestIds& ids, Time now) {
    Effects out;
    rejoin.poll(now, ids, out);
    std::map<ValidatorIndex, RequestId> asked;
    for (const Effect& effect : out) {
        const auto& request = std::get<SendRequest>(effect);
        CHECK(std::holds_alternative<GetHighestRound>(request.body));
        asked.emplace(request.to, request.id);
    }
    return asked;
}

void load(TestCommittee& committee, Duration time) {
    const Time end = committee.now() + time;
    for (int at = 0; committee.now() < end; ++at) {
        for (std::size_t each = 0; each < committee.size(); ++each) {
            if (committee.running(each)) (void)committee.submit(each, std::to_string(at));
        }
        committee.run_for(10ms);
    }
}

/// The member signs again, and what it proposes is executed everywhere.
void check_takes_part(TestCommittee& committee, std::size_t who) {
    const auto entry = committee.submit(who, "again");
    const auto executed = [&] {
        for (std::size_t each = 0; each < committee.size(); ++each) {
            if (committee.running(each) && !committee.has_executed(each, entry.batch)) return false;
        }
        return true;
    };
    CHECK(committee.run_until(executed, 5s));
    const auto before = committee.status(who).votes_given;
    load(committee, 200ms);
    CHECK(committee.status(who).votes_given > before);
    committee.check_safety();
}

}  // namespace

TEST_CASE("who may have forgotten asks all others, and waits for a quorum of them without itself") {
    const Committee committee = committee_of(4);
    Rejoin rejoin(committee, member(0), 1s);
    RequestIds ids;
    rejoin.set_connected(member(1), true, at(0s));
    CHECK(poll(rejoin, ids, at(0s)).empty());
    rejoin.begin();
    rejoin.set_connected(member(0), true, at(0s));
    rejoin.set_connected(member(2), true, at(0s));
    auto asked = poll(rejoin, ids, at(0s));
    REQUIRE(asked.size() == 2);
    CHECK(poll(rejoin, ids, at(0s)).empty());
    const auto low = shows(committee, 5);
    const auto high = shows(committee, 9);
    CHECK(rejoin.answered(asked[member(1)], &high, at(1s)));
    CHECK_FALSE(rejoin.answered(asked[member(1)], &high, at(1s)));
    CHECK(rejoin.answered(asked[member(2)], nullptr, at(1s)));
    CHECK_FALSE(rejoin.bound());
    CHECK(rejoin.next_attempt() == at(2s));
    asked = poll(rejoin, ids, at(2s));
    REQUIRE(asked.size() == 1);
    CHECK(rejoin.answered(asked[member(2)], &low, at(2s)));
    CHECK_FALSE(rejoin.bound());  // two others of four are no quorum
    rejoin.set_connected(member(3), true, at(3s));
    asked = poll(rejoin, ids, at(3s));
    REQUIRE(asked.size() == 1);
    CHECK(rejoin.answered(asked[member(3)], &low, at(3s)));
    CHECK(rejoin.bound() == Round{11});
    CHECK(rejoin.stake() == 3);
    rejoin.begin();
    CHECK_FALSE(rejoin.bound());
}

TEST_CASE("a header of ours that another shows raises the bound; somebody else's does not") {
    const Committee committee = committee_of(4);
    for (const std::uint16_t author : {std::uint16_t{0}, std::uint16_t{1}}) {
        Rejoin rejoin(committee, member(0), 1s);
        RequestIds ids;
        rejoin.begin();
        for (std::uint16_t peer = 1; peer < 4; ++peer) rejoin.set_connected(member(peer), true, at(0s));
        auto reply = shows(committee, 5);
        reply.ours = make_header(committee, 20, author, {});
        for (const auto& [peer, id] : poll(rejoin, ids, at(0s))) {
            CHECK(rejoin.answered(id, &reply, at(0s)));
        }
        CHECK(rejoin.bound() == Round{author == 0 ? 20U : 7U});
    }
}

TEST_CASE("a member whose store was lost follows, asks, and signs again above what it may have signed") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        TestCommittee committee({.seed = seed});
        load(committee, 300ms);
        const Round signed_at = committee.status(3).round;
        committee.crash(3);
        committee.put_disk(3, nullptr, true);
        committee.start(3);
        CHECK(committee.status(3).signing.ask);
        CHECK(committee.run_until([&] { return !committee.status(3).signing.ask; }, 2s));
        CHECK(committee.status(3).signing.above >= signed_at);
        check_takes_part(committee, 3);
        // The bound is durable: another life does not ask again.
        const Round bound = committee.status(3).signing.above;
        committee.crash(3);
        committee.start(3);
        committee.run_for(1ms);
        CHECK(committee.status(3).signing == SigningBound{bound, false});
        check_takes_part(committee, 3);
    }
}

TEST_CASE("while too few answer, a member that may have forgotten votes for nothing and proposes nothing") {
    TestCommittee committee({});
    load(committee, 300ms);
    committee.crash(3);
    committee.put_disk(3, nullptr, true);
    committee.drop = [](std::size_t from, std::size_t to, const Effect& effect) {
        const auto* request = std::get_if<SendRequest>(&effect);
        return from == 3 && to == 0 && request != nullptr &&
               std::holds_alternative<GetHighestRound>(request->body);
    };
    committee.start(3);
    load(committee, 2s);
    CHECK(committee.status(3).signing.ask);
    CHECK(committee.status(3).answered_stake == 2);
    CHECK(committee.status(3).votes_given == 0);
    CHECK(committee.status(3).headers_proposed == 0);
    CHECK(committee.status(3).last_commit.index > CommitIndex{10});  // it follows
    // It stops in the middle of asking: the next life asks again.
    committee.crash(3);
    committee.start(3);
    committee.run_for(100ms);
    CHECK(committee.status(3).signing.ask);
    committee.drop = nullptr;
    CHECK(committee.run_until([&] { return !committee.status(3).signing.ask; }, 3s));
    check_takes_part(committee, 3);
}

TEST_CASE("an old copy of the store that was put back without a mark is noticed by what it signed later") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        TestCommittee committee({.seed = seed});
        load(committee, 100ms + Duration(seed * 3000));
        const auto copy = committee.copy_disk(2);
        load(committee, 300ms);
        committee.crash(2);
        committee.put_disk(2, copy, false);
        load(committee, Duration(seed * 1000));
        const auto before = committee.signing().size();
        committee.start(2);
        CHECK(committee.run_until([&] { return committee.signing().size() >= before + 2; }, 3s));
        REQUIRE(committee.signing().size() >= before + 2);
        CHECK(committee.signing()[before].first == 2);
        CHECK(committee.signing()[before].second.bound.ask);
        CHECK_THAT(committee.signing()[before].second.why, Catch::Contains("old copy"));
        CHECK_FALSE(committee.signing()[before + 1].second.bound.ask);
        check_takes_part(committee, 2);
    }
}

TEST_CASE("a life that begins with its own store, after any crash, never stops to ask") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        TestCommittee committee({.seed = seed});
        for (int life = 0; life < 5; ++life) {
            load(committee, 50ms + Duration(seed * 700));
            for (std::size_t each = 0; each < 4; ++each) committee.crash(each);
            for (std::size_t each = 0; each < 4; ++each) committee.start(each);
        }
        load(committee, 100ms);
        CHECK(committee.signing().empty());
        committee.check_safety();
    }
}

}  // namespace signing_test
