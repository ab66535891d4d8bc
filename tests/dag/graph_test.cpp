#include <catch2/catch.hpp>

#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

namespace {

Graph filled(const DagBuilder& dag, Round floor = Round{0}) {
    Graph graph(dag.committee(), floor);
    for (const VerifiedCertificate& certificate : dag.certificates()) (void)graph.insert(certificate);
    return graph;
}

std::vector<std::string> names(const std::vector<Slot>& slots) {
    std::vector<std::string> names;
    for (const Slot slot : slots) names.push_back(name(slot));
    return names;
}

}  // namespace

TEST_CASE("support is the stake of the certificates of the next round that name a parent") {
    //  A1 <- A2, B2, C2     B1 <- A2, B2     C1 <- all     D1 <- C2
    DagBuilder dag({1, 2, 4, 8});
    dag.round(1, "ABCD").add("A2", "ABC").add("B2", "ABC").add("C2", "ACD");
    const Graph graph = filled(dag);
    CHECK(graph.find(slot("A1"))->support == 7);
    CHECK(graph.find(slot("B1"))->support == 3);
    CHECK(graph.find(slot("C1"))->support == 7);
    CHECK(graph.find(slot("D1"))->support == 4);
    CHECK(graph.find(slot("B1"))->children == members("AB"));
    CHECK(graph.find(slot("C2"))->parents == members("ACD"));
    CHECK(graph.find(slot("C2"))->support == 0);
    CHECK(graph.find(slot("D2")) == nullptr);
    CHECK(graph.find(slot("A3")) == nullptr);
}

TEST_CASE("a slot is told once when its support reaches the threshold") {
    // Of 4 members with stake 1 the threshold is 2.
    DagBuilder dag(4);
    dag.round(1, "ABCD").add("A2", "ABC").add("B2", "ABD").add("C2", "ABC");
    Graph graph(dag.committee(), Round{0});
    for (const auto* name : {"A1", "B1", "C1", "D1", "A2"}) (void)graph.insert(dag.at(name));
    CHECK(graph.take_supported().empty());
    (void)graph.insert(dag.at("B2"));
    CHECK(names(graph.take_supported()) == std::vector<std::string>{"A1", "B1"});
    CHECK(graph.take_supported().empty());
    (void)graph.insert(dag.at("C2"));
    CHECK(names(graph.take_supported()) == std::vector<std::string>{"C1"});
}

TEST_CASE("a certificate waits for its parents, whole and by digest") {
    DagBuilder dag(4);
    dag.round(1, "ABCD").round(2, "ABCD");
    Graph graph(dag.committee(), Round{0});
    for (const auto* name : {"A1", "B1", "D1"}) CHECK(graph.insert(dag.at(name)) == Insertion::inserted);
    CHECK(graph.insert(dag.at("A2")) == Insertion::missing_parents);
    CHECK(graph.missing_parents(dag.at("A2")->header) == std::vector<HeaderRef>{dag.ref("C1")});
    CHECK(graph.find(slot("A1"))->support == 0);
    CHECK(graph.highest() == Round{1});

    // A slot that holds another header is not the parent.
    DagBuilder other(4);
    other.round(1, "ABD").add("C1", "", {batch(1, 1)}).round(2, "ABCD");
    CHECK(graph.insert(dag.at("C1")) == Insertion::inserted);
    CHECK(graph.insert(other.at("A2")) == Insertion::missing_parents);
    CHECK(graph.missing_parents(other.at("A2")->header) == std::vector<HeaderRef>{other.ref("C1")});
    CHECK(graph.insert(dag.at("A2")) == Insertion::inserted);
}

TEST_CASE("the same certificate again is a duplicate, another one for its slot a safety violation") {
    DagBuilder dag(4);
    dag.round(1, "ABCD").round(2, "AB");
    Graph graph = filled(dag);
    CHECK(graph.insert(dag.at("A1")) == Insertion::duplicate);
    // Another set of signers makes the same certificate.
    CHECK(graph.insert(Verification::trusted(Certificate{dag.at("A1")->header, members("ABC"), {}})) ==
          Insertion::duplicate);
    CHECK(graph.find(slot("A1"))->support == 2);

    DagBuilder twin(4);
    twin.add("A1", "", {batch(1, 1)});
    CHECK(graph.insert(twin.at("A1")) == Insertion::conflict);
    CHECK(graph.find(slot("A1"))->ref() == dag.ref("A1"));
    CHECK_FALSE(graph.contains(twin.ref("A1")));
}

