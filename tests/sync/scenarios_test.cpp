#include <catch2/catch.hpp>

#include "tests/sync/transport.hpp"

/// The scenarios that ../../dag/sync/README.md lists, each in process and over TLS. Member A asks, B, C and D
/// hold the DAG.
using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

namespace {

struct Scene {
    explicit Scene(std::uint64_t rounds = 6) {
        dag.rounds(1, rounds, "ABCD");
        for (auto& each : stores) {
            each = std::make_shared<MemorySource>(dag.committee());
            each->add_all(dag);
        }
    }
    template <class Kind>
    std::unique_ptr<Transport> transport() {
        return std::make_unique<Kind>(
            dag.committee(), std::vector<std::shared_ptr<const SyncSource>>(stores.begin(), stores.end()));
    }
    std::unique_ptr<SyncSession> session() {
        auto made =
            std::make_unique<SyncSession>(dag.committee(), member('A'), Round{0}, SyncSession::Limits{});
        for (const char each : {'B', 'C', 'D'}) made->connect(member(each), true, Time{});
        return made;
    }
    DagBuilder dag{4};
    std::array<std::shared_ptr<MemorySource>, 4> stores;
};

std::string names(const SyncResponse& response) {
    const auto* found = std::get_if<Certificates>(&response);
    if (found == nullptr) return "none";
    std::string text;
    for (const auto& each : found->certificates) text += name(each->ref().slot()) + " ";
    return text;
}

}  // namespace

TEMPLATE_TEST_CASE("test_sync_request_get_certificates", "[sync]", InProcess, OverTls) {
    Scene scene;
    const auto transport = scene.transport<TestType>();
    const Digest unknown{};
    const SyncRequest request =
        GetCertificates{{scene.dag.ref("C2").digest, unknown, scene.dag.ref("A5").digest}};
    const SyncResponse response = transport->ask(member('B'), request);
    CHECK(fits(request, response));
    CHECK(names(response) == "C2 A5 ");
    CHECK(std::get<Certificates>(response).held.highest == Round{6});
    CHECK(std::holds_alternative<Empty>(transport->ask(member('B'), GetCertificates{{unknown}})));
}

TEMPLATE_TEST_CASE("test_sync_request_get_round", "[sync]", InProcess, OverTls) {
    Scene scene;
    const auto transport = scene.transport<TestType>();
    CHECK(names(transport->ask(member('B'), GetCertificatesInRound{Round{3}})) == "A3 B3 C3 D3 ");
    CHECK(names(transport->ask(member('B'), GetCertificatesInRound{Round{3}, member('C')})) == "C3 D3 ");
    CHECK(std::holds_alternative<Empty>(transport->ask(member('B'), GetCertificatesInRound{Round{7}})));
}

TEMPLATE_TEST_CASE("test_sync_request_get_range", "[sync]", InProcess, OverTls) {
    Scene scene;
    const auto transport = scene.transport<TestType>();
    CHECK(names(transport->ask(member('C'), GetCertificatesInRange{Round{5}, Round{9}})) ==
          "A5 B5 C5 D5 A6 B6 C6 D6 ");
    scene.stores[1]->prune(Round{4});
    const SyncResponse pruned = transport->ask(member('B'), GetCertificatesInRange{Round{3}, Round{9}});
    REQUIRE(std::holds_alternative<SyncError>(pruned));
    CHECK(std::get<SyncError>(pruned).why == SyncError::Why::pruned);
    CHECK(std::get<SyncError>(pruned).lowest == Round{4});
}

TEMPLATE_TEST_CASE("test_sync_request_highest_round", "[sync]", InProcess, OverTls) {
    Scene scene;
    const auto transport = scene.transport<TestType>();
    const SyncResponse response = transport->ask(member('D'), GetHighestRound{});
    const auto* highest = std::get_if<HighestRound>(&response);
    REQUIRE(highest != nullptr);
    CHECK(highest->held.highest == Round{6});
    CHECK(highest->certificate->header.round == Round{6});
    CHECK(highest->yours->ref() == scene.dag.ref("A6"));
}

