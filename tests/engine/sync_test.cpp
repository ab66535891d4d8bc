#include <set>

#include <catch2/catch.hpp>

#include "dag/sync/batch_index.hpp"
#include "dag/sync/claims.hpp"
#include "dag/sync/delivery.hpp"
#include "dag/sync/range_fetcher.hpp"
#include "tests/engine/fixtures.hpp"

namespace sync_test {

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

Digest digest(std::uint8_t name) {
    Digest made;
    made.bytes.fill(name);
    return made;
}
ValidatorIndex member(std::uint16_t index) { return ValidatorIndex{index}; }
AuthorSet members(std::initializer_list<std::uint16_t> indices) {
    AuthorSet set;
    for (const auto index : indices) set.insert(member(index));
    return set;
}
Time at(Duration since) { return Time{} + since; }

struct NothingStored final : DagReader {
    [[nodiscard]] std::optional<PayloadEntry> batch(const PayloadEntry&) const override {
        return std::nullopt;
    }
    [[nodiscard]] CommitPtr commit(CommitIndex) const override { return nullptr; }
};

PayloadEntry batch_of(std::uint16_t author, std::uint8_t name, std::uint64_t sealed) {
    return {digest(name), member(author), WorkerId{0}, Round{sealed}, 100, 1};
}

/// Polls and gives the requests that were sent.
std::vector<SendRequest> poll(Fetcher& fetcher, RequestIds& ids, Time now) {
    Effects out;
    fetcher.poll(now, ids, out);
    std::vector<SendRequest> sent;
    for (const Effect& effect : out) sent.push_back(std::get<SendRequest>(effect));
    return sent;
}

}  // namespace

TEST_CASE("the fetcher asks the first holder, then the others, then pauses and begins again") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    for (std::uint16_t peer = 1; peer < 4; ++peer) fetcher.set_connected(member(peer), true, at(0s));
    fetcher.want_certificate(digest(1), Round{5}, members({0, 1, 2}), member(2));
    auto sent = poll(fetcher, ids, at(0s));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].to == member(2));
    CHECK(poll(fetcher, ids, at(0s)).empty());
    CHECK(fetcher.answered(sent[0].id, {}, at(1s)));
    CHECK_FALSE(fetcher.answered(sent[0].id, {}, at(1s)));

    sent = poll(fetcher, ids, at(1s));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].to == member(1));
    CHECK(fetcher.answered(sent[0].id, {}, at(1s)));
    CHECK(poll(fetcher, ids, at(1s)).empty());  // member 3 does not have it, member 0 are we
    const auto again = fetcher.next_attempt();
    REQUIRE(again);
    CHECK(*again >= at(1s + 500ms));
    CHECK(*again <= at(1s + 625ms));
    CHECK(poll(fetcher, ids, *again).size() == 1);
    fetcher.found(digest(1));
    CHECK(fetcher.wanted() == 0);
}

TEST_CASE("who does not answer soon is joined by a second holder, never by a third") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    for (std::uint16_t peer = 1; peer < 4; ++peer) fetcher.set_connected(member(peer), true, at(0s));
    fetcher.want_certificate(digest(1), Round{5}, members({1, 2, 3}), member(2));
    REQUIRE(poll(fetcher, ids, at(0s)).size() == 1);
    CHECK(fetcher.next_attempt() == at(200ms));
    const auto second = poll(fetcher, ids, at(200ms));
    REQUIRE(second.size() == 1);
    CHECK(second[0].to != member(2));
    CHECK_FALSE(fetcher.next_attempt());
    CHECK(poll(fetcher, ids, at(900ms)).empty());
    // One has failed: the third takes its place.
    CHECK(fetcher.answered(second[0].id, RequestFailure::not_found, at(900ms)));
    CHECK(poll(fetcher, ids, at(900ms)).size() == 1);
    fetcher.found(digest(1));
    CHECK(fetcher.wanted() == 0);
}

TEST_CASE("pauses double up to ten seconds") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    fetcher.set_connected(member(1), true, at(0s));
    fetcher.want_certificate(digest(1), Round{5}, members({1}), member(1));
    Time now = at(0s);
    Duration last{0};
    for (int turn = 0; turn < 10; ++turn) {
        const auto sent = poll(fetcher, ids, now);
        REQUIRE(sent.size() == 1);
        CHECK(fetcher.answered(sent[0].id, RequestFailure::not_found, now));
        CHECK(poll(fetcher, ids, now).empty());
        const auto next = fetcher.next_attempt();
        REQUIRE(next);
        CHECK(*next - now > last / 2);
        CHECK(*next - now <= 10s);
        last = *next - now;
        now = *next;
    }
    CHECK(last >= 8s);
}

