#include "node/position.hpp"

#include <catch2/catch.hpp>

#include "tests/node/chain.hpp"

namespace position_test {

using namespace monodon;
using namespace monodon::node;
using namespace monodon::node::test;
using namespace std::chrono_literals;

namespace {

const Time kStarted{1000s};

/// Validator 0 of four, restarted at commit 40 of a committee that is at 500.
struct Fixture {
    const dag::Committee committee = committee_of({1, 1, 1, 1});
    dag::EngineStatus engine;

    Fixture() {
        engine.validators.resize(4);
        engine.executed = dag::CommitIndex{40};
        engine.grown = kStarted;
    }
    void connect(std::size_t member, bool heard) {
        engine.validators.at(member).connected = true;
        engine.validators.at(member).heard = heard;
    }
    Position at(Duration later = 1s) const {
        return position_of(committee, member(0), engine, kStarted, kStarted + later, 1s);
    }
};

}  // namespace

TEST_CASE("the lag is unknown until a quorum is connected and has been heard") {
    Fixture fixture;
    CHECK_FALSE(fixture.at().lag);
    fixture.connect(1, false);
    fixture.connect(2, false);
    fixture.connect(3, true);
    CHECK_FALSE(fixture.at().lag);
    CHECK(fixture.at().no_quorum.empty());
    fixture.connect(2, true);
    CHECK(fixture.at().lag == 0);
    fixture.engine.supported_claim = dag::CommitIndex{500};
    CHECK(fixture.at().lag == 460);
    fixture.engine.validators[3].connected = false;
    CHECK_FALSE(fixture.at().lag);
}

TEST_CASE("an observer counts the members that it hears, and itself not") {
    Fixture fixture;
    const auto at = [&] {
        return position_of(fixture.committee, std::nullopt, fixture.engine, kStarted, kStarted + 1s, 1s);
    };
    fixture.engine.supported_claim = dag::CommitIndex{500};
    fixture.connect(0, true);
    fixture.connect(1, true);
    CHECK_THAT(at().no_quorum, Catch::Contains("stake 2 of the 3"));
    CHECK_FALSE(at().lag);
    fixture.connect(2, true);
    CHECK(at().no_quorum.empty());
    CHECK(at().lag == 460);
    CHECK(connected_members(fixture.engine, std::nullopt).size() == 3);
}

TEST_CASE("without a quorum of connected stake it says so at once") {
    Fixture fixture;
    fixture.connect(1, true);
    CHECK_THAT(fixture.at().no_quorum, Catch::Contains("stake 2 of the 3"));
    fixture.connect(2, true);
    CHECK(fixture.at().no_quorum.empty());
}

TEST_CASE("a quorum that is connected and silent is none") {
    Fixture fixture;
    fixture.connect(1, true);
    fixture.connect(2, true);
    CHECK(fixture.at(8s).no_quorum.empty());
    CHECK_THAT(fixture.at(9s).no_quorum, Catch::Contains("no certificate has come for 9 s"));
    fixture.engine.grown = kStarted + 5s;
    CHECK(fixture.at(9s).no_quorum.empty());
    fixture.engine.grown = Time{};
    CHECK(fixture.at(8s).no_quorum.empty());
}

TEST_CASE("how old the last commit may be follows from the rounds of an idle committee") {
    CHECK(commit_age_max(1s) == 15s);
    CHECK(commit_age_max(10ms) < 6s);
    // With rounds a minute apart a quarter of a minute without a commit is nothing.
    CHECK(commit_age_max(60s) > 9min);
}

}  // namespace position_test
