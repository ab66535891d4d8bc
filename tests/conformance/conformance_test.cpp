#include <algorithm>
#include <fstream>
#include <sstream>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "tests/temporary_directory.hpp"
#include "tools/replay.hpp"

using namespace monodon;

namespace json = boost::json;

namespace {

struct Outcome {
    int code = 0;
    std::string out;
    std::string err;
};

Outcome replay(const std::string& text) {
    std::istringstream input(text);
    std::ostringstream out;
    std::ostringstream err;
    const int code = tools::replay(input, out, err);
    return {code, out.str(), err.str()};
}

json::value cases() {
    std::ifstream file(MONODON_CONFORMANCE_CASES);
    REQUIRE(file);
    std::stringstream text;
    text << file.rdbuf();
    return json::parse(text.str());
}

/// Four members of stake 1 with three certificates in round 1, then what a test adds.
std::string with_certificates(const std::string& more) {
    return R"({"stakes": [1, 1, 1, 1], "leaders": {"kind": "round-robin"}, "certificates": [
        {"round": 1, "author": 0, "parents": []}, {"round": 1, "author": 1, "parents": []},
        {"round": 1, "author": 2, "parents": []})" +
           (more.empty() ? "" : "," + more) + "]}";
}

std::string with_settings(const std::string& settings) {
    return R"({"stakes": [1, 1, 1, 1], "certificates": [])" + (settings.empty() ? "" : "," + settings) + "}";
}

struct Malformed {
    std::string input;
    /// Stands in the message.
    std::string message;
};

void check_refused(const std::vector<Malformed>& table) {
    for (const Malformed& entry : table) {
        const Outcome outcome = replay(entry.input);
        INFO(entry.input);
        INFO(outcome.err);
        CHECK(outcome.code == 2);
        CHECK(outcome.out.empty());
        CHECK(outcome.err.find(entry.message) != std::string::npos);
        CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    }
}

}  // namespace

TEST_CASE("every case of the conformance file comes out as it says") {
    const json::value document = cases();
    CHECK(document.at("cases").as_array().size() == 13);
    for (const json::value& entry : document.at("cases").as_array()) {
        const Outcome outcome = replay(json::serialize(entry.at("input")));
        INFO(entry.at("id").as_string().c_str() << ": " << entry.at("about").as_string().c_str());
        INFO(outcome.err);
        CHECK(outcome.code == 0);
        CHECK(outcome.err.empty());
        CHECK(outcome.out == json::serialize(entry.at("expected")) + "\n");
    }
}

TEST_CASE("what is not given has its default") {
    const std::string certificates = R"("certificates": [
        {"round": 1, "author": 0, "parents": []}, {"round": 1, "author": 1, "parents": []},
        {"round": 1, "author": 2, "parents": []}, {"round": 2, "author": 0, "parents": [2, 0, 1]},
        {"round": 2, "author": 1, "parents": [0, 1, 2]}])";
    const Outcome sparse = replay(R"({"stakes": [1, 1, 1, 1],)" + certificates + "}");
    const Outcome explicit_defaults = replay(
        R"({"mode": "shoal", "stakes": [1, 1, 1, 1], "window": 10, "first_instance_round": 1,
            "chain": "replay", "epoch": 0,
            "leaders": {"kind": "reputation", "proposer_window": 40, "voter_window": 4, "failed_weight": 1,
                        "inactive_weight": 10, "active_weight": 1000, "failure_threshold_percent": 10},)" +
        certificates + "}");
    CHECK(sparse.code == 0);
    CHECK(sparse.out ==
          "{\"commits\":[{\"index\":1,\"anchor\":[1,1],\"certificates\":[[1,1]],\"failed\":[]}]}\n");
    CHECK(explicit_defaults.out == sparse.out);
    CHECK(replay(with_settings("")).out == "{\"commits\":[]}\n");
    // Every round of the draw depends on chain and epoch.
    const Outcome other =
        replay(R"({"stakes": [1, 1, 1, 1], "chain": "x", "epoch": 5,)" + certificates + "}");
    CHECK(other.code == 0);
}

