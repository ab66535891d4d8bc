#include "dag/graph/suspended.hpp"

#include <catch2/catch.hpp>

#include "dag/model/verification.hpp"
#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

namespace {

constexpr std::size_t kPlenty = 1 << 20;

std::string names(const std::vector<VerifiedCertificate>& certificates) {
    std::string text;
    for (const auto& certificate : certificates) text += name(certificate->ref().slot());
    return text;
}

/// Nobody asks it: what is taken by its hash shows no signatures.
class Unasked final : public SignatureVerifier {
 public:
    [[nodiscard]] bool verify(const PublicKey&, ByteView, const Signature&) const override { return false; }
};

/// What suspension counts for a certificate without payload.
std::size_t bytes_of(const VerifiedCertificate& certificate) {
    return sizeof(Certificate) + certificate->header.parents.size() * sizeof(Parent) +
           certificate->signatures.size() * sizeof(Signature);
}

}  // namespace

TEST_CASE("a suspended certificate is released when its last parent is in the graph") {
    DagBuilder dag(4);
    dag.rounds(1, 3, "ABC");
    Graph graph(dag.committee(), Round{0});
    Suspended suspended(128, kPlenty);
    CHECK(suspended.add(dag.at("B2"), graph.highest()));
    CHECK(suspended.add(dag.at("A2"), graph.highest()));
    CHECK(suspended.add(dag.at("A3"), graph.highest()));
    CHECK(suspended.add(dag.at("A3"), graph.highest()));
    CHECK(suspended.size() == 3);
    for (const auto* name : {"A1", "B1"}) (void)graph.insert(dag.at(name));
    CHECK(suspended.release(Round{2}, graph).empty());
    (void)graph.insert(dag.at("C1"));
    CHECK(names(suspended.release(Round{2}, graph)) == "A2B2");
    CHECK(suspended.release(Round{3}, graph).empty());
    CHECK(suspended.contains(slot("A3")));
    CHECK_FALSE(suspended.contains(slot("A2")));
}

TEST_CASE("one that is here by its hash gets its signatures when they come, and does not lose them again") {
    DagBuilder dag(4);
    dag.rounds(1, 3, "ABC");
    const Unasked verifier;
    const auto bare = Verification(dag.committee(), verifier).ancestor(Certificate(*dag.at("A3")));
    REQUIRE(bare);
    Suspended suspended(128, kPlenty);
    CHECK(suspended.add(*bare, Round{0}));
    const std::size_t without = suspended.bytes();
    CHECK_FALSE(suspended.all().at(slot("A3"))->has_proof());
    CHECK(suspended.add(dag.at("A3"), Round{0}));
    CHECK(suspended.all().at(slot("A3"))->has_proof());
    CHECK(suspended.bytes() == without + dag.at("A3")->signatures.size() * sizeof(Signature));
    CHECK(suspended.add(*bare, Round{0}));
    CHECK(suspended.all().at(slot("A3"))->has_proof());
    suspended.collect(Round{3});
    CHECK(suspended.bytes() == 0);
}

TEST_CASE("what is too far above the graph is not suspended") {
    DagBuilder dag(4);
    dag.rounds(1, 6, "ABC");
    Suspended suspended(3, kPlenty);
    CHECK(suspended.add(dag.at("A5"), Round{2}));
    CHECK_FALSE(suspended.add(dag.at("A6"), Round{2}));
    CHECK(suspended.add(dag.at("A6"), Round{3}));
}

TEST_CASE("when suspension is full the highest round makes room for a lower one, never the other way round") {
    DagBuilder dag(4);
    dag.rounds(1, 5, "ABC");
    // Room for two certificates, not for three.
    const std::size_t one = bytes_of(dag.at("A3"));
    Suspended suspended(128, 2 * one + one / 2, 0);
    CHECK(suspended.add(dag.at("A3"), Round{0}));
    CHECK(suspended.add(dag.at("A4"), Round{0}));
    CHECK_FALSE(suspended.add(dag.at("A5"), Round{0}));
    CHECK_FALSE(suspended.add(dag.at("B4"), Round{0}));
    CHECK(suspended.add(dag.at("A2"), Round{0}));
    CHECK(suspended.contains(slot("A2")));
    CHECK(suspended.contains(slot("A3")));
    CHECK_FALSE(suspended.contains(slot("A4")));
}

TEST_CASE("collected rounds leave suspension and give their room back") {
    DagBuilder dag(4);
    dag.rounds(1, 4, "ABC");
    const std::size_t one = bytes_of(dag.at("A3"));
    Suspended suspended(128, 2 * one, 0);
    CHECK(suspended.add(dag.at("A2"), Round{0}));
    CHECK(suspended.add(dag.at("A3"), Round{0}));
    suspended.collect(Round{2});
    CHECK(suspended.size() == 1);
    CHECK(suspended.add(dag.at("A4"), Round{0}));
    suspended.collect(Round{9});
    CHECK(suspended.empty());
}

TEST_CASE("the lowest round and what was fetched have a reserve that others can not fill") {
    DagBuilder dag(4);
    dag.rounds(1, 6, "ABCD");
    const std::size_t one = bytes_of(dag.at("A3"));
    Suspended suspended(128, 2 * one, 2 * one);
    CHECK(suspended.add(dag.at("A5"), Round{0}));
    CHECK(suspended.add(dag.at("B5"), Round{0}));
    // Of a higher round there is no room; for what was asked for there is.
    CHECK_FALSE(suspended.add(dag.at("A6"), Round{0}));
    CHECK(suspended.add(dag.at("A4"), Round{0}));
    CHECK(suspended.add(dag.at("B6"), Round{0}, true));
    CHECK(suspended.bytes() <= 4 * one);
    // The reserve has an end.
    CHECK_FALSE(suspended.add(dag.at("C6"), Round{0}, true));
    // The lowest pushes the highest out.
    CHECK(suspended.add(dag.at("A2"), Round{0}));
    CHECK_FALSE(suspended.contains(slot("B6")));
    CHECK(suspended.bytes() <= 4 * one);
}
