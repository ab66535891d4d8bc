#include <catch2/catch.hpp>

#include "dag/ordering/leader_schedule.hpp"
#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

namespace {

/// The event of an anchor "C5" with these voters and failed slots "A1 B3".
AnchorEvent event(std::string_view anchor, std::string_view voters,
                  const std::vector<std::string>& failed = {}) {
    AnchorEvent event{CommitIndex{1}, slot(anchor), members(voters), {}};
    for (const std::string& name : failed) event.failed.push_back(slot(name));
    return event;
}

OrderingConfig with(const LeaderRule& rule, OrderingMode mode = OrderingMode::shoal) {
    OrderingConfig config;
    config.leaders = rule;
    config.mode = mode;
    return config;
}

std::string first_anchors(const LeaderSchedule& schedule, std::uint64_t rounds) {
    std::string text;
    for (std::uint64_t round = 1; round <= rounds; ++round)
        text += name({Round{round}, schedule.anchor(Round{round})})[0];
    return text;
}

using Weights = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("the draw of an anchor is fixed bit for bit") {
    const Committee committee = committee_of({1, 1, 1, 1});
    CHECK(anchor_draw(committee, Round{1}) == 5250280116293766156U);
    CHECK(anchor_draw(committee, Round{2}) == 16191709870022564691U);
    CHECK(anchor_draw(committee_of({1, 1, 1, 1}, "other"), Round{1}) != 5250280116293766156U);
    const auto next_epoch = Committee::make("replay", Epoch{1}, {{PublicKey{}, 1}}, false).value();
    CHECK(anchor_draw(next_epoch, Round{1}) != 5250280116293766156U);
}

TEST_CASE("the anchor is the first member whose cumulative weight exceeds the draw") {
    // x(1) is 0.28 and x(2) 0.88 of 2^64.
    const Committee equal = committee_of({1, 1, 1, 1});
    CHECK(first_anchors(LeaderSchedule(with(ReputationRule{}), equal), 2) == "BD");
    const Committee unequal = committee_of({1, 6, 1, 1});
    CHECK(first_anchors(LeaderSchedule(with(ReputationRule{}), unequal), 2) == "BC");
    const Committee last = committee_of({1, 1, 1, 30});
    CHECK(first_anchors(LeaderSchedule(with(ReputationRule{}), last), 2) == "DD");
}

TEST_CASE("the draw is the same for stakes of any size, also where weight times stake exceeds 64 bits") {
    const Committee small = committee_of({5, 3, 1});
    const Stake unit = Stake{1} << 58U;
    const Committee large = committee_of({5 * unit, 3 * unit, unit});
    const LeaderSchedule few(with(ReputationRule{}), small);
    const LeaderSchedule many(with(ReputationRule{}), large);
    CHECK(first_anchors(few, 200) == first_anchors(many, 200));
    ReputationRule heavy;
    heavy.inactive_weight = heavy.active_weight = ~std::uint64_t{0};
    const LeaderSchedule most(with(heavy), large);
    CHECK(first_anchors(few, 200) == first_anchors(most, 200));
    CHECK(most.weights() == Weights(3, ~std::uint64_t{0}));
}

TEST_CASE("every member is drawn in proportion to its weight") {
    const Committee committee = committee_of({1, 2, 3, 4});
    const LeaderSchedule schedule(with(ReputationRule{}), committee);
    std::map<ValidatorIndex, int> drawn;
    for (std::uint64_t round = 1; round <= 10000; ++round) ++drawn[schedule.anchor(Round{round})];
    for (std::uint16_t at = 0; at < 4; ++at) {
        CHECK(drawn[ValidatorIndex{at}] > 900 * (at + 1));
        CHECK(drawn[ValidatorIndex{at}] < 1100 * (at + 1));
    }
}

TEST_CASE("round-robin and table follow the mode's count of rounds") {
    const Committee committee = committee_of({1, 1, 1});
    CHECK(first_anchors(LeaderSchedule(with(RoundRobin{}), committee), 8) == "ABBCCAAB");
    const LeaderSchedule bullshark(with(RoundRobin{}, OrderingMode::bullshark), committee);
    CHECK(bullshark.anchor(Round{2}) == member('A'));
    CHECK(bullshark.anchor(Round{4}) == member('B'));
    CHECK(bullshark.anchor(Round{6}) == member('C'));
    CHECK(bullshark.anchor(Round{8}) == member('A'));
    CHECK(bullshark.anchor(Round{0}) == member('A'));
    CHECK(first_anchors(LeaderSchedule(table("B2 C4", 'A'), committee), 5) == "ABACA");
    CHECK(LeaderSchedule(with(RoundRobin{}), committee_of({2, 3})).weights() == Weights{2, 3});
}

TEST_CASE("a member's weight tells what the windows say of it") {
    ReputationRule rule;
    rule.proposer_window = 3;
    rule.voter_window = 2;
    rule.failure_threshold_percent = 50;
    const Committee committee = committee_of({1, 1, 1, 2});
    LeaderSchedule schedule(with(rule), committee);
    CHECK(schedule.weights() == Weights{10, 10, 10, 20});

    // A is an anchor, B votes, C fails once and was never an anchor.
    schedule.record(event("A1", "B", {"C1"}));
    CHECK(schedule.weights() == Weights{1000, 1000, 1, 20});
    // One anchor and one failure are not more than 50 percent.
    schedule.record(event("C3", "D"));
    CHECK(schedule.weights() == Weights{1000, 1000, 1000, 2000});
    // B's vote has left the window of 2 events; A is still an anchor of the last 3.
    schedule.record(event("C4", ""));
    CHECK(schedule.weights() == Weights{1000, 10, 1000, 2000});
    // A's event has left the window, and with it the failure of C.
    schedule.record(event("D5", "", {"B5", "B6"}));
    CHECK(schedule.weights() == Weights{10, 1, 1000, 2000});
    CHECK(schedule.events().size() == 3);
    CHECK(schedule.events().front().anchor == slot("C3"));
}

TEST_CASE("failures count in the events of others, several in one event one by one") {
    ReputationRule rule;
    rule.failure_threshold_percent = 66;
    const Committee committee = committee_of({1, 1});
    LeaderSchedule schedule(with(rule), committee);
    schedule.record(event("A9", ""));
    schedule.record(event("B11", "", {"A3", "A5"}));
    // 2 of 3 chances are 66.6 percent.
    CHECK(schedule.weights() == Weights{1, 1000});
    schedule.record(event("A13", ""));
    CHECK(schedule.weights() == Weights{1000, 1000});
}

TEST_CASE("a proposer window that is longer or shorter than the voter window keeps the events of both") {
    ReputationRule rule;
    rule.proposer_window = 1;
    rule.voter_window = 3;
    const Committee committee = committee_of({1, 1, 1});
    LeaderSchedule schedule(with(rule), committee);
    schedule.record(event("A1", "C"));
    schedule.record(event("B2", ""));
    CHECK(schedule.weights() == Weights{10, 1000, 1000});
    schedule.record(event("B3", ""));
    CHECK(schedule.weights() == Weights{10, 1000, 1000});
    schedule.record(event("B4", ""));
    CHECK(schedule.weights() == Weights{10, 1000, 10});
    CHECK(schedule.events().size() == 3);
}

TEST_CASE("windows default to ten and one event per member, and history covers both and the ordered set") {
    const ReputationRule rule = ReputationRule{}.with_defaults(7);
    CHECK(rule.proposer_window == 70);
    CHECK(rule.voter_window == 7);
    OrderingConfig config;
    CHECK(config.history_events(7) == 70);
    config.window = 100;
    CHECK(config.history_events(7) == 101);
    config.leaders = RoundRobin{};
    config.window = 5;
    CHECK(config.history_events(7) == 6);
}

TEST_CASE("a rule without reputation keeps no events") {
    const Committee committee = committee_of({1, 1});
    LeaderSchedule schedule(with(RoundRobin{}), committee);
    schedule.record(event("A1", "B"));
    CHECK(schedule.events().empty());
}