TEST_CASE("a certificate that breaks a rule of the DAG is refused by name") {
    const auto round_two = [](const std::string& parents) {
        return with_certificates(R"({"round": 2, "author": 3, "parents": )" + parents + "}");
    };
    check_refused({
        {with_certificates(R"({"round": 1, "author": 4, "parents": []})"),
         "certificates[3] (round 1, author 4): the author is not in the committee"},
        {with_certificates(R"({"round": 1, "author": 18446744073709551615, "parents": []})"),
         "(round 1, author 184467"},
        {with_certificates(R"({"round": 1, "author": 65536, "parents": []})"), "(round 1, author 65536)"},
        {with_certificates(R"({"round": 1, "author": 2, "parents": []})"),
         "certificates[3] (round 1, author 2)"},
        {with_certificates(R"({"round": 1, "author": 3, "parents": [0, 1, 2]})"), "round 1 has no parents"},
        {with_certificates(R"({"round": 0, "author": 3, "parents": []})"),
         "certificates[3] (round 0, author 3)"},
        {round_two("[0, 1, 3]"), "certificates[3] (round 2, author 3): parent 3 of round 1 is missing"},
        {round_two("[0, 1, 4]"), "(round 2, author 3): parent 4 is not in the committee"},
        {round_two("[0, 1, 65538]"), "parent 65538 is not in the committee"},
        {round_two("[0, 1, 1]"), "(round 2, author 3): parent 1 stands twice"},
        {round_two("[0, 1, 2, 2]"), "parent 2 stands twice"},
        {round_two("[0, 1]"), "(round 2, author 3): its parents have stake 2 of the 3"},
        {round_two("[]"), "(round 2, author 3): its parents have stake 0 of the 3"},
        {with_certificates(R"({"round": 3, "author": 0, "parents": [0, 1, 2]})"),
         "parent 0 of round 2 is missing"},
        {with_certificates(R"({"round": 18446744073709551615, "author": 0, "parents": [0]})"), "is missing"},
        {with_certificates(R"({"round": 18446744073709551615, "author": 0, "parents": []})"),
         "stake 0 of the 3"},
    });
}

TEST_CASE("a certificate that is not described as one is refused by its place") {
    check_refused({
        {with_certificates(R"({"author": 3, "parents": []})"), "certificates[3].round is missing"},
        {with_certificates(R"({"round": 1, "parents": []})"), "certificates[3].author is missing"},
        {with_certificates(R"({"round": 1, "author": 3})"), "certificates[3].parents is missing"},
        {with_certificates(R"({"round": 1, "author": 3, "parents": [], "x": 1})"),
         "certificates[3].x is not a known"},
        {with_certificates(R"({"round": -1, "author": 3, "parents": []})"),
         "certificates[3].round is not a whole"},
        {with_certificates(R"({"round": 1.0, "author": 3, "parents": []})"),
         "certificates[3].round is not a whole"},
        {with_certificates(R"({"round": 1e2, "author": 3, "parents": []})"),
         "certificates[3].round is not a whole"},
        {with_certificates(R"({"round": "1", "author": 3, "parents": []})"),
         "certificates[3].round is not a whole"},
        {with_certificates(R"({"round": 1, "author": null, "parents": []})"),
         "certificates[3].author is not a"},
        {with_certificates(R"({"round": 1, "author": true, "parents": []})"),
         "certificates[3].author is not a"},
        {with_certificates(R"({"round": 18446744073709551616, "author": 0, "parents": []})"),
         "[3].round is not a"},
        {with_certificates(R"({"round": 2, "author": 0, "parents": 1})"),
         "certificates[3].parents is not an array"},
        {with_certificates(R"({"round": 2, "author": 0, "parents": [0, 1, -2]})"),
         "certificates[3].parents holds"},
        {with_certificates(R"({"round": 2, "author": 0, "parents": ["0"]})"),
         "certificates[3].parents holds"},
        {with_certificates("7"), "certificates[3] is not an object"},
        {with_certificates("[1, 3, []]"), "certificates[3] is not an object"},
        {with_certificates(R"({"round": 1, "round": 2, "author": 3, "parents": []})"),
         "\"round\" stands twice"},
    });
}

TEST_CASE("settings that no committee can have are refused") {
    const auto stakes = [](const std::string& list) {
        return R"({"certificates": [], "stakes": )" + list + "}";
    };
    std::string many = "[1";
    for (int at = 0; at < 128; ++at) many += ",1";
    check_refused({
        {R"({"certificates": []})", "stakes is missing"},
        {R"({"stakes": [1, 1, 1, 1]})", "certificates is missing"},
        {R"({"stakes": [1], "certificates": {}})", "certificates is not an array"},
        {stakes("[]"), "stakes: the committee has no members"},
        {stakes("4"), "stakes is not an array"},
        {stakes("[1, 0, 1, 1]"), "stakes: a member has no stake"},
        {stakes("[1, -1, 1, 1]"), "stakes holds"},
        {stakes("[1, 0.5]"), "stakes holds"},
        {stakes("[18446744073709551615, 2]"), "stakes: the total stake is 2^62 or more"},
        {stakes("[4611686018427387904]"), "stakes: the total stake is 2^62 or more"},
        {stakes(many + "]"), "stakes: the committee has more than 128 members"},
        {with_settings(R"("mode": "tusk")"), "mode is neither"},
        {with_settings(R"("mode": 1)"), "mode is not a text"},
        {with_settings(R"("window": 0)"), "window is not a whole number from 1"},
        {with_settings(R"("window": "10")"), "window is not a whole number from 1"},
        {with_settings(R"("first_instance_round": 0)"), "first_instance_round is not a whole number from 1"},
        {with_settings(R"("epoch": -1)"), "epoch is not a whole number"},
        {with_settings(R"("chain": 5)"), "chain is not a text"},
        {with_settings(R"("chain": ")" + std::string(257, 'x') + "\""), "chain is not a text"},
        {with_settings(R"("windows": 5)"), "windows is not a known key"},
        {with_settings(R"("window": 5, "window": 6)"), "\"window\" stands twice"},
    });
}

