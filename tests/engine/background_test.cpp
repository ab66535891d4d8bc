#include <catch2/catch.hpp>

#include "tests/engine/fixtures.hpp"

namespace background_test {

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

/// Whether a request for what is missing in rounds leaves this member.
bool asks_for_rounds(std::size_t from, std::size_t member, const Effect& effect) {
    const auto* request = std::get_if<SendRequest>(&effect);
    return from == member && request != nullptr &&
           std::holds_alternative<GetMissingCertificates>(request->body);
}

}  // namespace

TEST_CASE(
    "every few seconds one member is asked what it has, and what no certificate names is had from there") {
    const Committee committee = committee_of(4);
    struct Nothing final : DagReader {
        [[nodiscard]] std::optional<PayloadEntry> batch(const PayloadEntry&) const override { return {}; }
        [[nodiscard]] CommitPtr commit(CommitIndex) const override { return nullptr; }
    } const reader;
    const StubSigner signer(1);
    EngineConfig config;
    config.notice_forgotten = false;
    Engine engine(config, committee, Seat{ValidatorIndex{0}, signer}, reader, {});
    Effects out;
    engine.step(Started{}, Time{}, out);
    for (std::uint16_t peer = 1; peer < 4; ++peer) {
        engine.step(PeerChanged{ValidatorIndex{peer}, true}, Time{}, out);
    }
    const auto first = make_round(committee, 1, {});
    const auto second = make_round(committee, 2, first);
    for (const VerifiedCertificate& each : first) engine.step(CertificateReceived{each}, Time{}, out);
    // The one of member 3 does not come, and nothing is built on it.
    for (std::size_t at = 0; at < 3; ++at) engine.step(CertificateReceived{second.at(at)}, Time{}, out);
    CHECK(engine.window(Round{2}, Round{2}).size() == 3);

    out.clear();
    const Time later = Time{} + config.background_sync;
    engine.step(Tick{}, later, out);
    std::vector<SendRequest> asked;
    for (const Effect& each : out) {
        const auto* request = std::get_if<SendRequest>(&each);
        if (request != nullptr && std::holds_alternative<GetMissingCertificates>(request->body)) {
            asked.push_back(*request);
        }
    }
    REQUIRE(asked.size() == 1);
    const auto& body = std::get<GetMissingCertificates>(asked.front().body);
    CHECK(body.known.contains({Round{2}, ValidatorIndex{2}}));
    CHECK_FALSE(body.known.contains({Round{2}, ValidatorIndex{3}}));

    // Of the second one the graph knows no parent, and it lies too far up to wait for them.
    const auto far = make_header(committee, 400, 1, {second.at(0)->ref()}, 0);
    CertificatesReply reply{{second.at(3), Verification::trusted(Certificate{*far, {}, {}})}, {}, {}, 100};
    reply.held.highest = Round{2};
    engine.step(ReplyReceived{asked.front().id, reply}, later, out);
    CHECK(engine.window(Round{2}, Round{2}).size() == 4);
    const SyncStatus sync = engine.status().sync;
    CHECK(sync.certificates_useful == 1);
    CHECK(sync.bytes_useful == 50);
    CHECK(sync.bytes_wasted == 50);
    REQUIRE(sync.by_peer.size() == 1);
    CHECK(sync.by_peer.front().first == SyncLedger::Key{asked.front().to, SyncKind::missing});
}

TEST_CASE("a member that starts again fills the holes of its graph before it proposes") {
    TestCommittee committee({});
    committee.run_for(1s);
    committee.crash(2);
    committee.run_for(50ms);
    bool asked = false;
    bool early = false;
    committee.drop = [&](std::size_t from, std::size_t, const Effect& effect) {
        asked = asked || asks_for_rounds(from, 2, effect);
        const auto* broadcast = std::get_if<Broadcast>(&effect);
        const bool header =
            broadcast != nullptr && std::holds_alternative<VerifiedHeader>(broadcast->message);
        // What it had made before leaves at once.
        early = early || (from == 2 && header && !asked && committee.status(2).headers_proposed > 0);
        return false;
    };
    committee.start(2);
    CHECK(committee.run_until([&] { return committee.status(2).headers_proposed > 0; }, 5s));
    committee.run_for(100ms);
    CHECK(asked);
    CHECK_FALSE(early);
    committee.check_safety();
}

TEST_CASE("a scan that nobody answers does not keep a member from proposing for long") {
    TestCommittee committee({});
    committee.run_for(1s);
    committee.crash(2);
    committee.drop = [&](std::size_t from, std::size_t, const Effect& effect) {
        return asks_for_rounds(from, 2, effect);
    };
    committee.start(2);
    CHECK(committee.run_until([&] { return committee.status(2).headers_proposed > 0; }, 5s));
    committee.check_safety();
}

}  // namespace background_test
