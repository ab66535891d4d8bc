#include <catch2/catch.hpp>

#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

// Four members of stake 1 unless a test says otherwise: a quorum is 3, support 2.

TEST_CASE("an anchor is ordered when enough of the next round name it, and not before") {
    DagBuilder dag(4);
    dag.round(1, "ABCD").round(2, "BC");
    Node node(dag.committee(), table(""));
    for (const auto* name : {"A1", "B1", "C1", "D1", "B2"}) CHECK(node.insert(dag.at(name)).empty());
    const auto commits = node.insert(dag.at("C2"));
    CHECK(anchors(commits) == "A1");
    CHECK(certificates(*commits.at(0)) == "A1");
    CHECK(commits.at(0)->index == CommitIndex{1});
    CHECK(commits.at(0)->voters.empty());
    CHECK(node.orderer.base() == Round{2});
    CHECK(node.orderer.last() == commits.at(0));
}

TEST_CASE("in good times every round has an anchor, and each orders what is new below it") {
    DagBuilder dag(4);
    dag.rounds(1, 4, "ABCD");
    Node node(dag.committee(), table("A1 B2 C3"));
    node.feed(dag);
    CHECK(anchors(node.commits) == "A1 B2 C3");
    CHECK(certificates(*node.commits.at(1)) == "B1 C1 D1 B2");
    CHECK(certificates(*node.commits.at(2)) == "A2 C2 D2 C3");
    CHECK(node.commits.at(2)->voters == members("ABCD"));
    CHECK(failed(*node.commits.at(2)).empty());
}

TEST_CASE("commits are a chain of digests") {
    DagBuilder dag(4);
    dag.rounds(1, 4, "ABCD");
    Node node(dag.committee(), table(""));
    node.feed(dag);
    REQUIRE(node.commits.size() == 3);
    CHECK(node.commits[0]->previous == Digest{});
    for (std::size_t at = 0; at < 3; ++at) {
        CHECK(node.commits[at]->index == CommitIndex{at + 1});
        CHECK(node.commits[at]->digest == commit_digest(dag.committee(), *node.commits[at]));
        if (at > 0) CHECK(node.commits[at]->previous == node.commits[at - 1]->digest);
    }
}

TEST_CASE("support is counted by stake") {
    // T = 10, a quorum is 7, support 4: D alone suffices, A and B and C together as well, B and C do not.
    const std::vector<Stake> stakes{1, 1, 2, 4, 2};
    DagBuilder dag(stakes);
    dag.round(1, "ABCDE").add("B2", "ACDE").add("C2", "ACDE").add("D2", "ACDE");
    Node node(dag.committee(), table(""));
    for (const auto* name : {"A1", "B1", "C1", "D1", "E1", "B2", "C2"})
        CHECK(node.insert(dag.at(name)).empty());
    CHECK(anchors(node.insert(dag.at("D2"))) == "A1");
}

TEST_CASE("an anchor that is missing is skipped and counts as failed") {
    DagBuilder dag(4);
    dag.rounds(1, 2, "BCD").rounds(3, 4, "ABCD");
    Node node(dag.committee(), table("A1 B3"));
    node.feed(dag);
    REQUIRE(anchors(node.commits) == "B3");
    CHECK(failed(*node.commits[0]) == "A1");
    CHECK(certificates(*node.commits[0]) == "B1 C1 D1 B2 C2 D2 B3");
}

TEST_CASE("an anchor without support that the next one does not reach is skipped for ever") {
    //  A1 is named by D2 only, and D2 by nobody in B3's history.
    DagBuilder dag(4);
    dag.round(1, "ABCD").add("A2", "BCD").add("B2", "BCD").add("C2", "BCD").add("D2", "ABC");
    dag.add("B3", "ABC").add("A3", "ABC").add("C3", "BCD").round(4, "ABC");
    Node node(dag.committee(), table("A1 B3 C5"));
    node.feed(dag);
    REQUIRE(anchors(node.commits) == "B3");
    CHECK(failed(*node.commits[0]) == "A1");
    CHECK(certificates(*node.commits[0]) == "B1 C1 D1 A2 B2 C2 B3");

    // As plain history it is ordered later, by an anchor that reaches it: A4 names C3, C3 names D2.
    DagBuilder more = dag;
    more.round(5, "ABC");
    Node later(dag.committee(), table("A1 B3 A4"));
    later.feed(more);
    REQUIRE(anchors(later.commits) == "B3 A4");
    CHECK(certificates(*later.commits[1]) == "A1 D2 A3 C3 A4");
    CHECK(failed(*later.commits[1]).empty());
}

