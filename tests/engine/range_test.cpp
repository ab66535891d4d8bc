#include <set>

#include <catch2/catch.hpp>

#include "dag/sync/range_fetcher.hpp"
#include "tests/engine/fixtures.hpp"

namespace range_test {

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

/// A member far behind, with the others connected.
struct Catching {
    explicit Catching(std::uint16_t others) {
        AuthorSet holders;
        for (std::uint16_t peer = 1; peer <= others; ++peer) {
            range.set_connected(member(peer), true);
            holders.insert(member(peer));
        }
        range.hint(Round{1000}, holders);
    }
    /// The requests that are sent now.
    std::vector<SendRequest> poll(Duration since, std::uint64_t highest) {
        Effects out;
        range.poll(at(since), Round{highest}, Round{3}, ids, out);
        std::vector<SendRequest> sent;
        for (const Effect& effect : out) sent.push_back(std::get<SendRequest>(effect));
        return sent;
    }
    bool fails(const SendRequest& request, Duration since, std::uint64_t highest) {
        return range.answered(request.id, nullptr, RequestFailure::timeout, Round{highest}, at(since));
    }
    /// One certificate of each round from the first through the last that was asked for.
    bool brings(const SendRequest& request, Duration since, std::uint64_t highest) {
        const auto& asked = std::get<GetCertificatesInRange>(request.body);
        return brings(request, since, highest, distance(asked.first, asked.last) + 1);
    }
    /// As many rounds, and the rest from there if it is said to follow.
    bool brings(const SendRequest& request, Duration since, std::uint64_t highest, std::uint64_t rounds,
                bool more = false) {
        const auto& asked = std::get<GetCertificatesInRange>(request.body);
        CertificatesReply reply;
        for (std::uint64_t at = 0; at < rounds; ++at) {
            std::vector<HeaderRef> parents;
            if (at > 0) parents.push_back(reply.certificates.back()->ref());
            reply.certificates.push_back(make_certificate(committee, asked.first.value() + at, 0, parents));
        }
        if (more) reply.next = Continuation{{above(asked.first, rounds), member(0)}, 0};
        return range.answered(request.id, &reply, {}, Round{highest}, at(since));
    }

    Committee committee = committee_of(4);
    Preference preference{4};
    RangeFetcher range{member(0), 1s, preference};
    RequestIds ids;
};

GetCertificatesInRange range_of(const SendRequest& request) {
    return std::get<GetCertificatesInRange>(request.body);
}

}  // namespace

TEST_CASE("ranges are fetched only from far behind") {
    Catching catching(2);
    CHECK(catching.range.active(Round{996}));
    CHECK_FALSE(catching.range.active(Round{997}));
    CHECK(catching.poll(0s, 997).empty());
    CHECK_FALSE(catching.range.blocking(Round{997}));
    CHECK_FALSE(catching.range.next_attempt(Round{997}));
}

TEST_CASE("units begin where the graph ends, of several members at a time") {
    Catching catching(3);
    const auto sent = catching.poll(0s, 10);
    REQUIRE(sent.size() == 3);
    std::set<ValidatorIndex> asked;
    Round first{10};
    for (const SendRequest& each : sent) {
        CHECK(range_of(each).first == first);
        CHECK(range_of(each).last == above(first, RangeFetcher::kUnit - 1));
        first = next(range_of(each).last);
        asked.insert(each.to);
    }
    CHECK(asked.size() == 3);
    CHECK(catching.poll(0s, 10).empty());
    // The graph has passed the first unit: the next one is asked for, of who brought it.
    CHECK(catching.brings(sent[0], 10ms, 41));
    const auto more = catching.poll(10ms, 41);
    REQUIRE(more.size() == 1);
    CHECK(range_of(more[0]).first == first);
    CHECK(more[0].to == sent[0].to);
}

