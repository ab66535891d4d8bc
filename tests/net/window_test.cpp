#include <catch2/catch.hpp>

#include "net/rpc/peer_rates.hpp"
#include "net/rpc/request_window.hpp"
#include "net/rpc/rpc_failure.hpp"
#include "net/rpc/served_requests.hpp"
#include "net/transport/hello.hpp"
#include "net/wire/pack.hpp"
#include "net/wire/token_bucket.hpp"

namespace window_test {

using namespace monodon;
using namespace monodon::net;

namespace {

constexpr Time kStart{std::chrono::seconds(1000)};
constexpr WindowLimits kSmall{6, 3, 2, 1 << 20};

WantedRequest wanted(std::uint64_t handle, MessageClass message_class = MessageClass::interactive,
                     Time deadline = kStart + std::chrono::seconds(10)) {
    WantedRequest request;
    request.handle = handle;
    request.message_class = message_class;
    request.method = Method::get_batches;
    request.body = std::make_shared<const Bytes>(100);
    request.deadline = deadline;
    return request;
}

std::vector<std::uint64_t> start_all(RequestWindow& window) {
    std::vector<std::uint64_t> ids;
    while (const auto started = window.next_start(kStart)) ids.push_back(started->id);
    return ids;
}

Hello hello_of(Role role) {
    Hello hello;
    hello.role = role;
    hello.chain_id = "chain";
    hello.genesis = sha256(as_bytes("genesis"));
    hello.agent = "agent";
    hello.methods = {{35, 1}, {44, 1}};
    hello.nonce = static_cast<std::uint64_t>(role) + 100;
    hello.holdings = {1, 2, 3, 4};
    return hello;
}

}  // namespace

TEST_CASE("a dialler's ids are odd, an acceptor's even, and they rise") {
    RequestWindow dialler(true, kSmall);
    RequestWindow acceptor(false, kSmall);
    for (std::uint64_t handle = 1; handle <= 3; ++handle) {
        CHECK(dialler.add(wanted(handle)));
        CHECK(acceptor.add(wanted(handle)));
    }
    CHECK(start_all(dialler) == std::vector<std::uint64_t>{1, 3, 5});
    CHECK(start_all(acceptor) == std::vector<std::uint64_t>{2, 4, 6});
}

TEST_CASE("each class has its window, and all together theirs") {
    RequestWindow window(true, kSmall);
    for (std::uint64_t handle = 1; handle <= 4; ++handle) CHECK(window.add(wanted(handle)));
    for (std::uint64_t handle = 5; handle <= 7; ++handle)
        CHECK(window.add(wanted(handle, MessageClass::bulk)));
    for (std::uint64_t handle = 8; handle <= 9; ++handle)
        CHECK(window.add(wanted(handle, MessageClass::data)));
    CHECK(start_all(window).size() == 6);
    CHECK(window.open() == 6);
    CHECK(window.waiting() == 3);
    window.complete(1);
    // The freed place goes to the first that may have it.
    const auto next = window.next_start(kStart);
    REQUIRE(next);
    CHECK(next->request.handle == 4);
    CHECK(!window.next_start(kStart));
}

TEST_CASE("the queue before the window is bounded in number and in bytes") {
    RequestWindow window(true, {0, 0, 0, 0});
    std::uint64_t handle = 1;
    while (window.add(wanted(handle))) ++handle;
    CHECK(handle == kWaitingMax + 1);
    RequestWindow heavy(true, {0, 0, 0, 0});
    std::size_t taken = 0;
    for (; taken < 100; ++taken) {
        WantedRequest request = wanted(taken + 1);
        request.body = std::make_shared<const Bytes>(1 << 20);
        if (!heavy.add(std::move(request))) break;
    }
    CHECK(taken == kWaitingBytesMax >> 20);
}

TEST_CASE("a late reply is told from one that nobody asked for") {
    RequestWindow window(true, kSmall);
    CHECK(window.add(wanted(1)));
    CHECK(start_all(window) == std::vector<std::uint64_t>{1});
    CHECK(window.classify(1) == RequestWindow::Reply::expected);
    CHECK(window.classify(3) == RequestWindow::Reply::unsolicited);
    const auto ended = window.cancel(1, kStart);
    REQUIRE(ended);
    CHECK(ended->id == 1);
    CHECK(window.classify(1) == RequestWindow::Reply::late);
    window.complete(1);
    CHECK(window.late_replies() == 1);
    CHECK(window.classify(1) == RequestWindow::Reply::unsolicited);
    CHECK(!window.cancel(1, kStart));
}

TEST_CASE("closed ids are remembered for a minute, and no more than 256 of them") {
    RequestWindow window(true, kSmall);
    std::uint64_t handle = 1;
    for (;; ++handle) {
        CHECK(window.add(wanted(handle)));
        if (!window.next_start(kStart)) break;
        CHECK(window.cancel(handle, kStart));
    }
    CHECK(handle == kClosedMax + 1);
    CHECK(window.expire(kStart + std::chrono::seconds(5)).empty());
    CHECK(!window.next_start(kStart));
    CHECK(window.expire(kStart + kClosedKept).size() == 1);
    CHECK(window.add(wanted(1000, MessageClass::data, kStart + std::chrono::seconds(100))));
    CHECK(window.next_start(kStart));
}

TEST_CASE("what is past its deadline ends, sent or not") {
    RequestWindow window(true, {1, 1, 1, 0});
    CHECK(window.add(wanted(1, MessageClass::interactive, kStart + std::chrono::seconds(1))));
    CHECK(window.add(wanted(2, MessageClass::interactive, kStart + std::chrono::seconds(2))));
    CHECK(start_all(window).size() == 1);
    CHECK(window.next_due() == kStart + std::chrono::seconds(1));
    CHECK(window.expire(kStart).empty());
    const auto first = window.expire(kStart + std::chrono::seconds(1));
    REQUIRE(first.size() == 1);
    CHECK(first[0].handle == 1);
    CHECK(first[0].id == 1);
    const auto second = window.expire(kStart + std::chrono::seconds(2));
    REQUIRE(second.size() == 1);
    CHECK(second[0].handle == 2);
    CHECK(!second[0].id);
    CHECK(window.waiting() == 0);
}

TEST_CASE("a connection that ends leaves no request behind") {
    RequestWindow window(true, {1, 1, 1, 0});
    CHECK(window.add(wanted(1)));
    CHECK(window.add(wanted(2)));
    (void)start_all(window);
    CHECK(window.clear() == std::vector<std::uint64_t>{1, 2});
    CHECK(window.next_due() == Time::max());
}

TEST_CASE("a peer's ids must be its own and rise") {
    ServedRequests served(true, kSmall);
    CHECK(!served.begin(5, MessageClass::data, kStart));
    CHECK(served.begin(5, MessageClass::data, kStart));
    CHECK(served.begin(3, MessageClass::data, kStart));
    CHECK(served.begin(8, MessageClass::data, kStart));
    CHECK(!served.begin(7, MessageClass::data, kStart));
    CHECK(served.open() == 2);
}

TEST_CASE("ids rise within each class: a more urgent request overtakes on its way") {
    ServedRequests served(true, kSmall);
    CHECK(!served.begin(3, MessageClass::interactive, kStart));
    CHECK(!served.begin(1, MessageClass::bulk, kStart));
    CHECK(served.begin(3, MessageClass::data, kStart));
    CHECK(served.take(3));
    CHECK(served.begin(3, MessageClass::interactive, kStart));
}

TEST_CASE("a peer must keep to its window") {
    ServedRequests served(true, kSmall);
    CHECK(!served.begin(1, MessageClass::interactive, kStart));
    CHECK(!served.begin(3, MessageClass::interactive, kStart));
    CHECK(!served.begin(5, MessageClass::interactive, kStart));
    CHECK(served.begin(7, MessageClass::interactive, kStart));
    CHECK(!served.begin(7, MessageClass::bulk, kStart));
    CHECK(!served.begin(9, MessageClass::bulk, kStart));
    CHECK(served.begin(11, MessageClass::bulk, kStart));
    CHECK(!served.begin(11, MessageClass::data, kStart));
    CHECK(served.begin(13, MessageClass::data, kStart));
    CHECK(served.take(11));
    CHECK(!served.take(11));
    CHECK(!served.begin(13, MessageClass::data, kStart));
}

TEST_CASE("served requests expire at their deadline, unfinished ones after the longest") {
    ServedRequests served(true, kSmall);
    CHECK(!served.begin(1, MessageClass::data, kStart));
    CHECK(!served.begin(3, MessageClass::data, kStart));
    served.find(1)->deadline = kStart + std::chrono::seconds(1);
    CHECK(served.next_due() == kStart + std::chrono::seconds(1));
    CHECK(served.expire(kStart + std::chrono::seconds(1)).size() == 1);
    CHECK(served.expire(kStart + std::chrono::seconds(29)).empty());
    CHECK(served.expire(kStart + std::chrono::seconds(30)).size() == 1);
    CHECK(served.begun(3, MessageClass::data));
    CHECK(!served.begun(5, MessageClass::data));
    CHECK(!served.begun(2, MessageClass::data));
}

TEST_CASE("a token bucket lets a burst through, then its rate, and can be overdrawn") {
    TokenBucket bucket(100, 10);
    Time time = kStart;
    int admitted = 0;
    while (bucket.admit(time, 1)) ++admitted;
    CHECK(admitted == 10);
    CHECK(bucket.wait() > Duration{0});
    time += std::chrono::milliseconds(50);
    admitted = 0;
    while (bucket.admit(time, 1)) ++admitted;
    CHECK(admitted == 5);
    bucket.charge(time, 1000);
    CHECK(bucket.wait() == Duration(110'000));
    CHECK(!bucket.admit(time + std::chrono::milliseconds(99), 1));
    CHECK(bucket.admit(time + std::chrono::milliseconds(120), 1));
}

TEST_CASE("a peer has rates for requests and bytes in all, and for items by method") {
    RateLimits limits;
    limits.requests_per_second = limits.requests_burst = 10;
    limits.bytes_per_second = limits.bytes_burst = 1000;
    limits.items_share = 0.001;  // 20 certificates a second, 2 highest rounds
    const MethodInfo* certificates = find_method(Method::get_certificates);
    const MethodInfo* highest = find_method(Method::get_highest_round);
    const MethodInfo* range = find_method(Method::get_certificates_in_range);
    PeerRates rates(limits);
    SECTION("requests, known or not") {
        for (int at = 0; at < 5; ++at) {
            CHECK(!rates.admit(kStart, certificates, 0));
            CHECK(!rates.admit(kStart, nullptr, 0));
        }
        CHECK(rates.admit(kStart, certificates, 0));
        CHECK(rates.admit(kStart, nullptr, 0));
        CHECK(!rates.admit(kStart + std::chrono::seconds(1), nullptr, 0));
    }
    SECTION("bytes of requests and of replies") {
        CHECK(!rates.admit(kStart, certificates, 600));
        rates.charge_bytes(kStart, 600);
        const auto wait = rates.admit(kStart, certificates, 0);
        REQUIRE(wait);
        CHECK(*wait > std::chrono::milliseconds(200));
        CHECK(*wait < std::chrono::milliseconds(210));
    }
    SECTION("a request is an item, of its method alone") {
        CHECK(!rates.admit(kStart, highest, 0));
        CHECK(!rates.admit(kStart, highest, 0));
        CHECK(rates.admit(kStart, highest, 0) == Duration(500'000 * 1));
        CHECK(!rates.admit(kStart, certificates, 0));
    }
    SECTION("what it turns out to ask for is charged on credit") {
        CHECK(!rates.admit(kStart, certificates, 0));
        rates.charge_items(kStart, Method::get_certificates, 30);
        CHECK(rates.admit(kStart, certificates, 0));
        CHECK(!rates.admit(kStart, range, 0));
        CHECK(rates.admit(kStart + std::chrono::milliseconds(400), certificates, 0));
        CHECK(!rates.admit(kStart + std::chrono::milliseconds(700), certificates, 0));
    }
    SECTION("one item was charged when it came") {
        for (int at = 0; at < 9; ++at) {
            CHECK(!rates.admit(kStart, certificates, 0));
            rates.charge_items(kStart, Method::get_certificates, at % 2 == 0 ? 1 : 2);
        }
    }
}

TEST_CASE("an error frame is a number and what it counts, and nothing else") {
    const RpcFailure failure{RpcError::rate_limited, 250};
    CHECK(decode_failure(encode(failure)) == failure);
    for (const char* wrong : {"", "92", "920101c0", "9101", "920001", "920d00", "92a16100"}) {
        CHECK(!decode_failure(*from_hex(wrong)));
    }
}

TEST_CASE("a hello is read as it was written") {
    const Hello hello = hello_of(Role::member);
    const auto read = decode_hello(encode(hello));
    REQUIRE(read);
    CHECK(read->chain_id == "chain");
    CHECK(read->genesis == hello.genesis);
    CHECK(read->role == Role::member);
    CHECK(read->methods.size() == 2);
    CHECK(read->methods[1].method == 44);
    CHECK(read->nonce == hello.nonce);
    CHECK(read->holdings == hello.holdings);
}

TEST_CASE("a hello of a later version may have more fields, but none may be missing or wrong") {
    Bytes bytes = encode(hello_of(Role::member));
    REQUIRE(bytes[0] == 0x9E);
    Bytes longer = bytes;
    longer[0] = 0x9F;
    for (const int byte : {0x92, 0xC0, 0x93, 0x01, 0x02, 0x03}) longer.push_back(static_cast<Byte>(byte));
    CHECK(decode_hello(longer));
    Bytes shorter = bytes;
    shorter.pop_back();
    CHECK(!decode_hello(shorter));
    Bytes trailing = bytes;
    trailing.push_back(0);
    CHECK(!decode_hello(trailing));
    Hello odd = hello_of(Role::member);
    odd.agent = "two\nlines";
    CHECK(!decode_hello(encode(odd)));
    odd = hello_of(Role::member);
    odd.lowest_version = 2;
    CHECK(!decode_hello(encode(odd)));
    CHECK(!decode_hello(Bytes(5000)));
}

TEST_CASE("greetings that do not belong together are told apart by reason") {
    const Hello ours = hello_of(Role::member);
    const auto disagreement = [&](const std::function<void(Hello&)>& change, Role role = Role::member) {
        Hello theirs = hello_of(role);
        theirs.nonce = 1;
        change(theirs);
        return find_disagreement(ours, theirs);
    };
    CHECK(!disagreement([](Hello&) {}));
    CHECK(disagreement([&](Hello& h) { h.nonce = ours.nonce; }) == GoawayReason::ourselves);
    CHECK(disagreement([](Hello& h) { h.chain_id = "other"; }) == GoawayReason::wrong_chain);
    CHECK(disagreement([](Hello& h) { h.chain_id = ""; }) == GoawayReason::wrong_chain);
    CHECK(disagreement([](Hello& h) { h.genesis = {}; }) == GoawayReason::wrong_genesis);
    CHECK(disagreement([](Hello& h) { h.epoch = 1; }) == GoawayReason::wrong_epoch);
    CHECK(disagreement([](Hello& h) { h.committee = sha256(as_bytes("x")); }) ==
          GoawayReason::wrong_committee);
    CHECK(disagreement([](Hello& h) { h.lowest_version = h.highest_version = 2; }) ==
          GoawayReason::no_common_version);
    CHECK(!disagreement([](Hello& h) { h.lowest_version = 0, h.highest_version = 9; }));
    CHECK(!disagreement([](Hello& h) { h.chain_id = "", h.genesis = {}, h.epoch = 9; }, Role::client));
    CHECK(disagreement([](Hello& h) { h.chain_id = "other"; }, Role::client) == GoawayReason::wrong_chain);
    for (int number = 1; number <= static_cast<int>(GoawayReason::disconnected_by_operator); ++number) {
        const auto reason = static_cast<GoawayReason>(number);
        CHECK(decode_goaway(encode(reason)) == reason);
        CHECK(describe(reason) != "unknown reason");
    }
    CHECK(!decode_goaway(*from_hex("9100")));
    CHECK(!decode_goaway(*from_hex("9120")));
    CHECK(
        !decode_goaway(*from_hex("92"
                                 "01"
                                 "01")));
}

TEST_CASE("a class that the peer wants held is not begun before its time, and holds up no other") {
    RequestWindow window(true, kSmall);
    window.hold(MessageClass::interactive, kStart + std::chrono::seconds(2));
    window.hold(MessageClass::interactive, kStart + std::chrono::seconds(1));
    CHECK(window.add(wanted(1)));
    CHECK(window.add(wanted(2, MessageClass::bulk)));
    CHECK(start_all(window).size() == 1);
    CHECK(window.next_due() == kStart + std::chrono::seconds(2));
    CHECK_FALSE(window.next_start(kStart + std::chrono::milliseconds(1999)));
    const Time then = kStart + std::chrono::seconds(2);
    CHECK(window.expire(then).empty());
    CHECK(window.next_start(then)->request.handle == 1);
    CHECK(window.next_due() > then);
}

}  // namespace window_test
