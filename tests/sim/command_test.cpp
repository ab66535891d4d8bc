#include "tools/simulate/command.hpp"

#include <limits>
#include <sstream>

#include <catch2/catch.hpp>

#include "tests/sim/scratch.hpp"

namespace monodon::sim {

namespace {

/// What the command prints when it ends well.
std::string output(const CommandWords& words) {
    std::ostringstream out;
    std::ostringstream err;
    INFO(err.str());
    REQUIRE(run_command(words, out, err) == kSimulateDone);
    return out.str();
}

/// The trace hash in what the command prints.
std::string hash(const CommandWords& words) {
    const std::string text = output(words);
    const std::size_t at = text.find("trace hash");
    REQUIRE(at != std::string::npos);
    return text.substr(at, text.find('\n', at) - at);
}

std::string picture_of(CommandWords words, const Scratch& scratch) {
    words.trace = scratch.file("t.jsonl");
    (void)output(words);
    CommandWords draw;
    draw.draw = words.trace;
    return output(draw);
}

/// A mark of the picture with a number in it, such as `[4]`.
bool has_cell(const std::string& text, char left, char right) {
    for (std::size_t at = text.find("\nround"); at + 2 < text.size(); ++at) {
        const bool number = text[at + 1] >= '0' && text[at + 1] <= '9';
        if (text[at] == left && number && text[at + 2] == right) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("the trace of one run becomes a picture with its committed anchors", "[simulator]") {
    const Scratch scratch;
    CommandWords words;
    words.seed = 7;
    words.validators = 4;
    words.rounds = 30;
    const std::string text = picture_of(words, scratch);
    CHECK(has_cell(text, '[', ']'));
    for (const auto* round : {"\n    1 ", "\n   30 "}) CHECK(text.find(round) != std::string::npos);
    CHECK(scratch.read("t.jsonl").find(R"("k":"commit","slot":[)") != std::string::npos);
}

TEST_CASE("a picture shows skipped anchors and members that are down", "[simulator]") {
    const Scratch scratch;
    CommandWords words;
    words.seed = 5;
    words.rounds = 40;
    words.faults = "crash,dead,loss";
    words.leaders = "round-robin";
    const std::string text = picture_of(words, scratch);
    CHECK(has_cell(text, '[', ']'));
    const std::string rows = text.substr(text.find("\nround"));
    CHECK((rows.find("(x)") != std::string::npos || rows.find("(.)") != std::string::npos));
    CHECK(rows.find(" x") != std::string::npos);
    CHECK(rows.find("crash ") != std::string::npos);
    CHECK(rows.find("start ") != std::string::npos);
}

TEST_CASE("faults may be named in a file", "[simulator]") {
    const Scratch scratch;
    CommandWords words;
    words.seed = 4;
    words.rounds = 20;
    words.faults = "loss,crash";
    const std::string named = hash(words);
    words.faults = scratch.write("faults", "loss\n\n  crash\n");
    CHECK(hash(words) == named);
    words.faults = scratch.write("faults", "loss\n");
    CHECK(hash(words) != named);
    words.faults = scratch.write("faults", "loss\nno-such-fault\n");
    std::ostringstream out;
    std::ostringstream err;
    CHECK(run_command(words, out, err) == kSimulateUsage);
}

TEST_CASE("stakes are those of the members, in their order", "[simulator]") {
    CommandWords words;
    words.seed = 4;
    words.rounds = 20;
    words.stakes = "1,1,1,1";
    const std::string equal = hash(words);
    words.stakes.clear();
    CHECK(hash(words) == equal);
    words.stakes = "4,3,2,1";
    const std::string unequal = hash(words);
    CHECK(unequal != equal);
    words.stakes = "1,2,3,4";
    CHECK(hash(words) != unequal);
    words.validators = 5;
    std::ostringstream out;
    std::ostringstream err;
    CHECK(run_command(words, out, err) == kSimulateUsage);
}

TEST_CASE("the leaders are those that were asked for", "[simulator]") {
    CommandWords words;
    words.seed = 4;
    words.rounds = 20;
    words.leaders = "reputation";
    const std::string reputation = hash(words);
    words.leaders = "round-robin";
    CHECK(hash(words) != reputation);
    words.leaders = "queue";
    std::ostringstream out;
    std::ostringstream err;
    CHECK(run_command(words, out, err) == kSimulateUsage);
}

TEST_CASE("with more faulty stake than f members stop at two certificates instead of diverging",
          "[simulator][P7]") {
    CommandWords words;
    words.seeds = "1..10";
    words.rounds = 40;
    words.faults = "equivocate,double-vote";
    const Scratch scratch;
    std::ostringstream out;
    std::ostringstream err;
    words.faulty = 1;
    CHECK(run_command(words, out, err) == kSimulateDone);
    words.seeds.clear();
    int broken = 0;
    for (words.seed = 1; words.seed <= 10; ++words.seed) {
        words.faulty = 2;
        words.trace = scratch.file("t.jsonl");
        broken += run_command(words, out, err) == kSimulateViolation ? 1 : 0;
    }
    CHECK(broken > 0);
    CHECK(err.str().find("stopped: two certificates for round") != std::string::npos);
    CHECK(err.str().find(" --faulty 2") != std::string::npos);
}

TEST_CASE("the command refuses words that make no sense", "[simulator]") {
    std::ostringstream out;
    std::ostringstream err;
    CommandWords words;
    words.stakes = "1,2,x,4";
    CHECK(run_command(words, out, err) == kSimulateUsage);
    words = {};
    words.seeds = "9..3";
    CHECK(run_command(words, out, err) == kSimulateUsage);
    words = {};
    words.faults = "no-such-fault";
    CHECK(run_command(words, out, err) == kSimulateUsage);
    words = {};
    words.validators = 3;
    CHECK(run_command(words, out, err) == kSimulateUsage);
    CHECK(out.str().empty());
}

TEST_CASE("the command prints a summary and one JSON object", "[simulator]") {
    std::ostringstream out;
    std::ostringstream err;
    CommandWords words;
    words.seeds = "1..2";
    words.rounds = 10;
    CHECK(run_command(words, out, err) == kSimulateDone);
    CHECK(out.str().find("2 seeds") != std::string::npos);
    words.json = true;
    out.str("");
    CHECK(run_command(words, out, err) == kSimulateDone);
    CHECK(out.str().find(R"("violations":0)") != std::string::npos);
    CHECK(err.str().empty());
}

TEST_CASE("numbers that cannot be counted with are refused", "[simulator]") {
    const auto code = [](const CommandWords& words) {
        std::ostringstream out;
        std::ostringstream err;
        return run_command(words, out, err);
    };
    CommandWords words;
    words.rounds = 1;
    words.seed = std::numeric_limits<std::uint64_t>::max();
    CHECK(code(words) == kSimulateUsage);
    words.seed = 1;
    words.seeds = "18446744073709551610..18446744073709551615";
    CHECK(code(words) == kSimulateUsage);
    words.seeds.clear();
    words.rounds = 0;
    CHECK(code(words) == kSimulateUsage);
    words.rounds = 1'000'001;
    CHECK(code(words) == kSimulateUsage);
}

TEST_CASE("a violation is told also when the trace cannot be written", "[simulator]") {
    CommandWords words;
    words.seed = 1;
    words.rounds = 40;
    words.faults = "equivocate,double-vote";
    words.faulty = 2;
    words.trace = "/nonexistent/t.jsonl";
    std::ostringstream out;
    std::ostringstream err;
    CHECK(run_command(words, out, err) == kSimulateViolation);
    CHECK(err.str().find("violation of invariant") != std::string::npos);
    words.faults = "none";
    CHECK(run_command(words, out, err) == kSimulateUsage);
}

TEST_CASE("a file that is no trace is not drawn", "[simulator]") {
    CommandWords words;
    words.draw = "/proc/self/status";
    std::ostringstream out;
    std::ostringstream err;
    CHECK(run_command(words, out, err) == kSimulateUsage);
    CHECK(out.str().empty());
}

}  // namespace monodon::sim
