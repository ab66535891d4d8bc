#include "net/peers/reputation.hpp"

#include <cmath>

#include <catch2/catch.hpp>

#include "net/peers/selection.hpp"

namespace reputation_test {

using namespace monodon;
using namespace monodon::net;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr Time kStart{hours(1000)};

PeerId peer(std::uint32_t number) {
    PublicKey key;
    for (unsigned at = 0; at < 4; ++at) key.bytes[at] = static_cast<Byte>(number >> (24 - 8 * at));
    return PeerId(key);
}

/// Peers 1 to 3 are the other members of a committee of four; 10 and more are strangers.
ReputationConfig config() {
    ReputationConfig config;
    for (std::uint32_t number = 1; number <= 3; ++number) config.members.emplace(peer(number), 1);
    config.quarantine_stake = 1;
    return config;
}

struct Peers {
    Reputation reputation{config()};
    Time now = kStart;

    void see(std::uint32_t who, const Observation& what, int times = 1) {
        for (int at = 0; at < times; ++at) reputation.observe(peer(who), what, now);
    }
    void pass(Duration time) { reputation.advance(now += time); }
    [[nodiscard]] Standing of(std::uint32_t who) const { return reputation.standing(peer(who), now); }
    [[nodiscard]] Band band(std::uint32_t who) const { return reputation.band(peer(who)); }
};

Measured measured(Duration first_byte, std::uint64_t bytes = 0, Duration whole = {}) {
    return {first_byte, std::max(first_byte, whole), bytes};
}

constexpr std::uint64_t kMegabyte = 1'000'000;

}  // namespace