TEMPLATE_TEST_CASE("test_sync_request_missing_certificates", "[sync]", InProcess, OverTls) {
    Scene scene;
    const auto transport = scene.transport<TestType>();
    // Of round 3 all but C, of round 4 all, of round 5 A and D.
    const KnownRounds known{Round{2}, {members("ABD"), members("ABCD"), members("AD")}};
    const SyncRequest request = GetMissingCertificates{known, Round{1}, Round{6}};
    const SyncResponse response = transport->ask(member('B'), request);
    CHECK(fits(request, response));
    CHECK(names(response) == "C3 B5 C5 A6 B6 C6 D6 ");
}

TEMPLATE_TEST_CASE("batches come by digest, one or several", "[sync]", InProcess, OverTls) {
    Scene scene;
    Digest digest;
    digest.bytes.fill(7);
    scene.stores[2]->add_batch(digest, std::make_shared<const Bytes>(Bytes{1, 2, 3}));
    const auto transport = scene.transport<TestType>();
    for (const SyncRequest& request :
         {SyncRequest(GetBatch{{digest, Round{1}}}), SyncRequest(GetBatches{{{digest, Round{1}}}})}) {
        const SyncResponse response = transport->ask(member('C'), request);
        REQUIRE(std::holds_alternative<Batches>(response));
        CHECK(*std::get<Batches>(response).batches.at(0) == Bytes{1, 2, 3});
    }
    CHECK(std::holds_alternative<Empty>(transport->ask(member('B'), GetBatch{{digest, Round{1}}})));
}

TEMPLATE_TEST_CASE("test_sync_client_with_peer", "[sync]", InProcess, OverTls) {
    Scene scene(300);
    const auto transport = scene.transport<TestType>();
    const auto session = scene.session();
    session->sync_with_peer(member('C'));
    REQUIRE(drive(*session, *transport));
    CHECK(session->graph().highest() == Round{300});
    CHECK(session->graph().missing_certificates_up_to(Round{300}).empty());
    CHECK(session->stats().certificates_synced == 1200);
    CHECK(session->stats().certificates_duplicate == 0);
    CHECK(session->stats().bytes_wasted == 0);
    // Nobody else was asked.
    for (const auto& [key, stats] : session->ledger().all()) CHECK(key.first == member('C'));
    // Again: it has nothing that is not here.
    session->sync_with_peer(member('C'));
    REQUIRE(drive(*session, *transport));
    CHECK(session->stats().certificates_synced == 1200);
}

TEST_CASE("test_get_missing_parents", "[sync]") {
    Scene scene;
    Graph graph(scene.dag.committee(), Round{0});
    for (const auto* each : {"A1", "B1", "C1"}) (void)graph.insert(scene.dag.at(each));
    const auto missing = graph.missing_parents(scene.dag.at("B2")->header);
    REQUIRE(missing.size() == 1);
    CHECK(missing.front() == scene.dag.ref("D1"));
    CHECK(graph.missing_parents(scene.dag.at("B1")->header).empty());
}

TEST_CASE("test_has_all_parents", "[sync]") {
    Scene scene;
    Graph graph(scene.dag.committee(), Round{0});
    for (const auto* each : {"A1", "B1", "C1"}) (void)graph.insert(scene.dag.at(each));
    CHECK_FALSE(graph.has_all_parents(scene.dag.at("B2")->header));
    (void)graph.insert(scene.dag.at("D1"));
    CHECK(graph.has_all_parents(scene.dag.at("B2")->header));
    CHECK(graph.has_complete_round(Round{1}));
    CHECK_FALSE(graph.has_complete_round(Round{0}));
    CHECK_FALSE(graph.has_complete_round(Round{2}));
    (void)graph.insert(scene.dag.at("B2"));
    const auto gaps = graph.missing_certificates_up_to(Round{2});
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].round == Round{2});
    CHECK(gaps[0].authors == members("ACD"));
}

