#include <catch2/catch.hpp>

#include "dag/sync/range_fetcher.hpp"
#include "tests/engine/fixtures.hpp"

namespace preference_test {

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

/// How often each of four is chosen among `candidates` in 1,000 times.
std::vector<unsigned> chosen(Preference& preference, const AuthorSet& candidates) {
    std::vector<unsigned> times(4);
    for (int at = 0; at < 1000; ++at) ++times.at(preference.choose(candidates)->value());
    return times;
}

}  // namespace

TEST_CASE("members of whom nothing is known are asked alike") {
    Preference preference(4);
    const auto times = chosen(preference, members({1, 2, 3}));
    CHECK(times[0] == 0);
    for (const std::size_t at : {1, 2, 3}) CHECK(times[at] > 250);
}

TEST_CASE("the better a member answers, the more often it is asked; one time in ten any is") {
    Preference preference(4);
    preference.rate({100, 300, 100, 0});
    const auto times = chosen(preference, members({1, 2, 3}));
    CHECK(times[1] > 2 * times[2]);
    CHECK(times[2] > 100);
    // A tenth of the choices, among three.
    CHECK(times[3] > 10);
    CHECK(times[3] < 60);
}

TEST_CASE("who is rated with nothing is asked if there is nobody else, and nobody without candidates") {
    Preference preference(4);
    preference.rate({0, 0, 0, 0});
    CHECK(preference.choose(members({2})) == member(2));
    CHECK_FALSE(preference.choose({}));
}

TEST_CASE("the same questions in the same order have the same answers") {
    Preference one(4);
    Preference other(4);
    for (int at = 0; at < 100; ++at) {
        CHECK(one.choose(members({0, 1, 2, 3})) == other.choose(members({0, 1, 2, 3})));
    }
}

TEST_CASE("a missing certificate is asked of its author first, unless that one is rated with nothing") {
    Preference preference(4);
    Fetcher fetcher(member(0), 1s, preference);
    RequestIds ids;
    for (std::uint16_t peer = 1; peer < 4; ++peer) fetcher.set_connected(member(peer), true, Time{});
    const auto asked = [&](std::uint8_t name) {
        Digest digest;
        digest.bytes.fill(name);
        fetcher.want_certificate(digest, Round{5}, members({1, 2}), member(1));
        Effects out;
        fetcher.poll(Time{}, ids, out);
        REQUIRE(out.size() == 1);
        const SendRequest request = std::get<SendRequest>(out.front());
        fetcher.found(digest);
        (void)fetcher.answered(request.id, {}, Time{});
        return request.to;
    };
    CHECK(asked(1) == member(1));
    preference.rate({100, 0, 100, 100});
    unsigned of_second = 0;
    for (std::uint8_t name = 2; name < 32; ++name) of_second += asked(name) == member(2) ? 1 : 0;
    CHECK(of_second > 20);
}

TEST_CASE("ranges go to the members that are rated well") {
    Preference preference(4);
    RangeFetcher range(member(0), 1s, preference);
    for (std::uint16_t peer = 1; peer < 4; ++peer) range.set_connected(member(peer), true);
    range.hint(Round{1000}, members({1, 2, 3}));
    preference.rate({100, 0, 100, 100});
    RequestIds ids;
    Effects out;
    range.poll(Time{}, Round{10}, Round{3}, ids, out);
    unsigned of_first = 0;
    for (const Effect& each : out) of_first += std::get<SendRequest>(each).to == member(1) ? 1 : 0;
    CHECK(out.size() == 3);
    CHECK(of_first <= 1);
    CHECK(std::get<SendRequest>(out.front()).to != member(1));
}

TEST_CASE("the engine asks by the ratings that it was given last") {
    const Committee committee = committee_of(4);
    struct Nothing final : DagReader {
        [[nodiscard]] std::optional<PayloadEntry> batch(const PayloadEntry&) const override { return {}; }
        [[nodiscard]] CommitPtr commit(CommitIndex) const override { return nullptr; }
    } const reader;
    const StubSigner signer(1);
    Engine engine({}, committee, Seat{member(0), signer}, reader, {});
    Effects out;
    engine.step(Started{}, Time{}, out);
    for (std::uint16_t peer = 1; peer < 4; ++peer) engine.step(PeerChanged{member(peer), true}, Time{}, out);
    engine.step(PeersRated{{100, 0, 0, 100}}, Time{}, out);
    out.clear();
    const auto first = make_round(committee, 1, {});
    // Its author is rated with nothing, so another signer is asked for the parents.
    engine.step(CertificateReceived{make_round(committee, 2, first).at(1)}, Time{}, out);
    unsigned requests = 0;
    for (const Effect& each : out) {
        const auto* request = std::get_if<SendRequest>(&each);
        if (request == nullptr || !std::holds_alternative<GetCertificates>(request->body)) continue;
        ++requests;
        CHECK(request->to == member(3));
    }
    // Our own is wanted with its signatures, the others are ancestors: two requests.
    CHECK(requests == 2);
}

}  // namespace preference_test
