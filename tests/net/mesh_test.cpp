#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "net/peers/backoff.hpp"
#include "net/peers/dial_addresses.hpp"
#include "net/peers/duplicate_rule.hpp"
#include "net/peers/log_limiter.hpp"
#include "net/transport/link.hpp"
#include "tests/net/network_fixture.hpp"

namespace mesh_test {

using namespace monodon;
using namespace monodon::net;
using namespace monodon::net::test;

namespace {

constexpr Time kStart{std::chrono::seconds(1000)};

bool status_says(Node& node, const PeerId& peer, const std::string& words) {
    return eventually([&] { return node.status_of(peer).last_error.find(words) != std::string::npos; });
}

}  // namespace

TEST_CASE("four members connect to each other, once") {
    Committee committee(4);
    REQUIRE(committee.all_connected());
    for (const auto& node : committee.nodes) {
        const auto peers = node->network().peers();
        CHECK(peers.size() == 3);
        for (const PeerStatus& peer : peers) {
            CHECK(peer.connected);
            CHECK(peer.role == Role::member);
            CHECK(peer.agent == "monodon");
        }
    }
    // Simultaneous dials have left one connection of each pair, the same at both ends.
    CHECK(eventually([&] {
        for (std::size_t left = 0; left < 4; ++left) {
            for (std::size_t right = 0; right < left; ++right) {
                const PeerStatus seen = committee[left].status_of(committee[right].id());
                const PeerStatus back = committee[right].status_of(committee[left].id());
                if (!seen.connected || !back.connected || seen.outbound == back.outbound) return false;
            }
        }
        return true;
    }));
}

TEST_CASE("of two connections dialled at the same time the one of the greater peer id stays") {
    const PeerId low = std::min(KeyPair::from_seed({1}).peer_id(), KeyPair::from_seed({2}).peer_id());
    const PeerId high = std::max(KeyPair::from_seed({1}).peer_id(), KeyPair::from_seed({2}).peer_id());
    // Seen by the greater: its own dial wins, whichever came first.
    CHECK(newer_replaces_older(high, low, {.outbound = false, .nonce = 1}, {.outbound = true, .nonce = 1}));
    CHECK(!newer_replaces_older(high, low, {.outbound = true, .nonce = 1}, {.outbound = false, .nonce = 1}));
    // Seen by the lesser: the same connection wins.
    CHECK(newer_replaces_older(low, high, {.outbound = true, .nonce = 1}, {.outbound = false, .nonce = 1}));
    CHECK(!newer_replaces_older(low, high, {.outbound = false, .nonce = 1}, {.outbound = true, .nonce = 1}));
    // The same end dialled again, or the peer is another process.
    CHECK(newer_replaces_older(low, high, {.outbound = true, .nonce = 1}, {.outbound = true, .nonce = 1}));
    CHECK(newer_replaces_older(high, low, {.outbound = true, .nonce = 1}, {.outbound = false, .nonce = 2}));
}

TEST_CASE("the back-off doubles to its limit, with a fifth of jitter, and forgets after a long life") {
    Backoff backoff(std::chrono::milliseconds(250), std::chrono::seconds(2), std::chrono::seconds(60));
    CHECK(backoff.next(0.5) == std::chrono::milliseconds(250));
    CHECK(backoff.next(0.5) == std::chrono::milliseconds(500));
    CHECK(backoff.next(0.0) == std::chrono::milliseconds(800));
    CHECK(backoff.next(0.5) == std::chrono::seconds(2));
    CHECK(backoff.next(0.999999) <= std::chrono::milliseconds(2400));
    backoff.connection_lasted(std::chrono::seconds(59));
    CHECK(backoff.next(0.5) == std::chrono::seconds(2));
    backoff.connection_lasted(std::chrono::seconds(60));
    CHECK(backoff.next(0.5) == std::chrono::milliseconds(250));
}

TEST_CASE("addresses are dialled in turn, and one at which we found ourselves is left alone") {
    DialAddresses addresses({"own:1", "peer:1", "peer:2"});
    CHECK(addresses.next(kStart) == "own:1");
    addresses.led_to_ourselves("own:1", kStart);
    for (int turn = 0; turn < 3; ++turn) {
        CHECK(addresses.next(kStart + std::chrono::minutes(9)) == "peer:1");
        CHECK(addresses.next(kStart + std::chrono::minutes(9)) == "peer:2");
    }
    CHECK(addresses.next(kStart + DialAddresses::kOwnLeftAlone) == "own:1");

    DialAddresses only({"own:1"});
    CHECK(only.due() <= kStart);
    only.led_to_ourselves("own:1", kStart);
    CHECK(!only.next(kStart + std::chrono::minutes(9)));
    CHECK(only.due() == kStart + DialAddresses::kOwnLeftAlone);
    CHECK(only.next(only.due()) == "own:1");
}

TEST_CASE("whoever finds itself at the address of another goes on to the next address") {
    Committee committee(2, [](std::size_t index, NetworkConfig& config) {
        auto& own = config.members[0].addresses;
        auto& other = config.members[1].addresses;
        if (index == 0 && !other.empty()) other.insert(other.begin(), own.front());
        // Only the first dials.
        if (index == 1) own.clear();
    });
    REQUIRE(committee.all_connected());
    CHECK(committee[0].status_of(committee[1].id()).outbound);
}

TEST_CASE("a peer can cause a log line once in a while only, and only so many different ones") {
    LogLimiter limiter;
    CHECK(limiter.admit("a", kStart) == 0);
    CHECK(!limiter.admit("a", kStart));
    CHECK(!limiter.admit("a", kStart + std::chrono::seconds(9)));
    CHECK(limiter.admit("b", kStart) == 0);
    CHECK(limiter.admit("a", kStart + std::chrono::seconds(10)) == 2);
    for (int at = 0; at < 1000; ++at) (void)limiter.admit("key " + std::to_string(at), kStart);
    CHECK(!limiter.admit("another", kStart));
    CHECK(limiter.admit("another", kStart + std::chrono::seconds(30)) == 0);
}

TEST_CASE("addresses are a host and a port") {
    CHECK(parse_address("127.0.0.1:80")->host == "127.0.0.1");
    CHECK(parse_address("[::1]:65535")->host == "::1");
    CHECK(parse_address("node.example:7100")->port == "7100");
    for (const char* wrong : {"", ":", "host", "host:", ":80", "::1:80", "h:70000", "h:-1", "h:8x"}) {
        CHECK(!parse_address(wrong));
    }
}

TEST_CASE("a member that was stopped is dialled until it is back") {
    Committee committee(3);
    REQUIRE(committee.all_connected());
    const PeerId gone = committee[1].id();
    committee[1].stop();
    CHECK(eventually([&] { return !committee[0].network().connected(gone); }));
    // Its goodbye, a connection that ended or was reset before that was read, or the first dial that failed.
    CHECK(!committee[0].status_of(gone).last_error.empty());
    CHECK(!committee[0].network().send(gone, MessageClass::consensus, Method::vote, text_of("x")));
    committee.restart(1);
    REQUIRE(committee.all_connected());
    CHECK(committee[0].status_of(gone).connections >= 2);
    const auto events = committee[0].peer_events();
    CHECK(std::count(events.begin(), events.end(), false) >= 1);
    CHECK(events.back());
}

TEST_CASE("a peer that is banned is neither dialled nor admitted until the ban is lifted") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    Network& banning = committee[0].network();
    const PeerId other = committee[1].id();
    CHECK(banning.ban(other));
    REQUIRE(banning.bans().size() == 1);
    CHECK(banning.bans()[0].peer == other);
    CHECK_FALSE(banning.bans()[0].until);
    const auto told = [&] {
        const PeerStatus seen = committee[1].status_of(committee[0].id());
        return !seen.connected && seen.last_error.find("on purpose") != std::string::npos;
    };
    REQUIRE(eventually([&] { return !banning.connected(other) && told(); }));
    // It goes on dialling, and is refused each time.
    const std::uint64_t before = committee[0].status_of(other).connections;
    banning.unban(other);
    CHECK(banning.bans().empty());
    REQUIRE(committee.all_connected());
    CHECK(committee[0].status_of(other).connections > before);
}

