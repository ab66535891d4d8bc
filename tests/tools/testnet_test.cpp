#include <csignal>
#include <filesystem>
#include <fstream>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <unistd.h>

#include "node/config.hpp"
#include "node/genesis.hpp"
#include "tests/eventually.hpp"
#include "tests/temporary_directory.hpp"
#include "tools/dag_view.hpp"
#include "tools/status.hpp"
#include "tools/testnet_start.hpp"
#include "tools/transactions.hpp"

namespace monodon::tools {

namespace fs = std::filesystem;

namespace {

boost::json::object object_of(const char* text) { return boost::json::parse(text).as_object(); }

}  // namespace

TEST_CASE("a setting replaces the one of the same key") {
    std::vector<std::string> settings{"log.level=info", "net.clients=4"};
    lay_over(settings, "log.level=debug");
    lay_over(settings, "api.waiters=9");
    CHECK(settings == std::vector<std::string>{"net.clients=4", "log.level=debug", "api.waiters=9"});
}

TEST_CASE("signals are names with or without SIG, or numbers") {
    CHECK(parse_signal("KILL") == SIGKILL);
    CHECK(parse_signal("SIGTERM") == SIGTERM);
    CHECK(parse_signal("9") == 9);
    CHECK_FALSE(parse_signal("SIGNONE"));
    CHECK_FALSE(parse_signal("0"));
    CHECK_FALSE(parse_signal("99"));
    CHECK_FALSE(parse_signal(""));
}

TEST_CASE("status waits for ready, a round or a commit, and for nothing else") {
    CHECK(parse_awaited("ready")->what == Awaited::What::ready);
    CHECK(parse_awaited("round=7")->what == Awaited::What::round);
    CHECK(parse_awaited("commit=12")->least == 12);
    for (const char* wrong : {"", "commit", "commit=", "commit=-1", "commit=x", "epoch=3", "ready=1"}) {
        CHECK_FALSE(parse_awaited(wrong));
    }
}

TEST_CASE("a testnet is read as it was written") {
    const monodon::test::TemporaryDirectory folder;
    CHECK_FALSE(TestnetDir::exists(folder.path()));
    const auto nothing = TestnetDir::load(folder.path());
    REQUIRE_FALSE(nothing);
    CHECK(nothing.error().message.find("testnet up") != std::string::npos);

    TestnetDir made(folder.path());
    made.nodes() = {{"v0", "127.0.0.1:1", "127.0.0.1:2", {"log.level=debug"}}, {"v1", "127.0.0.1:3", "", {}}};
    REQUIRE(made.save());
    const auto read = TestnetDir::load(folder.path());
    REQUIRE(read);
    REQUIRE(read->nodes().size() == 2);
    CHECK(read->nodes()[0].settings == std::vector<std::string>{"log.level=debug"});
    CHECK(read->nodes()[1].peer_address == "127.0.0.1:3");
    CHECK(read->nodes()[1].api_address.empty());
    const auto unknown = read->find("v7");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().message.find("v0, v1") != std::string::npos);
    CHECK(read->select({"v1"})->size() == 1);
    CHECK(read->select({})->size() == 2);
}

TEST_CASE("a process is known by number and start, so that another one with its number is not taken for it") {
    const auto self = identify(::getpid());
    REQUIRE(self);
    CHECK(state_of(*self) == ProcessState::running);
    ProcessId other = *self;
    ++other.started;
    CHECK(state_of(other) == ProcessState::gone);
    CHECK_FALSE(send_signal(other, 0));

    const monodon::test::TemporaryDirectory folder;
    TestnetDir testnet(folder.path());
    fs::create_directory(folder.path() / "v0");
    CHECK_FALSE(testnet.process("v0"));
    REQUIRE(write_pid_file(testnet.pid_file("v0"), other));
    CHECK_FALSE(testnet.process("v0"));
    REQUIRE(write_pid_file(testnet.pid_file("v0"), *self));
    CHECK(testnet.process("v0") == self);
}

TEST_CASE("a daemon gets its descriptors as 3 and 4 and writes to its log") {
    const monodon::test::TemporaryDirectory folder;
    auto one = listen_on_loopback(0);
    auto two = listen_on_loopback(0);
    REQUIRE(one);
    REQUIRE(two);
    DaemonPlan plan;
    plan.program = "/bin/sh";
    plan.arguments = {
        "-c",
        "echo out; echo err >&2; readlink /proc/$$/fd/3; readlink /proc/$$/fd/4; ls /proc/$$/fd | "
        "wc -l; exit 7"};
    plan.log = folder.path() / "node.log";
    plan.descriptors = {two->get(), one->get()};
    const auto child = spawn_daemon(plan);
    REQUIRE(child);
    std::optional<std::string> ending;
    REQUIRE(test::eventually([&] { return (ending = ending_of(*child)).has_value(); }));
    CHECK(*ending == "exit code 7");
    const auto lines = last_lines(plan.log.string(), 10);
    REQUIRE(lines.size() == 5);
    CHECK(lines[0] == "out");
    CHECK(lines[1] == "err");
    CHECK(lines[2].starts_with("socket:"));
    CHECK(lines[3].starts_with("socket:"));
    CHECK(lines[2] != lines[3]);
    CHECK(lines[4] == "5");
}

