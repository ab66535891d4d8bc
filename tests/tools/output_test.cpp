#include "tools/output.hpp"

#include <limits>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "node/json_text.hpp"
#include "tools/histogram.hpp"

namespace monodon::tools {

using namespace std::chrono_literals;

TEST_CASE("a table makes its columns as wide as their widest cell and sets numbers to the right") {
    Table table({{"NODE"}, {"ROUND", true}, {"NOTE"}});
    table.row({"v0", "7", "a"});
    table.row({"validator", "1842", ""});
    CHECK(table.text(false) ==
          "NODE       ROUND  NOTE\n"
          "v0             7  a\n"
          "validator   1842  \n");
    CHECK(table.plain() == "v0\t7\ta\nvalidator\t1842\t\n");
}

TEST_CASE("characters of several bytes take one column") {
    Table table({{"A"}, {"B"}});
    table.row({"é·é", "x"});
    table.row({"abc", "y"});
    CHECK(table.text(false) == "A    B\né·é  x\nabc  y\n");
}

TEST_CASE("colour stands around a cell and does not change its width") {
    Table table({{"A"}, {"B"}});
    table.row({{"up", Tint::good}, "x"});
    const std::string text = table.text(true);
    CHECK(text.find("\033[32mup\033[0m  x") != std::string::npos);
    CHECK(table.text(false).find('\033') == std::string::npos);
    CHECK(table.plain().find('\033') == std::string::npos);
}

TEST_CASE("progress shows share and count, and only the count when there is no end") {
    CHECK(progress_line("loading", 600, 2400, "operations", "") ==
          "loading  [======>                 ]   25 %  600 of 2,400 operations");
    CHECK(progress_line("loading", 2400, 2400, "operations", "2 failed") ==
          "loading  [========================]  100 %  2,400 of 2,400 operations  2 failed");
    CHECK(progress_line("bench", 1234, 0, "transactions", "") == "bench  1,234 transactions");
}

TEST_CASE("quantities are written for people") {
    CHECK(grouped(0) == "0");
    CHECK(grouped(999) == "999");
    CHECK(grouped(1000) == "1,000");
    CHECK(grouped(1234567) == "1,234,567");
    CHECK(human_bytes(512) == "512 B");
    CHECK(human_bytes(1500) == "1.5 KB");
    CHECK(human_bytes(999'999) == "1.0 MB");
    CHECK(human_bytes(61'000'000) == "61.0 MB");
    CHECK(human_time(850us) == "850 us");
    CHECK(human_time(3100us) == "3.1 ms");
    CHECK(human_time(1200ms) == "1.20 s");
    CHECK(human_time(200s) == "3m 20s");
    CHECK(human_time(2h + 5min) == "2h 5m");
}

TEST_CASE("numbers of JSON are plain decimals and stay the same numbers") {
    namespace json = boost::json;
    const json::value value = {{"ms", {{"p50", 31.524}, {"p99", 0.0}}},
                               {"list", {1, -2.5, true, nullptr, "1E1 \"x\"", 0.1, 1234567.25}},
                               {"none", json::object()},
                               {"empty", json::array()},
                               {"huge", std::numeric_limits<double>::infinity()}};
    CHECK(node::json_text(value) ==
          R"({"ms":{"p50":31.524,"p99":0.0},"list":[1,-2.5,true,null,"1E1 \"x\"",0.1,1234567.25],)"
          R"("none":{},"empty":[],"huge":null})");
    const json::value again = json::parse(node::json_text(1.0 / 3));
    CHECK(again.to_number<double>() == 1.0 / 3);
}

TEST_CASE("text of others cannot steer the terminal") {
    CHECK(one_line("a\033[2Jb\nc\td\x7f") == "a?[2Jb c d?");
}

TEST_CASE("a quantile is at most 1.6 percent too high and never below the value") {
    Histogram histogram;
    for (std::int64_t value = 1; value <= 100'000; ++value)
        histogram.record(std::chrono::microseconds(value));
    for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999}) {
        const double truth = q * 100'000;
        const auto found = histogram.quantile(q);
        REQUIRE(found);
        CHECK(static_cast<double>(found->count()) >= truth);
        CHECK(static_cast<double>(found->count()) <= truth * 1.016);
    }
    CHECK(histogram.quantile(1.0) == 100'000us);
    CHECK(histogram.most() == 100'000us);
    CHECK(histogram.count() == 100'000);
}

TEST_CASE("small values are exact, empty histograms have no quantile, huge values do not break it") {
    Histogram histogram;
    CHECK_FALSE(histogram.quantile(0.5));
    histogram.record(5us, 3);
    histogram.record(-7us);
    CHECK(histogram.quantile(0.0) == 0us);
    CHECK(histogram.quantile(0.5) == 5us);
    CHECK(histogram.count() == 4);
    histogram.record(std::chrono::microseconds(std::int64_t{1} << 60));
    CHECK(histogram.quantile(0.5) == 5us);
    REQUIRE(histogram.quantile(1.0));
    CHECK(*histogram.quantile(1.0) >= std::chrono::hours(38));
}

TEST_CASE("histograms add up") {
    Histogram one;
    Histogram two;
    one.record(10us, 9);
    two.record(5000us);
    one.add(two);
    CHECK(one.count() == 10);
    CHECK(one.quantile(0.9) == 10us);
    CHECK(one.most() == 5000us);
}

}  // namespace monodon::tools
