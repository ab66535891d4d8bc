#include "net/peers/peer_record.hpp"

#include <catch2/catch.hpp>

#include "net/core/canonical.hpp"

namespace peer_record_test {

using namespace monodon;
using namespace monodon::net;

namespace {

constexpr Time kNow{std::chrono::hours(24 * 365 * 50)};
const Digest kGenesis = sha256(as_bytes("genesis"));

/// The fields of a record as they travel; signed as they are, right or wrong.
struct Fields {
    KeyPair key = KeyPair::from_seed({1});
    Bytes subject{key.public_key().bytes.begin(), key.public_key().bytes.end()};
    std::uint64_t sequence = 7;
    Digest genesis = kGenesis;
    std::uint8_t role = 0;
    std::vector<std::string> addresses{"192.0.2.1:7100"};
    Time issued = kNow;
    Time expires = kNow + kRecordLifeMax;
    std::string tag = "peer-record";
    Bytes after;

    [[nodiscard]] Bytes bytes() const {
        const auto count = [](Time time) {
            return static_cast<std::uint64_t>(time.time_since_epoch().count());
        };
        CanonicalWriter writer;
        writer.fixed(subject).u64(sequence).digest(genesis).u8(role).count(addresses.size());
        for (const std::string& address : addresses) writer.text(address);
        writer.u64(count(issued)).u64(count(expires));
        const Bytes statement = CanonicalWriter(tag).fixed(writer.view()).take();
        return writer.fixed(key.sign(statement).bytes).fixed(after).take();
    }
    [[nodiscard]] std::optional<RecordError> error() const {
        const auto read = PeerRecord::read(bytes(), kGenesis, kNow);
        return read ? std::nullopt : std::optional(read.error());
    }
};

}  // namespace

TEST_CASE("a peer record is read as it was signed, and fits its limit with the longest addresses") {
    const KeyPair key = KeyPair::from_seed({3});
    std::vector<std::string> addresses;
    for (const char* last : {"a:1111", "b:1111", "c:1111", "d:1111"})
        addresses.push_back(std::string(60, 'x') + "." + std::string(kPeerAddressMax - 67, 'y') + last);
    const PeerRecord made = PeerRecord::sign(key, kGenesis, Role::observer, 9, addresses, kNow);
    CHECK(made.bytes().size() <= kRecordBytesMax);
    CHECK(made.bytes().size() > kRecordBytesMax - 8);
    const auto read = PeerRecord::read(made.bytes(), kGenesis, kNow);
    REQUIRE(read);
    CHECK(read->peer() == key.peer_id());
    CHECK(read->sequence() == 9);
    CHECK(read->role() == Role::observer);
    CHECK(read->issued() == kNow);
    CHECK(read->expires() == kNow + kRecordLifeMax);
    CHECK(read->bytes() == made.bytes());
    REQUIRE(read->addresses().size() == 4);
    CHECK(read->addresses()[3].text == addresses[3]);
    CHECK(!Fields().error());
}

TEST_CASE("each rule of a peer record is held, and named") {
    Fields fields;
    SECTION("another chain") {
        fields.genesis = Digest{};
        CHECK(fields.error() == RecordError::another_chain);
    }
    SECTION("issued 30 s ahead is as far as clocks differ") {
        fields.issued = kNow + kRecordAheadMax;
        fields.expires = fields.issued + Duration{1};
        CHECK(!fields.error());
        fields.issued += Duration{1};
        fields.expires += Duration{1};
        CHECK(fields.error() == RecordError::from_the_future);
    }
    SECTION("expired, to the microsecond") {
        fields.issued = kNow - std::chrono::hours(1);
        fields.expires = kNow + Duration{1};
        CHECK(!fields.error());
        fields.expires = kNow;
        CHECK(fields.error() == RecordError::expired);
    }
    SECTION("valid for longer than a day") {
        fields.expires += Duration{1};
        CHECK(fields.error() == RecordError::long_lived);
    }
    SECTION("times that are none") {
        fields.expires = fields.issued;
        CHECK(fields.error() == RecordError::malformed);
        fields.expires = Time::max();
        CHECK(fields.error() == RecordError::malformed);
        fields.issued = Time{Duration{-1}};
        CHECK(fields.error() == RecordError::malformed);
    }
    SECTION("a client has no record") {
        fields.role = static_cast<std::uint8_t>(Role::client);
        CHECK(fields.error() == RecordError::malformed);
    }
    SECTION("one to four addresses, each once") {
        fields.addresses = {};
        CHECK(fields.error() == RecordError::malformed);
        fields.addresses = {"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.1:4"};
        CHECK(!fields.error());
        fields.addresses.emplace_back("192.0.2.1:5");
        CHECK(fields.error() == RecordError::malformed);
        fields.addresses = {"192.0.2.1:1", "192.0.2.1:1"};
        CHECK(fields.error() == RecordError::implausible_address);
        fields.addresses = {"0.0.0.0:1"};
        CHECK(fields.error() == RecordError::implausible_address);
        fields.addresses = {std::string(kPeerAddressMax - 5, 'x') + ":11111"};
        CHECK(fields.error() == RecordError::malformed);
    }
    SECTION("signed by somebody else, for something else, or changed") {
        fields.key = KeyPair::from_seed({2});
        CHECK(fields.error() == RecordError::bad_signature);
        fields = Fields();
        fields.tag = "vote";
        CHECK(fields.error() == RecordError::bad_signature);
        Bytes changed = Fields().bytes();
        ++changed[32];
        CHECK(PeerRecord::read(changed, kGenesis, kNow).error() == RecordError::bad_signature);
    }
    SECTION("a key of small order, which anybody can sign for") {
        fields.subject = Bytes(32, 0);
        fields.subject[0] = 1;
        CHECK(fields.error() == RecordError::bad_signature);
    }
    SECTION("bytes after it, every beginning of it, too much of it") {
        fields.after = {0};
        CHECK(fields.error() == RecordError::malformed);
        const Bytes whole = Fields().bytes();
        for (std::size_t size = 0; size < whole.size(); ++size) {
            CHECK(PeerRecord::read(ByteView(whole).first(size), kGenesis, kNow).error() ==
                  RecordError::malformed);
        }
        fields.after = Bytes(kRecordBytesMax, 0);
        CHECK(fields.error() == RecordError::too_long);
    }
}

TEST_CASE("an address is one at which a peer can be, in one spelling") {
    for (const char* right : {"192.0.2.1:1", "[2001:db8::1]:7100", "127.0.0.1:65535", "[::1]:80",
                              "node.example:7100", "a-1.b2:9", "localhost:1"}) {
        INFO(right);
        CHECK(PeerAddress::parse(right));
    }
    for (const char* wrong : {"",
                              ":",
                              "192.0.2.1",
                              "192.0.2.1:",
                              "192.0.2.1:0",
                              "192.0.2.1:080",
                              "192.0.2.1:65536",
                              "192.0.2.1:+1",
                              "192.0.2.1:1 ",
                              "0.0.0.0:1",
                              "0.1.2.3:1",
                              "224.0.0.1:1",
                              "255.255.255.255:1",
                              "240.0.0.1:1",
                              "[::]:1",
                              "[ff02::1]:1",
                              "[::ffff:192.0.2.1]:",
                              "2001:db8::1:1",
                              "[2001:DB8::1]:1",
                              "[2001:db8:0::1]:1",
                              "[fe80::1%eth0]:1",
                              "[]:1",
                              "127.1:1",
                              "2130706433:1",
                              "0x7f.1:1",
                              "a..b:1",
                              ".a:1",
                              "a.:1",
                              "-a:1",
                              "a-:1",
                              "a_b:1",
                              "a b:1",
                              "a/b:1",
                              "a.1:1",
                              "[node.example]:1"}) {
        INFO(wrong);
        CHECK(!PeerAddress::parse(wrong));
    }
}

TEST_CASE("addresses know from where they can be reached and what lies beside them") {
    const auto parse = [](const char* text) { return *PeerAddress::parse(text); };
    for (const char* site : {"10.1.2.3:1", "172.16.0.1:1", "172.31.255.1:1", "192.168.1.1:1", "169.254.1.1:1",
                             "100.64.0.1:1", "[fc00::1]:1", "[fdff::1]:1", "[fe80::1]:1", "[febf::1]:1"})
        CHECK(parse(site).reach() == Reach::site);
    for (const char* machine : {"127.0.0.1:1", "127.255.0.9:1", "[::1]:1"})
        CHECK(parse(machine).reach() == Reach::machine);
    for (const char* everywhere :
         {"172.32.0.1:1", "192.0.2.1:1", "100.128.0.1:1", "[2001:db8::1]:1", "a.b:1"})
        CHECK(parse(everywhere).reach() == Reach::everywhere);

    const auto same_group = [&](const char* one, const char* other) {
        return network_group(parse(one)) == network_group(parse(other));
    };
    CHECK(same_group("192.0.2.1:1", "192.0.99.9:9"));
    CHECK(!same_group("192.0.2.1:1", "192.1.2.1:1"));
    CHECK(same_group("[2001:db8::1]:1", "[2001:db8:ffff::9]:9"));
    CHECK(!same_group("[2001:db8::1]:1", "[2001:db9::1]:1"));
    CHECK(!same_group("a.example:1", "b.example:1"));
    CHECK(slot_group(parse("192.0.2.1:1")) == slot_group(parse("192.0.2.200:9")));
    CHECK(slot_group(parse("192.0.2.1:1")) != slot_group(parse("192.0.3.1:1")));
}

}  // namespace peer_record_test
