#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/eventually.hpp"
#include "tests/net/forge.hpp"
#include "tests/net/raw_committee.hpp"

namespace greeting_test {

using namespace monodon;
using namespace monodon::net;
using namespace monodon::net::test;

// Whoever gets no connection is counted under the reason. Each rule of network.md 1 is broken against a real
// node.

namespace {

std::uint64_t failures(Node& node, bool outbound, std::string_view reason) {
    for (const HandshakeFailures& each : node.network().handshake_failures()) {
        if (each.outbound == outbound && each.reason == reason) return each.count;
    }
    return 0;
}

bool counted(Node& node, std::string_view reason, bool outbound = false, std::uint64_t least = 1) {
    const bool seen = eventually([&] { return failures(node, outbound, reason) >= least; });
    if (!seen) {
        for (const HandshakeFailures& each : node.network().handshake_failures()) UNSCOPED_INFO(each.reason);
    }
    return seen;
}

int connect_to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) FAIL("cannot connect");
    return fd;
}

/// Shakes hands as OpenSSL does by itself, until the node ends the connection.
void attack(std::uint16_t port, const RawTls::Options& options) {
    RawTls raw(options);
    const int fd = connect_to(port);
    Bytes buffer(65536);
    for (bool shaking = true;;) {
        if (shaking) shaking = raw.handshake() == 0;
        const Bytes out = raw.output();
        if (!out.empty() && ::send(fd, out.data(), out.size(), MSG_NOSIGNAL) < 0) break;
        const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (size <= 0) break;
        raw.feed(ByteView(buffer).first(static_cast<std::size_t>(size)));
    }
    ::close(fd);
}

/// Peers that stop before the first byte, within the handshake and before the hello.
void check_each_step_is_timed(RawCommittee& f) {
    const auto silent = f.peer();
    CHECK(counted(f.node(), "the first byte took too long"));
    const auto begun = f.peer();
    begun->send_raw(Bytes{0x16});
    CHECK(counted(f.node(), "the TLS handshake took too long"));
    const auto secured = f.peer();
    secured->secure();
    CHECK(counted(f.node(), "the hello took too long"));
}

}  // namespace

TEST_CASE("what takes too long before the hello is counted by what it was") {
    RawCommittee f([](NetworkConfig& config) {
        config.limits.first_byte = std::chrono::milliseconds(150);
        config.limits.tls = std::chrono::milliseconds(300);
        config.limits.hello = std::chrono::milliseconds(300);
    });
    check_each_step_is_timed(f);
}

TEST_CASE("the whole greeting has a budget of its own, whatever its parts may take") {
    const auto shorten = [](NetworkConfig& config) {
        config.limits.first_byte = config.limits.tls = config.limits.hello = std::chrono::minutes(10);
        config.limits.greeting_total = std::chrono::milliseconds(300);
    };
    RawCommittee f(shorten);
    check_each_step_is_timed(f);
}

