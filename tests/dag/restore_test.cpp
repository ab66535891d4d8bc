#include <catch2/catch.hpp>

#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

TEST_CASE("a restored orderer knows index, digest, base and what is ordered") {
    DagBuilder dag(4);
    dag.rounds(1, 6, "ABCD");
    OrderingConfig config = table("", 'A', 2);
    Node node(dag.committee(), config);
    node.feed(dag);
    REQUIRE(node.commits.size() == 5);

    Node again(dag.committee(), config);
    for (const auto& certificate : dag.certificates())
        REQUIRE(again.graph.insert(certificate) == Insertion::inserted);
    // The newest W + 1 commits suffice.
    again.orderer.restore({node.commits.begin() + 2, node.commits.end()}, again.graph);
    again.evaluate();
    CHECK(again.commits.empty());
    CHECK(again.orderer.base() == Round{6});
    CHECK(again.orderer.last() == node.commits.back());
    CHECK(again.orderer.is_ordered(slot("A5")));
    CHECK_FALSE(again.orderer.is_ordered(slot("B5")));
    for (const auto* name : {"B3", "B4", "A5"}) CHECK(again.graph.find(slot(name))->ordered);
    CHECK_FALSE(again.graph.find(slot("A6"))->ordered);
    dag.round(7, "ABCD");
    node.feed(dag);
    again.feed(dag);
    REQUIRE(again.commits.size() == 1);
    CHECK(again.commits[0]->digest == node.commits.back()->digest);
}

TEST_CASE("a certificate that comes after a restart is not ordered a second time") {
    DagBuilder dag(4);
    dag.rounds(1, 3, "ABCD");
    Node node(dag.committee(), table(""));
    node.feed(dag);
    CHECK(anchors(node.commits) == "A1 A2");
    // D1 was ordered by A2; the restarted graph gets it only after restore().
    Node again(dag.committee(), table(""));
    for (const auto* name : {"A1", "B1", "C1"}) (void)again.graph.insert(dag.at(name));
    again.orderer.restore(node.commits, again.graph);
    for (const auto& certificate : dag.certificates()) {
        if (again.graph.insert(certificate) == Insertion::inserted) again.evaluate();
    }
    dag.round(4, "ABCD");
    again.feed(dag);
    REQUIRE(anchors(again.commits) == "A3");
    CHECK(certificates(*again.commits[0]) == "B2 C2 D2 A3");
}