TEST_CASE("useful replies count up to 30, less for each more, and halve in ten minutes") {
    Peers p;
    CHECK(p.of(10).score == 0);
    p.see(10, Useful{}, 50);
    CHECK(p.of(10).useful == Approx(30 * (1 - std::exp(-1))));
    CHECK(p.of(10).useful_replies == Approx(50));
    p.now += minutes(10);
    CHECK(p.of(10).useful_replies == Approx(25));
    p.see(10, Useful{}, 100'000);
    CHECK(p.of(10).useful == Approx(30));
    CHECK(p.of(10).score <= 30);
}

TEST_CASE("latency counts by the logarithm of its share of the median, within 15") {
    Peers p;
    p.see(1, measured(milliseconds(20)));
    p.see(2, measured(milliseconds(40)));
    p.see(3, measured(milliseconds(80)));
    p.pass(seconds(1));
    CHECK(p.of(1).latency == Approx(7.5));
    CHECK(p.of(2).latency == Approx(0).margin(1e-9));
    CHECK(p.of(3).latency == Approx(-7.5));
    p.see(3, measured(seconds(100)), 100);
    CHECK(p.of(3).latency == Approx(-15));
    CHECK(p.of(3).median_first_byte == milliseconds(40));
    p.see(1, measured(Duration(1)), 100);
    CHECK(p.of(1).latency == Approx(15).epsilon(0.01));
}

TEST_CASE("latency is a moving average, and below five milliseconds nobody is slow") {
    Peers p;
    p.see(1, measured(milliseconds(10)));
    p.see(1, measured(milliseconds(1000)));
    CHECK(p.of(1).first_byte->count() == Approx(10'000 * std::pow(100, 0.1)).epsilon(0.001));
    p.see(2, measured(Duration(50)));
    p.see(3, measured(milliseconds(4)));
    p.pass(seconds(1));
    CHECK(p.of(2).latency == p.of(3).latency);
}

TEST_CASE("throughput is that of replies long enough to tell, against the median") {
    Peers p;
    for (const std::uint32_t who : {1, 2, 3}) p.see(who, measured(milliseconds(10), 16 * 1024 - 1));
    p.pass(seconds(1));
    CHECK_FALSE(p.of(1).bytes_per_second);
    CHECK(p.of(1).throughput == 0);
    p.see(1, measured(milliseconds(10), kMegabyte, seconds(1)));
    p.see(2, measured(milliseconds(10), 2 * kMegabyte, seconds(1)));
    p.see(3, measured(milliseconds(10), 64 * kMegabyte, seconds(1)));
    p.pass(seconds(1));
    CHECK(p.of(1).throughput == Approx(-7.5));
    CHECK(p.of(2).throughput == Approx(0).margin(1e-9));
    CHECK(p.of(3).throughput == Approx(15));
}

TEST_CASE("what is usual the committee says, however many strangers there are") {
    Peers p;
    for (std::uint32_t who = 10; who < 200; ++who) p.see(who, measured(milliseconds(5)));
    p.pass(seconds(1));
    CHECK(p.of(10).median_first_byte == milliseconds(5));
    p.see(1, measured(milliseconds(100)));
    p.pass(seconds(1));
    CHECK(p.of(1).latency == Approx(0).margin(1e-9));
    CHECK(p.of(10).median_first_byte == milliseconds(100));
}

TEST_CASE("failures count above a fifth of at least ten requests of five minutes") {
    Peers p;
    p.see(1, Useful{}, 8);
    p.see(1, Fault::timeout, 1);
    CHECK(p.of(1).failures == 0);
    p.see(1, Fault::timeout, 1);
    CHECK(p.of(1).requests == 10);
    CHECK(p.of(1).failures == Approx(0).margin(1e-9));
    p.see(1, Fault::timeout, 10);
    CHECK(p.of(1).failures == Approx(30 * (0.6 - 0.2) / 0.8));
    p.now += minutes(5) + seconds(30);
    CHECK(p.of(1).requests == 0);
    CHECK(p.of(1).failures == 0);
    p.see(1, Fault::timeout, 1000);
    CHECK(p.of(1).failures == Approx(30));
    // An ignored limit or a wrong id is no request of ours that failed.
    p.see(2, Fault::unsolicited, 1);
    p.see(2, Fault::ignored_rate_limit, 1);
    CHECK(p.of(2).requests == 0);
}

TEST_CASE("each fault has its penalty, the sum stays below 100 and halves in the time that is set") {
    const std::vector<std::pair<Fault, double>> table{
        {Fault::timeout, 1},        {Fault::ignored_rate_limit, 2}, {Fault::unsolicited, 5},
        {Fault::withheld, 5},       {Fault::wrong_data, 10},        {Fault::bad_evidence, 40},
        {Fault::malformed, 100},    {Fault::oversize, 100},         {Fault::wrong_chain, 100},
        {Fault::invalid_hello, 100}};
    CHECK(table.size() == kFaults);
    for (const auto& [fault, penalty] : table) {
        Peers p;
        p.see(1, fault);
        CHECK(p.of(1).penalties == penalty);
        CHECK(p.of(1).faults.at(static_cast<std::size_t>(fault)) == 1);
        REQUIRE(p.of(1).recent.size() == 1);
        CHECK(p.of(1).recent[0].penalty == penalty);
        p.see(1, fault, 200);
        CHECK(p.of(1).penalties == 100);
        CHECK(p.of(1).recent.size() == Reputation::kRecentMax);
        CHECK(p.of(1).score >= -100);
        p.now += minutes(10);
        CHECK(p.of(1).penalties == Approx(50));
    }
    ReputationConfig quick = config();
    quick.penalty_half_life = seconds(10);
    Reputation reputation(quick);
    reputation.observe(peer(1), Fault::bad_evidence, kStart);
    CHECK(reputation.standing(peer(1), kStart + seconds(20)).penalties == Approx(10));
}

TEST_CASE("what breaks the protocol costs all that a peer was worth, at once") {
    for (const Fault fault : {Fault::malformed, Fault::oversize, Fault::wrong_chain, Fault::invalid_hello}) {
        Peers p;
        p.see(10, Useful{}, 1000);
        p.see(10, measured(milliseconds(5), kMegabyte, milliseconds(10)), 10);
        p.pass(seconds(1));
        CHECK(p.band(10) == Band::preferred);
        p.see(10, fault);
        CHECK(p.of(10).score == -100);
        CHECK(p.band(10) == Band::banned);
    }
}

TEST_CASE("a band is entered at its bound and left five points beyond it") {
    Peers p;
    p.see(10, Useful{}, 54);
    p.pass({});
    CHECK(p.of(10).score < 20);
    CHECK(p.band(10) == Band::neutral);
    p.see(10, Useful{}, 2);
    p.pass({});
    CHECK(p.band(10) == Band::preferred);
    p.see(10, Fault::timeout, 5);
    CHECK(p.of(10).score > 15);
    CHECK(p.band(10) == Band::preferred);
    p.see(10, Fault::timeout, 1);
    CHECK(p.band(10) == Band::neutral);

    p.see(11, Fault::unsolicited, 4);
    CHECK(p.of(11).score == -20);
    CHECK(p.band(11) == Band::neutral);
    p.see(11, Fault::timeout, 1);
    CHECK(p.band(11) == Band::throttled);
    p.pass(minutes(4));
    CHECK(p.of(11).score < -15);
    CHECK(p.band(11) == Band::throttled);
    p.pass(minutes(2));
    CHECK(p.of(11).score > -15);
    CHECK(p.band(11) == Band::neutral);
}

TEST_CASE("a stranger is banned for an act, twice as long each time, and begins again as throttled") {
    Peers p;
    p.see(10, Fault::wrong_data, 5);
    CHECK(p.of(10).score == -50);
    CHECK(p.band(10) == Band::throttled);
    p.see(10, Fault::timeout);
    CHECK(p.band(10) == Band::banned);
    CHECK(p.of(10).banned_until == p.now + minutes(10));
    CHECK(p.reputation.bans() == std::vector{peer(10)});
    CHECK(p.of(10).penalties == 51);
    p.pass(minutes(9));
    // The time in it is no good behaviour.
    CHECK(p.of(10).penalties == 51);
    CHECK(p.band(10) == Band::banned);
    p.pass(minutes(1));
    CHECK(p.band(10) == Band::throttled);
    CHECK(p.of(10).penalties == 40);
    p.pass(seconds(1));
    CHECK(p.band(10) == Band::throttled);
    Duration ban = minutes(20);
    for (int times = 2; times < 40; ++times) {
        p.see(10, Fault::bad_evidence, 2);
        REQUIRE(p.band(10) == Band::banned);
        CHECK(p.of(10).banned_until == p.now + ban);
        p.pass(ban);
        REQUIRE(p.band(10) == Band::throttled);
        ban = std::min<Duration>(2 * ban, hours(24));
    }
    CHECK(ban == hours(24));
}

TEST_CASE("members are quarantined, the worst first and never more than the committee tolerates") {
    Peers p;
    p.see(1, Fault::wrong_data, 6);
    CHECK(p.band(1) == Band::quarantined);
    CHECK(p.reputation.quarantined_stake() == 1);
    CHECK(p.reputation.bans().empty());
    CHECK_FALSE(p.of(1).banned_until);
    // Less bad than the one inside: it stays outside, as throttled.
    p.see(2, Fault::wrong_data, 5);
    p.see(2, Fault::unsolicited);
    CHECK(p.band(2) == Band::throttled);
    // The worst of all takes the place.
    (void)p.reputation.take_changes();
    p.see(3, Fault::malformed);
    CHECK(p.band(3) == Band::quarantined);
    CHECK(p.band(1) == Band::throttled);
    CHECK(p.reputation.quarantined_stake() == 1);
    std::uint64_t inside = 1;
    for (const BandChange& change : p.reputation.take_changes()) {
        if (change.to == Band::quarantined) ++inside;
        if (change.from == Band::quarantined) --inside;
        CHECK(inside <= 1);
    }
    // Penalties halve in quarantine: it ends by itself.
    p.pass(minutes(8));
    CHECK(p.of(3).score < -50);
    CHECK(p.band(3) == Band::quarantined);
    p.pass(minutes(3));
    CHECK(p.of(3).score > -50);
    CHECK(p.of(3).score < -45);
    CHECK(p.band(3) == Band::quarantined);
    p.pass(minutes(1));
    CHECK(p.band(3) == Band::throttled);
}

TEST_CASE("who is in quarantine follows from score and peer id, with stake of any size") {
    ReputationConfig heavy;
    heavy.members = {{peer(1), 5}, {peer(2), 2}, {peer(3), 1}, {peer(4), 1}};
    heavy.quarantine_stake = 2;
    Reputation reputation(heavy);
    for (const std::uint32_t who : {4, 3, 1}) reputation.observe(peer(who), Fault::malformed, kStart);
    // The first is too heavy, and the others are equally bad: the lesser ids.
    CHECK(reputation.band(peer(1)) == Band::throttled);
    CHECK(reputation.band(peer(3)) == Band::quarantined);
    CHECK(reputation.band(peer(4)) == Band::quarantined);
    reputation.observe(peer(2), Fault::malformed, kStart);
    CHECK(reputation.band(peer(2)) == Band::quarantined);
    CHECK(reputation.quarantined_stake() == 2);
}

TEST_CASE("while we are the bottleneck nothing that time can cause is held against anybody") {
    Peers p;
    p.reputation.set_strained(true);
    p.see(1, Fault::timeout, 50);
    p.see(1, Fault::ignored_rate_limit, 50);
    p.see(1, measured(seconds(10), kMegabyte, seconds(20)));
    CHECK(p.of(1).score == 0);
    CHECK_FALSE(p.of(1).first_byte);
    CHECK(p.of(1).requests == 0);
    p.see(1, Fault::wrong_data);
    CHECK(p.of(1).penalties == 10);
    p.reputation.set_strained(false);
    p.see(1, Fault::timeout);
    CHECK(p.of(1).penalties == 11);
}

TEST_CASE("no more peers are known than the bound, and who was silent longest is forgotten first") {
    Peers p;
    p.see(1, Fault::timeout);
    REQUIRE(p.reputation.ban(peer(9), p.now));
    for (std::uint32_t who = 10; who < 10 + 2 * Reputation::kPeersMax; ++who) {
        p.now += milliseconds(1);
        p.see(who, Fault::malformed);
    }
    CHECK(p.reputation.peers().size() == Reputation::kPeersMax);
    CHECK(p.band(10) == Band::neutral);
    CHECK(p.band(9 + 2 * Reputation::kPeersMax) == Band::banned);
    CHECK(p.of(1).penalties == Approx(1).epsilon(0.02));
    CHECK(p.band(9) == Band::banned);
    const auto notes = p.reputation.take_notes(p.now);
    CHECK(notes.size() <= 2 * Reputation::kPeersMax);
    CHECK(std::count_if(notes.begin(), notes.end(), [](const auto& each) { return each.note.has_value(); }) ==
          static_cast<std::ptrdiff_t>(Reputation::kPeersMax));
    CHECK(p.reputation.take_notes(p.now).empty());
}

TEST_CASE("a score is kept for a day, and forgotten in the store too") {
    Peers p;
    p.see(10, Useful{});
    CHECK(p.reputation.take_notes(p.now).size() == 1);
    p.pass(hours(24));
    CHECK(p.reputation.peers().size() == 1);
    p.pass(seconds(1));
    CHECK(p.reputation.peers().empty());
    const auto notes = p.reputation.take_notes(p.now);
    REQUIRE(notes.size() == 1);
    CHECK_FALSE(notes[0].note);
}

TEST_CASE("standings and bans outlive the process") {
    Peers p;
    p.see(1, Useful{}, 40);
    p.see(1, Fault::wrong_data, 3);
    p.see(1, measured(milliseconds(30), kMegabyte, seconds(1)));
    p.see(10, Fault::bad_evidence, 2);
    REQUIRE(p.reputation.ban(peer(2), p.now));
    const auto notes = p.reputation.take_notes(p.now);
    REQUIRE(notes.size() == 3);

    const auto restored_at = [&](Time now) {
        Peers again;
        again.now = now;
        for (const StandingNote& each : notes) (void)again.reputation.restore(each.peer, *each.note, now);
        again.pass({});
        return again;
    };
    const Peers soon = restored_at(p.now + minutes(5));
    CHECK(soon.of(1).useful_replies == Approx(40 * std::exp2(-0.5)).epsilon(0.001));
    CHECK(soon.of(1).penalties == Approx(30 * std::exp2(-0.5)).epsilon(0.001));
    CHECK(soon.of(1).first_byte->count() == Approx(30'000).epsilon(0.001));
    CHECK(soon.of(1).bytes_per_second.value() == Approx(1e6).epsilon(0.001));
    CHECK(soon.of(1).faults == p.of(1).faults);
    CHECK(soon.band(10) == Band::banned);
    CHECK(soon.of(10).penalties == Approx(80));
    CHECK(soon.of(10).banned_until == p.now + minutes(10));
    CHECK(soon.of(2).banned_by_operator);
    // Nothing has changed.
    CHECK(Peers(soon).reputation.take_notes(soon.now).empty());

    const Peers later = restored_at(p.now + minutes(11));
    CHECK(later.band(10) == Band::throttled);
    CHECK(later.of(10).penalties == Approx(40));
    CHECK(later.of(10).bans == 1);

    const Peers next_day = restored_at(p.now + hours(25));
    CHECK(next_day.reputation.peers() == std::vector{peer(2)});
    CHECK(next_day.band(2) == Band::banned);
}

TEST_CASE("a note that is malformed, too long or of another version is refused") {
    Peers p;
    p.see(10, Useful{}, 5);
    const Bytes note = *p.reputation.take_notes(p.now).front().note;
    Reputation other(config());
    for (std::size_t size = 0; size < note.size(); ++size) {
        CHECK_FALSE(other.restore(peer(10), ByteView(note).first(size), p.now));
    }
    Bytes longer = note;
    longer.push_back(0);
    CHECK_FALSE(other.restore(peer(10), longer, p.now));
    Bytes newer = note;
    newer[0] = 99;
    CHECK_FALSE(other.restore(peer(10), newer, p.now));
    CHECK(other.peers().empty());
    CHECK(other.restore(peer(10), note, p.now));
}

TEST_CASE("the operator's ban has no end, holds for members too, and lifting one forgets the charges") {
    Peers p;
    p.see(1, Fault::malformed);
    CHECK(p.band(1) == Band::quarantined);
    REQUIRE(p.reputation.ban(peer(1), p.now));
    CHECK(p.band(1) == Band::banned);
    CHECK(p.reputation.banned_by_operator(peer(1)));
    CHECK(p.reputation.quarantined_stake() == 0);
    p.pass(hours(100));
    CHECK(p.band(1) == Band::banned);
    CHECK(p.of(1).reason() == "banned by the operator");
    p.see(1, Fault::bad_evidence);
    p.reputation.unban(peer(1), p.now);
    CHECK(p.of(1).penalties == 40);
    CHECK(p.band(1) == Band::throttled);
    p.reputation.unban(peer(1), p.now);
    CHECK(p.band(1) == Band::neutral);
    CHECK(p.of(1).penalties == 0);
    p.see(10, Fault::malformed);
    p.reputation.unban(peer(10), p.now);
    CHECK(p.band(10) == Band::neutral);
    for (std::uint32_t who = 100; who < 100 + Reputation::kOperatorBansMax; ++who) {
        REQUIRE(p.reputation.ban(peer(who), p.now));
    }
    CHECK_FALSE(p.reputation.ban(peer(5000), p.now));
    CHECK(p.reputation.ban(peer(100), p.now));
}

TEST_CASE("a standing says what costs most, in words") {
    Peers p;
    CHECK(p.of(1).reason().empty());
    for (const std::uint32_t who : {2, 3}) p.see(who, measured(milliseconds(5)));
    p.see(1, measured(milliseconds(200)));
    p.pass(seconds(1));
    CHECK(p.of(1).reason() == "slow: 200.0 ms to the first byte, median 5.0 ms");
    p.see(1, Fault::wrong_data, 2);
    p.see(1, Fault::timeout);
    CHECK(p.of(1).reason() == "timeout x1, wrong data x2");
}

TEST_CASE("who is slower is asked less, who is throttled is only explored") {
    Peers p;
    CHECK(p.reputation.weight(peer(1)) == 100);
    for (const std::uint32_t who : {1, 2}) p.see(who, measured(milliseconds(5), kMegabyte, milliseconds(20)));
    p.see(3, measured(milliseconds(400), kMegabyte, seconds(1)));
    p.see(3, Useful{}, 40);
    p.pass(seconds(1));
    CHECK(p.reputation.weight(peer(1)) == 100);
    CHECK(p.reputation.weight(peer(3)) >= 1);
    CHECK(p.reputation.weight(peer(3)) <= 5);
    p.see(1, Fault::bad_evidence);
    CHECK(p.band(1) == Band::throttled);
    CHECK(p.reputation.weight(peer(1)) == 0);
    CHECK(p.of(1).weight == 0);
}

TEST_CASE("nine of ten choices go by weight, one is exploration") {
    CHECK_FALSE(select({}, 0.5, 0.5));
    const std::vector<std::uint32_t> weights{100, 0, 300};
    std::array<int, 3> chosen{};
    constexpr int kDraws = 100;
    for (int kind = 0; kind < kDraws; ++kind) {
        for (int which = 0; which < kDraws; ++which) {
            ++chosen.at(*select(weights, (kind + 0.5) / kDraws, (which + 0.5) / kDraws));
        }
    }
    CHECK(chosen[0] == Approx(90 * 25 + 10 * 33).margin(30));
    CHECK(chosen[1] == Approx(10 * 33).margin(30));
    CHECK(chosen[2] == Approx(90 * 75 + 10 * 33).margin(30));
    const std::vector<std::uint32_t> nobody{0, 0};
    CHECK(select(nobody, 0.99, 0.99) == 1);
}

}  // namespace reputation_test
