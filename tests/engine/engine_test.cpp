#include <catch2/catch.hpp>

#include "tests/engine/fixtures.hpp"

namespace engine_test {

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

/// All running members have executed the batch.
bool everywhere(const TestCommittee& committee, const PayloadEntry& entry) {
    for (std::size_t member = 0; member < committee.size(); ++member) {
        if (committee.running(member) && !committee.has_executed(member, entry.batch)) return false;
    }
    return true;
}

/// Gives each running member a batch every `pause`, for `time`.
std::vector<PayloadEntry> load(TestCommittee& committee, Duration time, Duration pause,
                               std::set<std::size_t> without = {}) {
    std::vector<PayloadEntry> entries;
    const Time end = committee.now() + time;
    while (committee.now() < end) {
        for (std::size_t member = 0; member < committee.size(); ++member) {
            if (!committee.running(member)) continue;
            const std::string text = std::to_string(member) + "/" + std::to_string(entries.size());
            std::set<std::size_t> lacking = without;
            lacking.erase(member);
            entries.push_back(committee.submit(member, text, lacking));
        }
        committee.run_for(pause);
    }
    return entries;
}

bool all_everywhere(const TestCommittee& committee, const std::vector<PayloadEntry>& entries) {
    return std::all_of(entries.begin(), entries.end(),
                       [&](const PayloadEntry& entry) { return everywhere(committee, entry); });
}

}  // namespace

TEST_CASE("a committee of four orders what each member submits, on all members alike") {
    TestCommittee committee({});
    const auto entries = load(committee, 500ms, 5ms);
    CHECK(committee.run_until([&] { return all_everywhere(committee, entries); }, 2s));
    CHECK(committee.status(0).last_commit.index > CommitIndex{20});
    committee.check_safety();
}

TEST_CASE("a single transaction in an idle committee is ordered at network speed, and idle rounds are slow") {
    TestCommittee committee({});
    committee.run_for(5s);
    const Round idle = committee.status(0).round;
    CHECK(idle <= Round{12});
    const Time before = committee.now();
    const auto entry = committee.submit(2, "alone");
    CHECK(committee.run_until([&] { return everywhere(committee, entry); }, 1s));
    CHECK(committee.now() - before < 60ms);
    committee.run_for(5s);
    CHECK(distance(idle, committee.status(0).round) < 20);
    committee.check_safety();
}

TEST_CASE("a committee of one orders alone") {
    TestCommittee committee({.stakes = {5}});
    const auto entry = committee.submit(0, "alone");
    CHECK(committee.run_until([&] { return everywhere(committee, entry); }, 1s));
    committee.check_safety();
}

TEST_CASE("a committee of one goes on from wherever a crash has left its header") {
    TestCommittee committee({.stakes = {5}});
    for (int life = 0; life < 100; ++life) {
        committee.crash(0);
        committee.start(0);
        committee.run_for(std::chrono::microseconds(20 * life));
        committee.crash(0);
        committee.start(0);
        const Round before = committee.status(0).round;
        INFO("life " << life << ", round " << before.value());
        REQUIRE(committee.run_until([&] { return committee.status(0).round > before; }, 5s));
    }
    committee.check_safety();
}

TEST_CASE("with one member down from the start commits go on and its anchors are avoided after a while") {
    TestCommittee committee({});
    committee.crash(3);
    const auto entries = load(committee, 3s, 10ms);
    CHECK(committee.run_until([&] { return all_everywhere(committee, entries); }, 2s));
    const auto status = committee.status(0);
    CHECK(status.anchors_skipped > 0);
    CHECK(status.validators[3].weight < status.validators[0].weight);
    const auto skipped = status.anchors_skipped;
    const auto more = load(committee, 1s, 10ms);
    CHECK(committee.status(0).anchors_skipped - skipped <= 2);
    committee.check_safety();
}

