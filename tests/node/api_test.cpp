#include <map>

#include <catch2/catch.hpp>

#include "node/admin_api.hpp"
#include "node/public_api.hpp"
#include "tests/node/fake_node.hpp"
#include "tests/node/http_support.hpp"
#include "tests/node/support.hpp"

namespace monodon::node::api_test {
namespace {

using namespace std::chrono_literals;
using test::Asked;
using test::contains;
using test::FakeNode;
using test::TemporaryDirectory;
using test::text;

namespace json = boost::json;

StageReport reached(Stage stage, bool last) {
    StageReport report;
    report.stage = stage;
    report.last = last;
    report.accepted = 1;
    return report;
}

StageReport of_kind(StageReport::Kind kind, Stage stage = Stage::accepted) {
    StageReport report;
    report.kind = kind;
    report.stage = stage;
    report.last = true;
    report.retry_after = 1500ms;
    return report;
}

StageReport refused(Refusal why, bool last) {
    StageReport report = reached(Stage::accepted, last);
    report.accepted = 0;
    report.refused = {{0, why}};
    return report;
}

Receipt committed_receipt(const std::string& transaction) {
    Receipt receipt;
    receipt.id = sha256(as_bytes(transaction));
    receipt.stage = Stage::committed;
    receipt.commit = dag::CommitIndex{918};
    receipt.round = dag::Round{1844};
    receipt.position = 3;
    receipt.latency = {Duration{0}, Duration{3000}, Duration{14000}, Duration{31500}, std::nullopt};
    return receipt;
}

TEST_CASE("a transaction is answered with its receipt when it has reached the stage that was asked for") {
    for (const auto& [query, want] :
         std::map<std::string, Stage>{{"", Stage::committed},
                                      {"?wait=accepted", Stage::accepted},
                                      {"?wait=durable", Stage::durable},
                                      {"?wait=certified", Stage::certified},
                                      {"?wait=committed", Stage::committed},
                                      {"?wait=executed&timeout=500ms", Stage::executed}}) {
        FakeNode node;
        const Asked asked(public_routes(node.view()), "POST", "/v1/tx" + query, "hello");
        REQUIRE(node.submissions.size() == 1);
        const Submission& submission = node.submissions.front();
        CHECK(as_text(submission.transactions.front().bytes) == "hello");
        CHECK(submission.want == want);
        CHECK(submission.timeout == (contains(query, "timeout") ? Duration(500ms) : Duration(10s)));
        for (std::size_t at = 0; at < static_cast<std::size_t>(want); ++at) {
            submission.report(reached(static_cast<Stage>(at), false));
            CHECK_FALSE(asked.answered());
        }
        node.receipts[sha256(as_bytes("hello"))] = committed_receipt("hello");
        submission.report(reached(want, true));
        CHECK(asked.status() == 200);
        CHECK(asked.object().at("id") == text(sha256(as_bytes("hello")).hex()));
    }
}

TEST_CASE("a receipt says where the transaction is and how long each stage took") {
    FakeNode node;
    Receipt receipt = committed_receipt("hello");
    const std::string path = "/v1/tx/" + receipt.id.hex();
    node.receipts[receipt.id] = receipt;
    const Asked asked(public_routes(node.view()), "GET", path);
    CHECK(asked.status() == 200);
    CHECK(asked.object() ==
          json::parse(
              "{\"id\":\"" + receipt.id.hex() +
              "\",\"status\":\"committed\",\"commit\":918,\"round\":1844,\"position\":3,\"validator\":\"v2\","
              "\"latency_ms\":{\"durable\":3.0,\"certified\":14.0,\"committed\":31.5}}")
              .as_object());

    receipt.stage = Stage::executed;
    receipt.outcome = Outcome::value;
    receipt.value = std::make_shared<const Bytes>(Bytes{'a', 'b', 'c', 'd'});
    node.receipts[receipt.id] = receipt;
    const json::object executed = Asked(public_routes(node.view()), "GET", path).object();
    CHECK(executed.at("status") == "executed");
    CHECK(executed.at("result") == "value");
    CHECK(executed.at("value") == "YWJjZA==");

    receipt = Receipt{};
    receipt.id = sha256(as_bytes("hello"));
    receipt.requeued = true;
    node.receipts[receipt.id] = receipt;
    const json::object requeued = Asked(public_routes(node.view()), "GET", path).object();
    CHECK(requeued.at("status") == "requeued");
    CHECK_FALSE(requeued.contains("commit"));
}

TEST_CASE("a transaction that is not there in time is pending, never failed") {
    for (const auto kind : {StageReport::Kind::timed_out, StageReport::Kind::stopped}) {
        FakeNode node;
        const Asked asked(public_routes(node.view()), "POST", "/v1/tx", "hello");
        node.submissions.front().report(reached(Stage::accepted, false));
        node.submissions.front().report(of_kind(kind, Stage::durable));
        CHECK(asked.status() == 202);
        CHECK(asked.object().at("id") == text(sha256(as_bytes("hello")).hex()));
        CHECK(asked.object().at("status") == "pending");
        CHECK(asked.object().at("reached") == "durable");
        CHECK_FALSE(asked.object().contains("duplicate"));
    }
}

TEST_CASE("a node that is full says when to come back") {
    FakeNode node;
    const Asked busy(public_routes(node.view()), "POST", "/v1/tx", "hello");
    node.submissions.front().report(of_kind(StageReport::Kind::busy));
    CHECK(busy.status() == 429);
    CHECK(busy.header("Retry-After") == "2");
    CHECK(busy.error_code() == "busy");
    const Asked no_room(public_routes(node.view()), "POST", "/v1/tx", "hello");
    StageReport report = of_kind(StageReport::Kind::busy);
    report.reason = "the disk is full";
    node.submissions.back().report(report);
    CHECK(no_room.status() == 429);
    CHECK(no_room.error_code() == "no_room");
    CHECK(no_room.body().find("the disk is full") != std::string::npos);
    const Asked refused_alone(public_routes(node.view()), "POST", "/v1/tx", "hello");
    node.submissions.back().report(refused(Refusal::busy, true));
    CHECK(refused_alone.status() == 429);
    CHECK(refused_alone.header("Retry-After") == "1");
}

TEST_CASE("an observer says who takes transactions") {
    FakeNode node;
    const Asked asked(public_routes(node.view()), "POST", "/v1/tx", "hello");
    StageReport report = of_kind(StageReport::Kind::elsewhere);
    report.reason = "submit to v0";
    node.submissions.front().report(report);
    CHECK(asked.status() == 403);
    CHECK(asked.error_code() == "observer");
    CHECK(asked.body().find("submit to v0") != std::string::npos);
}

TEST_CASE("a transaction that is refused is answered with the reason, a duplicate with its receipt") {
    FakeNode node;
    const auto answer = [&](const StageReport& report) {
        Asked asked(public_routes(node.view()), "POST", "/v1/tx", "hello");
        node.submissions.back().report(report);
        return asked;
    };
    CHECK(answer(refused(Refusal::too_large, true)).status() == 413);
    CHECK(answer(refused(Refusal::malformed, true)).status() == 400);
    CHECK(answer(refused(Refusal::malformed, true)).error_code() == "malformed");

    const Asked duplicate(public_routes(node.view()), "POST", "/v1/tx", "hello");
    node.submissions.back().report(refused(Refusal::duplicate, false));
    CHECK_FALSE(duplicate.answered());
    node.receipts[sha256(as_bytes("hello"))] = committed_receipt("hello");
    node.submissions.back().report(reached(Stage::committed, true));
    CHECK(duplicate.status() == 200);
    CHECK(duplicate.object().at("commit") == 918);
    CHECK(duplicate.object().at("duplicate") == true);

    const Asked pending(public_routes(node.view()), "POST", "/v1/tx", "hello");
    node.submissions.back().report(refused(Refusal::duplicate, false));
    node.submissions.back().report(of_kind(StageReport::Kind::timed_out, Stage::durable));
    CHECK(pending.object().at("duplicate") == true);
}

TEST_CASE("a submission that makes no sense never reaches the worker") {
    FakeNode node;
    const auto code = [&](const std::string& target, const std::string& body) {
        return Asked(public_routes(node.view()), "POST", target, body).status();
    };
    CHECK(code("/v1/tx", "") == 400);
    CHECK(code("/v1/tx?wait=soon", "a") == 400);
    CHECK(code("/v1/tx?timeout=5", "a") == 400);
    CHECK(code("/v1/tx?timeout=61s", "a") == 400);
    CHECK(code("/v1/tx?tiemout=5s", "a") == 400);
    CHECK(node.submissions.empty());
}

TEST_CASE("a transaction nobody knows is unknown") {
    FakeNode node;
    const std::string id = sha256(as_bytes("x")).hex();
    const Asked unknown(public_routes(node.view()), "GET", "/v1/tx/" + id);
    CHECK(unknown.status() == 404);
    CHECK(unknown.object() == json::parse("{\"id\":\"" + id + "\",\"status\":\"unknown\"}").as_object());
    CHECK(Asked(public_routes(node.view()), "GET", "/v1/tx/abc").status() == 400);
}

TEST_CASE("a key is read with the commit that its value is as of") {
    FakeNode node;
    node.state["a/b"] = std::string("value\0\xff", 7);
    const Asked found(public_routes(node.view()), "GET", "/v1/kv/a%2Fb");
    CHECK(found.status() == 200);
    CHECK(found.body() == node.state["a/b"]);
    CHECK(found.response().content_type == "application/octet-stream");
    CHECK(found.header("X-Monodon-Commit") == "9");
    CHECK(Asked(public_routes(node.view()), "GET", "/v1/kv/612F62?encoding=hex").body() == node.state["a/b"]);

    const Asked absent(public_routes(node.view()), "GET", "/v1/kv/none");
    CHECK(absent.status() == 404);
    CHECK(absent.header("X-Monodon-Commit") == "9");
    CHECK(Asked(public_routes(node.view()), "GET", "/v1/kv/xyz?encoding=hex").status() == 400);
    CHECK(Asked(public_routes(node.view()), "GET", "/v1/kv/xyz?encoding=base64").status() == 400);
    CHECK(Asked(public_routes(node.view()), "GET", "/v1/kv/" + std::string(1024, 'k')).status() == 404);
    CHECK(Asked(public_routes(node.view()), "GET", "/v1/kv/" + std::string(1025, 'k')).status() == 400);
    node.state_error = "the disk is gone";
    CHECK(Asked(public_routes(node.view()), "GET", "/v1/kv/a").status() == 503);
}

TEST_CASE("commits come in order, one a line, up to the limit") {
    FakeNode node;
    node.oldest = 5;
    for (int at = 0; at < 120; ++at) node.add_commit(static_cast<std::uint64_t>(at));
    const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
    for (const auto& routes : {public_routes(node.view()), admin_routes(node.view())}) {
        const Asked first(routes, "GET", "/v1/commits?from=5&limit=2");
        CHECK(first.status() == 200);
        CHECK(first.response().content_type == "application/x-ndjson");
        CHECK(lines(first.body()) == 2);
        const json::object row = json::parse(first.body().substr(0, first.body().find('\n'))).as_object();
        CHECK(row.at("index") == 5);
        CHECK(row.at("anchor").at("round") == 10);
        CHECK(row.at("anchor").at("author") == 1);
        CHECK(row.at("certificates").as_array().size() == 1);
        CHECK(row.at("certificates").at(0).at(2) == text(sha256(as_bytes("anchor")).hex()));
        CHECK(row.at("failed") == json::parse("[[3,2]]"));
        CHECK(row.at("batches").as_array().size() == 1);
        CHECK(row.at("previous").as_string().size() == 64);
        CHECK(lines(Asked(routes, "GET", "/v1/commits?from=5").body()) == 100);
        CHECK(Asked(routes, "GET", "/v1/commits?from=125").body().empty());

        const Asked pruned(routes, "GET", "/v1/commits?from=4");
        CHECK(pruned.status() == 410);
        CHECK(pruned.object().at("oldest") == 5);
        CHECK(pruned.error_code() == "pruned");
        const Asked future(routes, "GET", "/v1/commits?from=126");
        CHECK(future.status() == 400);
        CHECK(future.object().at("newest") == 124);
        CHECK(future.error_code() == "future");
        for (const char* query : {"from=0", "from=x", "from=-1", "limit=0", "limit=1001", "form=1"}) {
            CHECK(Asked(routes, "GET", std::string("/v1/commits?") + query).status() == 400);
        }
    }
}

TEST_CASE("health is a status, with a line for each condition when asked or when one fails") {
    FakeNode node;
    CHECK(Asked(public_routes(node.view()), "GET", "/livez").body() == "ok\n");
    CHECK(Asked(public_routes(node.view()), "GET", "/readyz").body() == "ok\n");
    CHECK(Asked(public_routes(node.view()), "GET", "/readyz?verbose").body() ==
          "[+]store ok\n[+]quorum ok\n");
    node.status.readiness[1] = {"quorum", false, "1 of 4 connected"};
    for (const char* target : {"/readyz", "/readyz?verbose"}) {
        const Asked asked(public_routes(node.view()), "GET", target);
        CHECK(asked.status() == 503);
        CHECK(contains(asked.body(), "[+]store ok\n[-]quorum 1 of 4 connected\n"));
    }
    CHECK(Asked(public_routes(node.view()), "GET", "/livez").status() == 200);
    node.live = {{"engine", false, "no step for 12 s"}};
    CHECK(Asked(public_routes(node.view()), "GET", "/livez").status() == 503);
}

TEST_CASE("the status names state, reasons, and every validator") {
    FakeNode node;
    node.status.validator = 0;
    node.status.readiness[0] = {"store", false, "disk full"};
    node.status.commit_p50_ms = 12.5;
    for (const auto& routes : {public_routes(node.view()), admin_routes(node.view())}) {
        const json::object status = Asked(routes, "GET", "/v1/status").object();
        CHECK(status.at("name") == "v2");
        CHECK(status.at("role") == "validator");
        CHECK(status.at("state") == "ready");
        CHECK(status.at("ready") == false);
        CHECK(status.at("reasons") == json::parse("[\"store: disk full\"]"));
        CHECK(status.at("round") == 40);
        CHECK(status.at("latency_ms") == json::parse("{\"commit_p50\":12.5}"));
        CHECK(status.at("validators").as_array().size() == 4);
        CHECK(status.at("validators").at(3).at("claim_index") == 7);
        for (const char* key : {"peer_id",
                                "validator",
                                "version",
                                "chain_id",
                                "highest_round",
                                "target_round",
                                "commit",
                                "commit_digest",
                                "commit_round",
                                "executed",
                                "state_root",
                                "state_root_index",
                                "lag",
                                "peers_connected",
                                "peers_total",
                                "tx_per_s",
                                "transactions",
                                "disk_bytes",
                                "uptime_s",
                                "listen",
                                "anchors_committed",
                                "anchors_skipped",
                                "equivocations",
                                "pid"}) {
            INFO(key);
            CHECK(status.contains(key));
        }
    }
}

TEST_CASE("the APIs answer through their servers") {
    const TemporaryDirectory directory;
    FakeNode node;
    node.state["key"] = "value";
    const auto view = node.view();
    HttpServerConfig api;
    api.routes = public_routes(view);
    api.listen = HostPort{"127.0.0.1", 0};
    test::Server api_server(std::move(api));
    HttpServerConfig admin;
    admin.routes = admin_routes(view);
    admin.socket = directory / "admin.sock";
    test::Server admin_server(std::move(admin));

    HttpClient client = HttpClient::tcp({"127.0.0.1", api_server.port()});
    CHECK(client.get("/v1/kv/key", 20s)->body == "value");
    CHECK(client.get("/v1/kv/key", 20s)->header("x-monodon-commit") == "9");
    CHECK(client.post("/v1/tx", Bytes(dag::kTransactionBytesMax + 1), 20s)->status == 413);
    CHECK(node.submissions.empty());
    HttpClient operator_client = HttpClient::unix_socket(directory / "admin.sock");
    CHECK(contains(operator_client.get("/v1/status", 20s)->body, "\"name\":\"v2\""));
    CHECK(operator_client.post("/v1/shutdown", {}, 20s)->status == 200);
    CHECK(test::eventually([&] { return node.shutdowns == 1; }));
}

}  // namespace
}  // namespace monodon::node::api_test