TEST_CASE("at most 32 KiB are read before the hello, in the TLS handshake and after it") {
    RawCommittee f;
    SECTION("in the handshake") {
        // One message of 100,000 bytes, of which three records come.
        const auto raw = f.peer();
        constexpr std::size_t kRecord = 16'000;
        Bytes records;
        for (int at = 0; at < 3; ++at) {
            for (const int byte : {0x16, 0x03, 0x01, 0x3E, 0x80}) records.push_back(static_cast<Byte>(byte));
            Bytes content(kRecord, Byte{3});
            if (at == 0) {
                content[0] = 1;
                content[1] = 1;
                content[2] = 0x86;
                content[3] = 0xA0;
            }
            records.insert(records.end(), content.begin(), content.end());
        }
        raw->send_raw(records);
    }
    SECTION("after it") {
        const auto raw = f.peer();
        raw->secure();
        FrameHeader header = header_of(FrameType::notice, MessageClass::data, Method::batch, 1);
        header.flags = 0;
        header.length = 65536;
        raw->send_plain(encode(header));
        raw->send_plain(Bytes(40'000));
    }
    CHECK(counted(f.node(), "too much before the hello"));
}

TEST_CASE("whoever fails in TLS is counted by the rule that it broke") {
    RawCommittee f;
    const std::uint16_t port = f.committee.ports[0];
    const KeyPair identity = KeyPair::generate();
    const ForgedCertificate fine = forge(identity, {});
    const ForgedCertificate second = forge(identity, {});
    const auto with = [&](RawTls::Options options) {
        if (options.chain.empty()) options.chain = {fine.certificate.get()};
        if (options.key == nullptr) options.key = fine.key.get();
        attack(port, options);
    };
    const auto forged = [&](const Forgery& forgery) {
        const ForgedCertificate bad = forge(identity, forgery);
        with({.chain = {bad.certificate.get()}, .key = bad.key.get()});
    };
    SECTION("no TLS") {
        f.peer()->send_raw(Bytes(200, 'x'));
        CHECK(counted(f.node(), "TLS failed"));
    }
    SECTION("TLS 1.2") {
        with({.version = TLS1_2_VERSION});
        CHECK(counted(f.node(), "TLS failed"));
    }
    SECTION("no certificate") {
        attack(port, {});
        CHECK(counted(f.node(), "TLS failed"));
    }
    SECTION("no protocol name") {
        with({.alpn = ""});
        CHECK(counted(f.node(), "peer does not speak monodon/1"));
    }
    SECTION("two certificates") {
        with({.chain = {fine.certificate.get(), second.certificate.get()}});
        CHECK(counted(f.node(), "not exactly one certificate"));
    }
    SECTION("expired") {
        forged({.ends_in_seconds = -600});
        CHECK(counted(f.node(), "certificate has expired"));
    }
    SECTION("not valid yet") {
        forged({.begins_in_seconds = 600});
        CHECK(counted(f.node(), "certificate is not valid yet"));
    }
    SECTION("another type of key") {
        forged({.key_type = "P-384"});
        CHECK(counted(f.node(), "certificate key is neither P-256 nor Ed25519"));
    }
    SECTION("not signed by its own key") {
        forged({.not_self_signed = true});
        CHECK(counted(f.node(), "certificate is not signed by its own key"));
    }
    SECTION("an unknown critical extension") {
        forged({.unknown_critical_extension = true});
        CHECK(counted(f.node(), "certificate has an unknown critical extension"));
    }
    SECTION("no identity") {
        forged({.leave_out_identity = true});
        CHECK(counted(f.node(), "certificate names no identity"));
    }
    SECTION("an identity that has not signed") {
        forged({.sign_other_key = true});
        CHECK(counted(f.node(), "certificate is not signed by the identity it names"));
    }
    SECTION("another type of identity") {
        forged({.identity_type = Byte{2}});
        CHECK(counted(f.node(), "identity is not a valid Ed25519 key"));
    }
    SECTION("our own identity") {
        const ForgedCertificate ours = forge(f.committee.keys[0], {});
        with({.chain = {ours.certificate.get()}, .key = ours.key.get()});
        CHECK(counted(f.node(), "certificate names ourselves"));
    }
    CHECK(f.node().network().connected(f.committee[1].id()));
}

TEST_CASE("whoever fails at the hello is counted by the rule that it broke") {
    RawCommittee f;
    const NetworkConfig config = f.committee.config_of(2);
    auto raw = f.peer();
    raw->secure();
    SECTION("no hello") {
        FrameHeader ping;
        ping.type = FrameType::ping;
        raw->send(ping);
        CHECK(counted(f.node(), "invalid hello"));
    }
    SECTION("no frame") {
        raw->send_plain(Bytes(kFrameHeaderBytes, Byte{9}));
        CHECK(counted(f.node(), "unknown frame version"));
    }
    SECTION("another chain") {
        Hello hello = hello_from(config, Role::member);
        hello.chain_id = "another";
        raw->send_hello(hello);
        CHECK(raw->read_to_end() == GoawayReason::wrong_chain);
        CHECK(counted(f.node(), "wrong chain"));
    }
    SECTION("another version") {
        Hello hello = hello_from(config, Role::member);
        hello.lowest_version = hello.highest_version = 2;
        raw->send_hello(hello);
        CHECK(raw->read_to_end() == GoawayReason::no_common_version);
        CHECK(counted(f.node(), "no common protocol version"));
    }
    SECTION("a goodbye") {
        FrameHeader goaway;
        goaway.type = FrameType::goaway;
        raw->send(goaway, encode(GoawayReason::wrong_genesis));
        CHECK(counted(f.node(), "refused by the peer"));
    }
    SECTION("nothing") {
        raw.reset();
        CHECK(counted(f.node(), "connection closed by the peer"));
    }
    SECTION("no member") {
        RawPeer stranger(f.committee.ports[0], KeyPair::generate());
        stranger.secure();
        stranger.send_hello(hello_from(config, Role::member));
        CHECK(stranger.read_to_end() == GoawayReason::not_a_member);
        CHECK(counted(f.node(), "not a member"));
    }
    CHECK(f.node().network().connected(f.committee[1].id()));
}

TEST_CASE("a fifth half-open connection of an address is closed at once, and counted") {
    Committee committee(1, [](std::size_t /*index*/, NetworkConfig& config) {
        config.limits.loopback_exempt = false;
        config.limits.first_byte = config.limits.greeting_total = std::chrono::minutes(10);
    });
    std::vector<std::unique_ptr<RawPeer>> half_open;
    for (std::uint32_t at = 0; at < NetworkLimits{}.half_open_per_address; ++at)
        half_open.push_back(std::make_unique<RawPeer>(committee.ports[0], KeyPair::generate()));
    RawPeer fifth(committee.ports[0], KeyPair::generate());
    CHECK(fifth.closed_by_node());
    CHECK(failures(committee[0], false, "too many half-open connections from one address") == 1);
    // A place that becomes free is taken again.
    half_open.pop_back();
    CHECK(counted(committee[0], "connection closed by the peer"));
    CHECK(client_refusal(committee.threads, {.address = "127.0.0.1:" + std::to_string(committee.ports[0])}) ==
          "connected");
}

TEST_CASE(
    "when all half-open places are taken, who comes is turned away unless one has been there for long") {
    Committee committee(1, [](std::size_t /*index*/, NetworkConfig& config) {
        config.limits.half_open = 3;
        config.limits.first_byte = config.limits.greeting_total = std::chrono::minutes(10);
    });
    std::vector<std::unique_ptr<RawPeer>> crowd;
    CHECK(eventually([&] {
        crowd.push_back(std::make_unique<RawPeer>(committee.ports[0], KeyPair::generate()));
        return failures(committee[0], false, "too many half-open connections") > 0;
    }));
    CHECK(eventually([&] {
        crowd.push_back(std::make_unique<RawPeer>(committee.ports[0], KeyPair::generate()));
        return failures(committee[0], false, "gave way to one that came later") > 0;
    }));
}

TEST_CASE("a dial that leads to nobody, or to somebody else, is counted as outbound") {
    Committee committee(3, [](std::size_t index, NetworkConfig& config) {
        if (config.members.size() != 3) return;
        if (index == 0) config.members[1].addresses = config.members[2].addresses;
        if (index != 0) config.members[0].addresses.clear();
    });
    CHECK(counted(committee[0], "not the peer that was dialled", true));
    CHECK(failures(committee[0], false, "not the peer that was dialled") == 0);
    committee[2].stop();
    CHECK(counted(committee[0], "cannot connect", true));
}

TEST_CASE("a connection is over a second after its end has begun, whatever the peer does") {
    // Nothing else would end it within this test.
    RawCommittee f([](NetworkConfig& config) {
        config.limits.write_stall = std::chrono::hours(1);
        config.limits.ping_after = std::chrono::hours(1);
    });
    const auto raw = f.greeted();
    REQUIRE(eventually([&] { return f.node().network().connected(f.raw_id()); }));
    // It neither reads nor closes.
    f.node().network().hang_up(f.raw_id());
    CHECK(eventually([&] { return !f.node().network().connected(f.raw_id()); }));
}

}  // namespace greeting_test
