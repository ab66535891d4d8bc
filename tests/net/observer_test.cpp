#include <catch2/catch.hpp>

#include "net/rpc/rpc_failure.hpp"
#include "tests/eventually.hpp"
#include "tests/net/raw_peer.hpp"

namespace observer_test {

using namespace monodon;
using namespace monodon::net;
using namespace monodon::net::test;

namespace {

constexpr Duration kSoon = std::chrono::seconds(20);
constexpr std::size_t kMegabyte = 1024 * 1024;

/// A node outside the committee that dials it.
std::unique_ptr<Node> observer_of(Committee& committee, const KeyPair& key = KeyPair::generate()) {
    NetworkConfig config = committee.config_of(0);
    config.role = Role::observer;
    auto node = std::make_unique<Node>(committee.threads, std::move(config), key);
    node->start();
    return node;
}

bool knows(Node& node, const PeerId& peer) { return node.status_of(peer).connected; }

std::size_t count(Node& node, Role role) {
    std::size_t found = 0;
    for (const PeerStatus& peer : node.network().peers())
        found += peer.connected && peer.role == role ? 1 : 0;
    return found;
}

Hello observer_hello(const NetworkConfig& config, std::uint64_t nonce) {
    Hello hello = hello_from(config, Role::observer);
    hello.nonce = nonce;
    return hello;
}

}  // namespace

TEST_CASE("an observer is connected to every member, and members tell it what it subscribed to") {
    Committee committee(2);
    const auto observer = observer_of(committee);
    REQUIRE(eventually([&] { return count(*observer, Role::member) == 2; }));
    REQUIRE(eventually([&] { return knows(committee[0], observer->id()); }));
    const PeerStatus seen = committee[0].status_of(observer->id());
    CHECK(seen.role == Role::observer);
    CHECK_FALSE(seen.outbound);
    // It is no member to anybody.
    CHECK_FALSE(committee[0].network().connected(observer->id()));
    CHECK_FALSE(committee[0].network().send(observer->id(), MessageClass::consensus, Method::certificate,
                                            text_of("c")));
    committee[0].network().publish(MessageClass::consensus, Method::header, text_of("not subscribed"));
    committee[0].network().publish(MessageClass::consensus, Method::certificate, text_of("certificate"));
    REQUIRE(eventually([&] { return observer->notice_count() == 1; }));
    const Received got = observer->notices().front();
    CHECK(got.peer == committee[0].id());
    CHECK(got.method == Method::certificate);
    CHECK(as_text(*got.payload) == "certificate");
    // Members have their own way of telling each other.
    CHECK(committee[1].notice_count() == 0);
    observer->stop();
    CHECK(eventually([&] { return count(committee[0], Role::observer) == 0; }));
}

TEST_CASE("an observer may ask for history, and submit transactions, and tell nothing") {
    Committee committee(1);
    committee[0].serve([](const Asked& asked) {
        CHECK(asked.role == Role::observer);
        asked.replier.finish(asked.payload);
    });
    const auto observer = observer_of(committee);
    REQUIRE(eventually([&] { return count(*observer, Role::member) == 1; }));
    for (const auto& [message_class, method] :
         {std::pair{MessageClass::interactive, Method::get_batches},
          std::pair{MessageClass::bulk, Method::get_certificates_in_range},
          std::pair{MessageClass::data, Method::submit_transactions}}) {
        Answer answer;
        observer->network().request(committee[0].id(), message_class, method, text_of("x"), kSoon,
                                    answer.callback());
        CHECK(answer.get());
    }
    Answer pushed;
    observer->network().request(committee[0].id(), MessageClass::interactive, Method::push_commit,
                                text_of("x"), kSoon, pushed.callback());
    CHECK(pushed.get().error().code == RpcError::unauthorised);
    for (const Method method : {Method::vote, Method::header, Method::certificate, Method::batch_ack}) {
        RawPeer raw(committee.ports[0], KeyPair::generate());
        raw.greet(committee.config_of(0), Role::observer);
        raw.send(header_of(FrameType::notice, MessageClass::consensus, method, 1), as_bytes("x"));
        CHECK(raw.read_to_end() == GoawayReason::protocol_violation);
    }
    CHECK(committee[0].notice_count() == 0);
}

TEST_CASE("the key of a member is not taken for an observer") {
    Committee committee(2);
    committee[1].stop();
    RawPeer raw(committee.ports[0], committee.keys[1]);
    raw.secure();
    raw.send_hello(observer_hello(committee.config_of(0), 5));
    CHECK(raw.read_to_end() == GoawayReason::role_not_admitted);
}

TEST_CASE("an observer serves observers") {
    Committee committee(1);
    const auto first = observer_of(committee);
    first->serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    NetworkConfig config = committee.config_of(0);
    config.role = Role::observer;
    const BoundPort bound = bind_loopback();
    config.listen_fd = bound.fd;
    Node second(committee.threads, config, KeyPair::generate());
    second.serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    second.start();
    RawPeer third(bound.port, KeyPair::generate());
    third.greet(committee.config_of(0), Role::observer);
    third.send(header_of(FrameType::request, MessageClass::interactive, Method::get_batches, 1),
               request_payload(kSoon, as_bytes("history")));
    const auto reply = third.receive_message();
    REQUIRE(reply);
    CHECK(as_text(reply->payload) == "history");
    second.stop();
    first->stop();
}

TEST_CASE("observers have a limited number of places, of which a member needs none") {
    Committee committee(2, [](std::size_t, NetworkConfig& config) { config.limits.observers = 3; });
    committee[1].stop();
    std::vector<std::unique_ptr<RawPeer>> raw;
    for (std::uint64_t at = 0; at < 3; ++at) {
        raw.push_back(std::make_unique<RawPeer>(committee.ports[0], KeyPair::generate()));
        raw.back()->greet(committee.config_of(0), Role::observer);
    }
    RawPeer late(committee.ports[0], KeyPair::generate());
    late.secure();
    late.send_hello(observer_hello(committee.config_of(0), 7));
    CHECK(late.read_to_end() == GoawayReason::too_many_connections);
    committee.restart(1);
    CHECK(eventually([&] { return committee[0].network().connected(committee[1].id()); }));
    CHECK(count(committee[0], Role::observer) == 3);
    // A place that is left is free.
    raw.pop_back();
    CHECK(eventually([&] { return count(committee[0], Role::observer) == 2; }));
    RawPeer next(committee.ports[0], KeyPair::generate());
    next.greet(committee.config_of(0), Role::observer);
}

TEST_CASE("observers from one address have so many places, and so have those of one network") {
    Committee committee(1, [](std::size_t, NetworkConfig& config) {
        config.limits.loopback_exempt = false;
        config.limits.observers_per_address = 2;
    });
    RawPeer first(committee.ports[0], KeyPair::generate());
    first.greet(committee.config_of(0), Role::observer);
    RawPeer second(committee.ports[0], KeyPair::generate());
    second.greet(committee.config_of(0), Role::observer);
    RawPeer third(committee.ports[0], KeyPair::generate());
    third.secure();
    third.send_hello(observer_hello(committee.config_of(0), 7));
    CHECK(third.read_to_end() == GoawayReason::too_many_connections);

    Committee narrow(1, [](std::size_t, NetworkConfig& config) {
        config.limits.loopback_exempt = false;
        config.limits.observers_per_network = 1;
    });
    RawPeer only(narrow.ports[0], KeyPair::generate());
    only.greet(narrow.config_of(0), Role::observer);
    RawPeer beside(narrow.ports[0], KeyPair::generate());
    beside.secure();
    beside.send_hello(observer_hello(narrow.config_of(0), 8));
    CHECK(beside.read_to_end() == GoawayReason::too_many_connections);
}

TEST_CASE("an observer that connects again takes its own place") {
    Committee committee(1, [](std::size_t, NetworkConfig& config) { config.limits.observers = 1; });
    const KeyPair key = KeyPair::generate();
    RawPeer older(committee.ports[0], key);
    older.greet(committee.config_of(0), Role::observer);
    RawPeer newer(committee.ports[0], key);
    newer.greet(committee.config_of(0), Role::observer);
    CHECK(older.read_to_end() == GoawayReason::duplicate);
    CHECK(count(committee[0], Role::observer) == 1);
    committee[0].network().publish(MessageClass::consensus, Method::certificate, text_of("c"));
    const auto got = newer.receive_message();
    REQUIRE(got);
    CHECK(as_text(got->payload) == "c");
}

TEST_CASE(
    "an observer that does not read misses certificates and is told busy: what waits for it is bounded") {
    Committee committee(1);
    committee[0].serve([](const Asked& asked) { asked.replier.finish(bytes_of(kMegabyte)); });
    const KeyPair key = KeyPair::generate();
    RawPeer raw(committee.ports[0], key);
    raw.greet(committee.config_of(0), Role::observer);
    for (int at = 0; at < 400; ++at) {
        committee[0].network().publish(MessageClass::consensus, Method::certificate, bytes_of(60'000));
    }
    for (std::uint64_t id = 1; id <= 31; id += 2) {
        raw.send(header_of(FrameType::request, MessageClass::interactive, Method::get_batches, id),
                 request_payload(kSoon, as_bytes("x")));
    }
    const auto waiting = [&](MessageClass message_class) {
        return committee[0].status_of(key.peer_id()).queued_bytes.at(static_cast<std::size_t>(message_class));
    };
    CHECK(eventually([&] { return waiting(MessageClass::interactive) > 2 * kMegabyte; }));
    CHECK(waiting(MessageClass::interactive) <= 4 * kMegabyte);
    CHECK(waiting(MessageClass::consensus) <= 4 * kMegabyte);
    CHECK(committee[0].status_of(key.peer_id()).dropped_messages.at(1) > 0);
    // Reading on it gets what waited: whole replies, and the word that the others were too many.
    std::size_t whole = 0;
    std::size_t busy = 0;
    while (whole + busy < 16) {
        const auto got = raw.receive_message();
        REQUIRE(got);
        if (got->header.type == FrameType::response && got->header.last()) ++whole;
        if (got->header.type != FrameType::error) continue;
        CHECK(decode_failure(got->payload)->code == RpcError::busy);
        ++busy;
    }
    CHECK(whole >= 4);
    CHECK(busy >= 4);
}

TEST_CASE(
    "what one observer asks too much is refused to it alone: each has rates of its own, a member its own") {
    constexpr std::uint32_t kRate = 400;
    constexpr std::size_t kObservers = 4;
    Committee committee(2, [](std::size_t, NetworkConfig& config) {
        config.limits.member_requests_per_second = kRate;
        config.limits.stranger_divisor = 4;
    });
    REQUIRE(committee.all_connected());
    committee[0].serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    const auto ask = [](RawPeer& raw, std::uint64_t id) {
        raw.send(header_of(FrameType::request, MessageClass::interactive, Method::get_highest_round, id),
                 request_payload(kSoon, as_bytes("x")));
        const auto got = raw.receive_message();
        REQUIRE(got);
        return got->header.type == FrameType::response;
    };
    std::vector<std::unique_ptr<RawPeer>> observers;
    for (std::size_t at = 0; at < kObservers; ++at) {
        observers.push_back(std::make_unique<RawPeer>(committee.ports[0], KeyPair::generate()));
        observers.back()->greet(committee.config_of(0), Role::observer);
    }
    // One after the other until each is refused: the first has used up nothing of the last one's.
    for (const auto& observer : observers) {
        const auto begin = std::chrono::steady_clock::now();
        std::uint64_t served = 0;
        while (ask(*observer, 2 * served + 1)) ++served;
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
        CHECK(served >= kRate / 4);
        CHECK(static_cast<double>(served) <= kRate / 4.0 * (1 + time.count()) + 1);
    }
    // And nothing of a member's, which has four times as much.
    for (std::uint32_t at = 0; at < kRate; ++at) {
        Answer answer;
        committee[1].network().request(committee[0].id(), MessageClass::interactive,
                                       Method::get_highest_round, text_of("x"), kSoon, answer.callback());
        REQUIRE(answer.get());
    }
}

}  // namespace observer_test