TEST_CASE("a node on another chain is refused, and both sides know why") {
    Committee committee(2, [](std::size_t index, NetworkConfig& config) {
        if (index == 1) config.chain_id = "another";
    });
    CHECK(status_says(committee[0], committee[1].id(), "wrong chain"));
    CHECK(status_says(committee[1], committee[0].id(), "wrong chain"));
    CHECK(!committee[0].network().connected(committee[1].id()));
}

TEST_CASE("another genesis, epoch or committee is refused by its name") {
    const auto refused_with = [](const std::function<void(NetworkConfig&)>& change,
                                 const std::string& words) {
        Committee committee(2, [&](std::size_t index, NetworkConfig& config) {
            if (index == 1) change(config);
        });
        return status_says(committee[0], committee[1].id(), words);
    };
    CHECK(
        refused_with([](NetworkConfig& config) { config.genesis = sha256(as_bytes("x")); }, "wrong genesis"));
    CHECK(refused_with([](NetworkConfig& config) { config.epoch = 7; }, "wrong epoch"));
    CHECK(refused_with([](NetworkConfig& config) { config.committee = Digest{}; }, "wrong committee"));
}

TEST_CASE("a stranger that says it is a member is refused, and told so") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    const KeyPair key = KeyPair::generate();
    Node stranger(committee.threads, committee.config_of(0), key);
    stranger.start();
    CHECK(status_says(stranger, committee[0].id(), "not a member"));
    CHECK(status_says(stranger, committee[1].id(), "not a member"));
    CHECK(committee.all_connected());
    stranger.stop();
}