TEST_CASE("the fetcher tells of what is missing who was asked and what each answered") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    fetcher.set_connected(member(1), true, at(0s));
    fetcher.set_connected(member(2), true, at(0s));
    fetcher.want_certificate(digest(9), Round{7}, members({1}), member(1));
    fetcher.want_for_execution({digest(4), Round{2}}, Round{3}, members({1}), member(1));
    fetcher.want_certificate(digest(1), Round{5}, members({1, 2, 3}), member(2));
    const auto first = poll(fetcher, ids, at(0s));
    CHECK(fetcher.certificates_wanted() == 2);
    for (const SendRequest& each : first) {
        if (each.to == member(2)) fetcher.answered(each.id, RequestFailure::not_found, at(1s));
    }
    const auto missing = fetcher.missing_certificates(1);
    REQUIRE(missing.size() == 1);
    CHECK(missing[0].digest == digest(1));
    CHECK(missing[0].round == Round{5});
    CHECK(missing[0].holders == members({1, 2, 3}));
    CHECK(missing[0].asked == AskedMembers{{member(2), {at(0s), at(1s), RequestFailure::not_found}}});
    CHECK(missing[0].next_attempt == at(1s));
    const auto batches = fetcher.missing_for_execution(8);
    REQUIRE(batches.size() == 1);
    CHECK(batches[0].digest == digest(4));
    CHECK(batches[0].asked == AskedMembers{{member(1), {at(0s), {}, {}}}});
    CHECK_FALSE(batches[0].next_attempt);
}

TEST_CASE("requests for one member are gathered, and a silent member holds its own slots only") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    fetcher.set_connected(member(1), true, at(0s));
    fetcher.set_connected(member(2), true, at(0s));
    for (std::uint8_t name = 1; name <= 100; ++name) {
        fetcher.want_batch({digest(name), Round{name}}, Round{5}, members({1}), member(1));
    }
    const auto sent = poll(fetcher, ids, at(0s));
    CHECK(sent.size() == 4);
    for (const SendRequest& request : sent) CHECK(std::get<GetBatches>(request.body).batches.size() == 16);
    fetcher.want_batch({digest(200), Round{7}}, Round{5}, members({2}), member(2));
    const auto other = poll(fetcher, ids, at(0s));
    REQUIRE(other.size() == 1);
    CHECK(other[0].to == member(2));
    CHECK(std::get<GetBatches>(other[0].body).batches == std::vector{WantedBatch{digest(200), Round{7}}});
}

TEST_CASE("what has no slot with its first holder is asked of another one at once") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    fetcher.set_connected(member(1), true, at(0s));
    fetcher.set_connected(member(2), true, at(0s));
    for (std::uint8_t name = 1; name <= 100; ++name) {
        fetcher.want_batch({digest(name), Round{name}}, Round{5}, members({1, 2}), member(1));
    }
    // Member 1 is silent, member 2 answers within a millisecond.
    for (Duration since = 0ms; since < 250ms; since += 1ms) {
        for (const SendRequest& request : poll(fetcher, ids, at(since))) {
            if (request.to == member(1)) continue;
            for (const auto& each : std::get<GetBatches>(request.body).batches) fetcher.found(each.digest);
            fetcher.answered(request.id, {}, at(since));
        }
        if (since == 10ms) CHECK(fetcher.wanted() == 64);
    }
    CHECK(fetcher.wanted() == 0);
}

TEST_CASE("who answers item by item is asked for the rest once, then others are") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    fetcher.set_connected(member(1), true, at(0s));
    fetcher.set_connected(member(2), true, at(0s));
    for (std::uint8_t name = 1; name <= 10; ++name) {
        fetcher.want_certificate(digest(name), Round{5}, members({1, 2}), member(1));
    }
    const auto drip = [&](Duration since) {
        const auto sent = poll(fetcher, ids, at(since));
        REQUIRE(sent.size() == 1);
        if (sent[0].to == member(2)) return false;
        fetcher.found(std::get<GetCertificates>(sent[0].body).headers.front());
        return fetcher.answered(sent[0].id, {}, at(since + 190ms), Fetcher::Stopped{1, 300});
    };
    CHECK(drip(0ms));
    CHECK(drip(190ms));
    CHECK_FALSE(drip(380ms));
}

