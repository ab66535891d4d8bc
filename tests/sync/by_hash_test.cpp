#include <catch2/catch.hpp>

#include "tests/sync/transport.hpp"

/// Certificates whose digest a certificate of a quorum names need no signatures (sync.md 2): who takes them
/// so, and what they are good for.
using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

namespace {

/// Nothing verifies.
class NoVerifier final : public SignatureVerifier {
 public:
    [[nodiscard]] bool verify(const PublicKey&, ByteView, const Signature&) const override { return false; }
};

/// What a member makes of responses, and how it has checked what is in them.
struct Reader {
    explicit Reader(const Committee& committee, std::uint64_t proofs_every = 16)
        : rules(committee, verifier), checks(make(proofs_every)) {}

    ReplyBody read(const SyncRequest& request, const SyncResponse& response) {
        by_signatures.clear();
        by_hash.clear();
        auto body = read_reply(member('A'), request, response, checks);
        REQUIRE(body);
        return std::move(*body);
    }

    ReplyChecks make(std::uint64_t proofs_every) {
        return {[this](const auto& each) {
                    by_signatures.insert(name(each->ref().slot()));
                    const bool good = each->has_proof() && each->signatures.front() == Signature{};
                    return good ? std::optional(Verification::trusted(Certificate(*each))) : std::nullopt;
                },
                [](const auto&) { return std::optional<VerifiedHeader>(); },
                [this](const auto& each) {
                    by_hash.insert(name(each->ref().slot()));
                    auto checked = rules.ancestor(Certificate(*each));
                    return checked ? std::optional(std::move(*checked)) : std::nullopt;
                },
                proofs_every};
    }

    NoVerifier verifier;
    Verification rules;
    ReplyChecks checks;
    std::set<std::string> by_signatures;
    std::set<std::string> by_hash;
};

struct Ancestry {
    explicit Ancestry(std::uint64_t rounds = 6) {
        dag.rounds(1, rounds, "ABCD");
        source.add_all(dag);
    }
    [[nodiscard]] Certificates answered(const SyncRequest& request) const {
        return std::get<Certificates>(answer(source, request, std::nullopt, {}));
    }
    DagBuilder dag{4};
    MemorySource source{dag.committee()};
};

std::shared_ptr<const Certificate> badly_signed(const std::shared_ptr<const Certificate>& each) {
    Certificate bad = *each;
    bad.signatures.front().bytes.fill(7);
    return std::make_shared<const Certificate>(std::move(bad));
}

const SyncRequest kAll = GetCertificatesInRange{Round{1}, Round{6}};

std::string slots_of(const ReplyBody& body) {
    const auto* reply = std::get_if<CertificatesReply>(&body);
    if (reply == nullptr) return "failed";
    std::string text;
    for (const auto& each : reply->certificates)
        text += name(each->ref().slot()) + (each->has_proof() ? "! " : " ");
    return text;
}

}  // namespace

TEST_CASE(
    "of a range the highest round is verified, what it names is taken by its hash, without signatures") {
    const Ancestry scene;
    Reader reader(scene.dag.committee());
    const ReplyBody body = reader.read(kAll, scene.answered(kAll));
    CHECK(reader.by_signatures == std::set<std::string>{"A6", "B6", "C6", "D6"});
    CHECK(reader.by_hash.size() == 20);
    CHECK(slots_of(body).substr(0, 6) == "A1 B1 ");
    CHECK(slots_of(body).find("D5 A6! B6! C6! D6! ") != std::string::npos);
    for (const auto& each : std::get<CertificatesReply>(body).certificates) {
        if (!each->has_proof()) CHECK(each->signatures.empty());
    }
}

TEST_CASE("every so many rounds signatures are verified and kept all the same") {
    const Ancestry scene;
    Reader reader(scene.dag.committee(), 4);
    (void)reader.read(kAll, scene.answered(kAll));
    CHECK(reader.by_signatures == std::set<std::string>{"A4", "B4", "C4", "D4", "A6", "B6", "C6", "D6"});
    for (const std::size_t members : {1, 4, 10, 33, 100, 128}) {
        const Committee committee = committee_of(std::vector<Stake>(members, 1));
        const std::uint64_t spacing = proof_spacing(committee);
        CHECK((spacing >= 1 && spacing <= 16 && 16 % spacing == 0));
        CHECK((spacing == 1 || spacing * members <= 256));
    }
}

TEST_CASE("signatures of what is taken by its hash are nobody's concern; those of the others are") {
    const Ancestry scene;
    Reader reader(scene.dag.committee());
    Certificates response = scene.answered(kAll);
    for (std::size_t at = 0; at < 20; ++at)
        response.certificates[at] = badly_signed(response.certificates[at]);
    CHECK(std::holds_alternative<CertificatesReply>(reader.read(kAll, response)));
    response.certificates[23] = badly_signed(response.certificates[23]);
    CHECK(slots_of(reader.read(kAll, response)) == "failed");
}

