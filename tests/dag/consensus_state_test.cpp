#include "dag/ordering/consensus_state.hpp"

#include <functional>
#include <set>

#include <catch2/catch.hpp>

#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

namespace {

ConsensusState some_state() {
    ConsensusState state;
    state.last = {CommitIndex{2}, sha256(as_bytes("commit"))};
    state.anchor = {Round{3}, ValidatorIndex{1}, sha256(as_bytes("anchor"))};
    state.events = {{CommitIndex{1}, slot("A1"), {}, {}},
                    {CommitIndex{2}, slot("B3"), members("ABC"), {slot("C2")}}};
    state.ordered = {members("AB"), members("BC")};
    state.executed = {{Round{1}, sha256({})}, {Round{2}, sha256({})}};
    return state;
}

}  // namespace

TEST_CASE("the digest of the consensus state is over its fields in their order, with counts") {
    const ConsensusState state = some_state();
    CanonicalWriter bytes("consensus");
    bytes.text("replay").u64(0);
    bytes.u64(2).digest(state.last.digest);
    bytes.u64(3).u16(1).digest(state.anchor.digest);
    bytes.u32(2);
    bytes.u64(1).u64(1).u16(0).u64(0).u64(0).u32(0);
    bytes.u64(2).u64(3).u16(1).u64(7).u64(0).u32(1).u64(2).u16(2);
    bytes.u32(2).u64(3).u64(0).u64(6).u64(0);
    bytes.u32(2).u64(1).digest(sha256({})).u64(2).digest(sha256({}));
    CHECK(consensus_state_digest(committee_of({1, 1, 1, 1}), state) == bytes.hash());
}

TEST_CASE("everything in the consensus state enters its digest") {
    const Committee committee = committee_of({1, 1, 1, 1});
    std::set<Digest> digests{consensus_state_digest(committee, some_state()),
                             consensus_state_digest(committee_of({1}, "other"), some_state())};
    const std::vector<std::function<void(ConsensusState&)>> changes{
        [](ConsensusState& s) { s.last.index = CommitIndex{3}; },
        [](ConsensusState& s) { s.last.digest = Digest{}; },
        [](ConsensusState& s) { s.anchor.round = Round{4}; },
        [](ConsensusState& s) { s.anchor.author = ValidatorIndex{2}; },
        [](ConsensusState& s) { s.anchor.digest = Digest{}; },
        [](ConsensusState& s) { s.events.pop_back(); },
        [](ConsensusState& s) { s.events[0].index = CommitIndex{9}; },
        [](ConsensusState& s) { s.events[0].anchor = slot("B1"); },
        [](ConsensusState& s) { s.events[0].voters = members("A"); },
        [](ConsensusState& s) { s.events[1].failed.clear(); },
        [](ConsensusState& s) { s.ordered[0] = members("A"); },
        [](ConsensusState& s) { s.ordered.pop_back(); },
        [](ConsensusState& s) { s.executed.pop_back(); },
        [](ConsensusState& s) { s.executed[0].sealed_round = Round{0}; },
        [](ConsensusState& s) { s.executed[0].batch = Digest{}; },
    };
    for (const auto& change : changes) {
        ConsensusState state = some_state();
        change(state);
        digests.insert(consensus_state_digest(committee, state));
    }
    CHECK(digests.size() == changes.size() + 2);
}

TEST_CASE("the consensus state is as of the last commit, and nothing local is in it") {
    DagBuilder dag(4);
    dag.add("A1", "").add("B1", "", {batch(1, 1)}).add("C1", "").rounds(2, 4, "ABC");
    OrderingConfig config;
    config.leaders = ReputationRule{.proposer_window = 2, .voter_window = 1};
    config.window = 2;
    Node node(dag.committee(), config);
    const ConsensusState before = node.orderer.state();
    CHECK(before.last == CommitClaim{});
    CHECK(before.ordered == std::vector(3, AuthorSet{}));
    node.feed(dag);
    REQUIRE(node.commits.size() >= 2);

    const ConsensusState state = node.orderer.state();
    const Commit& last = *node.commits.back();
    CHECK(state.last == last.claim());
    CHECK(state.anchor == last.anchor);
    REQUIRE(state.events.size() == 2);
    CHECK(state.events[1] == AnchorEvent{last.index, last.anchor.slot(), last.voters, last.failed});
    CHECK(state.executed == std::vector{ExecutedSet::Entry{Round{1}, batch(1, 1).batch}});
    // W + 1 rounds, the last of which holds the anchor alone.
    REQUIRE(state.ordered.size() == 3);
    CHECK(state.ordered[2] == members(name(last.anchor.slot()).substr(0, 1)));

    // Another floor and certificates beyond the last anchor change nothing.
    node.graph.collect(below(last.anchor.round, 3));
    dag.add("A5", "ABC");
    node.feed(dag);
    CHECK(node.orderer.state() == state);
}

TEST_CASE("ordered rounds that would lie below round 1 are empty sets at the front") {
    DagBuilder dag(4);
    dag.rounds(1, 3, "ABC");
    Node node(dag.committee(), table("", 'A', 4));
    node.feed(dag);
    REQUIRE(anchors(node.commits) == "A1 A2");
    CHECK(node.orderer.state().ordered ==
          std::vector{AuthorSet{}, AuthorSet{}, AuthorSet{}, members("ABC"), members("A")});
}
