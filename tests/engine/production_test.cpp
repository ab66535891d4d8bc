#include <catch2/catch.hpp>

#include "dag/production/pacemaker.hpp"
#include "dag/production/payload_queue.hpp"
#include "dag/production/vote_book.hpp"
#include "dag/production/vote_collector.hpp"
#include "tests/engine/fixtures.hpp"

namespace production_test {

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

PayloadEntry entry(std::uint8_t name, std::uint64_t sealed) {
    PayloadEntry made;
    made.batch.bytes.fill(name);
    made.sealed_round = Round{sealed};
    made.transactions = 1;
    return made;
}

HeaderRef ref(std::uint64_t round, std::uint16_t author, std::uint8_t name) {
    HeaderRef made{Round{round}, ValidatorIndex{author}, {}};
    made.digest.bytes.fill(name);
    return made;
}

}  // namespace

TEST_CASE("one vote per slot, and never for a round below the last") {
    VoteBook book(4);
    const StubSigner signer(1);
    const Committee committee = committee_of(4);
    const auto vote = sign_vote(committee, signer, ValidatorIndex{0}, ref(5, 2, 1));
    CHECK(book.ask(vote.ref()) == VoteBook::Answer::grant);
    book.record(vote);
    CHECK(book.ask(vote.ref()) == VoteBook::Answer::repeat);
    CHECK(book.ask(ref(5, 2, 9)) == VoteBook::Answer::equivocation);
    CHECK(book.ask(ref(4, 2, 1)) == VoteBook::Answer::too_old);
    CHECK(book.ask(ref(6, 2, 1)) == VoteBook::Answer::grant);
    CHECK(book.ask(ref(5, 3, 1)) == VoteBook::Answer::grant);
}

TEST_CASE("votes make one certificate, of distinct voters for this very header") {
    const Committee committee = committee_of(4);
    const auto header = make_header(committee, 1, 0, {});
    VoteCollector collector(committee, header);
    const auto vote = [&](std::uint16_t voter) {
        return sign_vote(committee, StubSigner(static_cast<std::uint8_t>(voter + 1)), ValidatorIndex{voter},
                         header->ref());
    };
    CHECK_FALSE(collector.add(vote(0)));
    CHECK_FALSE(collector.add(vote(0)));
    Vote other = vote(1);
    other.header.bytes.fill(7);
    CHECK_FALSE(collector.add(other));
    CHECK_FALSE(collector.add(vote(2)));
    CHECK(collector.add(vote(1)));
    CHECK_FALSE(collector.add(vote(3)));
    const Certificate& certificate = **collector.certificate();
    CHECK(certificate.signers.size() == 3);
    REQUIRE(certificate.signatures.size() == 3);
    CHECK(certificate.signatures[1] == vote(1).signature);
}

TEST_CASE("a batch stays in the queue until it is executed") {
    PayloadQueue queue(100);
    queue.add(entry(1, 10));
    queue.add(entry(1, 10));
    queue.add(entry(2, 10));
    CHECK(queue.size() == 2);
    CHECK(queue.take(Round{11}, 1) == std::vector{entry(1, 10)});
    CHECK(queue.take(Round{12}, 9) == std::vector{entry(2, 10)});
    CHECK_FALSE(queue.has_waiting());

    queue.executed(entry(2, 10).batch);
    queue.reinject([](Round) { return false; });
    CHECK_FALSE(queue.has_waiting());
    queue.reinject([](Round round) { return round <= Round{12}; });
    CHECK(queue.take(Round{20}, 9) == std::vector{entry(1, 10)});
    queue.executed(entry(1, 10).batch);
    CHECK(queue.size() == 0);
}

TEST_CASE("a batch past half its life is not proposed, and given back when nothing can execute it any more") {
    PayloadQueue queue(100);
    queue.add(entry(1, 10));
    CHECK(queue.take(Round{60}, 9).empty());
    CHECK(queue.expire(Round{110}).empty());
    CHECK(queue.expire(Round{111}) == std::vector{entry(1, 10).batch});
    CHECK(queue.size() == 0);
}

TEST_CASE("the pacemaker waits for anchors, for recent members a little, and for work up to the idle round") {
    EngineConfig config;
    config.grace_max = 20ms;
    Pacemaker pacemaker(config);
    Pacemaker::RoundState state;
    state.round = Round{1};
    state.has_work = true;
    CHECK(pacemaker.propose_at(state) == Time{});  // the first header waits for nothing
    pacemaker.proposed(at(1s));
    pacemaker.quorum_reached(Round{1}, at(1s + 1ms));

    CHECK(pacemaker.propose_at(state) == at(1s + 51ms));  // (iii)
    state.anchors_settled = true;
    CHECK(pacemaker.propose_at(state) ==
          at(1s + 5ms));  // (i), no round time known: no grace; min_round_delay
    state.complete = true;
    CHECK(pacemaker.propose_at(state) == at(1s + 5ms));
    state.has_work = false;
    CHECK(pacemaker.propose_at(state) == at(2s));
    state.jumped = true;
    CHECK(pacemaker.propose_at(state) == Time{});  // A2
}

TEST_CASE("the leader timeout doubles while anchors are missing, and falls back with the next commit") {
    EngineConfig config;
    Pacemaker pacemaker(config);
    Pacemaker::RoundState state;
    state.has_work = true;
    pacemaker.proposed(at(1s));
    for (const auto expected : {50ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
        state.round = next(state.round);
        pacemaker.quorum_reached(state.round, at(1s));
        CHECK(pacemaker.propose_at(state) == at(1s + expected));
        pacemaker.count_timeout(state, at(1s + expected));
    }
    pacemaker.committed();
    CHECK(pacemaker.propose_at(state) == at(1s + 50ms));
}

}  // namespace production_test