TEST_CASE("the end of a log is its last lines") {
    const monodon::test::TemporaryDirectory folder;
    const std::string file = (folder.path() / "log").string();
    CHECK(last_lines(file, 3).empty());
    std::ofstream(file) << "a\nb\nc\nd";
    CHECK(last_lines(file, 2) == std::vector<std::string>{"c", "d"});
}

TEST_CASE("a port that somebody holds cannot be listened on, and the message says which") {
    const auto held = listen_on_loopback(0);
    REQUIRE(held);
    const std::uint16_t port = port_of(*held);
    CHECK(port != 0);
    const auto refused = listen_on_loopback(port);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find(std::to_string(port)) != std::string::npos);
}

TEST_CASE("a committee is made with keys, homes and addresses that its genesis names") {
    const monodon::test::TemporaryDirectory folder;
    TestnetUp options;
    options.dir = folder.path().string();
    options.validators = 4;
    options.settings = {"log.level=debug"};
    options.node_settings = {"v3:debug.send_delay=20ms"};
    auto planned = plan_testnet(options);
    REQUIRE(planned);
    TestnetDir& testnet = *planned;
    CHECK(fs::is_empty(folder.path()));
    const auto listeners = make_testnet(testnet, options.api, std::nullopt);
    REQUIRE(listeners);
    REQUIRE(listeners->size() == 4);
    CHECK(testnet.nodes()[3].settings ==
          std::vector<std::string>{"log.level=debug", "debug.send_delay=20ms"});
    CHECK(testnet.nodes()[0].settings == std::vector<std::string>{"log.level=debug"});
    for (const TestnetNode& node : testnet.nodes()) {
        CHECK(fs::exists(testnet.home(node.name).key()));
        CHECK(fs::exists(testnet.home(node.name).config()));
        CHECK(fs::exists(testnet.home(node.name).genesis()));
        CHECK(node.peer_address.starts_with("127.0.0.1:"));
    }
}

TEST_CASE("observers have homes of their own and no place in the genesis, and more can be added") {
    const monodon::test::TemporaryDirectory folder;
    TestnetUp options;
    options.dir = folder.path().string();
    options.validators = 2;
    options.observers = 1;
    auto testnet = plan_testnet(options);
    REQUIRE(testnet);
    REQUIRE(make_testnet(*testnet, true, std::nullopt));
    CHECK(testnet->validators() == 2);
    CHECK(testnet->observers() == 1);
    const auto added = add_observers(*testnet, 3, false);
    REQUIRE(added);
    CHECK(added->size() == 2);
    REQUIRE(testnet->save());
    const auto read = TestnetDir::load(folder.path());
    REQUIRE(read);
    REQUIRE(read->observers() == 3);
    CHECK(read->nodes()[4].name == "o2");
    CHECK(read->nodes()[4].api_address.empty());
    const auto genesis = node::Genesis::load(testnet->genesis());
    REQUIRE(genesis);
    CHECK(genesis->members().size() == 2);
    for (const TestnetNode& node : read->nodes()) {
        const node::HomePaths home = read->home(node.name);
        const auto key = node::load_key(home.key());
        REQUIRE(key);
        const auto config = node::Config::load({home.config(), {}, {}});
        REQUIRE(config);
        const node::NodeRole role = config->settings().node.role;
        CHECK((role == node::NodeRole::observer) == node.observer);
        CHECK_FALSE(node::wrong_role(home, *genesis, key->peer_id(), role));
        CHECK(fs::exists(home.genesis()));
        // Neither may be the other.
        const auto other = node.observer ? node::NodeRole::validator : node::NodeRole::observer;
        CHECK(node::wrong_role(home, *genesis, key->peer_id(), other)->find("init --observer") !=
              std::string::npos);
    }
    CHECK_FALSE(add_observers(*testnet, 2, false));
    CHECK_FALSE(add_observers(*testnet, 33, false));
}