TEST_CASE("who stops at the limit of bytes is asked for the rest as often as it does") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    fetcher.set_connected(member(1), true, at(0s));
    fetcher.set_connected(member(2), true, at(0s));
    for (std::uint8_t name = 1; name <= 10; ++name) {
        fetcher.want_batch({digest(name), Round{7}}, Round{5}, members({1, 2}), member(1));
    }
    for (unsigned turn = 0; turn < 5; ++turn) {
        const auto sent = poll(fetcher, ids, at(turn * 10ms));
        REQUIRE(sent.size() == 1);
        CHECK(sent[0].to == member(1));
        const auto& batches = std::get<GetBatches>(sent[0].body).batches;
        fetcher.found(batches[0].digest);
        fetcher.found(batches[1].digest);
        const BatchesReply reply{Continuation{{}, 2}, kUrgentReplyBytes};
        fetcher.answered(sent[0].id, {}, at(turn * 10ms + 5ms), Fetcher::stopped(reply));
    }
    CHECK(fetcher.wanted() == 0);
}

TEST_CASE("what an answer passed over is asked of others, what it stopped before of the same member") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    fetcher.set_connected(member(1), true, at(0s));
    fetcher.set_connected(member(2), true, at(0s));
    for (std::uint8_t name = 1; name <= 3; ++name) {
        fetcher.want_certificate(digest(name), Round{5}, members({1, 2}), member(1));
    }
    const auto sent = poll(fetcher, ids, at(0s));
    REQUIRE(sent.size() == 1);
    fetcher.found(digest(2));
    fetcher.answered(sent[0].id, {}, at(1ms), Fetcher::Stopped{2, 300});
    for (const SendRequest& each : poll(fetcher, ids, at(1ms))) {
        const auto& headers = std::get<GetCertificates>(each.body).headers;
        CHECK(headers == std::vector{each.to == member(1) ? digest(3) : digest(1)});
    }
    CHECK(fetcher.in_flight() == 2);
}

TEST_CASE("a member that takes long is no reason to wait longer for the others") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    for (std::uint16_t peer = 1; peer < 4; ++peer) fetcher.set_connected(member(peer), true, at(0s));
    fetcher.want_certificate(digest(1), Round{5}, members({1, 3}), member(1));
    const auto slow = poll(fetcher, ids, at(0s));
    fetcher.found(digest(1));
    fetcher.answered(slow.at(0).id, {}, at(300ms));
    fetcher.want_certificate(digest(2), Round{5}, members({2, 3}), member(2));
    CHECK(poll(fetcher, ids, at(1s)).at(0).to == member(2));
    CHECK(fetcher.next_attempt() == at(1s + 200ms));
    fetcher.want_certificate(digest(3), Round{5}, members({1, 3}), member(1));
    CHECK(poll(fetcher, ids, at(1s)).at(0).to == member(1));
    fetcher.found(digest(2));
    CHECK(fetcher.next_attempt() == at(1s + 900ms));
}

TEST_CASE("bytes that were refused, dropped, or of use to nobody are counted as wasted") {
    SyncLedger ledger;
    Effects out;
    const GetCertificatesInRange range{Round{1}, Round{2}};
    for (const std::uint64_t id : {1, 2, 4})
        out.emplace_back(SendRequest{RequestId{id}, member(1), range, 1s});
    const GetBatches batches{{{digest(1), Round{1}}}};
    out.emplace_back(SendRequest{RequestId{3}, member(1), batches, 1s});
    ledger.sent(out, 0);
    ledger.answered(RequestId{1}, RequestFailed{RequestFailure::bad_reply, {}, 1000}, 0);
    CHECK(ledger.total().bytes_wasted == 1000);
    CertificatesReply reply;
    reply.certificates = make_round(committee_of(4), 1, {});
    reply.bytes = 400;
    reply.bytes_dropped = 50;
    ledger.answered(RequestId{2}, reply, 1);
    CHECK(ledger.total().bytes_wasted == 1150);
    CHECK(ledger.total().bytes_useful == 300);
    ledger.answered(RequestId{3}, BatchesReply{{}, 5000}, 0);
    CHECK(ledger.total().bytes_useful == 5300);
    // All that came was dropped.
    CertificatesReply nothing;
    nothing.bytes_dropped = 70;
    ledger.answered(RequestId{4}, nothing, 0);
    CHECK(ledger.total().bytes_wasted == 1220);
}

