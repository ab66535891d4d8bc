#include "dag/sync/waits.hpp"

#include <catch2/catch.hpp>

using namespace monodon;
using namespace monodon::dag;
using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST_CASE("quantiles of what was waited for are never too low and at most a quarter too high") {
    Waits waits;
    CHECK(waits.percentile(50) == Duration{0});
    for (int at = 1; at <= 1000; ++at) waits.add(microseconds(at * 37));
    for (const unsigned percent : {1U, 50U, 90U, 99U, 100U}) {
        const Duration exact = microseconds(percent * 370);
        CHECK(waits.percentile(percent) >= exact);
        CHECK(waits.percentile(percent) <= exact + exact / 4);
    }
    CHECK(waits.count() == 1000);
}

TEST_CASE("a wait of nothing and one of days have a place") {
    Waits waits;
    waits.add(Duration{0});
    CHECK(waits.percentile(100) == Duration{0});
    waits.add(std::chrono::hours(100));
    waits.add(Duration{-1});
    CHECK(waits.percentile(50) == Duration{0});
    CHECK(waits.percentile(100) >= std::chrono::hours(1));
    CHECK(waits.count() == 3);
}
