#include "node/room.hpp"

#include <catch2/catch.hpp>

namespace room_test {

using namespace monodon::node;

namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
const Watermarks kMarks{2 * kGiB, 512 * kMiB, 80};

Room room(std::uint64_t free, std::uint64_t total = 100 * kGiB) { return {free, total, {}, {}}; }

}  // namespace

TEST_CASE("below the low mark no transactions are taken, below the critical one nothing is proposed") {
    CHECK(shortage(room(2 * kGiB), kMarks) == Shortage{});
    const Shortage low = shortage(room(2 * kGiB - 1), kMarks);
    CHECK_THAT(low.transactions, Catch::Contains("free on the disk"));
    CHECK(low.proposals.empty());
    CHECK(shortage(room(512 * kMiB), kMarks).proposals.empty());
    const Shortage critical = shortage(room(512 * kMiB - 1), kMarks);
    CHECK_FALSE(critical.transactions.empty());
    CHECK_FALSE(critical.proposals.empty());
}

TEST_CASE("what was short is enough again only well above the mark") {
    const Shortage low = shortage(room(2 * kGiB - 1), kMarks);
    CHECK_FALSE(shortage(room(2 * kGiB + 100 * kMiB), kMarks, low).transactions.empty());
    CHECK(shortage(room(2 * kGiB + 256 * kMiB), kMarks, low) == Shortage{});
    const Shortage critical = shortage(room(512 * kMiB - 1), kMarks);
    CHECK_FALSE(shortage(room(550 * kMiB), kMarks, critical).proposals.empty());
    CHECK(shortage(room(576 * kMiB), kMarks, critical).proposals.empty());
    Room full = room(50 * kGiB);
    full.maps = {{"state", 81 * kMiB, 100 * kMiB}};
    const Shortage map = shortage(full, kMarks);
    full.maps[0].used = 75 * kMiB;
    CHECK(shortage(full, kMarks) == Shortage{});
    CHECK_FALSE(shortage(full, kMarks, map).transactions.empty());
    full.maps[0].used = 70 * kMiB;
    CHECK(shortage(full, kMarks, map) == Shortage{});
}

TEST_CASE("on a small disk a tenth and a fortieth of it are the marks") {
    CHECK(shortage(room(25 * kMiB, 240 * kMiB), kMarks) == Shortage{});
    CHECK_FALSE(shortage(room(23 * kMiB, 240 * kMiB), kMarks).transactions.empty());
    CHECK(shortage(room(7 * kMiB, 240 * kMiB), kMarks).proposals.empty());
    CHECK_FALSE(shortage(room(5 * kMiB, 240 * kMiB), kMarks).proposals.empty());
    CHECK(kMarks.fitted(20 * kGiB).low == 2 * kGiB);
    CHECK(kMarks.fitted(0).low == kMarks.low);
}

TEST_CASE("a map above its share of its limit refuses transactions and names itself") {
    Room full = room(50 * kGiB);
    full.maps = {{"consensus", 10 * kMiB, 100 * kMiB}, {"state", 80 * kMiB, 100 * kMiB}};
    CHECK(shortage(full, kMarks) == Shortage{});
    full.maps[1].used += 1;
    const Shortage found = shortage(full, kMarks);
    CHECK_THAT(found.transactions, Catch::StartsWith("state uses"));
    CHECK(found.proposals.empty());
}

TEST_CASE("a writer that waits for room refuses transactions with its own reason") {
    Room stalled = room(50 * kGiB);
    stalled.stalled = "no space left";
    CHECK(shortage(stalled, kMarks).transactions == "no space left");
}

}  // namespace room_test