TEST_CASE("an anchor without direct support is ordered first if the supported one reaches it") {
    //  A1 is named by D2 alone; B3 names D2.
    DagBuilder dag(4);
    dag.round(1, "ABCD").add("B2", "BCD").add("C2", "BCD").add("D2", "ABC");
    dag.round(3, "BCD").round(4, "BCD");
    Node node(dag.committee(), table("A1 B3 C2"));
    node.feed(dag);
    // With A1 ordered an instance begins at round 2: its anchors are C2 and, of round 4, A4, which is
    // missing.
    CHECK(anchors(node.commits) == "A1 C2 B3");
}

TEST_CASE("each step of the walk back goes on from the anchor that it found") {
    //  A1 <- D2 <- D3 <- D4 <- C5, and B3 <- A4 <- C5. Both have one supporter; C5 reaches both, but B3 not
    //  A1.
    DagBuilder dag(4);
    dag.round(1, "ABCD").add("A2", "BCD").add("B2", "BCD").add("C2", "BCD").add("D2", "ABC");
    dag.add("A3", "ABC").add("B3", "ABC").add("C3", "ABC").add("D3", "BCD");
    dag.add("A4", "ABC").add("C4", "ACD").add("D4", "ACD").round(5, "ACD").round(6, "ACD");
    Node node(dag.committee(), table("A1 B3 C5"));
    node.feed(dag);
    REQUIRE(anchors(node.commits) == "B3 A4 C5");
    CHECK(failed(*node.commits[0]) == "A1");
    CHECK(certificates(*node.commits[2]).substr(0, 6) == "A1 D2 ");
}

TEST_CASE("only the first anchor of an instance is ordered: the supported one must qualify again") {
    //  As above, but round 2's anchor is A2, which is missing: B3 is no anchor of the instance 2, 4, .. .
    DagBuilder dag(4);
    dag.round(1, "ABCD").add("B2", "BCD").add("C2", "BCD").add("D2", "ABC");
    dag.round(3, "BCD").round(4, "BCD");
    Node node(dag.committee(), table("A1 A2 B3 C4"));
    node.feed(dag);
    CHECK(anchors(node.commits) == "A1");
    dag.round(5, "BCD");
    node.feed(dag);
    CHECK(anchors(node.commits) == "A1 C4");
    CHECK(failed(*node.commits[1]) == "A2");
    CHECK(certificates(*node.commits[1]) == "B1 C1 D1 B2 C2 D2 B3 C3 D3 C4");
}

TEST_CASE("one insertion can decide several anchors") {
    //  The anchors of rounds 3 and 5 are missing, so that A1 waits for its second supporter; B2 has its own
    //  already.
    DagBuilder dag(4);
    dag.round(1, "ABCD").add("B2", "BCD").add("C2", "BCD").add("D2", "ABC").rounds(3, 5, "BCD");
    Node node(dag.committee(), table("A1 B2"));
    node.feed(dag);
    CHECK(node.commits.empty());
    dag.add("A2", "ABC");
    CHECK(anchors(node.insert(dag.at("A2"))) == "A1 B2");
}

TEST_CASE("history reaches the window below the anchor and not a round further") {
    //  D1 is named by D2 alone, D2 by D3 alone, and so on: only an anchor that names D's certificate reaches
    //  them.
    DagBuilder dag(4);
    dag.round(1, "ABCD");
    for (std::uint64_t round = 2; round <= 5; ++round) {
        const std::string number = std::to_string(round);
        for (const auto* author : {"A", "B", "C"}) dag.add(author + number, "ABC");
        dag.add("D" + number, "BCD");
    }
    dag.add("A6", "ABCD").add("B6", "ABC").add("C6", "ABC").round(7, "ABC");
    for (const auto& [window, expected] : std::map<std::uint64_t, std::string>{{1, "D5 A6"},
                                                                               {3, "D3 D4 D5 A6"},
                                                                               {4, "D2 D3 D4 D5 A6"},
                                                                               {5, "D1 D2 D3 D4 D5 A6"},
                                                                               {50, "D1 D2 D3 D4 D5 A6"}}) {
        Node node(dag.committee(), table("", 'A', window));
        node.feed(dag);
        REQUIRE(node.commits.size() == 6);
        const Commit& last = *node.commits.back();
        INFO("window " << window);
        // Beside the stragglers: what the anchor before could not reach.
        CHECK(certificates(last) == (expected.substr(0, expected.size() - 5) + "B5 C5 D5 A6"));
    }
}