TEST_CASE("a member that comes back after many rounds catches up and takes part again") {
    TestCommittee committee({});
    load(committee, 200ms, 10ms);
    committee.crash(1);
    const auto missed = load(committee, 6s, 10ms);
    CHECK(distance(committee.status(1 - 1).graph_floor, committee.status(0).round) < 200);
    committee.start(1);
    CHECK(committee.run_until([&] { return all_everywhere(committee, missed); }, 5s));
    const SyncStatus sync = committee.status(1).sync;
    CHECK_FALSE(sync.since);
    CHECK(sync.from > Round{});
    // All but the highest of each unit.
    CHECK(committee.by_hash > sync.certificates_useful / 2);
    REQUIRE(sync.last);
    CHECK(sync.last->from == sync.from);
    CHECK(distance(sync.last->from, sync.last->to) > 40);
    CHECK(sync.last->certificates > 100);
    CHECK(sync.last->certificates <= sync.certificates_useful);
    CHECK(sync.last->taken > Duration{0});
    CHECK(sync.certificates_useful > 100);
    CHECK(sync.bytes_useful > 20 * sync.bytes_wasted);
    const auto own = committee.submit(1, "back");
    CHECK(committee.run_until([&] { return everywhere(committee, own); }, 2s));
    committee.check_safety();
}

TEST_CASE("after a crash of all at once under load the chain goes on, nothing twice, nothing lost") {
    TestCommittee committee({});
    std::vector<PayloadEntry> entries;
    for (int life = 0; life < 5; ++life) {
        const auto more = load(committee, 137ms, 7ms);
        entries.insert(entries.end(), more.begin(), more.end());
        for (std::size_t member = 0; member < 4; ++member) committee.crash(member);
        committee.run_for(10ms);
        for (std::size_t member = 0; member < 4; ++member) committee.start(member);
        // A worker gives its durable batches again: those that are executed are left out by the order.
        for (const auto& entry : entries) committee.give(entry.author.value(), PayloadReady{entry});
    }
    CHECK(committee.run_until([&] { return all_everywhere(committee, entries); }, 5s));
    committee.check_safety();
}

TEST_CASE("no single lost message stops a round: heavy loss slows the committee down only") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        TestCommittee committee({.seed = seed, .loss_percent = 20});
        const auto entries = load(committee, 1s, 20ms);
        CHECK(committee.run_until([&] { return all_everywhere(committee, entries); }, 60s));
        committee.check_safety();
    }
}

TEST_CASE("batches that only their author holds are fetched, also with one member dead") {
    TestCommittee committee({});
    committee.crash(3);
    const auto entries = load(committee, 300ms, 10ms, {0, 1, 2});
    CHECK(committee.run_until([&] { return all_everywhere(committee, entries); }, 3s));
    committee.check_safety();
}

TEST_CASE("a certificate that reached only its author and then the author's header still counts") {
    TestCommittee committee({});
    committee.drop = [](std::size_t, std::size_t to, const Effect& effect) {
        const auto* broadcast = std::get_if<Broadcast>(&effect);
        return broadcast != nullptr && std::holds_alternative<VerifiedCertificate>(broadcast->message) &&
               to != 0;
    };
    const auto entries = load(committee, 1s, 50ms);
    CHECK(committee.run_until([&] { return all_everywhere(committee, entries); }, 20s));
    committee.check_safety();
}

TEST_CASE("transactions of a member whose messages are all late are committed") {
    TestCommittee committee({});
    committee.slow[2] = 20ms;
    const auto entries = load(committee, 2s, 10ms);
    CHECK(committee.run_until([&] { return all_everywhere(committee, entries); }, 10s));
    committee.check_safety();
}

TEST_CASE("a batch of a dead member that all others hold is adopted") {
    TestCommittee committee({});
    load(committee, 100ms, 10ms);
    const auto orphan = committee.submit(2, "orphan");
    committee.crash(2);
    load(committee, 3s, 10ms);
    CHECK(committee.run_until([&] { return everywhere(committee, orphan); }, 5s));
    CHECK(committee.times_executed(0, orphan.batch) == 1);
    committee.check_safety();
}

