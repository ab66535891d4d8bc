#include <catch2/catch.hpp>

#include "net/rpc/session.hpp"
#include "net/wire/request_head.hpp"
#include "tests/net/raw_committee.hpp"
#include "tests/net/raw_peer.hpp"

namespace standing_test {

using namespace monodon;
using namespace monodon::net;
using namespace monodon::net::test;

namespace {

constexpr Duration kSoon = std::chrono::seconds(5);

/// A committee of three of which the first is the node under test and the third is played by the test.
struct Fixture {
    explicit Fixture(const std::function<void(NetworkConfig&)>& change = {})
        : committee(3, [change](std::size_t /*index*/, NetworkConfig& config) {
              if (config.members.size() == 3) config.members[2].addresses.clear();
              config.quarantine_stake = 1;
              // However busy the machine is: what time can cause counts here.
              config.limits.strain_after = std::chrono::hours(1);
              if (change) change(config);
          }) {
        committee[2].stop();
        eventually([this] { return committee[0].network().connected(committee[1].id()); });
    }
    [[nodiscard]] std::unique_ptr<RawPeer> dial(const KeyPair& key, Role role) {
        auto raw = std::make_unique<RawPeer>(committee.ports[0], key);
        raw->greet(committee.config_of(0), role);
        return raw;
    }
    [[nodiscard]] std::unique_ptr<RawPeer> member() { return dial(committee.keys[2], Role::member); }
    Network& network() { return committee[0].network(); }
    [[nodiscard]] Standing standing(const KeyPair& key) { return network().standing(key.peer_id()); }
    [[nodiscard]] bool becomes(const KeyPair& key, Band band) {
        return eventually([&] { return standing(key).band == band; });
    }

