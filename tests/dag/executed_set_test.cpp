#include "dag/ordering/executed_set.hpp"

#include <catch2/catch.hpp>

#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

TEST_CASE("a batch is executed once, and only within its life") {
    ExecutedSet set(10);
    CHECK(set.admit(Round{5}, batch(1, 3)));
    CHECK_FALSE(set.admit(Round{5}, batch(1, 3)));
    CHECK_FALSE(set.admit(Round{6}, batch(1, 3)));
    CHECK(set.contains(batch(1, 3)));
    CHECK_FALSE(set.contains(batch(2, 3)));
    CHECK(set.admit(Round{13}, batch(2, 3)));
    CHECK_FALSE(set.admit(Round{14}, batch(3, 3)));
    CHECK(set.admit(Round{2}, batch(4, 3)));
}

TEST_CASE("the executed set keeps nothing that could never be executed again") {
    ExecutedSet set(10);
    for (std::uint32_t round = 1; round <= 30; ++round) {
        CHECK(set.admit(Round{round}, batch(round, round)));
        set.expire(Round{round});
        CHECK(set.entries().size() == std::min<std::size_t>(round, 11));
    }
    CHECK(set.entries().front().sealed_round == Round{20});
    CHECK_FALSE(set.admit(Round{30}, batch(20, 20)));
    set.expire(Round{31});
    CHECK_FALSE(set.contains(batch(20, 20)));
    CHECK_FALSE(set.admit(Round{31}, batch(20, 20)));
}

TEST_CASE("the entries of the executed set are ascending by round and digest") {
    ExecutedSet set(100);
    for (const std::uint32_t number : {9U, 4U, 7U, 1U, 8U})
        CHECK(set.admit(Round{5}, batch(number, number % 3)));
    const auto entries = set.entries();
    CHECK(entries.size() == 5);
    CHECK(std::is_sorted(entries.begin(), entries.end()));
}

TEST_CASE("a commit lists what it executes, in order, with its sums") {
    DagBuilder dag(4);
    dag.add("A1", "", {batch(5, 1)}).add("B1", "", {batch(3, 1), batch(4, 1)}).add("C1", "");
    // C2 names again what B1 named.
    dag.add("A2", "ABC").add("B2", "ABC", {batch(6, 2), batch(3, 1)}).add("C2", "ABC").rounds(3, 4, "ABC");
    Node node(dag.committee(), table("", 'A'));
    node.feed(dag);
    REQUIRE(anchors(node.commits) == "A1 A2 A3");
    CHECK(node.commits[0]->payload == std::vector{batch(5, 1)});
    CHECK(node.commits[1]->payload == std::vector{batch(3, 1), batch(4, 1)});
    CHECK(node.commits[1]->transactions == 4 + 5);
    CHECK(node.commits[1]->bytes == 103 + 104);
    CHECK(node.commits[2]->payload == std::vector{batch(6, 2)});
}

TEST_CASE("a batch that two headers of one commit name is executed at the first") {
    DagBuilder dag(4);
    dag.add("A1", "")
        .add("B1", "", {batch(1, 1)})
        .add("C1", "", {batch(2, 1), batch(1, 1)})
        .rounds(2, 3, "ABC");
    Node node(dag.committee(), table("", 'A'));
    node.feed(dag);
    REQUIRE(anchors(node.commits) == "A1 A2");
    CHECK(node.commits[1]->payload == std::vector{batch(1, 1), batch(2, 1)});
}

TEST_CASE("a batch whose life ends below the anchor is not executed") {
    for (const std::uint64_t life : {2, 1}) {
        DagBuilder dag(4);
        dag.add("A1", "").add("B1", "", {batch(1, 0)}).add("C1", "").rounds(2, 3, "ABC");
        OrderingConfig config = table("", 'A');
        config.batch_life = life;
        Node node(dag.committee(), config);
        node.feed(dag);
        REQUIRE(anchors(node.commits) == "A1 A2");
        CHECK(node.commits[1]->payload.size() == life - 1);
        CHECK(node.orderer.has_executed(batch(1, 0)) == (life == 2));
    }
}
