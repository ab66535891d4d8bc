#include "node/dissemination.hpp"

#include <catch2/catch.hpp>

#include "tests/node/chain.hpp"

namespace dissemination_test {

using namespace monodon;
using namespace monodon::node;
using namespace monodon::node::test;
using namespace std::chrono_literals;

namespace {

Time at(Duration since_start) { return Time{} + 1000s + since_start; }

struct Sent {
    std::uint16_t to;
    std::size_t bytes;
};

/// Member 0 of a committee, with a network that records.
struct Fixture {
    explicit Fixture(const std::vector<dag::Stake>& stakes = {1, 1, 1, 1}) : committee(committee_of(stakes)) {
        queued.resize(stakes.size());
    }

    dag::Committee committee;
    std::vector<Sent> sent;
    std::vector<std::size_t> queued;
    /// Queues of these take nothing.
    dag::AuthorSet refusing;
    std::map<Digest, SharedBytes> store;
    DisseminationConfig config;
    BatchHandle next_handle = 0;
    Dissemination::News news;
    std::optional<Dissemination> made;

    Dissemination& dissemination() {
        if (!made) made.emplace(committee, member(0), config, ports());
        return *made;
    }
    DisseminationPorts ports() {
        DisseminationPorts ports;
        ports.send = [this](const dag::AuthorSet& to, const SharedBytes& bytes) {
            const dag::AuthorSet taken = to.without(refusing);
            taken.for_each([&](dag::ValidatorIndex peer) { sent.push_back({peer.value(), bytes->size()}); });
            return taken;
        };
        ports.queued_bytes = [this](dag::ValidatorIndex peer) { return queued[peer.value()]; };
        ports.load = [this](const dag::PayloadEntry& entry) {
            const auto found = store.find(entry.batch);
            return found == store.end() ? nullptr : found->second;
        };
        return ports;
    }
    void connect_all() {
        for (std::uint16_t peer = 1; peer < committee.size(); ++peer) {
            dissemination().on_peer(member(peer), true, at(0ms));
        }
    }
    dag::PayloadEntry add(Duration when = 0ms, std::size_t bytes = 1000) {
        const auto sealed = seal(committee, member(0), {Bytes(bytes, Byte{1})});
        dissemination().add(sealed.entry, sealed.bytes, next_handle++, at(when));
        return sealed.entry;
    }
    void acknowledge(std::uint16_t from, const dag::PayloadEntry& entry, Duration when = 1ms) {
        dissemination().on_acks(member(from), std::vector{entry.batch}, at(when), news);
    }
    void stored(const dag::PayloadEntry& entry) { dissemination().on_stored(entry.batch, news); }
    void tick(Duration when) { dissemination().tick(at(when), news); }
    [[nodiscard]] std::vector<std::uint16_t> take_receivers() {
        std::vector<std::uint16_t> to;
        for (const Sent& each : std::exchange(sent, {})) to.push_back(each.to);
        return to;
    }
};

using Receivers = std::vector<std::uint16_t>;

}  // namespace

TEST_CASE("a batch goes to every connected member at once") {
    Fixture fixture;
    fixture.connect_all();
    fixture.dissemination().on_peer(member(2), false, at(0ms));
    fixture.add();
    CHECK(fixture.take_receivers() == Receivers{1, 3});
}

TEST_CASE("a batch is acknowledged when it is durable here and stake of a quorum, ours included, has it") {
    Fixture fixture;
    fixture.connect_all();
    const auto entry = fixture.add();
    CHECK(fixture.dissemination().in_flight() == 1);
    SECTION("our own write is the last") {
        fixture.acknowledge(1, entry);
        fixture.acknowledge(2, entry);
        fixture.acknowledge(3, entry);
        CHECK(fixture.news.acknowledged.empty());
        fixture.stored(entry);
    }
    SECTION("a peer is the last") {
        fixture.stored(entry);
        fixture.acknowledge(1, entry);
        fixture.acknowledge(1, entry);
        CHECK(fixture.news.acknowledged.empty());
        fixture.acknowledge(2, entry);
    }
    CHECK(fixture.news.acknowledged == std::vector<BatchHandle>{0});
    CHECK(fixture.news.proposable == std::vector{entry});
    CHECK(fixture.dissemination().in_flight() == 0);
    fixture.acknowledge(3, entry);
    fixture.stored(entry);
    CHECK(fixture.news.proposable.size() == 1);
}

TEST_CASE("stake counts, not heads") {
    Fixture fixture({1, 1, 5, 1});
    fixture.connect_all();
    const auto entry = fixture.add();
    fixture.stored(entry);
    fixture.acknowledge(1, entry);
    fixture.acknowledge(3, entry);
    CHECK(fixture.news.acknowledged.empty());
    fixture.acknowledge(2, entry);
    CHECK(fixture.news.acknowledged.size() == 1);
}

TEST_CASE("a member alone needs nobody") {
    Fixture fixture({1});
    CHECK(fixture.dissemination().has_room(1000));
    const auto entry = fixture.add();
    fixture.stored(entry);
    CHECK(fixture.news.proposable == std::vector{entry});
}

TEST_CASE("what is not acknowledged is sent again after 100 ms, doubling to 2 s, to those who owe it") {
    Fixture fixture;
    fixture.connect_all();
    const auto entry = fixture.add();
    fixture.acknowledge(1, entry);
    (void)fixture.take_receivers();
    std::vector<Duration> resends;
    for (Duration now = 0ms; now <= 9s; now += 10ms) {
        fixture.tick(now);
        if (!fixture.sent.empty()) {
            resends.push_back(now);
            CHECK(fixture.take_receivers() == Receivers{2, 3});
        }
    }
    CHECK(resends == std::vector<Duration>{100ms, 300ms, 700ms, 1500ms, 3100ms, 5100ms, 7100ms});
    CHECK(fixture.dissemination().resent() == 7);
}

TEST_CASE("a peer that always answers late, or whose queue is long, is not sent everything twice") {
    Fixture fixture;
    fixture.connect_all();
    for (int round = 0; round < 40; ++round) {
        const auto entry = fixture.add();
        fixture.acknowledge(1, entry, 80ms);
        fixture.acknowledge(2, entry, 1ms);
        fixture.acknowledge(3, entry, 1ms);
        fixture.dissemination().remove(entry.batch);
    }
    const auto entry = fixture.add();
    fixture.queued[2] = 2 * dag::kBatchBytesMax;
    (void)fixture.take_receivers();
    fixture.tick(200ms);
    CHECK(fixture.take_receivers() == Receivers{3});
    fixture.acknowledge(3, entry);
    fixture.tick(400ms);
    CHECK(fixture.take_receivers().empty());
    fixture.tick(600ms);
    CHECK(fixture.take_receivers() == Receivers{1});
}

TEST_CASE("on a new connection the peer is sent at once all it has not acknowledged") {
    Fixture fixture;
    fixture.connect_all();
    const auto first = fixture.add();
    fixture.add();
    fixture.acknowledge(2, first);
    (void)fixture.take_receivers();
    fixture.dissemination().on_peer(member(2), false, at(5ms));
    fixture.tick(1s);
    CHECK(fixture.take_receivers() == Receivers{1, 3, 1, 3});
    fixture.dissemination().on_peer(member(2), true, at(2s));
    CHECK(fixture.take_receivers() == Receivers{2});
    // Also when the new connection replaces one that was up.
    fixture.dissemination().on_peer(member(2), true, at(2s));
    CHECK(fixture.take_receivers() == Receivers{2});
}

TEST_CASE(
    "no peer is sent more than the window of unacknowledged bytes; the rest follows as it acknowledges") {
    Fixture fixture;
    fixture.config.inflight_bytes_max = 2500;
    fixture.connect_all();
    const auto first = fixture.add();
    const auto second = fixture.add();
    const auto third = fixture.add();
    CHECK(fixture.take_receivers() == Receivers{1, 2, 3, 1, 2, 3});
    CHECK(fixture.dissemination().unacknowledged_bytes(member(1)) == first.bytes + second.bytes);
    fixture.acknowledge(2, first);
    fixture.tick(10ms);
    CHECK(fixture.take_receivers() == Receivers{2});
    fixture.acknowledge(2, third);
    fixture.acknowledge(2, second);
    CHECK(fixture.dissemination().unacknowledged_bytes(member(2)) == 0);
}

TEST_CASE("one slow peer holds nobody back, a quorum without room does") {
    Fixture fixture;
    fixture.config.inflight_bytes_max = 2500;
    fixture.connect_all();
    CHECK(fixture.dissemination().has_room(1000));
    SECTION("queues") {
        fixture.queued[3] = fixture.config.peer_queue_max;
        CHECK(fixture.dissemination().has_room(1000));
        fixture.queued[2] = fixture.config.peer_queue_max;
        CHECK(!fixture.dissemination().has_room(1000));
        fixture.queued[3] = 0;
        CHECK(fixture.dissemination().has_room(1000));
    }
    SECTION("connections") {
        fixture.dissemination().on_peer(member(3), false, at(0ms));
        CHECK(fixture.dissemination().has_room(1000));
        fixture.dissemination().on_peer(member(2), false, at(0ms));
        CHECK(!fixture.dissemination().has_room(1000));
    }
    SECTION("windows") {
        const auto first = fixture.add();
        const auto second = fixture.add();
        fixture.stored(first);
        fixture.stored(second);
        CHECK(!fixture.dissemination().has_room(1000));
        fixture.acknowledge(1, first);
        CHECK(!fixture.dissemination().has_room(1000));
        fixture.acknowledge(2, second);
        CHECK(fixture.dissemination().has_room(1000));
    }
}

TEST_CASE("our own disk counts like a peer") {
    Fixture fixture;
    fixture.config.inflight_bytes_max = 2500;
    fixture.connect_all();
    fixture.dissemination().on_peer(member(3), false, at(0ms));
    const auto first = fixture.add();
    const auto second = fixture.add();
    for (std::uint16_t peer = 1; peer < 3; ++peer) {
        fixture.acknowledge(peer, first);
        fixture.acknowledge(peer, second);
    }
    CHECK(!fixture.dissemination().has_room(1000));
    fixture.stored(first);
    CHECK(fixture.dissemination().has_room(1000));
}

TEST_CASE("a peer whose queue drops a batch is sent it again when there is room") {
    Fixture fixture;
    fixture.connect_all();
    fixture.refusing.insert(member(2));
    fixture.add();
    CHECK(fixture.take_receivers() == Receivers{1, 3});
    fixture.refusing = {};
    fixture.tick(50ms);
    CHECK(fixture.take_receivers() == Receivers{2});
}

TEST_CASE("a durable batch that too few acknowledge is proposed after a second, once") {
    Fixture fixture;
    fixture.connect_all();
    const auto entry = fixture.add();
    fixture.acknowledge(1, entry);
    fixture.tick(2s);
    CHECK(fixture.news.proposable.empty());
    fixture.stored(entry);
    fixture.tick(999ms);
    CHECK(fixture.news.proposable.empty());
    fixture.tick(1s);
    CHECK(fixture.news.proposable == std::vector{entry});
    CHECK(fixture.news.acknowledged.empty());
    CHECK(fixture.dissemination().in_flight() == 0);
    fixture.acknowledge(2, entry);
    CHECK(fixture.news.acknowledged.size() == 1);
    CHECK(fixture.news.proposable.size() == 1);
}

TEST_CASE(
    "a batch that is committed is forgotten: not resent, its window free, late acknowledgements ignored") {
    Fixture fixture;
    fixture.connect_all();
    const auto entry = fixture.add();
    fixture.dissemination().remove(entry.batch);
    fixture.dissemination().remove(entry.batch);
    CHECK(fixture.dissemination().size() == 0);
    CHECK(fixture.dissemination().in_flight() == 0);
    CHECK(fixture.dissemination().unacknowledged_bytes(member(1)) == 0);
    (void)fixture.take_receivers();
    fixture.tick(10s);
    fixture.acknowledge(1, entry);
    fixture.stored(entry);
    CHECK(fixture.sent.empty());
    CHECK(fixture.news.proposable.empty());
}

TEST_CASE("a batch of an earlier life is durable already and comes from the store") {
    Fixture fixture;
    const auto sealed = seal(fixture.committee, member(0), {opaque("earlier")});
    fixture.store[sealed.entry.batch] = sealed.bytes;
    fixture.dissemination().add(sealed.entry, nullptr, 5, at(0ms));
    CHECK(fixture.sent.empty());
    fixture.connect_all();
    CHECK(fixture.take_receivers() == Receivers{1, 2, 3});
    fixture.acknowledge(1, sealed.entry);
    fixture.acknowledge(2, sealed.entry);
    CHECK(fixture.news.acknowledged == std::vector<BatchHandle>{5});
    CHECK(fixture.news.proposable == std::vector{sealed.entry});
}

}  // namespace dissemination_test
