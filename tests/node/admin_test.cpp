#include <map>
#include <sstream>

#include <catch2/catch.hpp>

#include "net/transport/clock.hpp"
#include "node/admin_api.hpp"
#include "node/metrics.hpp"
#include "node/public_api.hpp"
#include "tests/node/fake_node.hpp"
#include "tests/node/support.hpp"

namespace monodon::node::admin_test {
namespace {

using namespace std::chrono_literals;
using test::Asked;
using test::contains;
using test::FakeNode;
using test::text;

namespace json = boost::json;

TEST_CASE("the admin socket shows peers, store, queues, state and configuration") {
    FakeNode node;
    PeerSnapshot peer;
    peer.peer_id = "12D3KooWA";
    peer.name = "v1";
    peer.validator = 1;
    peer.outbound = true;
    peer.rtt = 1500us;
    peer.queued_bytes = {1, 2, 3, 4, 5};
    peer.standing.score = -12.5;
    peer.standing.band = net::Band::throttled;
    peer.standing.penalties = 15;
    peer.standing.faults[static_cast<std::size_t>(net::Fault::wrong_data)] = 2;
    peer.standing.recent = {{net::now() - 3s, net::Fault::wrong_data, 10}};
    peer.standing.first_byte = 20ms;
    node.peers = {peer, PeerSnapshot{}};
    const auto routes = admin_routes(node.view());
    const json::value peers = json::parse(Asked(routes, "GET", "/v1/peers").body());
    CHECK(peers.at(0).at("direction") == "out");
    CHECK(peers.at(0).at("rtt_ms") == 1.5);
    CHECK(peers.at(0).at("validator") == 1);
    CHECK(peers.at(0).at("queued") == json::parse("[1,2,3,4,5]"));
    CHECK(peers.at(1).at("direction") == "in");
    CHECK_FALSE(peers.at(1).as_object().contains("rtt_ms"));
    const json::object one = Asked(routes, "GET", "/v1/peers/v1").object();
    const json::value& standing = one.at("standing");
    CHECK(standing.at("score") == -12.5);
    CHECK(standing.at("band") == "throttled");
    CHECK(standing.at("reason") == "wrong data x2");
    CHECK(standing.at("terms").at("penalties").at("points") == -15.0);
    CHECK(standing.at("terms").at("penalties").at("faults").at("wrong data") == 2);
    CHECK(standing.at("terms").at("latency").at("first_byte_ms") == 20.0);
    CHECK(standing.at("recent").at(0).at("ago_s").as_double() >= 3.0);
    CHECK(Asked(routes, "GET", "/v1/peers/nobody").status() == 404);
    node.handshake_failures = {{false, "wrong chain", 2}, {true, "cannot connect", 30}};
    CHECK(json::parse(Asked(routes, "GET", "/v1/handshakes").body()) ==
          json::parse(R"([{"direction":"in","reason":"wrong chain","count":2},
                          {"direction":"out","reason":"cannot connect","count":30}])"));

    const json::object store = Asked(routes, "GET", "/v1/store").object();
    CHECK(store.at("environments").at(0).at("name") == "consensus");
    CHECK(store.at("environments").at(0).as_object().contains("written"));
    CHECK(store.at("environments").at(0).at("map_use_percent") == 25.0);
    CHECK(store.at("environments").at(0).at("oldest_reader_s") == 0.25);
    CHECK(store.at("environments").at(0).at("oldest_reader_behind") == 7);
    CHECK(store.at("environments").at(0).as_object().contains("group_size_mean"));
    CHECK(store.at("transactions_wait") == "");
    CHECK_FALSE(store.at("environments").at(1).as_object().contains("written"));
    CHECK(json::parse(Asked(routes, "GET", "/v1/queues").body()).at(0) ==
          json::parse("{\"name\":\"engine\",\"items\":3,\"bytes\":300,\"bytes_max\":1000}"));
    CHECK(Asked(routes, "GET", "/v1/state").object().at("applied") == 9);
    CHECK(json::parse(Asked(routes, "GET", "/v1/config").body()).as_array().size() == Config().rows().size());
    CHECK(json::parse(Asked(routes, "GET", "/v1/config").body()).at(0).at("origin") == "default");
}

TEST_CASE("the DAG is shown by rounds: a range, or the last ones") {
    FakeNode node;
    node.vertices = {{40, 0, sha256(as_bytes("a")), {0, 1, 2}, 3, true, true, 2},
                     {40, 2, sha256(as_bytes("b")), {0, 1, 3}, 2, false, false, 0},
                     {41, 1, sha256(as_bytes("c")), {0, 2}, 0, false, false, 1}};
    const auto routes = admin_routes(node.view());
    const json::object window = Asked(routes, "GET", "/v1/dag?from=39&to=41").object();
    CHECK(window.at("validators") == json::parse("[\"v0\",\"v1\",\"v2\",\"v3\"]"));
    CHECK(window.at("rounds").as_array().size() == 3);
    CHECK(window.at("rounds").at(0).at("vertices").as_array().empty());
    CHECK(window.at("rounds").at(1).at("vertices").as_array().size() == 2);
    const json::value& vertex = window.at("rounds").at(1).at("vertices").at(0);
    CHECK(vertex.at("digest") == text(sha256(as_bytes("a")).short_hex()));
    CHECK(vertex.at("parents") == json::parse("[0,1,2]"));
    CHECK(vertex.at("anchor") == true);

    using Range = std::pair<std::uint64_t, std::uint64_t>;
    const auto range = [&](const std::string& query) {
        Asked(routes, "GET", "/v1/dag" + query);
        return node.asked_rounds;
    };
    CHECK(range("") == Range{22, 41});
    CHECK(range("?rounds=5") == Range{37, 41});
    CHECK(range("?rounds=100") == Range{1, 41});
    CHECK(range("?from=10") == Range{10, 29});
    CHECK(range("?from=30&rounds=60") == Range{30, 41});
    CHECK(range("?to=30&rounds=3") == Range{28, 30});
    for (const char* query : {"?from=10&to=9", "?from=1&to=101", "?rounds=0", "?rounds=101", "?from=x"}) {
        CHECK(Asked(routes, "GET", std::string("/v1/dag") + query).status() == 400);
    }
    node.status.highest_round = 0;
    CHECK(Asked(admin_routes(node.view()), "GET", "/v1/dag").status() == 200);
}

TEST_CASE("the admin socket shows the address book and has a peer dialled") {
    FakeNode node;
    AddressSnapshot known;
    known.peer_id = "12D3";
    known.name = "v1";
    known.table = "committee";
    known.addresses = {"192.0.2.1:7100"};
    known.expires_in = std::chrono::seconds(90);
    known.answered_ago = std::chrono::milliseconds(1500);
    known.source = "12D4";
    node.addresses = {known, AddressSnapshot{}};
    const auto routes = admin_routes(node.view());
    const json::value rows = json::parse(Asked(routes, "GET", "/v1/addresses").body());
    CHECK(rows.at(0).at("addresses") == json::parse("[\"192.0.2.1:7100\"]"));
    CHECK(rows.at(0).at("table") == "committee");
    CHECK(rows.at(0).at("expires_in_s") == 90.0);
    CHECK(rows.at(0).at("answered_ago_s") == 1.5);
    CHECK_FALSE(rows.at(1).as_object().contains("source"));

    const auto dial = [&](std::string_view body) {
        return Asked(routes, "POST", "/v1/peers/dial", std::string(body)).status();
    };
    CHECK(dial(R"({"address":"127.0.0.1:1"})") == 200);
    CHECK(dial(R"({"address":"127.0.0.1:2"})") == 400);
    CHECK(dial(R"({"where":"127.0.0.1:1"})") == 400);
    CHECK(dial("") == 400);
}

TEST_CASE("an operator bans peers, and lifts bans") {
    FakeNode node;
    const auto routes = admin_routes(node.view());
    const auto post = [&](const std::string& path) { return Asked(routes, "POST", path, "").status(); };
    CHECK(post("/v1/peers/v1/ban") == 200);
    CHECK(post("/v1/peers/v3/ban") == 200);
    CHECK(post("/v1/peers/v0/disconnect") == 200);
    CHECK(post("/v1/peers/x/ban") == 400);
    CHECK(Asked(routes, "GET", "/v1/bans").object().at("bans") == json::parse("[\"v1\",\"v3\"]"));
    node.bans.push_back({"12D3KooWB", "", 90s, "wrong data x6"});
    const json::object bans = Asked(routes, "POST", "/v1/peers/v1/unban", "").object();
    CHECK(bans.at("bans") == json::parse("[\"v3\",\"12D3KooWB\"]"));
    CHECK(bans.at("details").at(0).at("left_s").is_null());
    CHECK(bans.at("details").at(1).at("left_s") == 90.0);
    CHECK(bans.at("details").at(1).at("reason") == "wrong data x6");
    node.limits = {{"clients", "", "", 64, 3}};
    CHECK(json::parse(Asked(routes, "GET", "/v1/limits").body()).at(0).at("used") == 3);
}

TEST_CASE("sync shows how far a node is behind, its rate, and what was fetched for nothing") {
    FakeNode node;
    const auto sync = [&] { return Asked(admin_routes(node.view()), "GET", "/v1/sync").object(); };
    CHECK(sync().at("mode") == "unknown");
    dag::EngineStatus& engine = node.activity.engine;
    engine.highest = engine.target = dag::Round{40};
    engine.supported_claim = dag::CommitIndex{20};
    CHECK(sync().at("mode") == "live");
    CHECK_FALSE(sync().contains("remaining_s"));
    engine.missing_batches = 1;
    CHECK(sync().at("mode") == "batches");

    engine.target = dag::Round{1040};
    engine.sync.since = net::now() - std::chrono::seconds(10);
    engine.sync.from = dag::Round{20};
    engine.sync.certificates_useful = 60;
    engine.sync.bytes_wasted = 7;
    const json::object behind = sync();
    CHECK(behind.at("mode") == "ranges");
    CHECK(behind.at("rounds_missing") == 1000);
    CHECK(behind.at("certificates").at("useful") == 60);
    CHECK(behind.at("bytes").at("wasted") == 7);
    CHECK(behind.at("rounds_per_s").as_double() == Approx(2).epsilon(0.1));
    CHECK(behind.at("remaining_s").as_double() == Approx(500).epsilon(0.1));
    engine.highest = engine.sync.from;
    CHECK(sync().at("remaining_s").is_null());

    CHECK_FALSE(sync().contains("last"));
    engine.sync.last =
        dag::CatchUp{dag::Round{20}, dag::Round{1020}, 4000, 2'000'000, std::chrono::milliseconds(500)};
    const json::object ended = sync().at("last").as_object();
    CHECK(ended.at("from_round") == 20);
    CHECK(ended.at("to_round") == 1020);
    CHECK(ended.at("certificates_per_s").as_double() == Approx(8000));
    CHECK(ended.at("bytes_per_s").as_double() == Approx(4'000'000));
}

TEST_CASE("why names what is missing, its holders, and what each of them answered") {
    FakeNode node;
    node.blockers.grown = net::now();
    const auto why = [&] { return Asked(admin_routes(node.view()), "GET", "/v1/why").object(); };
    CHECK(why().at("blocked") == false);
    CHECK(why().at("commit").is_null());

    const auto member = [](std::uint16_t index) { return dag::ValidatorIndex{index}; };
    dag::AuthorSet holders;
    holders.insert(member(1));
    holders.insert(member(3));
    const Time now = net::now();
    dag::Missing missing{sha256(as_bytes("a")), dag::Round{12}, holders, {}, now + std::chrono::hours(1)};
    missing.asked[member(1)] = {now - std::chrono::seconds(2), now, dag::RequestFailure::not_found};
    missing.asked[member(3)] = {now - std::chrono::seconds(1), {}, {}};
    node.blockers.ordered = dag::CommitIndex{17};
    node.blockers.delivered = dag::CommitIndex{15};
    node.blockers.certificates = {missing};
    node.blockers.certificates_missing = 1;
    node.blockers.suspended = 4;
    json::object found = why();
    CHECK(found.at("blocked") == true);
    CHECK(found.at("commit") == 18);
    CHECK(found.at("reasons").at(0) == "1 certificates are missing; 4 that are here wait for them");
    const json::value& row = found.at("certificates").at(0);
    CHECK(row.at("digest") == text(missing.digest.hex()));
    CHECK(row.at("holders") == json::parse("[\"v1\",\"v3\"]"));
    CHECK(row.at("asked").at(0).at("validator") == "v1");
    CHECK(row.at("asked").at(0).at("answer") == "does not have it");
    CHECK(row.at("asked").at(0).at("asked_ms_ago").as_double() >= 2000);
    CHECK(row.at("asked").at(1).at("answer") == "no answer yet");
    CHECK(row.at("next_attempt_ms").as_double() > 3e6);

    // A commit that is made and cannot be executed is lower than the one that cannot be made.
    node.blockers.batches_missing = 2;
    found = why();
    CHECK(found.at("commit") == 16);
    CHECK(found.at("reasons").as_array().size() == 2);

    node.blockers = {};
    node.blockers.grown = net::now() - std::chrono::minutes(1);
    node.blockers.highest = dag::Round{30};
    node.blockers.present.insert(member(0));
    node.status.validators[3].connected = false;
    const std::string reason(why().at("reasons").at(0).as_string());
    CHECK(reason == "no certificate for 60 s: round 30 lacks those of v1, v2, v3; not connected: v3");
}

TEST_CASE("the level of a log is set by category") {
    FakeNode node;
    const auto post = [&](const std::string& body) {
        return Asked(admin_routes(node.view()), "POST", "/v1/log", body).status();
    };
    CHECK(post("{\"category\":\"net\",\"level\":\"debug\"}") == 200);
    CHECK(post("{\"category\":\"all\",\"level\":\"warn\"}") == 200);
    REQUIRE(node.levels.size() == 2);
    CHECK(node.levels[0] == std::pair{std::optional(log::Category::net), log::Level::debug});
    CHECK(node.levels[1] == std::pair{std::optional<log::Category>(), log::Level::warn});
    for (const char* body :
         {"", "{}", "[]", "{\"category\":\"net\"}", "{\"category\":\"nets\",\"level\":\"debug\"}",
          "{\"category\":\"net\",\"level\":\"loud\"}", "{\"category\":\"net\",\"level\":1}",
          "{\"category\":\"net\",\"level\":\"debug\",\"for\":\"1h\"}",
          "{\"category\":\"net\",\"category\":\"rpc\",\"level\":\"debug\"}"}) {
        CHECK(post(body) == 400);
    }
    CHECK(node.levels.size() == 2);
}

TEST_CASE("a node is stopped by the admin socket, after the answer") {
    FakeNode node;
    const Asked asked(admin_routes(node.view()), "POST", "/v1/shutdown");
    CHECK(asked.status() == 200);
    CHECK(node.shutdowns == 1);
    CHECK(Asked(admin_routes(node.view()), "GET", "/v1/shutdown").status() == 405);
    CHECK(Asked(public_routes(node.view()), "POST", "/v1/shutdown").status() == 404);
}

TEST_CASE("the admin socket lists its endpoints with what they do") {
    FakeNode node;
    const auto routes = admin_routes(node.view());
    const json::value index = json::parse(Asked(routes, "GET", "/").body());
    CHECK(index.as_array().size() == routes.size() - 1);
    for (const json::value& row : index.as_array()) {
        CHECK_FALSE(row.at("help").as_string().empty());
        const auto match = [&](const Route& route) { return row.at("path") == text(route.pattern); };
        CHECK(std::any_of(routes.begin(), routes.end(), match));
    }
}

TEST_CASE("metrics have units, help and no label that grows with clients") {
    FakeNode node;
    node.status.commit_time = Time(Duration(1'500'000));
    node.activity.worker.transactions_accepted = 17;
    node.activity.worker.latency[static_cast<std::size_t>(Stage::committed)] = {20ms, 50ms, 4, 4, 100ms};
    PeerSnapshot member;
    member.peer_id = "12D3KooWA";
    member.validator = 1;
    member.connected = true;
    PeerSnapshot client;
    client.peer_id = "12D3KooWB";
    node.peers = {member, client};
    const Asked asked(public_routes(node.view()), "GET", "/metrics");
    CHECK(asked.response().content_type == kMetricsType);
    const std::string& text = asked.body();
    for (const char* line :
         {"monodon_build_info{version=\"1.2.3\"} 1", "monodon_round 40", "monodon_ready 1",
          "monodon_last_commit_timestamp_seconds 1.5", "monodon_transactions_total{result=\"accepted\"} 17",
          "monodon_transactions_total{result=\"busy\"} 0", "monodon_peer_up{peer=\"12D3KooWA\"} 1",
          "monodon_transaction_latency_seconds{stage=\"committed\",quantile=\"0.99\"} 0.05",
          "monodon_transaction_latency_seconds_count{stage=\"committed\"} 4", "monodon_clients 1",
          "monodon_store_commit_seconds_bucket{environment=\"consensus\",le=\"+Inf\"} 0",
          "monodon_queue_bytes{queue=\"engine\"} 300", "monodon_leader_weight{validator=\"v3\"} 1000",
          "# TYPE monodon_peer_bytes_total counter"}) {
        INFO(line);
        CHECK(contains(text, line));
    }
    CHECK_FALSE(contains(text, "12D3KooWB"));
    // One HELP and one TYPE per family, and every sample below its own.
    std::map<std::string, int> helps;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# HELP ")) ++helps[line.substr(7, line.find(' ', 7) - 7)];
    }
    CHECK(helps.size() > 50);
    for (const auto& [family, count] : helps) {
        INFO(family);
        CHECK(count == 1);
        CHECK(family.starts_with("monodon_"));
    }
}

}  // namespace
}  // namespace monodon::node::admin_test
