#include "net/peers/address_book.hpp"

#include <random>

#include <catch2/catch.hpp>
#include <fmt/format.h>

namespace address_book_test {

using namespace monodon;
using namespace monodon::net;

namespace {

using Offer = AddressBook::Offer;

constexpr Time kNow{std::chrono::hours(24 * 365 * 50)};
const Digest kGenesis = sha256(as_bytes("genesis"));
const AddressBook::Busy kNobodyBusy = [](const PeerId&) { return false; };

KeyPair key_of(std::uint32_t number) {
    std::array<Byte, 32> seed{};
    for (unsigned at = 0; at < 4; ++at) seed.at(at) = static_cast<Byte>(number >> (8 * at));
    return KeyPair::from_seed(seed);
}

PeerRecord record_of(std::uint32_t number, const std::string& address, std::uint64_t sequence = 1,
                     Role role = Role::observer, Time issued = kNow) {
    return PeerRecord::sign(key_of(number), kGenesis, role, sequence, {address}, issued);
}

RecordSource from(std::uint32_t number, const std::string& address) {
    return {key_of(number).peer_id(), PeerAddress::parse(address)};
}

BookRules rules() {
    return {sha256(as_bytes("secret")),
            key_of(0).peer_id(),
            {key_of(1).peer_id(), key_of(2).peer_id()},
            kGenesis,
            false};
}

Draw draws(std::uint64_t seed) {
    return [random = std::make_shared<std::mt19937_64>(seed)] { return (*random)(); };
}

const RecordSource kTeller = from(900, "198.51.100.1:1");

}  // namespace

TEST_CASE("of a peer the record with the highest sequence holds, and a second one of the same is refused") {
    AddressBook book(rules());
    CHECK(book.offer(record_of(10, "192.0.2.1:1", 5), kTeller, kNow) == Offer::added);
    CHECK(book.offer(record_of(10, "192.0.2.1:1", 5), kTeller, kNow) == Offer::known);
    CHECK(book.offer(record_of(10, "192.0.2.2:1", 4), kTeller, kNow) == Offer::older);
    CHECK(book.offer(record_of(10, "192.0.2.2:1", 5), kTeller, kNow) == Offer::conflicting);
    CHECK(book.addresses(key_of(10).peer_id()) == std::vector<std::string>{"192.0.2.1:1"});
    CHECK(book.offer(record_of(10, "192.0.2.2:1", 6), kTeller, kNow) == Offer::renewed);
    CHECK(book.addresses(key_of(10).peer_id()) == std::vector<std::string>{"192.0.2.2:1"});
    CHECK(book.offer(record_of(0, "192.0.2.2:1"), kTeller, kNow) == Offer::ourselves);
    CHECK(book.offer(record_of(11, "192.0.2.2:1", 1, Role::member), kTeller, kNow) == Offer::wrong_role);
    CHECK(book.offer(record_of(1, "192.0.2.2:1", 1, Role::observer), kTeller, kNow) == Offer::wrong_role);
}

TEST_CASE("a peer out there cannot send us to our own machine or site") {
    AddressBook book(rules());
    CHECK(book.offer(record_of(10, "127.0.0.1:22"), kTeller, kNow) == Offer::out_of_reach);
    CHECK(book.offer(record_of(10, "10.0.0.1:22"), kTeller, kNow) == Offer::out_of_reach);
    CHECK(book.offer(record_of(10, "10.0.0.1:22"), from(900, "192.168.0.9:1"), kNow) == Offer::added);
    CHECK(book.offer(record_of(11, "127.0.0.1:22"), from(900, "127.0.0.9:1"), kNow) == Offer::added);
    // Names may stand for anything: only those of members are looked up.
    CHECK(book.offer(record_of(12, "node.example:22"), kTeller, kNow) == Offer::out_of_reach);
    CHECK(book.offer(record_of(1, "node.example:22", 1, Role::member), kTeller, kNow) == Offer::added);
    const auto two =
        PeerRecord::sign(key_of(13), kGenesis, Role::observer, 1, {"10.0.0.1:1", "192.0.2.1:1"}, kNow);
    CHECK(book.offer(two, kTeller, kNow) == Offer::added);
    CHECK(book.addresses(key_of(13).peer_id()) == std::vector<std::string>{"192.0.2.1:1"});
}

TEST_CASE("the committee is never evicted, and its last record outlives its expiry") {
    AddressBook book(rules());
    const PeerId member = key_of(1).peer_id();
    CHECK(book.offer(record_of(1, "192.0.2.1:1", 1, Role::member), kTeller, kNow) == Offer::added);
    for (std::uint32_t at = 0; at < 6000; ++at) {
        const std::string address = fmt::format("{}.{}.0.1:1", 1 + at % 9, at / 9 % 256);
        (void)book.offer(record_of(1000 + at, address), from(at, address), kNow);
    }
    for (int at = 0; at < 20; ++at) book.failed(member, kNow);
    book.impostor(member, kNow);
    book.expire(kNow + std::chrono::hours(48));
    CHECK(book.addresses(member) == std::vector<std::string>{"192.0.2.1:1"});
    // Of the others nobody has renewed his record; the second member has never had one.
    CHECK(book.size() == 2);
    CHECK(book.sample(draws(1), kNow + std::chrono::hours(48)).empty());
}

TEST_CASE("what one network group tells comes into a sixteenth of the buckets, whatever it tells") {
    AddressBook book(rules());
    // Honest peers are told by many, first.
    std::set<PeerId> honest;
    for (std::uint32_t at = 0; at < 200; ++at) {
        const std::string address = fmt::format("9.{}.0.1:1", at);
        if (book.offer(record_of(1000 + at, address), from(2000 + at, fmt::format("8.{}.0.1:1", at)), kNow) ==
            Offer::added)
            honest.insert(key_of(1000 + at).peer_id());
    }
    // Two of 4,096 places are the same for few of 200.
    REQUIRE(honest.size() > 180);
    constexpr std::size_t kGroups = 2;
    std::size_t taken = 0;
    for (std::uint32_t at = 0; at < 8000; ++at) {
        const std::string address = fmt::format("{}.{}.0.1:1", 11 + at % 100, at / 100);
        const std::string source = fmt::format("7.{}.{}.{}:1", at % kGroups, at % 200, at % 250);
        if (book.offer(record_of(10'000 + at, address), from(5000 + at % 300, source), kNow) == Offer::added)
            ++taken;
    }
    constexpr std::size_t kBound = kGroups * AddressBook::kNewBucketsOfSource * AddressBook::kBucketSize;
    CHECK(taken <= kBound);
    CHECK(taken > kBound / 2);
    CHECK(book.size() <= honest.size() + kBound + 2);
    // And nobody who was there has lost his place.
    for (const PeerId& peer : honest) CHECK(!book.addresses(peer).empty());

    // 32 of the buckets at most are the liar's, each bucket is drawn as often as another.
    const Draw draw = draws(7);
    std::size_t liars = 0;
    constexpr std::size_t kDraws = 3000;
    for (std::size_t at = 0; at < kDraws; ++at) {
        const auto picked = book.pick_to_test(draw, kNobodyBusy, kNow);
        REQUIRE(picked);
        if (!honest.contains(picked->peer)) ++liars;
    }
    // At least 128 buckets hold somebody honest (200 in 256 places: 139 are expected).
    CHECK(liars * 160 <= kDraws * 32 * 12 / 10);
}

TEST_CASE("who answers from one network group has two buckets of those that were tried") {
    AddressBook book(rules());
    std::size_t honest = 0;
    for (std::uint32_t at = 0; at < 100; ++at) {
        const std::string address = fmt::format("9.{}.0.1:1", at);
        (void)book.offer(record_of(1000 + at, address), from(2000 + at, fmt::format("8.{}.0.1:1", at)), kNow);
        book.answered(key_of(1000 + at).peer_id(), address, kNow);
    }
    honest = book.tried();
    REQUIRE(honest > 80);
    // Thousands of identities at addresses of one /16, all of which answer.
    for (std::uint32_t at = 0; at < 3000; ++at) {
        const std::string address = fmt::format("11.1.{}.{}:1", at / 250, 1 + at % 250);
        (void)book.offer(record_of(10'000 + at, address), from(5000, fmt::format("{}.1.1.1:1", 12 + at % 99)),
                         kNow);
        book.answered(key_of(10'000 + at).peer_id(), address, kNow);
    }
    constexpr std::size_t kBound = AddressBook::kTriedBucketsOfGroup * AddressBook::kBucketSize;
    CHECK(book.tried() - honest <= kBound);
    CHECK(book.tried() - honest > kBound / 2);
    CHECK(book.size() <= 4096 + 1024 + 2);
}

TEST_CASE("a peer has at most four places, however many tell of it") {
    AddressBook book(rules());
    const PeerRecord one = record_of(10, "192.0.2.1:1");
    std::size_t places = 0;
    for (std::uint32_t at = 0; at < 200; ++at)
        places += book.offer(one, from(100 + at, fmt::format("{}.1.1.1:1", 1 + at)), kNow) == Offer::added;
    CHECK(places == 1);
    CHECK(book.size() == 3);
    // If it had more places, others could not have theirs: all but four of 4,096 take somebody.
    std::size_t taken = 0;
    for (std::uint32_t at = 0; taken < 64 && at < 1000; ++at) {
        taken +=
            book.offer(record_of(1000 + at, fmt::format("10{}.{}.1.1:1", at % 9, at % 250)),
                       from(100 + at % 200, fmt::format("{}.1.1.1:1", 1 + at % 200)), kNow) == Offer::added;
    }
    CHECK(taken == 64);
    book.impostor(key_of(10).peer_id(), kNow);
    CHECK(book.addresses(key_of(10).peer_id()).empty());
}

namespace {

/// Two peers that can only have the same place among the tried.
std::pair<std::uint32_t, std::uint32_t> rivals(AddressBook& book) {
    std::size_t before = 0;
    for (std::uint32_t at = 10;; ++at) {
        const std::string address = fmt::format("192.0.2.1:{}", at);
        (void)book.offer(record_of(at, address), from(900 + at, fmt::format("8.{}.1.1:1", at % 250)), kNow);
        book.answered(key_of(at).peer_id(), address, kNow);
        if (book.tried() == before) {
            // Whom must be tested for it?
            const auto tested = book.pick_to_test(draws(1), kNobodyBusy, kNow);
            for (std::uint32_t other = 10; other < at; ++other) {
                if (tested && key_of(other).peer_id() == tested->peer) return {other, at};
            }
        }
        before = book.tried();
    }
}

std::string_view table_of(const AddressBook& book, std::uint32_t number) {
    for (const AddressBook::Row& row : book.rows()) {
        if (row.peer == key_of(number).peer_id()) return row.table;
    }
    return "none";
}

}  // namespace

TEST_CASE("who has a place among the tried is tested before it goes to another") {
    AddressBook book(rules());
    const auto [first, second] = rivals(book);
    CHECK(table_of(book, first) == "tried");
    CHECK(table_of(book, second) == "new");
    SECTION("it answers and stays") {
        book.answered(key_of(first).peer_id(), fmt::format("192.0.2.1:{}", first), kNow);
        CHECK(table_of(book, first) == "tried");
        CHECK(table_of(book, second) == "new");
        CHECK(book.pick_to_test(draws(1), kNobodyBusy, kNow)->peer != key_of(first).peer_id());
    }
    SECTION("it does not and makes room") {
        book.failed(key_of(first).peer_id(), kNow);
        CHECK(table_of(book, first) == "new");
        CHECK(table_of(book, second) == "tried");
    }
    SECTION("it is another by now") {
        book.impostor(key_of(first).peer_id(), kNow);
        CHECK(table_of(book, first) == "none");
    }
}

TEST_CASE("who does not answer is tried less and less often, and then gives way") {
    AddressBook book(rules());
    (void)book.offer(record_of(10, "192.0.2.1:1"), kTeller, kNow);
    const PeerId peer = key_of(10).peer_id();
    Time now = kNow;
    for (const std::int64_t seconds : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600}) {
        book.failed(peer, now);
        CHECK(!book.pick(draws(1), kNobodyBusy, now + std::chrono::seconds(seconds) - Duration{1}));
        now += std::chrono::seconds(seconds);
        CHECK(book.pick(draws(1), kNobodyBusy, now));
    }
    CHECK(!book.pick(
        draws(1), [](const PeerId&) { return true; }, now));
    // Another with the same place, found by trying.
    std::uint32_t at = 100;
    while (!book.addresses(peer).empty()) {
        REQUIRE(++at < 20'000);
        (void)book.offer(record_of(at, "192.0.2.1:1"), kTeller, now);
    }
}

TEST_CASE("an answer tells of the committee and of a share of those that have answered us") {
    AddressBook book(rules());
    (void)book.offer(record_of(1, "192.0.2.1:1", 1, Role::member), kTeller, kNow);
    for (std::uint32_t at = 0; at < 100; ++at) {
        const std::string address = fmt::format("9.{}.0.1:1", at);
        (void)book.offer(record_of(1000 + at, address), from(2000 + at, fmt::format("8.{}.0.1:1", at)), kNow);
    }
    const auto draw = draws(3);
    CHECK(book.sample(draw, kNow).size() == 1);
    std::size_t answered = 0;
    for (std::uint32_t at = 0; at < 100; ++at) {
        const PeerId peer = key_of(1000 + at).peer_id();
        const auto known = book.addresses(peer);
        if (known.empty()) continue;
        ++answered;
        book.answered(peer, known.front(), kNow);
    }
    const auto told = book.sample(draw, kNow);
    CHECK(told.size() == 1 + (answered * 23 + 99) / 100);
    std::set<Bytes> different(told.begin(), told.end());
    CHECK(different.size() == told.size());
    CHECK(book.sample(draw, kNow) != told);
}

TEST_CASE("a book is kept from one run to the next, and only what has changed is written") {
    AddressBook book(rules());
    (void)book.offer(record_of(1, "192.0.2.1:1", 1, Role::member), kTeller, kNow);
    (void)book.offer(record_of(10, "192.0.2.1:1"), kTeller, kNow);
    (void)book.offer(record_of(11, "9.0.2.1:1"), from(901, "8.8.8.8:1"), kNow);
    book.answered(key_of(11).peer_id(), "9.0.2.1:1", kNow);
    const auto changes = book.take_changes();
    REQUIRE(changes.size() == 3);
    CHECK(book.take_changes().empty());

    AddressBook again(rules());
    for (const auto& [peer, stored] : changes) CHECK(again.restore(*stored, kNow) == peer);
    CHECK(again.take_changes().empty());
    const auto before = book.rows();
    const auto after = again.rows();
    REQUIRE(before.size() == after.size());
    for (std::size_t at = 0; at < before.size(); ++at) {
        CHECK(before[at].peer == after[at].peer);
        CHECK(before[at].table == after[at].table);
        CHECK(before[at].addresses == after[at].addresses);
        CHECK(before[at].answered == after[at].answered);
        CHECK(before[at].source == after[at].source);
    }

    // After a long night only the member is of use, and so is nothing that is damaged.
    AddressBook late(rules());
    std::size_t kept = 0;
    for (const auto& [peer, stored] : changes) {
        kept += late.restore(*stored, kNow + std::chrono::hours(48)).has_value();
        for (std::size_t size = 0; size < stored->size(); size += 7)
            CHECK(!again.restore(ByteView(*stored).first(size), kNow));
    }
    CHECK(kept == 1);
    CHECK(late.addresses(key_of(1).peer_id()).size() == 1);

    book.impostor(key_of(10).peer_id(), kNow);
    const auto removed = book.take_changes();
    REQUIRE(removed.size() == 1);
    CHECK(!removed.front().second);
}

TEST_CASE("peers of one machine are groups of their own where that is wanted") {
    BookRules apart = rules();
    apart.loopback_apart = true;
    AddressBook book(apart);
    AddressBook strict(rules());
    for (std::uint32_t at = 0; at < 300; ++at) {
        const std::string address = fmt::format("127.0.0.1:{}", 1000 + at);
        for (AddressBook* each : {&book, &strict}) {
            (void)each->offer(record_of(1000 + at, address), from(1000 + at, address), kNow);
            each->answered(key_of(1000 + at).peer_id(), address, kNow);
        }
    }
    CHECK(book.tried() > 200);
    CHECK(strict.tried() <= AddressBook::kTriedBucketsOfGroup * AddressBook::kBucketSize);
}

}  // namespace address_book_test