TEST_CASE("a header that nothing names is not taken by its hash, whatever its slot") {
    const Ancestry scene;
    Reader reader(scene.dag.committee());
    Certificates response = scene.answered(kAll);
    Certificate forged = *response.certificates[5];
    ++forged.header.created_at;
    sign_header(scene.dag.committee(), NoSignatures{}, forged.header);
    forged.signatures.front().bytes.fill(7);
    response.certificates[5] = std::make_shared<const Certificate>(forged);
    CHECK(slots_of(reader.read(kAll, response)) == "failed");
    // Without signatures it is as if it had not been sent, and what is named is used.
    response.certificates[5] = without_signatures(response.certificates[5]);
    const std::string used = slots_of(reader.read(kAll, response));
    CHECK(used.find("B2") == std::string::npos);
    CHECK(used.find("A2 C2 ") != std::string::npos);
}

TEST_CASE(
    "a member that has the end of a range by hashes only is asked for it again, from where that begins") {
    const Ancestry scene;
    Reader reader(scene.dag.committee());
    Certificates response = scene.answered(kAll);
    for (std::size_t at = 16; at < 24; ++at)
        response.certificates[at] = without_signatures(response.certificates[at]);
    const ReplyBody body = reader.read(kAll, response);
    CHECK(slots_of(body) == "A1 B1 C1 D1 A2 B2 C2 D2 A3 B3 C3 D3 A4! B4! C4! D4! ");
    const auto& reply = std::get<CertificatesReply>(body);
    REQUIRE(reply.next);
    CHECK(reply.next->slot == slot("A5"));
    std::size_t bare = 0;
    for (std::size_t at = 16; at < 24; ++at) bare += encoded_size(*response.certificates[at]);
    CHECK(reply.bytes_dropped == bare);
    // By what is missing likewise.
    const SyncRequest missing = GetMissingCertificates{{}, Round{1}, Round{6}};
    const ReplyBody rest = reader.read(missing, response);
    CHECK(std::get<CertificatesReply>(rest).next == reply.next);
}

TEST_CASE("what was refused says how much came") {
    const Ancestry scene;
    Reader reader(scene.dag.committee());
    Certificates response = scene.answered(kAll);
    std::size_t bytes = 0;
    for (const auto& each : response.certificates) bytes += encoded_size(*each);
    response.certificates[23] = badly_signed(response.certificates[23]);
    const ReplyBody body = reader.read(kAll, response);
    CHECK(std::get<RequestFailed>(body).bytes == bytes);
}

TEST_CASE("of a member that has most by its hash everything is had: what it gives ends with what it proves") {
    DagBuilder dag(4);
    dag.rounds(1, 100, "ABCD");
    auto caught_up = std::make_shared<MemorySource>(dag.committee());
    for (const VerifiedCertificate& each : dag.certificates()) {
        const bool proven = each->header.round.value() % 16 == 0 || each->header.round >= Round{98};
        caught_up->add(proven ? each : Verification::trusted(*without_signatures(each.shared())));
    }
    const auto nothing = std::make_shared<MemorySource>(dag.committee());
    InProcess transport(dag.committee(), {nothing, caught_up, nothing, nothing});
    SyncSession session(dag.committee(), member('A'), Round{0}, {});
    session.connect(member('B'), true, Time{});
    SECTION("it alone") { session.sync_with_peer(member('B')); }
    SECTION("with others that have nothing") {
        session.connect(member('C'), true, Time{});
        session.connect(member('D'), true, Time{});
        session.sync_gaps(Round{100});
    }
    REQUIRE(drive(session, transport, trust_what_is_named(dag.committee())));
    CHECK(session.graph().missing_certificates_up_to(Round{100}).empty());
    CHECK(session.stats().bytes_wasted == 0);
}

TEST_CASE("what a member cannot prove at the end of a request is asked of another one") {
    DagBuilder dag(4);
    dag.rounds(1, 10, "ABCD");
    const auto bare = std::make_shared<MemorySource>(dag.committee());
    const auto proven = std::make_shared<MemorySource>(dag.committee());
    for (const VerifiedCertificate& each : dag.certificates()) {
        bare->add(Verification::trusted(*without_signatures(each.shared())));
        proven->add(each);
    }
    for (const bool anybody_else : {false, true}) {
        InProcess transport(dag.committee(), {bare, bare, bare, proven});
        SyncSession session(dag.committee(), member('A'), Round{0}, {});
        session.connect(member('B'), true, Time{});
        session.connect(member('C'), true, Time{});
        session.connect(member('D'), anybody_else, Time{});
        session.sync_gaps(Round{10});
        REQUIRE(drive(session, transport, trust_what_is_named(dag.committee())));
        CHECK(session.graph().highest() == Round{anybody_else ? 10U : 0U});
    }
}