TEST_CASE("a batch is executed also when commits are further apart than a history reaches") {
    // Member 3 is down and leads every round but one.
    LeaderTable leaders;
    leaders.otherwise = ValidatorIndex{3};
    leaders.leaders[Round{95}] = ValidatorIndex{0};
    EngineConfig engine;
    engine.ordering.leaders = leaders;
    engine.ordering.window = 10;
    TestCommittee committee({.engine = engine});
    committee.crash(3);
    const auto entry = committee.submit(1, "early");
    CHECK(committee.run_until([&] { return everywhere(committee, entry); }, 300s));
    CHECK(committee.status(0).last_commit.index == CommitIndex{1});
    committee.check_safety();
}

TEST_CASE("unequal stakes: the quorum is of stake, not of heads") {
    TestCommittee committee({.stakes = {10, 3, 3, 3, 3}});
    committee.crash(4);
    committee.crash(3);
    const auto entries = load(committee, 500ms, 10ms);
    CHECK(committee.run_until([&] { return all_everywhere(committee, entries); }, 5s));
    committee.crash(0);
    const auto before = committee.status(1).last_commit.index;
    committee.run_for(3s);
    CHECK(committee.status(1).last_commit.index.value() <= before.value() + 2);
    committee.check_safety();
}

TEST_CASE("random crashes and restarts under loss never contradict a vote and lose nothing") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        TestCommittee committee({.seed = seed, .loss_percent = 5});
        std::vector<PayloadEntry> entries;
        for (std::uint64_t turn = 0; turn < 8; ++turn) {
            const auto more = load(committee, 50ms + Duration(seed * 131 + turn * 977), 10ms);
            entries.insert(entries.end(), more.begin(), more.end());
            const std::size_t victim = (seed * 7 + turn * 3) % 4;
            committee.crash(victim);
            const auto during = load(committee, 40ms, 10ms);
            entries.insert(entries.end(), during.begin(), during.end());
            committee.start(victim);
            for (const auto& entry : entries) {
                if (entry.author.value() == victim) committee.give(victim, PayloadReady{entry});
            }
        }
        committee.set_loss(0);
        INFO("seed " << seed);
        CHECK(committee.run_until([&] { return all_everywhere(committee, entries); }, 30s));
        committee.check_safety();
    }
}

TEST_CASE("nobody votes for a header whose parents are at the floor: they could be invented", "[V4]") {
    TestCommittee members({});
    members.crash(3);
    REQUIRE(members.run_until([&] { return members.status(0).graph_floor > Round{3}; }, 120s));
    // Between two of the idle committee's rounds.
    const auto given = members.status(0).votes_given;
    REQUIRE(members.run_until([&] { return members.status(0).votes_given >= given + 2; }, 10s));
    members.run_for(50ms);
    const Round floor = members.status(0).graph_floor;
    std::vector<HeaderRef> parents;
    for (std::uint16_t author = 0; author < 3; ++author) {
        parents.push_back({floor, ValidatorIndex{author}, sha256(as_bytes("invented"))});
    }
    const auto before = members.status(0).votes_given;
    members.give(0, HeaderReceived{make_header(members.committee(), next(floor).value(), 3, parents)});
    members.run_for(10ms);
    REQUIRE(members.status(0).graph_floor == floor);
    CHECK(members.status(0).votes_given == before);
}

TEST_CASE("two certificates for one slot stop the engine for good instead of one of them", "[P7]") {
    const Committee committee = committee_of(4);
    TestCommittee members({});
    members.crash(2);
    members.give(0, CertificateReceived{make_certificate(committee, 1, 2, {}, 1)});
    members.run_for(1ms);
    REQUIRE(members.halts().empty());
    members.give(0, CertificateReceived{make_certificate(committee, 1, 2, {}, 1)});
    members.run_for(1ms);
    REQUIRE(members.halts().empty());
    members.give(0, CertificateReceived{make_certificate(committee, 1, 2, {}, 2)});
    members.run_for(1ms);
    REQUIRE(members.halts().size() == 1);
    CHECK(members.halts().front().find("two certificates for round 1 of validator 2") == 0);
    const auto before = members.status(0).last_commit;
    members.run_for(1s);
    CHECK(members.status(0).last_commit == before);
    CHECK(members.status(0).halted.has_value());
}

}  // namespace engine_test
