#include <catch2/catch.hpp>

#include "tests/sync/transport.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

struct Asking {
    explicit Asking(std::string_view peers, std::uint64_t last = 1000, std::uint64_t spacing = 1)
        : rounds({members(peers), Round{1}, Round{last}}, member('A'), 1s, preference, spacing) {}

    std::vector<SendRequest> poll(Duration since) {
        Effects out;
        rounds.poll(Time{} + since, graph, suspended, ids, out);
        std::vector<SendRequest> sent;
        for (Effect& each : out) sent.push_back(std::get<SendRequest>(each));
        return sent;
    }
    void answer(const SendRequest& request, const CertificatesReply& reply, Duration since) {
        CHECK(rounds.answered(request.id, reply, Time{} + since));
    }

    DagBuilder dag{4};
    Graph graph{dag.committee(), Round{0}};
    Suspended suspended{128, 1 << 20};
    Preference preference{4};
    RequestIds ids;
    RoundSync rounds;
};

GetMissingCertificates body(const SendRequest& request) {
    return std::get<GetMissingCertificates>(request.body);
}

CertificatesReply nothing(std::uint64_t highest = 1000) {
    CertificatesReply reply;
    reply.held.highest = Round{highest};
    return reply;
}

}  // namespace

TEST_CASE("ten rounds are asked for at first, more while answers come soon, fewer when they do not") {
    Asking asking("B");
    auto sent = asking.poll(0s);
    REQUIRE(sent.size() == 1);
    CHECK(body(sent[0]).first == Round{1});
    CHECK(body(sent[0]).last == Round{10});
    asking.answer(sent[0], nothing(), 10ms);
    sent = asking.poll(10ms);
    CHECK(body(sent.at(0)).first == Round{11});
    CHECK(body(sent.at(0)).last == Round{30});
    asking.answer(sent[0], nothing(), 900ms);
    CHECK(asking.rounds.rounds_per_request() == 10);
    for (Duration since = 1s; since < 2s; since += 100ms) {
        sent = asking.poll(since);
        if (!sent.empty()) asking.answer(sent[0], nothing(), since);
    }
    CHECK(asking.rounds.rounds_per_request() == RoundSync::kRoundsMost);
}

TEST_CASE("what is asked for ends with a round that can be proven, or at the last one") {
    Asking asking("B", 40, 16);
    std::vector<std::pair<Round, Round>> asked;
    for (int turn = 0; turn < 10; ++turn) {
        const auto sent = asking.poll(0s);
        if (sent.empty()) break;
        asked.emplace_back(body(sent.at(0)).first, body(sent.at(0)).last);
        asking.answer(sent[0], nothing(), 0s);
    }
    CHECK(asked == std::vector<std::pair<Round, Round>>{
                       {Round{1}, Round{16}}, {Round{17}, Round{32}}, {Round{33}, Round{40}}});
    CHECK(asking.rounds.complete());
}

TEST_CASE("what was answered and has gaps is asked of each other member once, what has none is not") {
    Asking asking("BCD", 10);
    std::map<ValidatorIndex, unsigned> asked;
    SECTION("nobody has anything") {
        for (int turn = 0; turn < 10; ++turn) {
            for (const SendRequest& each : asking.poll(0s)) {
                ++asked[each.to];
                asking.answer(each, nothing(), 0s);
            }
        }
        CHECK(asked ==
              std::map<ValidatorIndex, unsigned>{{member('B'), 1}, {member('C'), 1}, {member('D'), 1}});
    }
    SECTION("the first one has everything") {
        const auto sent = asking.poll(0s);
        REQUIRE(sent.size() == 1);
        asking.dag.rounds(1, 10, "ABCD");
        for (const VerifiedCertificate& each : asking.dag.certificates()) (void)asking.graph.insert(each);
        asking.answer(sent[0], nothing(), 0s);
        CHECK(asking.poll(0s).empty());
    }
    CHECK(asking.rounds.complete());
}

TEST_CASE("several members have parts of their own, and what one fails another is asked") {
    Asking asking("BCD");
    const auto sent = asking.poll(0s);
    REQUIRE(sent.size() == 3);
    std::set<ValidatorIndex> asked;
    std::set<Round> firsts;
    for (const SendRequest& each : sent) {
        asked.insert(each.to);
        firsts.insert(body(each).first);
    }
    CHECK(asked.size() == 3);
    CHECK(firsts == std::set<Round>{Round{1}, Round{11}, Round{21}});
    CHECK(asking.rounds.answered(sent[0].id, RequestFailed{RequestFailure::timeout}, Time{} + 1s));
    asking.answer(sent[1], nothing(), 1s);
    const auto again = asking.poll(1s);
    REQUIRE(again.size() == 1);
    CHECK(again[0].to == sent[1].to);
    CHECK(body(again[0]).first == body(sent[0]).first);
}

TEST_CASE("the rest of an answer that stopped at a limit is asked for from where it stopped") {
    Asking asking("B");
    const auto sent = asking.poll(0s);
    CertificatesReply part = nothing();
    asking.dag.rounds(1, 1, "ABCD");
    part.certificates = {asking.dag.at("A1")};
    part.next = Continuation{slot("C1"), 0};
    asking.answer(sent.at(0), part, 1ms);
    const auto rest = asking.poll(1ms);
    REQUIRE(rest.size() == 1);
    CHECK(body(rest[0]).first == Round{1});
    CHECK(body(rest[0]).from == member('C'));
    CHECK(body(rest[0]).last == Round{10});
}

TEST_CASE("it ends at what a single member holds, with nobody left, or at the last round") {
    Asking held("B");
    auto sent = held.poll(0s);
    held.answer(sent.at(0), nothing(7), 1ms);
    CHECK(held.rounds.complete());

    Asking failed("B");
    sent = failed.poll(0s);
    CHECK(failed.rounds.answered(sent.at(0).id, RequestFailed{RequestFailure::pruned, Round{5}}, Time{}));
    CHECK(failed.rounds.finished());
    CHECK_FALSE(failed.rounds.complete());

    Asking last("B", 10);
    sent = last.poll(0s);
    last.answer(sent.at(0), nothing(), 1ms);
    CHECK(last.rounds.complete());
}

TEST_CASE("a member that leads on without giving anything is asked no more") {
    Asking asking("B");
    unsigned requests = 0;
    for (std::uint64_t step = 1; step < 200 && !asking.rounds.finished(); ++step) {
        const auto sent = asking.poll(0s);
        if (sent.empty()) break;
        ++requests;
        CertificatesReply on = nothing();
        on.next =
            Continuation{{body(sent[0]).first, ValidatorIndex{static_cast<std::uint16_t>(step % 4)}}, 0};
        asking.answer(sent[0], on, 0s);
    }
    CHECK(asking.rounds.finished());
    CHECK(requests < 12);
}