TEST_CASE("by digest nothing but what certificates name is taken by its hash") {
    const Ancestry scene;
    Reader reader(scene.dag.committee());
    GetCertificates request{{scene.dag.ref("B3").digest, scene.dag.ref("C3").digest}, false};
    const Certificates response = scene.answered(request);
    CHECK(slots_of(reader.read(request, response)) == "B3! C3! ");
    Certificates bare = response;
    bare.certificates[0] = without_signatures(bare.certificates[0]);
    CHECK(slots_of(reader.read(request, bare)) == "C3! ");
    request.named = true;
    CHECK(slots_of(reader.read(request, bare)) == "B3 C3 ");
    CHECK(reader.by_signatures.empty());
}

TEST_CASE("the rules of headers hold for what is taken by its hash") {
    const Ancestry scene;
    const NoVerifier verifier;
    const Verification rules(scene.dag.committee(), verifier);
    CHECK(rules.ancestor(Certificate(*scene.dag.at("B3"))));
    Certificate wrong = *scene.dag.at("B3");
    std::swap(wrong.header.parents[0], wrong.header.parents[1]);
    CHECK_FALSE(rules.ancestor(wrong));
    wrong = *scene.dag.at("B3");
    wrong.header.parents.resize(2);
    CHECK_FALSE(rules.ancestor(wrong));
}

TEMPLATE_TEST_CASE("who shows where it is shows a certificate with its signatures, or is busy", "[sync]",
                   InProcess, OverTls) {
    Ancestry scene(2);
    const auto shared = std::make_shared<MemorySource>(scene.dag.committee());
    MemorySource& source = *shared;
    TestType transport(scene.dag.committee(), {shared, shared, shared, shared});
    const auto show = [&] { return transport.ask(member('B'), GetHighestRound{}); };
    source.add(Verification::trusted(*without_signatures(scene.dag.at("A2").shared())));
    REQUIRE(std::holds_alternative<SyncError>(show()));
    CHECK(std::get<SyncError>(show()).why == SyncError::Why::busy);
    source.add(scene.dag.at("C2"));
    CHECK(std::get<HighestRound>(show()).certificate->ref() == scene.dag.ref("C2"));
}

TEST_CASE("a certificate that is in the graph by its hash gets its signatures when they come, once") {
    DagBuilder dag(4);
    dag.rounds(1, 1, "ABCD");
    Graph graph(dag.committee(), Round{0});
    const auto bare = Verification::trusted(*without_signatures(dag.at("A1").shared()));
    CHECK_FALSE(graph.prove(dag.at("A1")));
    REQUIRE(graph.insert(bare) == Insertion::inserted);
    CHECK_FALSE(graph.prove(bare));
    CHECK(graph.insert(dag.at("A1")) == Insertion::duplicate);
    CHECK(graph.prove(dag.at("A1")));
    CHECK(graph.find(slot("A1"))->certificate->has_proof());
    CHECK_FALSE(graph.prove(dag.at("A1")));
}

TEST_CASE("who holds the parents of what is here by its hash are the signers of what names it") {
    DagBuilder dag(4);
    dag.rounds(1, 3, "ABCD");
    Suspended suspended(128, 1 << 20);
    const auto bare = Verification::trusted(*without_signatures(dag.at("A2").shared()));
    REQUIRE(suspended.add(bare, Round{0}));
    CHECK(suspended.holders_below(bare, members("ABCD")) == members("ABCD"));
    REQUIRE(suspended.add(dag.at("C3"), Round{0}));
    CHECK(suspended.holders_below(bare, members("ABCD")) == members("AC"));
    CHECK(suspended.holders_below(dag.at("C3"), members("ABCD")) == members("C"));
}

TEST_CASE("a digest that is not that of its header binds nothing") {
    const Ancestry scene;
    Reader reader(scene.dag.committee());
    reader.checks.ancestor = [&](const auto& each) {
        // As a decoder does it.
        Certificate read = *each;
        sign_header(scene.dag.committee(), NoSignatures{}, read.header);
        return std::optional(Verification::trusted(std::move(read)));
    };
    CHECK(slots_of(reader.read(kAll, scene.answered(kAll))) != "failed");
    Certificates response = scene.answered(kAll);
    Certificate forged = *response.certificates[5];
    ++forged.header.created_at;
    response.certificates[5] = std::make_shared<const Certificate>(forged);
    CHECK(slots_of(reader.read(kAll, response)) == "failed");
}