TEMPLATE_TEST_CASE("test_sync_missing_parents", "[sync]", InProcess, OverTls) {
    for (const std::uint64_t depth : {2, 4, 60, 250}) {
        Scene scene(depth);
        const auto transport = scene.transport<TestType>();
        const auto session = scene.session();
        const VerifiedCertificate top = scene.dag.at("B" + std::to_string(depth));
        session->sync_missing_parents(top);
        REQUIRE(drive(*session, *transport));
        CHECK(session->graph().has_all_parents(top->header));
        CHECK(session->stats().certificates_duplicate == 0);
    }
}

TEMPLATE_TEST_CASE("test_sync_gaps", "[sync]", InProcess, OverTls) {
    Scene scene(30);
    const auto transport = scene.transport<TestType>();
    const auto session = scene.session();
    // Without D's certificates of rounds 3 and 11, all that follows waits.
    for (const VerifiedCertificate& each : scene.dag.certificates()) {
        const std::string called = name(each->ref().slot());
        if (called == "D3" || called == "D11" || called == "B30") continue;
        (void)session->sync_and_process_certificate(each);
    }
    CHECK(session->graph().highest() == Round{3});
    session->sync_gaps(Round{30});
    REQUIRE(drive(*session, *transport));
    CHECK(session->graph().missing_certificates_up_to(Round{30}).empty());
    CHECK(session->suspended().empty());
}

TEMPLATE_TEST_CASE("a certificate is processed when its parents have come", "[sync]", InProcess, OverTls) {
    Scene scene(5);
    const auto transport = scene.transport<TestType>();
    const auto session = scene.session();
    CHECK(session->sync_and_process_certificate(scene.dag.at("A1")));
    CHECK_FALSE(session->sync_and_process_certificate(scene.dag.at("C5")));
    REQUIRE(drive(*session, *transport));
    CHECK(session->graph().contains(scene.dag.ref("C5")));
}

TEST_CASE("a certificate further up than certificates may wait is processed all the same", "[sync]") {
    Scene scene(250);
    const auto transport = scene.transport<InProcess>();
    const auto session = scene.session();
    CHECK_FALSE(session->sync_and_process_certificate(scene.dag.at("C250")));
    REQUIRE(drive(*session, *transport));
    CHECK(session->graph().contains(scene.dag.ref("C250")));
}

TEMPLATE_TEST_CASE("what nobody has is failed, not waited for", "[sync]", InProcess, OverTls) {
    Scene scene(3);
    DagBuilder other(4);
    other.rounds(1, 3, "ABC");
    const auto transport = scene.transport<TestType>();
    const auto session = scene.session();
    session->request_certificates({scene.dag.ref("A1"), other.ref("A2")}, members("BCD"));
    REQUIRE(drive(*session, *transport));
    CHECK(session->stats().certificates_synced == 1);
    CHECK(session->stats().certificates_failed >= 1);
}

TEST_CASE("of members that hold different parts, each gives its own, and a session goes on after failures",
          "[sync]") {
    Scene scene(1);
    scene.dag.rounds(2, 40, "ABCD");
    // B holds the odd rounds, C the even ones, D nothing at all.
    scene.stores[3] = std::make_shared<MemorySource>(scene.dag.committee());
    for (const VerifiedCertificate& each : scene.dag.certificates()) {
        scene.stores[each->header.round.value() % 2 == 1 ? 1 : 2]->add(each);
    }
    const auto transport = scene.transport<InProcess>();
    const auto session = scene.session();
    session->sync_gaps(Round{40});
    REQUIRE(drive(*session, *transport));
    CHECK(session->graph().highest() == Round{40});
    CHECK(session->stats().certificates_duplicate == 0);
}