TEST_CASE("a peer that is not the one that was dialled is refused, and told so") {
    // The addresses of members 1 and 2 are exchanged in the eyes of member 0.
    Committee committee(3, [](std::size_t index, NetworkConfig& config) {
        if (index == 0) std::swap(config.members[1].addresses, config.members[2].addresses);
        if (index != 0) {
            // They do not dial member 0, or there would be a connection all the same.
            config.members[0].addresses.clear();
        }
    });
    CHECK(status_says(committee[0], committee[1].id(), "not the peer that was dialled"));
    CHECK(status_says(committee[0], committee[2].id(), "not the peer that was dialled"));
    CHECK(!committee[0].network().connected(committee[1].id()));
}

TEST_CASE("a node that finds its own address under another name does not connect to itself") {
    const KeyPair key = KeyPair::generate();
    const KeyPair other = KeyPair::generate();
    Threads threads;
    const BoundPort bound = bind_loopback();
    NetworkConfig config;
    config.chain_id = "test";
    config.listen_fd = bound.fd;
    config.members = {{key.peer_id(), {}}, {other.peer_id(), {"127.0.0.1:" + std::to_string(bound.port)}}};
    Node node(threads, config, key);
    node.start();
    CHECK(status_says(node, other.peer_id(), "ourselves"));
    node.stop();
}

TEST_CASE("greetings carry what a node holds of the history") {
    Committee committee(2);
    committee[0].network().set_holdings({1, 200, 3, 90});
    committee[1].stop();
    committee.restart(1);
    REQUIRE(committee.all_connected());
    CHECK(committee[1].status_of(committee[0].id()).holdings == Holdings{1, 200, 3, 90});
}

