#include <catch2/catch.hpp>

#include "tests/engine/fixtures.hpp"

namespace observer_test {

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kFirst = 4;

/// Loads the members for so long, with a batch for one of them every 5 ms.
std::vector<PayloadEntry> load(TestCommittee& committee, Duration time) {
    std::vector<PayloadEntry> entries;
    const Time end = committee.now() + time;
    for (std::size_t turn = 0; committee.now() < end; ++turn) {
        if (committee.running(turn % kFirst)) {
            entries.push_back(committee.submit(turn % kFirst, std::to_string(turn)));
        }
        committee.run_for(5ms);
    }
    return entries;
}

bool has_all(const TestCommittee& committee, std::size_t node, const std::vector<PayloadEntry>& entries) {
    return std::all_of(entries.begin(), entries.end(),
                       [&](const PayloadEntry& each) { return committee.has_executed(node, each.batch); });
}

bool all_have_all(const TestCommittee& committee, const std::vector<PayloadEntry>& entries) {
    for (std::size_t node = 0; node < committee.size(); ++node) {
        if (committee.running(node) && !has_all(committee, node, entries)) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("observers order and execute what the committee orders, and sign nothing") {
    TestCommittee committee({.observers = 2});
    const auto entries = load(committee, 500ms);
    CHECK(committee.run_until([&] { return all_have_all(committee, entries); }, 2s));
    for (const std::size_t node : {kFirst, kFirst + 1}) {
        const EngineStatus status = committee.status(node);
        CHECK(status.votes_given == 0);
        CHECK(status.headers_proposed == 0);
        CHECK_FALSE(status.looking);
        CHECK(status.round == status.highest);
        // It follows by what it is sent: certificates are not fetched, batches are.
        CHECK(status.sync.certificates_useful < status.certificates_inserted / 10);
    }
    committee.check_safety();
}

TEST_CASE("an observer knows from certificates where the members stand") {
    TestCommittee committee({.observers = 1});
    load(committee, 300ms);
    const EngineStatus status = committee.status(kFirst);
    for (const ValidatorStatus& member : status.validators) {
        CHECK(member.connected);
        CHECK(member.heard);
    }
    CHECK(status.supported_claim > CommitIndex{10});
    CHECK(status.supported_claim.value() < status.last_commit.index.value() + 10);
}

TEST_CASE("an observer that lost its memory goes on from its disk, and one that comes late catches up") {
    TestCommittee committee({.observers = 2});
    committee.crash(kFirst + 1);
    auto entries = load(committee, 500ms);
    committee.crash(kFirst);
    for (const PayloadEntry& each : load(committee, 3s)) entries.push_back(each);
    committee.start(kFirst);
    committee.start(kFirst + 1);
    CHECK(committee.run_until([&] { return all_have_all(committee, entries); }, 5s));
    CHECK(committee.status(kFirst + 1).sync.certificates_useful > 100);
    committee.check_safety();
}

TEST_CASE("observers that are gone, silent or slow do not hold the committee up") {
    TestCommittee committee({.observers = 3});
    committee.crash(kFirst);
    committee.slow[kFirst + 1] = 10s;
    committee.drop = [](std::size_t, std::size_t to, const Effect&) { return to == kFirst + 2; };
    const auto entries = load(committee, 500ms);
    const auto members_have_all = [&] {
        for (std::size_t node = 0; node < kFirst; ++node) {
            if (!has_all(committee, node, entries)) return false;
        }
        return true;
    };
    CHECK(committee.run_until(members_have_all, 1s));
    committee.check_safety();
}

TEST_CASE("an observer stops when members with a supporting share of stake claim another history") {
    TestCommittee committee({.observers = 1});
    const auto same = load(committee, 100ms);
    REQUIRE(committee.run_until([&] { return all_have_all(committee, same); }, 2s));
    const CommitClaim ours = committee.status(kFirst).last_commit;
    Digest other = ours.digest;
    other.bytes[0] ^= 1U;
    // Certificates of a history in which the same commit has another digest.
    for (std::uint16_t author = 0; author < 2; ++author) {
        Header header;
        header.epoch = committee.committee().epoch();
        header.round = above(committee.status(kFirst).highest, 2);
        header.author = ValidatorIndex{author};
        header.committed = {ours.index, other};
        sign_header(committee.committee(), committee.signer(author), header);
        CHECK(committee.halts().empty());
        committee.give(kFirst, CertificateReceived{Verification::trusted(
                                   Certificate{header, committee.committee().everybody(), {}})});
        committee.run_for(1us);
    }
    REQUIRE(committee.halts().size() == 1);
    CHECK(committee.halts().front().find("report another digest") != std::string::npos);
}

TEST_CASE("an observer that gets no batches stops taking certificates, and goes on when it gets them") {
    TestCommittee committee({.observers = 1});
    committee.drop = [](std::size_t from, std::size_t, const Effect& effect) {
        const auto* request = std::get_if<SendRequest>(&effect);
        return from == kFirst && request != nullptr && std::holds_alternative<GetBatches>(request->body);
    };
    const auto waiting = [&] {
        const EngineStatus status = committee.status(kFirst);
        return status.last_commit.index.value() - status.executed.value();
    };
    std::vector<PayloadEntry> entries;
    while (committee.status(0).last_commit.index < CommitIndex{1300}) {
        for (const PayloadEntry& each : load(committee, 200ms)) entries.push_back(each);
    }
    CHECK(waiting() >= 1000);
    CHECK(waiting() < 1100);
    committee.drop = nullptr;
    CHECK(committee.run_until([&] { return has_all(committee, kFirst, entries); }, 60s));
    CHECK(committee.run_until([&] { return waiting() < 10; }, 10s));
    committee.check_safety();
}

}  // namespace observer_test