TEST_CASE("failed anchors are listed inside the window only") {
    DagBuilder dag(4);
    dag.rounds(1, 8, "BCD").rounds(9, 10, "ABCD");
    Node node(dag.committee(), table("", 'A', 4));
    node.feed(dag);
    REQUIRE(anchors(node.commits) == "A9");
    CHECK(failed(*node.commits[0]) == "A5 A7");
    CHECK(node.commits[0]->certificates.front().round == Round{5});
}

TEST_CASE("the first instance may begin above round 1") {
    DagBuilder dag(4);
    dag.rounds(1, 5, "ABCD");
    OrderingConfig config = table("");
    config.first_instance_round = Round{3};
    Node node(dag.committee(), config);
    CHECK_FALSE(node.orderer.expected_anchor(Round{2}));
    node.feed(dag);
    CHECK(anchors(node.commits) == "A3 A4");
    CHECK(certificates(*node.commits[0]) == "A1 B1 C1 D1 A2 B2 C2 D2 A3");
}

TEST_CASE("plain Bullshark has its leaders in even rounds") {
    DagBuilder dag(4);
    dag.rounds(1, 7, "ABCD");
    OrderingConfig config;
    config.mode = OrderingMode::bullshark;
    config.leaders = RoundRobin{};
    Node node(dag.committee(), config);
    node.feed(dag);
    CHECK(anchors(node.commits) == "A2 B4 C6");
    CHECK(certificates(*node.commits[1]) == "B2 C2 D2 A3 B3 C3 D3 B4");
    CHECK_FALSE(node.orderer.expected_anchor(Round{7}));
    CHECK_FALSE(node.orderer.expected_anchor(Round{6}));
    CHECK(node.orderer.expected_anchor(Round{8}) == member('D'));
}

TEST_CASE("in plain Bullshark a supported leader orders the leaders that it reaches, oldest first") {
    //  A2 has one supporter, C3, which B4 names; the leader of round 6 is missing; D8 resolves all.
    DagBuilder dag(4);
    dag.round(1, "ABCD").round(2, "ABCD").add("A3", "BCD").add("B3", "BCD").add("C3", "ABC").add("D3", "BCD");
    dag.add("A4", "ABD").add("B4", "ABC").add("C4", "ABC").add("D4", "ABD");
    dag.add("A5", "ACD").add("B5", "ABC").add("C5", "ACD").round(6, "ABD").rounds(7, 9, "ABCD");
    OrderingConfig config;
    config.mode = OrderingMode::bullshark;
    config.leaders = RoundRobin{};
    Node node(dag.committee(), config);
    for (const auto& certificate : dag.certificates()) {
        if (certificate->header.round < Round{9}) node.insert(certificate);
    }
    CHECK(node.commits.empty());
    node.feed(dag);
    CHECK(anchors(node.commits) == "A2 B4 D8");
    CHECK(failed(*node.commits[2]) == "C6");
}

TEST_CASE("a new schedule holds from the anchor that changed it, and not for what that anchor left behind") {
    //  Failing once costs B and D nearly all of their weight, but the failures are listed by the old
    //  schedule.
    const Committee committee = committee_of({1, 1, 1, 1});
    OrderingConfig config;
    config.window = 20;
    const LeaderSchedule fresh(config, committee);
    DagBuilder dag(4);
    dag.rounds(1, 12, "ACD");
    Node node(dag.committee(), config);
    LeaderSchedule schedule(config, committee);
    CHECK(node.orderer.expected_anchor(Round{1}) == fresh.anchor(Round{1}));
    node.feed(dag);
    REQUIRE(node.commits.size() > 3);
    Round base{1};
    for (const CommitPtr& commit : node.commits) {
        const Round anchor = commit->anchor.round;
        CHECK(commit->anchor.author == schedule.anchor(anchor));
        std::vector<Slot> skipped;
        for (Round round = base; round < anchor; round = above(round, 2)) {
            skipped.push_back({round, schedule.anchor(round)});
        }
        CHECK(commit->failed == skipped);
        schedule.record({commit->index, commit->anchor.slot(), commit->voters, commit->failed});
        base = next(anchor);
    }
    CHECK(failed(*node.commits[0]).substr(0, 2) == "B1");
    CHECK(node.orderer.schedule().weights() == schedule.weights());
    CHECK(node.orderer.schedule().weights()[1] == 1);
    CHECK(node.orderer.expected_anchor(base) == schedule.anchor(base));
    CHECK_FALSE(node.orderer.expected_anchor(below(base, 1)));
}