TEST_CASE("half-open connections are limited, per address and in all, and do not keep members out") {
    Committee committee(2, [](std::size_t /*index*/, NetworkConfig& config) {
        config.limits.loopback_exempt = false;
        config.limits.first_byte = std::chrono::milliseconds(400);
    });
    REQUIRE(committee.all_connected());
    // Ten silent connections: four get a place until their first byte is overdue.
    asio::io_context context;
    std::vector<asio::ip::tcp::socket> silent;
    const asio::ip::tcp::endpoint target(asio::ip::make_address("127.0.0.1"), committee.ports[0]);
    for (int at = 0; at < 10; ++at) {
        silent.emplace_back(context);
        silent.back().connect(target);
    }
    // All are closed by the node in the end.
    for (auto& socket : silent) {
        char byte = 0;
        ErrorCode error;
        socket.read_some(asio::buffer(&byte, 1), error);
        CHECK(error);
    }
    committee[1].stop();
    committee.restart(1);
    CHECK(committee.all_connected());
}

TEST_CASE("silent connections from the very address of the members give way to those that greet") {
    Committee committee(2, [](std::size_t /*index*/, NetworkConfig& config) {
        // Nobody is thrown out for being late within this test.
        config.limits.first_byte = std::chrono::minutes(10);
        config.limits.greeting_total = std::chrono::minutes(10);
    });
    REQUIRE(committee.all_connected());
    asio::io_context context;
    std::vector<asio::ip::tcp::socket> silent;
    const auto crowd = [&](std::size_t of) {
        const asio::ip::tcp::endpoint target(asio::ip::make_address("127.0.0.1"), committee.ports[of]);
        for (std::uint32_t at = 0; at < NetworkLimits{}.half_open + 10; ++at) {
            silent.emplace_back(context);
            silent.back().connect(target);
        }
    };
    crowd(0);
    committee[1].stop();
    committee.restart(1);
    crowd(1);
    CHECK(committee.all_connected());
    const std::string address = "127.0.0.1:" + std::to_string(committee.ports[0]);
    CHECK(client_refusal(committee.threads, {.address = address}) == "connected");
}

TEST_CASE("a client is admitted with any identity, up to the limits") {
    Committee committee(1, [](std::size_t /*index*/, NetworkConfig& config) {
        config.limits.loopback_exempt = false;
        config.limits.clients_per_address = 2;
    });
    const std::string address = "127.0.0.1:" + std::to_string(committee.ports[0]);
    const auto first = connect_client(committee.threads, {.address = address, .expected = committee[0].id()});
    CHECK(first->peer() == committee[0].id());
    CHECK(first->chain_id() == "test");
    auto second = connect_client(committee.threads, {.address = address, .chain_id = "test"});
    CHECK(client_refusal(committee.threads, {.address = address}).find("too many connections") !=
          std::string::npos);
    second.reset();
    CHECK(eventually([&] { return client_refusal(committee.threads, {.address = address}) == "connected"; }));
}

TEST_CASE("a client is told when it is at the wrong place") {
    Committee committee(1);
    const std::string address = "127.0.0.1:" + std::to_string(committee.ports[0]);
    const auto refusal = [&](ClientConfig config) {
        config.address = address;
        return client_refusal(committee.threads, config);
    };
    CHECK(refusal({.chain_id = "another"}).find("wrong chain") != std::string::npos);
    CHECK(refusal({.genesis = sha256(as_bytes("x"))}).find("wrong genesis") != std::string::npos);
    CHECK(refusal({.expected = KeyPair::generate().peer_id()}).find("not the peer that was dialled") !=
          std::string::npos);
    CHECK(client_refusal(committee.threads, {.address = "127.0.0.1:1"}).find("cannot connect") !=
          std::string::npos);
    CHECK(client_refusal(committee.threads, {.address = "nonsense"}).find("cannot connect") !=
          std::string::npos);
}

TEST_CASE("a node that cannot listen says so") {
    Threads threads;
    const BoundPort taken = bind_loopback();
    REQUIRE(::listen(taken.fd, 1) == 0);
    NetworkConfig config;
    config.listen_port = taken.port;
    Node node(threads, config, KeyPair::generate());
    const auto port = node.network().start();
    REQUIRE(!port);
    CHECK(port.error().find("cannot listen") != std::string::npos);
    ::close(taken.fd);
    config.listen_host = "not an address";
    Node other(threads, config, KeyPair::generate());
    CHECK(!other.network().start());
}

}  // namespace mesh_test