    Committee committee;
};

void break_a_frame(RawPeer& raw) {
    FrameHeaderBytes head = encode(header_of(FrameType::notice, MessageClass::data, Method::batch, 1));
    head[6] = 1;
    raw.send_plain(head);
    (void)raw.read_to_end();
}

void ask(RawPeer& raw, std::uint64_t id, MessageClass message_class = MessageClass::interactive) {
    const Method method =
        message_class == MessageClass::bulk ? Method::get_certificates_in_range : Method::get_batches;
    raw.send(header_of(FrameType::request, message_class, method, id), request_payload(kSoon, as_bytes("x")));
}

}  // namespace

TEST_CASE("a member that breaks the protocol is quarantined: no bulk in either direction, the rest goes on") {
    Fixture f;
    f.committee[0].serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    break_a_frame(*f.member());
    REQUIRE(f.becomes(f.committee.keys[2], Band::quarantined));
    CHECK(f.network().bans().empty());
    CHECK(f.standing(f.committee.keys[2]).score < -99);

    const auto raw = f.member();
    ask(*raw, 1, MessageClass::bulk);
    const RpcFailure refused = failure_of(raw->receive_message());
    CHECK(refused.code == RpcError::rate_limited);
    CHECK(refused.detail == kQuarantineRetryMs);
    ask(*raw, 3);
    const auto served = raw->receive_message();
    REQUIRE(served);
    CHECK(served->header.type == FrameType::response);
    raw->send(header_of(FrameType::notice, MessageClass::consensus, Method::vote, 1), as_bytes("vote"));
    CHECK(eventually([&] { return f.committee[0].notice_count() == 1; }));

    Answer answer;
    f.network().request(f.committee.keys[2].peer_id(), MessageClass::bulk, Method::get_certificates_in_range,
                        text_of("x"), kSoon, answer.callback());
    const auto not_asked = answer.get();
    REQUIRE_FALSE(not_asked);
    CHECK(not_asked.error().code == RpcError::busy);
    // Only so much stake at a time.
    CHECK(f.network().limits().size() > 10);
    const auto limits = f.network().limits();
    const auto stake = std::find_if(limits.begin(), limits.end(),
                                    [](const LimitUse& each) { return each.name == "stake in quarantine"; });
    REQUIRE(stake != limits.end());
    CHECK(stake->used == 1);
    CHECK(stake->limit == 1);
}

TEST_CASE("a stranger that breaks the protocol is banned, and refused before its hello") {
    Fixture f([](NetworkConfig& config) { config.limits.ban_first = std::chrono::seconds(3); });
    const KeyPair key = KeyPair::generate();
    break_a_frame(*f.dial(key, Role::client));
    REQUIRE(f.becomes(key, Band::banned));
    REQUIRE(f.network().bans().size() == 1);
    CHECK(f.network().bans()[0].peer == key.peer_id());
    CHECK(f.network().bans()[0].until);
    CHECK(f.network().bans()[0].reason == "malformed frame x1");
    {
        RawPeer raw(f.committee.ports[0], key);
        raw.secure();
        CHECK(raw.read_to_end() == GoawayReason::banned);
    }
    // Its end comes by itself, and the peer is watched from then on.
    REQUIRE(f.becomes(key, Band::throttled));
    (void)f.dial(key, Role::client);
    f.network().unban(key.peer_id());
    CHECK(f.standing(key).band == Band::neutral);
}

TEST_CASE("a hello of another chain is charged to who sent it") {
    Fixture f;
    const KeyPair key = KeyPair::generate();
    RawPeer raw(f.committee.ports[0], key);
    raw.secure();
    NetworkConfig other = f.committee.config_of(0);
    other.chain_id = "another";
    raw.send_hello(hello_from(other, Role::member));
    CHECK(raw.read_to_end() == GoawayReason::wrong_chain);
    CHECK(f.becomes(key, Band::banned));
}

TEST_CASE("replies are measured and those that do not come are counted") {
    Fixture f;
    const auto raw = f.member();
    const PeerId& id = f.committee.keys[2].peer_id();
    REQUIRE(eventually([&] { return f.network().connected(id); }));
    Answer answered;
    f.network().request(id, MessageClass::interactive, Method::get_batches, text_of("x"), kSoon,
                        answered.callback());
    const auto request = raw->receive_message();
    REQUIRE(request);
    const Bytes body(40'000);
    raw->send(header_of(FrameType::response, MessageClass::interactive, Method::get_batches,
                        request->header.request_id),
              body);
    REQUIRE(answered.get());
    const Standing seen = f.standing(f.committee.keys[2]);
    CHECK(seen.first_byte);
    CHECK(seen.bytes_per_second);
    // Whether it was of use only the caller can tell.
    CHECK(seen.useful_replies == 0);
    f.network().observe(id, Useful{});
    CHECK(f.standing(f.committee.keys[2]).useful_replies == Approx(1).epsilon(0.01));

    Answer silent;
    f.network().request(id, MessageClass::interactive, Method::get_batches, text_of("x"),
                        std::chrono::milliseconds(500), silent.callback());
    // Sent before its time is over, or it is nobody's fault but ours.
    REQUIRE(raw->receive_message());
    const auto failed = silent.get();
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == RpcError::deadline);
    CHECK(f.standing(f.committee.keys[2]).faults.at(static_cast<std::size_t>(Fault::timeout)) == 1);
}

TEST_CASE("a flood beyond the rates costs standing, and at last the connection") {
    Fixture f([](NetworkConfig& config) {
        config.limits.member_requests_per_second = 40;
        config.limits.ban_first = std::chrono::hours(1);
    });
    f.committee[0].serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    const KeyPair key = KeyPair::generate();
    const auto raw = f.dial(key, Role::client);
    Bytes flood;
    const Bytes payload = request_payload(kSoon, as_bytes("x"));
    for (std::uint64_t id = 1; id < 800; id += 2) {
        FrameHeader header =
            header_of(FrameType::request, MessageClass::data, Method::submit_transactions, id);
        header.length = static_cast<std::uint32_t>(payload.size());
        const FrameHeaderBytes head = encode(header);
        flood.insert(flood.end(), head.begin(), head.end());
        flood.insert(flood.end(), payload.begin(), payload.end());
    }
    raw->send_plain(flood);
    CHECK(raw->read_to_end() == GoawayReason::banned);
    CHECK(f.becomes(key, Band::banned));
    CHECK(f.standing(key).faults.at(static_cast<std::size_t>(Fault::ignored_rate_limit)) >= 25);
    CHECK(f.network().connected(f.committee[1].id()));
}

TEST_CASE("a node waits when it is told to, so that no honest peer is charged with a flood") {
    Committee committee(
        2, [](std::size_t, NetworkConfig& config) { config.limits.member_requests_per_second = 20; });
    REQUIRE(committee.all_connected());
    committee[1].serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    std::vector<Answer> answers(200);
    for (Answer& each : answers) {
        committee[0].network().request(committee[1].id(), MessageClass::interactive, Method::get_batches,
                                       text_of("x"), kSoon, each.callback());
    }
    int limited = 0;
    for (Answer& each : answers) {
        const auto got = each.get();
        if (!got && got.error().code == RpcError::rate_limited) ++limited;
    }
    CHECK(limited > 0);
    const Standing seen = committee[1].network().standing(committee[0].id());
    CHECK(seen.faults.at(static_cast<std::size_t>(Fault::ignored_rate_limit)) == 0);
}

TEST_CASE("standings outlive a node") {
    Fixture f;
    break_a_frame(*f.member());
    REQUIRE(f.becomes(f.committee.keys[2], Band::quarantined));
    const KeyPair other = KeyPair::generate();
    REQUIRE(f.network().ban(other.peer_id()));
    const auto notes = f.network().take_standings();
    REQUIRE(notes.size() >= 2);
    Threads threads;
    NetworkConfig config = f.committee.config_of(0);
    config.members.clear();
    Node later(threads, config, KeyPair::generate());
    for (const StandingNote& each : notes) CHECK(later.network().restore_standing(each.peer, *each.note));
    CHECK(later.network().standing(other.peer_id()).banned_by_operator);
    CHECK(later.network().standing(f.committee.keys[2].peer_id()).penalties > 90);
}

TEST_CASE("when places run out, who is throttled makes room for who is not") {
    Fixture f([](NetworkConfig& config) { config.limits.clients = 1; });
    const KeyPair bad = KeyPair::generate();
    const auto first = f.dial(bad, Role::client);
    for (int times = 0; times < 3; ++times) f.network().observe(bad.peer_id(), Fault::wrong_data);
    REQUIRE(f.standing(bad).band == Band::throttled);
    const KeyPair good = KeyPair::generate();
    {
        RawPeer early(f.committee.ports[0], good);
        early.secure();
        early.send_hello(hello_from(f.committee.config_of(0), Role::client));
        CHECK(early.read_to_end() == GoawayReason::too_many_connections);
    }
    CHECK(first->read_to_end() == GoawayReason::too_many_connections);
    REQUIRE(eventually([&] {
        for (const LimitUse& each : f.network().limits()) {
            if (each.name == "clients") return each.used == 0;
        }
        return false;
    }));
    const auto second = f.dial(good, Role::client);
    // And not the other way round.
    RawPeer again(f.committee.ports[0], bad);
    again.secure();
    again.send_hello(hello_from(f.committee.config_of(0), Role::client));
    CHECK(again.read_to_end() == GoawayReason::too_many_connections);
    CHECK(f.network().limits().size() > 3);
    for (const LimitUse& each : f.network().limits()) {
        if (each.name == "clients") CHECK(each.used == 1);
    }
}

}  // namespace standing_test
