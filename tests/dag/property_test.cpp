#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>

#include <catch2/catch.hpp>

#include "tests/dag/dag_builder.hpp"
#include "tests/dag/oracle.hpp"
#include "tests/dag/random_dag.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// For long runs: how many DAGs, and the first seed.
const std::uint64_t kDags = from_environment("MONODON_PROPERTY_DAGS", 1000);
const std::uint64_t kFirstSeed = from_environment("MONODON_PROPERTY_SEED", 1);
constexpr std::uint64_t kOrders = 5;

struct Instance {
    explicit Instance(std::uint64_t seed) : random(~seed), dag(seed), committee(committee_of(dag.stakes)) {}
    [[nodiscard]] Node node(Round floor = Round{0}) const { return {committee, dag.config, floor}; }
    [[nodiscard]] Digest state_of(const Node& node) const {
        return consensus_state_digest(committee, node.orderer.state());
    }

    Random random;
    RandomDag dag;
    Committee committee;
};

template <class Body>
void for_each_instance(std::uint64_t instances, Body body) {
    for (std::uint64_t seed = kFirstSeed; seed < kFirstSeed + instances; ++seed) {
        INFO("MONODON_PROPERTY_DAGS=1 MONODON_PROPERTY_SEED=" << seed);
        Instance instance(seed);
        body(instance);
    }
}

std::vector<Digest> digests(const std::vector<CommitPtr>& commits) {
    std::vector<Digest> digests;
    for (const CommitPtr& commit : commits) digests.push_back(commit->digest);
    return digests;
}

std::vector<Digest> digests(const std::vector<Commit>& commits) {
    std::vector<Digest> digests;
    for (const Commit& commit : commits) digests.push_back(commit.digest);
    return digests;
}

/// P8 and I3.
bool is_well_formed(const Instance& instance, const std::vector<CommitPtr>& commits) {
    std::map<HeaderRef, const Header*> headers;
    for (const auto& certificate : instance.dag.certificates)
        headers[certificate->ref()] = &certificate->header;
    std::set<Slot> ordered;
    for (const CommitPtr& commit : commits) {
        const Round low = std::max(below(commit->anchor.round, instance.dag.config.window), Round{1});
        for (const HeaderRef& ref : commit->certificates) {
            if (ref.round < low || !ordered.insert(ref.slot()).second) return false;
            for (const Parent& parent : headers.at(ref)->parents) {
                const Slot slot{below(ref.round, 1), parent.author};
                if (slot.round >= low && !ordered.contains(slot)) return false;
            }
        }
        if (commit->certificates.back() != commit->anchor) return false;
    }
    return true;
}

/// Where the newest `kept` commits begin that RecoveredState asks for.
std::size_t first_needed(const Instance& instance, const std::vector<CommitPtr>& commits, std::size_t kept) {
    const std::uint64_t history = instance.dag.config.history_events(instance.committee.size());
    std::size_t first = kept - std::min<std::size_t>(kept, history);
    while (first > 0 && distance(commits[first - 1]->anchor.round, commits[kept - 1]->anchor.round) <=
                            instance.dag.config.batch_life) {
        --first;
    }
    return first;
}

/// What a process finds after a crash: what it had inserted, its floor, and of its commits the newest that
/// RecoveredState asks for, without the last `lost`.
Node restarted(const Instance& instance, const Node& before, const std::vector<VerifiedCertificate>& inserted,
               std::size_t lost) {
    Node node = instance.node(before.graph.floor());
    const std::size_t kept = before.commits.size() - std::min(before.commits.size(), lost);
    const std::size_t first = first_needed(instance, before.commits, kept);
    for (const auto& certificate : instance.dag.certificates) {
        const bool known = std::find_if(inserted.begin(), inserted.end(), [&](const auto& other) {
                               return other->ref() == certificate->ref();
                           }) != inserted.end();
        if (known && certificate->header.round > before.graph.floor()) {
            REQUIRE(node.graph.insert(certificate) == Insertion::inserted);
        }
    }
    const auto begin = before.commits.begin();
    node.commits.assign(begin, begin + static_cast<std::ptrdiff_t>(kept));
    node.orderer.restore(
        {begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(kept)}, node.graph);
    node.evaluate();
    return node;
}

}  // namespace

TEST_CASE("any insertion order gives the sequence of the rules and the same consensus state",
          "[P2][P6][P8]") {
    std::uint64_t commits = 0;
    for_each_instance(kDags, [&](Instance& instance) {
        Oracle oracle(instance.dag.config, instance.committee);
        for (const auto& certificate : instance.dag.certificates) oracle.insert(certificate);
        oracle.evaluate();
        const std::vector<Digest> expected = digests(oracle.commits());
        commits += expected.size();

        Node at_the_end = instance.node();
        for (const auto& certificate : instance.dag.certificates) {
            REQUIRE(at_the_end.graph.insert(certificate) == Insertion::inserted);
        }
        at_the_end.evaluate();
        REQUIRE(digests(at_the_end.commits) == expected);
        REQUIRE(is_well_formed(instance, at_the_end.commits));
        for (std::uint64_t order = 0; order < kOrders; ++order) {
            Node node = instance.node();
            for (const auto& certificate : instance.dag.shuffled(instance.random)) node.insert(certificate);
            REQUIRE(digests(node.commits) == expected);
            REQUIRE(instance.state_of(node) == instance.state_of(at_the_end));
        }
    });
    CHECK(commits > 3 * kDags);
}

TEST_CASE("after each insertion everything that is decidable has been ordered", "[P2][P6]") {
    for_each_instance(kDags / 20, [](Instance& instance) {
        Oracle oracle(instance.dag.config, instance.committee);
        Node node = instance.node();
        for (const auto& certificate : instance.dag.shuffled(instance.random)) {
            oracle.insert(certificate);
            oracle.evaluate();
            node.insert(certificate);
            REQUIRE(digests(node.commits) == digests(oracle.commits()));
        }
    });
}