TEST_CASE("what a header needed is dropped with it, what execution needs stays") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    fetcher.want_batch({digest(1), Round{5}}, Round{5}, members({1}), member(1));
    fetcher.want_for_execution({digest(2), Round{5}}, Round{5}, members({1}), member(1));
    fetcher.want_certificate(digest(3), Round{9}, members({1}), member(1));
    fetcher.drop(digest(1));
    fetcher.drop(digest(2));
    CHECK_FALSE(fetcher.wants(digest(1)));
    CHECK(fetcher.wants(digest(2)));
    fetcher.collect(Round{8});
    CHECK(fetcher.wanted() == 2);
    fetcher.collect(Round{9});
    CHECK(fetcher.wanted() == 1);
}

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
        if (others == 2) CHECK(catching.brings(sent[1], 20us, 10));
        CHECK(catching.brings(rest, 20us, 10, 8, true));
        rest = catching.poll(20us, 10).at(0);
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

TEST_CASE("commits are delivered in order, each with all its batches") {
    const NothingStored reader;
    BatchIndex batches(reader);
    Delivery delivery(CommitIndex{4});
    auto five = std::make_shared<Commit>();
    five->index = CommitIndex{5};
    five->payload = {batch_of(1, 1, 3), batch_of(1, 2, 3)};
    auto six = std::make_shared<Commit>();
    six->index = CommitIndex{6};
    batches.stored(batch_of(1, 2, 3));
    CHECK(delivery.push(five, batches).size() == 1);
    CHECK(delivery.push(six, batches).empty());
    CHECK(delivery.take_ready().empty());
    delivery.stored(digest(9));
    delivery.stored(digest(1));
    CHECK(delivery.take_ready().size() == 2);
    CHECK(delivery.delivered() == CommitIndex{6});
}

TEST_CASE("a batch that nobody names is adopted by the author's successor first, then by the next") {
    const NothingStored reader;
    BatchIndex batches(reader);
    batches.stored(batch_of(3, 1, 10));
    const auto may = [&](std::uint16_t self, std::uint64_t round) {
        return !batches.adoptable(member(self), 4, Round{round}, 20, 9).empty();
    };
    CHECK_FALSE(may(0, 49));
    CHECK(may(0, 50));
    CHECK_FALSE(may(1, 57));
    CHECK(may(1, 58));
    CHECK(may(2, 66));
    CHECK_FALSE(may(3, 500));
    batches.referenced(digest(1));
    CHECK_FALSE(may(0, 500));
}

TEST_CASE("one liar's claim changes nothing; a supporting share of stake with one other digest does") {
    const Committee committee = committee_of(4);
    Claims claims(committee);
    for (std::uint8_t index = 1; index <= 3; ++index) claims.committed({CommitIndex{index}, digest(index)});
    claims.heard(member(1), {CommitIndex{2}, digest(99)});
    claims.heard(member(2), {CommitIndex{2}, digest(2)});
    CHECK(claims.conflicts() == 1);
    CHECK_FALSE(claims.divergence());
    claims.heard(member(3), {CommitIndex{2}, digest(98)});
    CHECK_FALSE(claims.divergence());  // two liars who do not agree
    claims.heard(member(0), {CommitIndex{4}, digest(77)});
    claims.heard(member(3), {CommitIndex{4}, digest(77)});
    CHECK_FALSE(claims.divergence());
    claims.committed({CommitIndex{4}, digest(4)});
    CHECK(claims.divergence() == CommitIndex{4});
}

TEST_CASE("the supported claim is what a supporting share of stake claims at least") {
    const Committee committee = committee_of(4);
    Claims claims(committee);
    claims.heard(member(1), {CommitIndex{1000000000}, digest(1)});
    CHECK(claims.supported() == CommitIndex{0});
    claims.heard(member(2), {CommitIndex{7}, digest(2)});
    CHECK(claims.supported() == CommitIndex{7});
    claims.heard(member(2), {CommitIndex{3}, digest(2)});
    CHECK(claims.supported() == CommitIndex{7});
}

}  // namespace sync_test
