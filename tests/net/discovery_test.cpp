#include "net/peers/discovery.hpp"

#include <future>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "net/peers/peer_exchange.hpp"
#include "net/transport/clock.hpp"
#include "net/wire/pack.hpp"
#include "tests/net/network_fixture.hpp"
#include "tests/net/raw_peer.hpp"

namespace discovery_test {

using namespace monodon;
using namespace monodon::net;
using namespace monodon::net::test;

namespace {

constexpr Time kNow{std::chrono::hours(24 * 365 * 50)};
const Digest kGenesis = sha256(as_bytes("genesis"));

Discovery::Options options(std::vector<PeerId> members = {}) {
    return {kGenesis, Role::member, members, true};
}

std::string loopback(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

/// Everybody knows nobody but the first, by its address alone.
std::function<void(std::size_t, NetworkConfig&)> one_seed(std::string& seed) {
    return [&seed](std::size_t /*index*/, NetworkConfig& config) {
        if (seed.empty()) seed = config.members.front().addresses.front();
        for (MemberAddress& member : config.members) member.addresses.clear();
        config.seeds = {{std::nullopt, seed}};
    };
}

}  // namespace

TEST_CASE("our own record is signed anew after six hours, and when we are found elsewhere") {
    const KeyPair key = KeyPair::from_seed({1});
    Discovery discovery(key, options());
    CHECK(discovery.own_record(kNow).empty());
    discovery.listen_at({"192.0.2.1:1", "0.0.0.0:1", "192.0.2.1:1"}, kNow);
    const auto read = [&](Time now) { return *PeerRecord::read(discovery.own_record(now), kGenesis, now); };
    const PeerRecord first = read(kNow);
    CHECK(first.peer() == key.peer_id());
    REQUIRE(first.addresses().size() == 1);
    CHECK(read(kNow + kRecordRefresh - Duration{1}).bytes() == first.bytes());
    const PeerRecord second = read(kNow + kRecordRefresh);
    CHECK(second.sequence() > first.sequence());
    CHECK(second.expires() == kNow + kRecordRefresh + kRecordLifeMax);
    discovery.listen_at({"192.0.2.2:1"}, kNow + kRecordRefresh);
    const PeerRecord third = read(kNow + kRecordRefresh + Duration{1});
    CHECK(third.sequence() > second.sequence());
    CHECK(third.addresses().front().text == "192.0.2.2:1");
    discovery.listen_at({}, kNow);
    CHECK(discovery.own_record(kNow).empty());
}

TEST_CASE("get_peers is answered a few times at once and then once a minute, by peer") {
    Discovery discovery(KeyPair::from_seed({1}), options());
    const PeerId peer = KeyPair::from_seed({2}).peer_id();
    int answers = 0;
    Time now = kNow;
    while (discovery.answer(peer, now)) ++answers;
    CHECK(answers == Discovery::kAnswersBurst);
    CHECK(discovery.answer(KeyPair::from_seed({3}).peer_id(), now));
    for (int second = 0; second < 600; ++second) {
        now += std::chrono::seconds(1);
        if (discovery.answer(peer, now)) ++answers;
    }
    CHECK(answers >= Discovery::kAnswersBurst + 9);
    CHECK(answers <= Discovery::kAnswersBurst + 11);
    // Askers that come and go are forgotten, and cannot make us remember more of them.
    std::size_t heard = 0;
    for (std::size_t at = 0; at < Discovery::kAskersMax + 100; ++at) {
        std::array<Byte, 32> raw{};
        raw[0] = static_cast<Byte>(at);
        raw[1] = static_cast<Byte>(at >> 8U);
        if (discovery.answer(PeerId(*PublicKey::from(raw)), now)) ++heard;
    }
    CHECK(heard <= Discovery::kAskersMax);
    CHECK(discovery.answer(PeerId(), now + std::chrono::minutes(10)));
}

TEST_CASE("an answer to get_peers has at most 64 records of 512 bytes, and nothing else") {
    const std::vector<Bytes> most(AddressBook::kSampleMax, Bytes(kRecordBytesMax, 7));
    const SharedBytes reply = encode_peers(most);
    CHECK(reply->size() <= find_method(Method::get_peers)->reply_max);
    CHECK(decode_peers(*reply) == most);
    CHECK(decode_peers(*encode_peers({}))->empty());
    CHECK(!decode_peers(*encode_peers(std::vector<Bytes>(AddressBook::kSampleMax + 1, Bytes(1)))));
    CHECK(!decode_peers(*encode_peers({Bytes(kRecordBytesMax + 1)})));
    CHECK(!decode_peers({}));
    Bytes longer = *reply;
    longer.push_back(0);
    CHECK(!decode_peers(longer));
    CHECK(decode_get_peers(*encode_get_peers()));
    CHECK(!decode_get_peers(*encode_peers({})));
    CHECK(!decode_get_peers({}));
}

TEST_CASE("a record that no honest peer passes on is noticed, one that clocks disagree about is not") {
    Discovery discovery(KeyPair::from_seed({1}), options());
    const KeyPair key = KeyPair::from_seed({2});
    const RecordSource source{key.peer_id(), std::nullopt};
    const auto record = [&](Time issued) {
        return PeerRecord::sign(key, kGenesis, Role::observer, 1, {"192.0.2.1:1"}, issued).bytes();
    };
    Bytes forged = record(kNow);
    ++forged.back();
    CHECK(discovery.learn({forged}, source, kNow).wrong == RecordError::bad_signature);
    CHECK(!discovery.learn({record(kNow + std::chrono::hours(1))}, source, kNow).wrong);
    CHECK(!discovery.learn({record(kNow - std::chrono::hours(25))}, source, kNow).wrong);
    CHECK(discovery.rows().empty());
    CHECK(discovery.learn({forged, record(kNow)}, source, kNow).moved == std::vector{key.peer_id()});
    // In a greeting it must be of who greets.
    const RecordSource other{KeyPair::from_seed({3}).peer_id(), std::nullopt};
    CHECK(discovery.learn_own(record(kNow), other, kNow).wrong);
    CHECK(!discovery.learn_own(record(kNow), source, kNow).wrong);
}

TEST_CASE("one host is dialled a few times and then rarely, whatever the book says") {
    DialLimiter limiter(DialRates{});
    int dials = 0;
    for (int ms = 0; ms < 300'000; ms += 50) {
        if (limiter.admit("victim", kNow + std::chrono::milliseconds(ms)) == Duration{0}) ++dials;
    }
    // Four, and one in 30 s of 300.
    CHECK(dials >= 13);
    CHECK(dials <= 15);
    // In all four a second.
    dials = 0;
    for (int ms = 0; ms < 10'000; ms += 10) {
        const std::string host = std::to_string(ms);
        if (limiter.admit(host, kNow + std::chrono::hours(1) + std::chrono::milliseconds(ms)) == Duration{0})
            ++dials;
    }
    CHECK(dials >= 50);
    CHECK(dials <= 58);
}

TEST_CASE("four members that know one address find each other, and go on without it") {
    std::string seed;
    Committee committee(4, one_seed(seed));
    REQUIRE(committee.all_connected());
    // All have each other's records by now, or soon.
    CHECK(eventually([&] {
        for (const auto& node : committee.nodes) {
            std::size_t found = 0;
            for (const AddressBook::Row& row : node->network().book()) found += !row.addresses.empty();
            if (found != 3) return false;
        }
        return true;
    }));
    committee[0].stop();
    committee[2].stop();
    committee.restart(2);
    CHECK(eventually([&] {
        return committee[2].network().connected(committee[1].id()) ||
               committee[2].network().connected(committee[3].id());
    }));
}

TEST_CASE("a member that comes back at another port is found again by all") {
    std::string seed;
    Committee committee(4, one_seed(seed));
    REQUIRE(committee.all_connected());
    committee[3].stop();
    for (int at = 0; at < 3; ++at)
        CHECK(eventually([&] { return !committee[0].network().connected(committee[3].id()); }));
    const BoundPort elsewhere = bind_loopback();
    CHECK(elsewhere.port != committee.ports[3]);
    NetworkConfig config = committee.config_of(3);
    config.listen_fd = elsewhere.fd;
    committee.nodes[3] = std::make_unique<Node>(committee.threads, std::move(config), committee.keys[3]);
    committee[3].start();
    REQUIRE(committee.all_connected());
    const auto known_at = [&](Node& node) {
        for (const AddressBook::Row& row : node.network().book()) {
            if (row.peer == committee[3].id() && !row.addresses.empty()) return row.addresses.front();
        }
        return std::string();
    };
    for (std::size_t at = 0; at < 3; ++at)
        CHECK(eventually([&] { return known_at(committee[at]) == loopback(elsewhere.port); }));
    // They dial it there, too.
    committee[0].network().hang_up(committee[3].id());
    CHECK(committee.all_connected());
}

TEST_CASE("what a node has stored of its book is enough to begin with") {
    std::string seed;
    Committee committee(3, one_seed(seed));
    REQUIRE(committee.all_connected());
    std::map<PeerId, Bytes> stored;
    CHECK(eventually([&] {
        for (auto& [peer, bytes] : committee[1].network().take_book_changes()) {
            if (bytes) stored[peer] = *bytes;
        }
        return stored.size() == 2;
    }));
    committee[1].stop();
    NetworkConfig config = committee.config_of(1);
    config.listen_fd = bind_loopback().fd;
    config.seeds.clear();
    for (const auto& [peer, bytes] : stored) config.book.push_back(bytes);
    committee.nodes[1] = std::make_unique<Node>(committee.threads, std::move(config), committee.keys[1]);
    committee[1].start();
    CHECK(committee.all_connected());
}

TEST_CASE("who greets with a record that is not its own is turned away") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    committee[1].stop();
    const NetworkConfig config = committee.config_of(1);
    RawPeer peer(committee.ports[0], committee.keys[1]);
    peer.secure();
    Hello hello = hello_from(config, Role::member);
    hello.record =
        PeerRecord::sign(KeyPair::generate(), config.genesis, Role::member, 1, {"127.0.0.1:9"}, now())
            .bytes();
    peer.send_hello(hello);
    CHECK(peer.read_to_end() == GoawayReason::protocol_violation);
    CHECK(committee[0].network().book().size() == 1);
}

TEST_CASE("the operator has a node dial, and hears what came of it") {
    Committee committee(2, [](std::size_t /*index*/, NetworkConfig& config) {
        for (MemberAddress& member : config.members) member.addresses.clear();
    });
    const auto dial = [&](const Seed& where) {
        std::promise<std::optional<std::string>> done;
        committee[0].network().connect(where, [&](std::optional<std::string> why) { done.set_value(why); });
        return done.get_future().get();
    };
    CHECK(dial({std::nullopt, "127.0.0.1:1"}).value_or("").find("cannot connect") == 0);
    CHECK(dial({committee[0].id(), loopback(committee.ports[1])}).value_or("").find("not the peer") == 0);
    CHECK(!dial({committee[1].id(), loopback(committee.ports[1])}));
    CHECK(committee.all_connected());
}

TEST_CASE("seeds are written with or without the peer that is expected there") {
    const PeerId peer = KeyPair::from_seed({1}).peer_id();
    CHECK(Seed::parse("192.0.2.1:7100")->address == "192.0.2.1:7100");
    CHECK(!Seed::parse("192.0.2.1:7100")->peer);
    CHECK(Seed::parse(peer.text() + "@node.example:7100")->peer == peer);
    for (const char* wrong : {"", "192.0.2.1", "192.0.2.1:0", "@192.0.2.1:1", "nobody@192.0.2.1:1"})
        CHECK(!Seed::parse(wrong));
}

}  // namespace discovery_test