TEST_CASE("a node that keeps only the window in its graph orders what the others order", "[P5]") {
    for_each_instance(kDags / 4, [](Instance& instance) {
        Node keeps_all = instance.node();
        Node keeps_little = instance.node();
        const std::uint64_t retention = instance.dag.config.window + 1;
        for (const auto& certificate : instance.dag.shuffled(instance.random)) {
            keeps_all.insert(certificate);
            const Insertion inserted = keeps_little.graph.insert(certificate);
            REQUIRE((inserted == Insertion::inserted || inserted == Insertion::below_floor));
            keeps_little.evaluate();
            if (const CommitPtr& last = keeps_little.orderer.last()) {
                keeps_little.graph.collect(below(last->anchor.round, retention));
            }
            REQUIRE(digests(keeps_little.commits) == digests(keeps_all.commits));
        }
        REQUIRE(instance.state_of(keeps_little) == instance.state_of(keeps_all));
    });
}

TEST_CASE("a restart at any point, also one that lost commits, continues the unbroken sequence", "[P3]") {
    for_each_instance(kDags / 4, [](Instance& instance) {
        Node unbroken = instance.node();
        std::optional<Node> broken = instance.node();
        std::vector<VerifiedCertificate> inserted;
        const std::uint64_t retention = instance.dag.config.window + instance.random.between(1, 4);
        for (const auto& certificate : instance.dag.shuffled(instance.random)) {
            unbroken.insert(certificate);
            if (certificate->header.round > broken->graph.floor()) broken->insert(certificate);
            inserted.push_back(certificate);
            if (instance.random.chance(90)) continue;
            // The floor is written with or after the commit that raised it, so a lost commit means a lower
            // floor.
            const std::size_t lost = broken->graph.floor() == Round{0} ? instance.random.below(3) : 0;
            broken.emplace(restarted(instance, *broken, inserted, lost));
            REQUIRE(digests(broken->commits) == digests(unbroken.commits));
            REQUIRE(instance.state_of(*broken) == instance.state_of(unbroken));
            if (const CommitPtr& last = broken->orderer.last()) {
                broken->graph.collect(below(last->anchor.round, retention));
            }
        }
        REQUIRE(digests(broken->commits) == digests(unbroken.commits));
    });
}

TEST_CASE("a node that begins at any commit with nothing older than its history orders what the others order",
          "[P4]") {
    for_each_instance(kDags / 20, [](Instance& instance) {
        Node whole = instance.node();
        for (const auto& certificate : instance.dag.certificates) whole.insert(certificate);
        for (std::size_t kept = 1; kept <= whole.commits.size(); ++kept) {
            const Round anchor = whole.commits[kept - 1]->anchor.round;
            Node joiner = instance.node(below(anchor, instance.dag.config.window + 1));
            // Half of what came later is there when it begins, half comes then.
            const Round known = above(anchor, instance.random.below(8));
            const auto insert = [&](auto wanted) {
                for (const auto& certificate : instance.dag.certificates) {
                    const Round round = certificate->header.round;
                    if (round > joiner.graph.floor() && wanted(round)) {
                        REQUIRE(joiner.graph.insert(certificate) == Insertion::inserted);
                    }
                }
            };
            insert([&](Round round) { return round <= known; });
            const std::size_t first = first_needed(instance, whole.commits, kept);
            const auto begin = whole.commits.begin();
            joiner.commits.assign(begin, begin + static_cast<std::ptrdiff_t>(kept));
            joiner.orderer.restore(
                {begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(kept)},
                joiner.graph);
            joiner.evaluate();
            insert([&](Round round) { return round > known; });
            joiner.evaluate();
            REQUIRE(digests(joiner.commits) == digests(whole.commits));
            REQUIRE(instance.state_of(joiner) == instance.state_of(whole));
        }
    });
}

TEST_CASE(
    "after a long outage of scheduled members the next supported anchor resolves all, alike at all nodes",
    "[P10]") {
    // Members 0 and 1 of 7 hold the reputation, then fall silent for 40 rounds and come back.
    Random random(7);
    OrderingConfig config;
    config.window = 6;
    const Committee committee = committee_of(std::vector<Stake>(7, 1));
    for (const auto mode : {OrderingMode::shoal, OrderingMode::bullshark}) {
        config.mode = mode;
        DagBuilder dag(7);
        dag.rounds(1, 20, "ABCDEFG").rounds(21, 60, "CDEFG").rounds(61, 80, "ABCDEFG");
        Node first(committee, config);
        first.feed(dag);
        std::set<Slot> failed;
        for (const CommitPtr& commit : first.commits)
            failed.insert(commit->failed.begin(), commit->failed.end());
        CHECK_FALSE(failed.empty());
        CHECK(first.orderer.base() >= Round{79});
        const std::vector<std::uint64_t> weights = first.orderer.schedule().weights();

        std::vector<VerifiedCertificate> certificates = dag.certificates();
        for (int order = 0; order < 5; ++order) {
            for (std::size_t at = certificates.size(); at > 1; --at) {
                std::swap(certificates[at - 1], certificates[random.below(at)]);
            }
            Node node(committee, config);
            // Parents first: each pass inserts what has become possible.
            while (node.graph.highest() < Round{80} || node.graph.authors(Round{80}).size() < 7) {
                for (const auto& certificate : certificates) {
                    if (node.graph.insert(certificate) == Insertion::inserted) node.evaluate();
                }
            }
            REQUIRE(digests(node.commits) == digests(first.commits));
            REQUIRE(node.orderer.schedule().weights() == weights);
        }
    }
}
