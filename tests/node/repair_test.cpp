#include "node/repair.hpp"

#include <set>

#include <catch2/catch.hpp>

namespace repair_test {

using namespace monodon;
using namespace monodon::node;
using namespace std::chrono_literals;

namespace {

dag::Slot slot(std::uint64_t round, std::uint16_t author) {
    return {dag::Round{round}, dag::ValidatorIndex{author}};
}
dag::VerifiedCertificate certificate(dag::Slot at) {
    dag::Certificate made;
    made.header.round = at.round;
    made.header.author = at.author;
    return dag::Verification::trusted(std::move(made));
}
Time at(Duration since) { return Time{} + since; }
dag::ValidatorIndex third() { return dag::ValidatorIndex{2}; }

}  // namespace

TEST_CASE("a damaged certificate is asked of each other member in turn until it comes") {
    Repair repair(dag::ValidatorIndex{1}, 4);
    CHECK(repair.due(at(0s), third).empty());
    repair.damaged(slot(7, 0));
    repair.damaged(slot(7, 0));
    repair.damaged(slot(7, 3));
    std::set<std::uint16_t> asked;
    for (int turn = 0; turn < 4; ++turn) {
        const auto asks = repair.due(at(10s * turn), third);
        REQUIRE(asks.size() == 1);
        CHECK(asks[0].round == dag::Round{7});
        CHECK(asks[0].member != dag::ValidatorIndex{1});
        if (turn == 0) CHECK(asks[0].member == third());
        asked.insert(asks[0].member.value());
        CHECK(repair.due(at(10s * turn + 1s), third).empty());
    }
    CHECK(asked == std::set<std::uint16_t>{0, 2, 3});

    const auto wanted = repair.take({certificate(slot(7, 0)), certificate(slot(7, 1))});
    REQUIRE(wanted.size() == 1);
    CHECK(wanted[0]->ref().slot() == slot(7, 0));
    CHECK(repair.open() == 1);
    CHECK(repair.take({certificate(slot(7, 0)), certificate(slot(7, 3))}).size() == 1);
    CHECK(repair.due(at(100s), third).empty());
}

TEST_CASE("a certificate that nobody has is asked for more and more rarely, and gives way to another") {
    Repair repair(dag::ValidatorIndex{0}, 4);
    for (std::uint64_t round = 1; round <= 256; ++round) repair.damaged(slot(round, 0));
    int asks = 0;
    for (int second = 0; second < 3600; ++second)
        asks += static_cast<int>(repair.due(at(second * 1s), third).size());
    // Each of them 1,800 times, if it were every two seconds; the limit for a moment would allow 28,800.
    CHECK(asks > 256 * 20);
    CHECK(asks < 256 * 60);
    CHECK(repair.open() == 256);
    repair.damaged(slot(1000, 0));
    CHECK(repair.open() == 256);
    const auto next = repair.due(at(100'000s), third);
    CHECK_FALSE(next.empty());
    CHECK(repair.take({certificate(slot(1000, 0))}).size() == 1);
    repair.forget(dag::Round{200});
    CHECK(repair.open() == 56);
    CHECK(repair.take({certificate(slot(200, 0))}).empty());
}

TEST_CASE("what others make us find is bounded") {
    Repair repair(dag::ValidatorIndex{0}, 4);
    for (std::uint64_t round = 1; round <= 10000; ++round) repair.damaged(slot(round, 0));
    CHECK(repair.open() == 256);
    CHECK(repair.due(at(0s), third).size() == 8);
}

}  // namespace repair_test