TEST_CASE("quorum rounds are counted by stake") {
    DagBuilder dag({3, 1, 1, 1});
    dag.round(1, "ABC").round(2, "ABC").add("B3", "ABC").add("C3", "ABC");
    Graph graph = filled(dag);
    CHECK(graph.has_quorum(Round{2}));
    CHECK_FALSE(graph.has_quorum(Round{3}));
    CHECK(graph.highest_quorum() == Round{2});
    CHECK(graph.highest() == Round{3});
    CHECK(graph.stake(Round{3}) == 2);
    CHECK(graph.authors(Round{3}) == members("BC"));
    dag.add("A3", "ABC");
    (void)graph.insert(dag.at("A3"));
    CHECK(graph.highest_quorum() == Round{3});
}

TEST_CASE("history sweeps along parent links and no further than asked") {
    // D1 and D2 are named by nobody but D2 and D3.
    DagBuilder dag(4);
    dag.round(1, "ABCD").add("A2", "ABC").add("B2", "ABC").add("C2", "ABC").add("D2", "BCD");
    dag.add("A3", "ABC").add("D3", "ABD");
    const Graph graph = filled(dag);
    CHECK(graph.history(slot("A3"), Round{1}) == std::vector{members("ABC"), members("ABC"), members("A")});
    CHECK(graph.history(slot("D3"), Round{1}) == std::vector{members("ABCD"), members("ABD"), members("D")});
    CHECK(graph.history(slot("D3"), Round{2}) == std::vector{members("ABD"), members("D")});
    CHECK(graph.history(slot("D3"), Round{3}) == std::vector{members("D")});
    CHECK(graph.reaches(slot("D3"), slot("D1")));
    CHECK_FALSE(graph.reaches(slot("A3"), slot("D1")));
    CHECK(graph.reaches(slot("A3"), slot("A3")));
    CHECK_FALSE(graph.reaches(slot("A3"), slot("D3")));
    CHECK_FALSE(graph.reaches(slot("A1"), slot("A3")));
    CHECK_FALSE(graph.reaches(slot("B3"), slot("A1")));
}

TEST_CASE("whole rounds are collected, and nothing that was collected comes back") {
    DagBuilder dag(4);
    dag.rounds(1, 5, "ABC").add("D1", "");
    Graph graph = filled(dag);
    graph.collect(Round{2});
    CHECK(graph.floor() == Round{2});
    CHECK(graph.find(slot("A2")) == nullptr);
    CHECK(graph.find(slot("A3")) != nullptr);
    CHECK(graph.highest() == Round{5});
    CHECK(graph.insert(dag.at("D1")) == Insertion::below_floor);
    CHECK(graph.insert(dag.at("A2")) == Insertion::below_floor);
    graph.collect(Round{1});
    CHECK(graph.floor() == Round{2});
    CHECK(graph.history(slot("A4"), Round{1}) ==
          std::vector{AuthorSet{}, AuthorSet{}, members("ABC"), members("A")});
    graph.collect(Round{9});
    CHECK(graph.floor() == Round{9});
    CHECK(graph.highest() == Round{9});
    CHECK(graph.highest_quorum() == Round{5});
}

TEST_CASE("right above the floor parents are not asked for") {
    DagBuilder dag(4);
    dag.rounds(1, 5, "ABC");
    Graph graph(dag.committee(), Round{2});
    CHECK(graph.insert(dag.at("A4")) == Insertion::missing_parents);
    for (const auto* name : {"A3", "B3", "C3", "A4"})
        CHECK(graph.insert(dag.at(name)) == Insertion::inserted);
    CHECK(graph.has_all_parents(dag.at("A3")->header));
    CHECK(graph.find(slot("B3"))->support == 1);
}

TEST_CASE("marks of ordered certificates stay with the certificate") {
    DagBuilder dag(4);
    dag.rounds(1, 2, "ABC");
    Graph graph = filled(dag);
    graph.mark_ordered(slot("A1"));
    CHECK(graph.find(slot("A1"))->ordered);
    CHECK_FALSE(graph.find(slot("B1"))->ordered);
    graph.collect(Round{1});
    CHECK_FALSE(graph.find(slot("A2"))->ordered);
}
