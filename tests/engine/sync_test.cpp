#include <algorithm>

#include <catch2/catch.hpp>

#include "dag/sync/batch_index.hpp"
#include "dag/sync/claims.hpp"
#include "dag/sync/delivery.hpp"
#include "dag/sync/fetcher.hpp"
#include "dag/sync/ledger.hpp"
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
/// Member 0 of four, which knows 1 and so on as connected.
struct Asking {
    explicit Asking(std::uint16_t connected) {
        for (std::uint16_t peer = 1; peer <= connected; ++peer)
            fetcher.set_connected(member(peer), true, at(0s));
    }
    Preference preference{4};
    Fetcher fetcher{member(0), 1s, preference};
    RequestIds ids;
};

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
    Asking asking(3);
    auto& [preference, fetcher, ids] = asking;
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
    Asking asking(3);
    auto& [preference, fetcher, ids] = asking;
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
    Asking asking(1);
    auto& [preference, fetcher, ids] = asking;
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
    Asking asking(2);
    auto& [preference, fetcher, ids] = asking;
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
    Asking asking(2);
    auto& [preference, fetcher, ids] = asking;
    for (std::uint8_t name = 1; name < 220; ++name) {
        fetcher.want_batch({digest(name), Round{name}}, Round{5}, members({1}), member(1));
    }
    const auto sent = poll(fetcher, ids, at(0s));
    CHECK(sent.size() == 4);
    for (const SendRequest& request : sent) CHECK(std::get<GetBatches>(request.body).batches.size() == 48);
    fetcher.want_batch({digest(220), Round{7}}, Round{5}, members({2}), member(2));
    const auto other = poll(fetcher, ids, at(0s));
    REQUIRE(other.size() == 1);
    CHECK(other[0].to == member(2));
    CHECK(std::get<GetBatches>(other[0].body).batches == std::vector{WantedBatch{digest(220), Round{7}}});
}

TEST_CASE("what has no slot with its first holder is asked of another one at once") {
    Asking asking(2);
    auto& [preference, fetcher, ids] = asking;
    for (std::uint8_t name = 1; name < 250; ++name) {
        fetcher.want_batch({digest(name), Round{name}}, Round{5}, members({1, 2}), member(1));
    }
    // Member 1 is silent, member 2 answers within a millisecond.
    for (Duration since = 0ms; since < 250ms; since += 1ms) {
        for (const SendRequest& request : poll(fetcher, ids, at(since))) {
            if (request.to == member(1)) continue;
            for (const auto& each : std::get<GetBatches>(request.body).batches) fetcher.found(each.digest);
            fetcher.answered(request.id, {}, at(since));
        }
        if (since == 10ms) CHECK(fetcher.wanted() == 192);
    }
    CHECK(fetcher.wanted() == 0);
}

TEST_CASE("what execution needs comes in the order of execution, and after what the graph needs") {
    Asking asking(1);
    auto& [preference, fetcher, ids] = asking;
    // Digests rise where rounds fall.
    for (std::uint8_t name = 1; name <= 200; ++name) {
        fetcher.want_for_execution({digest(name), Round{1}}, Round{201U - name}, members({1}), member(1));
    }
    auto sent = poll(fetcher, ids, at(0s));
    REQUIRE(sent.size() == 4);
    fetcher.want_certificate(digest(201), Round{500}, members({1}), member(1));
    CHECK(poll(fetcher, ids, at(1ms)).empty());
    CHECK_FALSE(*fetcher.next_attempt() <= at(1ms));
    std::vector<std::uint8_t> order;
    bool certificate_next = false;
    for (std::size_t done = 0; done < sent.size(); ++done) {
        const SendRequest request = sent[done];
        if (const auto* wanted = std::get_if<GetBatches>(&request.body)) {
            for (const WantedBatch& each : wanted->batches) {
                order.push_back(each.digest.bytes[0]);
                fetcher.found(each.digest);
            }
        } else {
            certificate_next = done == 4;
            fetcher.found(digest(201));
        }
        fetcher.answered(request.id, {}, at(2ms));
        for (SendRequest& next : poll(fetcher, ids, at(2ms))) sent.push_back(std::move(next));
    }
    CHECK(certificate_next);
    CHECK(order.size() == 200);
    CHECK(std::is_sorted(order.rbegin(), order.rend()));
}

TEST_CASE("who answers item by item is asked for the rest once, then others are") {
    Asking asking(2);
    auto& [preference, fetcher, ids] = asking;
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
    Asking asking(2);
    auto& [preference, fetcher, ids] = asking;
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
    Asking asking(2);
    auto& [preference, fetcher, ids] = asking;
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
    Asking asking(3);
    auto& [preference, fetcher, ids] = asking;
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
    Asking asking(0);
    auto& [preference, fetcher, ids] = asking;
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