TEST_CASE("units reach no further above the graph than suspended certificates may") {
    Catching catching(3);
    const auto sent = catching.poll(0s, 10);
    REQUIRE(sent.size() == 3);
    // The lowest is not here yet: whatever comes of the others waits for it.
    CHECK(catching.brings(sent[2], 10ms, 10));
    CHECK(catching.brings(sent[1], 10ms, 10));
    CHECK(catching.poll(10ms, 10).size() <= 1);
    for (const SendRequest& each : catching.poll(10ms, 10)) CHECK(range_of(each).last <= Round{10 + 128});
}

TEST_CASE("a unit that fails goes to another member, and who failed rests") {
    Catching catching(3);
    const auto sent = catching.poll(0s, 10);
    REQUIRE(sent.size() == 3);
    CHECK(catching.brings(sent[1], 10ms, 10));
    CHECK(catching.fails(sent[0], 20ms, 10));
    const auto blocking = catching.range.blocking(Round{10});
    REQUIRE(blocking);
    CHECK(blocking->target == Round{1000});
    CHECK(blocking->asked.at(sent[0].to) == Asked{at(0s), at(20ms), RequestFailure::timeout});
    const auto again = catching.poll(20ms, 10);
    REQUIRE(!again.empty());
    CHECK(again[0].to == sent[1].to);
    CHECK(range_of(again[0]).first == Round{10});
    for (const SendRequest& each : again) CHECK(each.to != sent[0].to);
}

TEST_CASE("the lowest unit is asked of a second member when it is late") {
    Catching catching(3);
    const auto sent = catching.poll(0s, 10);
    REQUIRE(sent.size() == 3);
    CHECK(catching.brings(sent[1], 10ms, 10));
    CHECK(catching.brings(sent[2], 10ms, 10));
    (void)catching.poll(10ms, 10);
    const auto attempt = catching.range.next_attempt(Round{10});
    REQUIRE(attempt);
    const Duration late = *attempt - at(0s);
    CHECK(late <= 200ms);
    std::vector<SendRequest> hedged;
    for (const SendRequest& each : catching.poll(late, 10)) {
        if (range_of(each).first == Round{10}) hedged.push_back(each);
    }
    REQUIRE(hedged.size() == 1);
    CHECK(hedged[0].to != sent[0].to);
    // Not a third time.
    for (const SendRequest& each : catching.poll(late + 500ms, 10)) CHECK(range_of(each).first != Round{10});
}

TEST_CASE("a unit that came without what the graph needs is asked of somebody else") {
    Catching catching(2);
    const auto sent = catching.poll(0s, 10);
    REQUIRE(sent.size() == 2);
    CHECK(catching.brings(sent[0], 10ms, 10));
    (void)catching.poll(10ms, 10);
    // All places are taken. The first that is free goes to what everything waits for.
    (void)catching.poll(200ms, 10);
    CHECK(catching.brings(sent[1], 210ms, 10));
    const auto again = catching.poll(210ms, 10);
    REQUIRE(again.size() == 1);
    CHECK(again[0].to == sent[1].to);
    CHECK(range_of(again[0]).first == Round{10});
}

TEST_CASE("who answers a unit with one certificate as if it were all rests, however soon it answers") {
    Catching catching(3);
    auto sent = catching.poll(0s, 10);
    REQUIRE(sent.size() == 3);
    const ValidatorIndex liar = sent[0].to;
    CHECK(catching.brings(sent[0], 1ms, 10, 1));
    CHECK(catching.brings(sent[1], 40ms, 10));
    CHECK(catching.brings(sent[2], 40ms, 10));
    // The graph grows, and nobody is left out for that any more.
    std::uint64_t highest = 41;
    for (Duration since = 40ms; since < 2s; since += 100ms, ++highest) {
        for (const SendRequest& each : catching.poll(since, highest)) {
            CHECK(each.to != liar);
            CHECK(catching.brings(each, since + 40ms, highest));
        }
    }
    CHECK(highest > 50);
}