TEST_CASE("leaders that cannot lead are refused") {
    const auto leaders = [](const std::string& value) { return with_settings("\"leaders\": " + value); };
    check_refused({
        {leaders("\"round-robin\""), "leaders is not an object"},
        {leaders("{}"), "leaders.kind is missing"},
        {leaders(R"({"kind": "lottery"})"), "leaders.kind is none of"},
        {leaders(R"({"kind": "round-robin", "default": 0})"), "leaders.default is not a known key"},
        {leaders(R"({"kind": "table", "default": 0})"), "leaders.table is missing"},
        {leaders(R"({"kind": "table", "table": [0], "default": 0})"), "leaders.table is not an object"},
        {leaders(R"({"kind": "table", "table": {}, "default": 4})"),
         "leaders.default is not a whole number from 0 to 3"},
        {leaders(R"({"kind": "table", "table": {"2": 4}, "default": 0})"),
         "leaders.table.2 is not an author"},
        {leaders(R"({"kind": "table", "table": {"2": -1}, "default": 0})"),
         "leaders.table.2 is not an author"},
        {leaders(R"({"kind": "table", "table": {"two": 1}, "default": 0})"), "\"two\" is not a round"},
        {leaders(R"({"kind": "table", "table": {"-2": 1}, "default": 0})"), "\"-2\" is not a round"},
        {leaders(R"({"kind": "table", "table": {"02": 1}, "default": 0})"), "\"02\" is not a round"},
        {leaders(R"({"kind": "table", "table": {"": 1}, "default": 0})"), "\"\" is not a round"},
        {leaders(R"({"kind": "table", "table": {"2": 1, "2": 0}, "default": 0})"), "\"2\" stands twice"},
        {leaders(R"({"kind": "reputation", "proposer_window": 0})"),
         "leaders.proposer_window is not a whole"},
        {leaders(R"({"kind": "reputation", "voter_window": 0})"), "leaders.voter_window is not a whole"},
        {leaders(R"({"kind": "reputation", "failed_weight": 0})"), "leaders.failed_weight is not a whole"},
        {leaders(R"({"kind": "reputation", "inactive_weight": -3})"),
         "leaders.inactive_weight is not a whole"},
        {leaders(R"({"kind": "reputation", "active_weight": 1.5})"), "leaders.active_weight is not a whole"},
        {leaders(R"({"kind": "reputation", "failure_threshold_percent": 101})"), "from 0 to 100"},
        {leaders(R"({"kind": "reputation", "table": {}})"), "leaders.table is not a known key"},
    });
}

TEST_CASE("text that is not one JSON object is refused") {
    check_refused({
        {"", "not JSON"},
        {"{", "not JSON"},
        {"{} {}", "not JSON"},
        {"[]", "the input is not an object"},
        {"null", "the input is not an object"},
        {"{'stakes': [1]}", "not JSON"},
        {R"({"stakes": [1,]})", "not JSON"},
        {"{\"stakes\": \"\xff\"}", "not JSON"},
        {R"({"": 1, "": 2})", "\"\" stands twice"},
        {std::string(100000, '['), "not JSON"},
        {std::string(32 * 1024 * 1024 + 1, ' '), "longer than 32 MiB"},
    });
}

TEST_CASE("numbers at the ends of their range are taken and cost nothing") {
    const std::string most = "18446744073709551615";
    for (const std::string& settings :
         {R"("window": )" + most, R"("first_instance_round": )" + most, R"("epoch": )" + most,
          R"("leaders": {"kind": "table", "table": {"0": 1, ")" + most + R"(": 2}, "default": 3})",
          R"("leaders": {"kind": "reputation", "proposer_window": )" + most + R"(, "voter_window": )" + most +
              R"(, "active_weight": )" + most + "}"}) {
        for (const std::string mode : {"shoal", "bullshark"}) {
            std::string input =
                R"({"mode": ")" + mode + R"(", "stakes": [1], )" + settings + R"(, "certificates": [)";
            for (int round = 1; round <= 20; ++round) {
                input += std::string(round == 1 ? "" : ",") + R"({"round": )" + std::to_string(round) +
                         R"(, "author": 0, "parents": )" + (round == 1 ? "[]}" : "[0]}");
            }
            INFO(settings);
            // A table for more than one author is for the committee of four.
            if (settings.find("table") != std::string::npos) {
                CHECK(replay(with_settings(settings)).code == 0);
            } else {
                CHECK(replay(input + "]}").code == 0);
            }
        }
    }
}

TEST_CASE("a file is replayed by its path, and one that cannot be read is refused") {
    const monodon::test::TemporaryDirectory folder;
    std::ofstream(folder / "input.json") << with_certificates("");
    std::ostringstream out;
    std::ostringstream err;
    CHECK(tools::replay(folder / "input.json", out, err) == 0);
    CHECK(out.str() == "{\"commits\":[]}\n");
    CHECK(tools::replay(folder / "missing.json", out, err) == 2);
    CHECK(err.str().find("missing.json cannot be opened") != std::string::npos);
    CHECK(tools::replay(folder.path(), out, err) == 2);
}