TEST_CASE("a committee that cannot be made as it was asked for leaves nothing behind") {
    const monodon::test::TemporaryDirectory folder;
    TestnetUp options;
    options.dir = (folder.path() / "net").string();
    const auto refusal = [&options] {
        options.wait = false;
        CHECK(testnet_up(options) != kExitDone);
        CHECK_FALSE(fs::exists(options.dir));
        const auto planned = plan_testnet(options);
        REQUIRE_FALSE(planned);
        return planned.error();
    };
    options.validators = 0;
    CHECK(refusal().code == kExitUsage);
    options.validators = 4;
    options.node_settings = {"v9:log.level=debug"};
    CHECK(refusal().message.find("v0, v1, v2, v3") != std::string::npos);
    options.node_settings = {"log.level=debug"};
    CHECK(refusal().message.find("NAME:KEY=VALUE") != std::string::npos);
    options.node_settings = {"v1:log.levle=debug"};
    CHECK(refusal().code == kExitConfiguration);
    CHECK(refusal().message.find("log.level") != std::string::npos);
    options.node_settings = {};
    options.without = {"v4"};
    CHECK(refusal().message.find("v0, v1, v2, v3") != std::string::npos);
}

TEST_CASE("a directory with the homes of a committee is not taken for a new one") {
    const monodon::test::TemporaryDirectory folder;
    TestnetUp options;
    options.dir = folder.path().string();
    options.wait = false;
    auto planned = plan_testnet(options);
    REQUIRE(planned);
    REQUIRE(make_testnet(*planned, true, std::nullopt));
    const std::string file = planned->genesis().string();
    const auto before = last_lines(file, 1000);
    REQUIRE_FALSE(before.empty());

    CHECK(testnet_up(options) == kExitUsage);
    CHECK(last_lines(file, 1000) == before);
    CHECK_FALSE(TestnetDir::exists(folder.path()));
    const auto refused = plan_testnet(options);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("genesis.json, v0, v1, v2, v3") != std::string::npos);
    CHECK(refused.error().message.find("testnet.json") != std::string::npos);

    // A store alone is enough.
    fs::remove(planned->genesis());
    for (const TestnetNode& node : planned->nodes()) fs::remove(planned->home(node.name).key());
    CHECK(plan_testnet(options));
    fs::create_directory(planned->home("v2").consensus());
    const auto again = plan_testnet(options);
    REQUIRE_FALSE(again);
    CHECK(again.error().message.find(" v2 of a committee") != std::string::npos);
}

TEST_CASE("who is named in no group of a partition is in the last one") {
    const std::vector<std::string> names{"v0", "v1", "v2", "v3"};
    using Groups = std::map<std::string, std::size_t>;
    CHECK(groups_of(names, {"v3"}).value() == Groups{{"v0", 1}, {"v1", 1}, {"v2", 1}, {"v3", 0}});
    CHECK(groups_of(names, {"v0,v1", "v2"}).value() == Groups{{"v0", 0}, {"v1", 0}, {"v2", 1}, {"v3", 2}});
    CHECK(groups_of(names, {}).value() == Groups{{"v0", 0}, {"v1", 0}, {"v2", 0}, {"v3", 0}});
    CHECK(groups_of(names, {"v0,v9"}).error().message.find("there is no node v9") == 0);
    CHECK(groups_of(names, {"v0", "v0"}).error().code == kExitUsage);
}

TEST_CASE("the DAG as text has a line for each round and a cell for each validator") {
    const auto answer = object_of(R"({"validators": ["v0", "v1"], "rounds": [
        {"round": 7, "vertices": [
            {"author": 0, "digest": "3f2a9c01", "parents": [0, 1], "ordered": true, "anchor": true,
             "batches": 2},
            {"author": 1, "digest": "aabbccdd", "parents": [1], "ordered": true}]},
        {"round": 8, "vertices": [{"author": 1, "digest": "00112233", "parents": [0, 1]}]}]})");
    const std::string text = dag_text(answer, 0, false);
    CHECK(text.find("        7  A3f2a9c 01 b2  *aabbcc -1\n") != std::string::npos);
    CHECK(text.find("        8  .              o001122 01\n") != std::string::npos);
    CHECK(text.find("ROUND") != std::string::npos);
    CHECK(dag_text(answer, 7, false).find("A3f2a9c") == std::string::npos);
}

TEST_CASE("a receipt is one line, and what is not known is not in it") {
    CHECK(receipt_line(object_of(R"({"status":"committed","id":"9f3c","commit":918,"position":3,"round":1844,
        "validator":"v2","latency_ms":{"durable":3.2,"certified":14,"committed":31.4}})")) ==
          "committed  tx 9f3c  commit 918  position 3  round 1844  by v2   "
          "(durable 3 ms, certified 14 ms, committed 31 ms)");
    CHECK(receipt_line(object_of(R"({"status":"pending","id":"9f3c"})")) == "pending  tx 9f3c");
    CHECK(receipt_line(object_of(R"({"status":"committed","id":"9f3c","duplicate":true,"commit":7})")) ==
          "committed  tx 9f3c  commit 7  duplicate: this node had it already");
}

}  // namespace monodon::tools