TEST_CASE("an answer with a hole or without its end is not whole, one that stopped at a limit is") {
    Catching catching(3);
    const auto sent = catching.poll(0s, 10);
    REQUIRE(sent.size() == 3);
    const auto give = [&](const SendRequest& request, std::uint64_t left_out) {
        const auto& asked = range_of(request);
        CertificatesReply reply;
        VerifiedCertificate last = make_certificate(catching.committee, asked.first.value(), 0, {});
        for (Round round = asked.first; round <= asked.last; round = next(round)) {
            if (round > asked.first) {
                last = make_certificate(catching.committee, round.value(), 0, {last->ref()});
            }
            if (distance(asked.first, round) != left_out) reply.certificates.push_back(last);
        }
        CHECK(catching.range.answered(request.id, &reply, {}, Round{10}, at(10ms)));
    };
    give(sent[0], 7);
    give(sent[1], RangeFetcher::kUnit - 1);
    CHECK(catching.brings(sent[2], 10ms, 10, 8, true));
    for (const SendRequest& each : catching.poll(10ms, 10)) CHECK(each.to == sent[2].to);
}

TEST_CASE("a member that brings a unit piece by piece counts as slow, and others get the rest") {
    Catching catching(2);
    auto sent = catching.poll(0s, 10);
    REQUIRE(sent.size() == 2);
    const ValidatorIndex drips = sent[0].to;
    CHECK(catching.brings(sent[1], 20ms, 10));
    CHECK(catching.brings(sent[0], 20ms, 10, 1, true));
    // It took as long for one round of 32: who brought all of them is asked for the rest, and for what
    // follows.
    sent = catching.poll(20ms, 11);
    REQUIRE(sent.size() >= 2);
    CHECK(sent[0].to != drips);
    CHECK(range_of(sent[0]).first == Round{11});
    CHECK(sent[1].to != drips);
}

TEST_CASE("after two pieces of a unit the rest goes to another member, if there is one") {
    for (const std::uint16_t others : {std::uint16_t{2}, std::uint16_t{1}}) {
        Catching catching(others);
        auto sent = catching.poll(0s, 10);
        REQUIRE(sent.size() == others);
        const ValidatorIndex quick = sent[0].to;
        CHECK(catching.brings(sent[0], 10us, 10, 8, true));
        SendRequest rest = catching.poll(10us, 10).at(0);
        CHECK(rest.to == quick);
        CHECK(catching.brings(rest, 20us, 10, 8, true));
        // Though it takes longer.
        if (others == 2) CHECK(catching.brings(sent[1], 200us, 10));
        rest = catching.poll(200us, 10).at(0);
        CHECK(range_of(rest).first == Round{26});
        CHECK((rest.to == quick) == (others == 1));
    }
}

TEST_CASE("with nobody left to ask, all are asked again after a pause, also while a higher unit is here") {
    Catching catching(2);
    auto sent = catching.poll(0s, 10);
    REQUIRE(sent.size() == 2);
    CHECK(catching.brings(sent[1], 10ms, 10));
    CHECK(catching.fails(sent[0], 10ms, 10));
    for (sent = catching.poll(10ms, 10); !sent.empty(); sent = catching.poll(10ms, 10)) {
        for (const SendRequest& each : sent) CHECK(catching.fails(each, 10ms, 10));
    }
    const auto attempt = catching.range.next_attempt(Round{10});
    REQUIRE(attempt);
    CHECK(*attempt > at(10ms));
    sent = catching.poll(*attempt - at(0s), 10);
    REQUIRE(!sent.empty());
    CHECK(range_of(sent[0]).first == Round{10});
}

TEST_CASE("with nobody left to ask, all are asked again after a pause") {
    Catching catching(1);
    const auto sent = catching.poll(0s, 10);
    REQUIRE(sent.size() == 1);
    CHECK(catching.fails(sent[0], 10ms, 10));
    CHECK(catching.poll(10ms, 10).empty());
    const auto attempt = catching.range.next_attempt(Round{10});
    REQUIRE(attempt);
    CHECK(*attempt > at(10ms));
    const auto again = catching.poll(*attempt - at(0s), 10);
    REQUIRE(!again.empty());
    CHECK(range_of(again[0]).first == Round{10});
}

}  // namespace range_test
