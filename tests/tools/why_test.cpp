#include "tools/why.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

using namespace monodon::tools;
namespace json = boost::json;

namespace {

std::string shown(const char* answer) { return why_text(json::parse(answer).as_object(), false); }

}  // namespace

TEST_CASE("nothing blocks is said when nothing does") {
    CHECK(shown(R"({"blocked":false,"commit":null,"ordered":17,"executed":16,"reasons":[]})") ==
          "nothing blocks: 17 commits are ordered, 16 executed\n");
}

TEST_CASE("what is missing is shown with its holders, their answers and the next attempt") {
    const std::string text = shown(R"({"blocked":true,"commit":18,"ordered":17,"executed":17,
        "reasons":["1 certificates are missing; 4 that are here wait for them"],
        "certificates_missing":3,"batches_missing":0,"batches":[],
        "certificates":[{"digest":"3f2a","round":12,"holders":["v1","v3"],"next_attempt_ms":120.0,
                         "asked":[{"validator":"v1","asked_ms_ago":2000.0,"answer":"does not have it"}]}]})");
    CHECK(text ==
          "commit 18 waits\n"
          "  1 certificates are missing; 4 that are here wait for them\n"
          "\n"
          "MISSING      ROUND  DIGEST  HOLDERS  ASKED                            NEXT\n"
          "certificate     12  3f2a    v1 v3    v1 2.00 s ago: does not have it  in 120.0 ms\n"
          "and 2 more certificates\n");
}

TEST_CASE("rounds that are fetched as ranges stand first") {
    const std::string text = shown(R"({"blocked":true,"commit":18,"reasons":["behind"],
        "ranges":{"highest":40,"target":900,"holders":["v2"],"asked":[],"next_attempt_ms":null},
        "certificates":[],"batches":[],"certificates_missing":0,"batches_missing":0})");
    CHECK(text.find("rounds      41  to 900  v2       nobody yet  is asked now") != std::string::npos);
}

TEST_CASE("how a node catches up is one line") {
    const auto line = [](const char* answer) { return sync_text(json::parse(answer).as_object()); };
    CHECK(
        line(R"({"mode":"ranges","highest_round":400,"target_round":1400,"rounds_per_s":500.0,
        "remaining_s":2.0,"certificates":{"useful":1200},"bytes":{"useful":970000,"wasted":30000}})") ==
        "ranges: round 400 of 1,400, 500 rounds/s, 2.00 s left; fetched 1,200 certificates, 1.0 MB, 3.0 % of "
        "the bytes for nothing");
    CHECK(
        line(R"({"mode":"live","highest_round":9,"executed":3,"commit":4})") ==
        "live: round 9, commit 3 executed of 4; fetched 0 certificates, 0 B, 0.0 % of the bytes for nothing");
    CHECK(line(R"({"mode":"live","highest_round":1009,"executed":4,"commit":4,
        "last":{"from_round":9,"to_round":1009,"seconds":0.5,"certificates_per_s":8000.0}})") ==
          "live: round 1,009, commit 4 executed of 4; fetched 0 certificates, 0 B, 0.0 % of the bytes for "
          "nothing; last caught up 1,000 rounds in 500.0 ms, 8000 certificates/s");
}
