#include <catch2/catch.hpp>

#include "net/rpc/batch_window.hpp"
#include "net/rpc/rpc_failure.hpp"
#include "net/wire/request_head.hpp"
#include "tests/eventually.hpp"
#include "tests/net/raw_committee.hpp"

namespace violations_test {

using namespace monodon;
using namespace monodon::net;
using namespace monodon::net::test;

TEST_CASE("a raw peer that keeps to the rules is served") {
    RawCommittee f;
    auto raw = f.greeted();
    f.node().serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    raw->send(header_of(FrameType::request, MessageClass::interactive, Method::get_batches, 1),
              request_payload(kSoon, as_bytes("echo")));
    const auto reply = raw->receive_message();
    REQUIRE(reply);
    CHECK(reply->header.type == FrameType::response);
    CHECK(as_text(reply->payload) == "echo");
    raw->send(header_of(FrameType::notice, MessageClass::consensus, Method::vote, 1), as_bytes("vote"));
    CHECK(eventually([&] { return f.node().notice_count() == 1; }));
}

TEST_CASE("broken rules end the connection, with a reason, and others go on") {
    RawCommittee f;
    auto raw = f.greeted();
    const auto request = [&](std::uint64_t id) {
        raw->send(header_of(FrameType::request, MessageClass::interactive, Method::get_batches, id),
                  request_payload(kSoon, as_bytes("x")));
    };
    SECTION("a reply that nobody asked for") {
        raw->send(header_of(FrameType::response, MessageClass::interactive, Method::get_batches, 2),
                  as_bytes("x"));
        CHECK(f.refused(*raw, "reply that nobody asked for"));
    }
    SECTION("an error that nobody asked for") {
        FrameHeader header;
        header.type = FrameType::error;
        header.request_id = 2;
        raw->send(header, encode(RpcFailure{RpcError::internal, 0}));
        CHECK(f.refused(*raw, "error that nobody asked for"));
    }
    SECTION("ids that fall") {
        request(5);
        request(3);
        CHECK(f.refused(*raw, "request ids do not rise"));
    }
    SECTION("ids of the other side") {
        request(2);
        CHECK(f.refused(*raw, "request id of the other side"));
    }
    SECTION("more requests than the window") {
        for (std::uint64_t id = 1; id <= 33; id += 2) request(id);
        CHECK(f.refused(*raw, "more requests open than the window allows"));
    }
    SECTION("a second hello") {
        raw->send_hello(hello_from(f.committee.config_of(2), Role::member));
        CHECK(f.refused(*raw, "a second hello"));
    }
    SECTION("a notice larger than its method allows") {
        FrameHeader header = header_of(FrameType::notice, MessageClass::consensus, Method::vote, 1);
        raw->send(header, Bytes(5000));
        CHECK(f.refused(*raw, "message too large"));
    }
    SECTION("a notice in the wrong class") {
        raw->send(header_of(FrameType::notice, MessageClass::bulk, Method::vote, 1), as_bytes("x"));
        CHECK(f.refused(*raw, "notice of the wrong kind"));
    }
    SECTION("thousands of half-finished messages") {
        Bytes plain;
        for (std::uint64_t id = 1; id < 5000; ++id) {
            FrameHeader header = header_of(FrameType::notice, MessageClass::data, Method::batch, id);
            header.flags = 0;
            header.length = 1;
            const FrameHeaderBytes head = encode(header);
            plain.insert(plain.end(), head.begin(), head.end());
            plain.push_back(0);
        }
        raw->send_plain(plain);
        CHECK(f.refused(*raw, "too many unfinished messages"));
    }
    SECTION("reserved bits") {
        FrameHeaderBytes head = encode(header_of(FrameType::notice, MessageClass::data, Method::batch, 1));
        head[6] = 1;
        raw->send_plain(head);
        CHECK(f.refused(*raw, "reserved bits"));
    }
    SECTION("a declared length of four gigabytes") {
        FrameHeaderBytes head = encode(header_of(FrameType::notice, MessageClass::data, Method::batch, 1));
        head[20] = head[21] = head[22] = head[23] = 0xFF;
        raw->send_plain(head);
        CHECK(f.refused(*raw, "frame payload too long"));
    }
    SECTION("a malformed request head") {
        raw->send(header_of(FrameType::request, MessageClass::interactive, Method::get_batches, 1),
                  as_bytes("x"));
        CHECK(f.refused(*raw, "malformed request head"));
    }
    CHECK(f.node().network().connected(f.committee[1].id()));
    CHECK(f.node().status_of(f.committee[1].id()).connections == 1);
}

TEST_CASE("a reply that is larger than asked for, or answers another request, is refused before it is read") {
    RawCommittee f;
    auto raw = f.greeted();
    Answer answer;
    f.node().network().request(f.raw_id(), MessageClass::interactive, Method::push_commit, text_of("?"),
                               kSoon, answer.callback());
    const auto asked = raw->receive_message();
    REQUIRE(asked);
    REQUIRE(asked->header.type == FrameType::request);
    SECTION("too large") {
        raw->send(header_of(FrameType::response, MessageClass::interactive, Method::push_commit,
                            asked->header.request_id),
                  Bytes(5000));
        CHECK(f.refused(*raw, "reply refused: message too large"));
    }
    SECTION("of another method") {
        raw->send(header_of(FrameType::response, MessageClass::interactive, Method::get_batches,
                            asked->header.request_id),
                  Bytes(10));
        CHECK(f.refused(*raw, "reply to another request"));
    }
    SECTION("of another class") {
        raw->send(
            header_of(FrameType::response, MessageClass::bulk, Method::push_commit, asked->header.request_id),
            Bytes(10));
        CHECK(f.refused(*raw, "reply to another request"));
    }
    CHECK(answer.get().error().code == RpcError::disconnected);
}

TEST_CASE("a late reply is no violation, a second one is") {
    RawCommittee f;
    auto raw = f.greeted();
    Answer answer;
    f.node().network().request(f.raw_id(), MessageClass::interactive, Method::get_batches, text_of("?"),
                               std::chrono::milliseconds(50), answer.callback());
    const auto asked = raw->receive_message();
    REQUIRE(asked);
    CHECK(answer.get().error().code == RpcError::deadline);
    const auto cancel = raw->receive_message();
    REQUIRE(cancel);
    CHECK(cancel->header.type == FrameType::cancel);
    const FrameHeader reply = header_of(FrameType::response, MessageClass::interactive, Method::get_batches,
                                        asked->header.request_id);
    raw->send(reply, as_bytes("late"));
    raw->send(header_of(FrameType::notice, MessageClass::consensus, Method::vote, 1), as_bytes("alive"));
    CHECK(eventually([&] { return f.node().notice_count() == 1; }));
    raw->send(reply, as_bytes("again"));
    CHECK(f.refused(*raw, "reply that nobody asked for"));
}

TEST_CASE("requests are refused by their error, and the connection goes on") {
    RawCommittee f;
    auto raw = f.greeted();
    f.node().serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    const auto ask = [&](FrameHeader header) {
        raw->send(header, request_payload(kSoon, as_bytes("x")));
        return raw->receive_message();
    };
    const auto data = MessageClass::data;
    CHECK(failure_of(ask(header_of(FrameType::request, data, static_cast<Method>(999), 1))).code ==
          RpcError::unknown_method);
    CHECK(failure_of(ask(header_of(FrameType::request, MessageClass::consensus, Method::vote, 3))).code ==
          RpcError::unknown_method);
    CHECK(failure_of(ask(header_of(FrameType::request, data, Method::get_batches, 5))).code ==
          RpcError::malformed);
    const auto fine = ask(header_of(FrameType::request, data, Method::submit_transactions, 7));
    REQUIRE(fine);
    CHECK(fine->header.type == FrameType::response);
    // A notice of a later version is read over.
    raw->send(header_of(FrameType::notice, data, static_cast<Method>(31), 1), as_bytes("?"));
    CHECK(ask(header_of(FrameType::request, data, Method::submit_transactions, 9)));
    CHECK(f.node().status_of(f.raw_id()).connections == 1);
}

TEST_CASE("malformed requests count against the rates, and a new connection is no new allowance") {
    constexpr int kRate = 20;
    RawCommittee f([](NetworkConfig& config) { config.limits.member_requests_per_second = kRate; });
    f.node().serve([](const Asked& asked) { asked.replier.fail({RpcError::malformed, 0}); });
    const auto begin = std::chrono::steady_clock::now();
    int served = 0;
    for (int connection = 0; connection < 3; ++connection) {
        const auto raw = f.greeted();
        for (std::uint64_t id = 1;; id += 2) {
            raw->send(header_of(FrameType::request, MessageClass::interactive, Method::get_batches, id),
                      request_payload(kSoon, as_bytes("x")));
            const RpcError code = failure_of(raw->receive_message()).code;
            if (code == RpcError::rate_limited) break;
            CHECK(code == RpcError::malformed);
            // That costs its standing as well, and then each request more: here the rates alone decide.
            f.node().network().unban(f.raw_id());
            ++served;
        }
    }
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    CHECK(served >= kRate);
    CHECK(served <= kRate * (1 + time.count()) + 1);
}

TEST_CASE("the items of a request count against the rate of its method") {
    RawCommittee f([](NetworkConfig& config) { config.limits.member_items_share = 0.05; });
    f.node().serve([](const Asked& asked) {
        asked.replier.charge(2000);
        asked.replier.finish(asked.payload);
    });
    const auto raw = f.greeted();
    // A thousand a second, and a thousand on credit. All at once, so that nothing recovers between them.
    Bytes plain;
    const Bytes payload = request_payload(kSoon, as_bytes("x"));
    const std::vector<std::pair<std::uint64_t, Method>> asked = {
        {1, Method::get_batches}, {3, Method::get_batches}, {5, Method::get_certificates}};
    for (const auto& [id, method] : asked) {
        FrameHeader header = header_of(FrameType::request, MessageClass::interactive, method, id);
        header.length = static_cast<std::uint32_t>(payload.size());
        const FrameHeaderBytes head = encode(header);
        plain.insert(plain.end(), head.begin(), head.end());
        plain.insert(plain.end(), payload.begin(), payload.end());
    }
    raw->send_plain(plain);
    std::map<std::uint64_t, RawPeer::Got> answers;
    for (std::size_t at = 0; at < asked.size(); ++at) {
        const auto got = raw->receive_message();
        REQUIRE(got);
        answers.emplace(got->header.request_id, *got);
    }
    CHECK(answers.at(1).header.type == FrameType::response);
    const RpcFailure limited = failure_of(answers.at(3));
    CHECK(limited.code == RpcError::rate_limited);
    CHECK(limited.detail >= 1);
    CHECK(answers.at(5).header.type == FrameType::response);
}

TEST_CASE("every so manyth reply of an impaired node is wrong, also when connections are cut meanwhile") {
    // Nobody else asks it anything.
    Committee committee(
        1, [](std::size_t /*index*/, NetworkConfig& config) { config.impairment.corrupt_replies = 5; });
    committee[0].serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    std::vector<int> wrong;
    for (int asked = 1; asked <= 11;) {
        RawPeer raw(committee.ports[0], KeyPair::generate());
        raw.greet(committee.config_of(0), Role::observer);
        for (std::uint64_t id = 1; id <= 5; id += 2, ++asked) {
            raw.send(header_of(FrameType::request, MessageClass::interactive, Method::get_batches, id),
                     request_payload(kSoon, as_bytes("question")));
            const auto got = raw.receive_message();
            REQUIRE(got);
            REQUIRE(got->header.type == FrameType::response);
            if (as_text(got->payload) != "question") wrong.push_back(asked);
        }
    }
    CHECK(wrong == std::vector<int>{5, 10});
}

TEST_CASE("a peer that sends more batches than are let go of is sent away") {
    RawCommittee f;
    f.node().hold_notices(true);
    const auto raw = f.greeted();
    const Bytes batch(1'000'000);
    std::uint64_t id = 1;
    for (; id * batch.size() <= kBatchWindow; ++id)
        raw->send_message(header_of(FrameType::notice, MessageClass::data, Method::batch, id), batch);
    REQUIRE(eventually([&] { return f.node().notice_count() == id - 1; }));
    SECTION("one more than the window") {
        raw->send_message(header_of(FrameType::notice, MessageClass::data, Method::batch, id), batch);
        CHECK(f.refused(*raw, "more batches than the window allows"));
    }
    SECTION("as many again once they are let go of") {
        f.node().hold_notices(false);
        std::uint64_t released = 0;
        while (released < (id - 1) * batch.size()) {
            const auto got = raw->receive();
            REQUIRE(got);
            if (got->header.type == FrameType::released) released = got->header.request_id;
        }
        CHECK(released == (id - 1) * batch.size());
        raw->send_message(header_of(FrameType::notice, MessageClass::data, Method::batch, id), batch);
        CHECK(eventually([&] { return f.node().notice_count() == id; }));
    }
    SECTION("consensus has nothing to do with it") {
        raw->send(header_of(FrameType::notice, MessageClass::consensus, Method::vote, id), as_bytes("vote"));
        CHECK(eventually([&] { return f.node().notice_count() == id; }));
    }
}

TEST_CASE("a peer that lets go of what was not sent to it is sent away") {
    RawCommittee f;
    const auto raw = f.greeted();
    REQUIRE(eventually([&] { return f.node().network().connected(f.raw_id()); }));
    CHECK(f.node().network().send(f.raw_id(), MessageClass::data, Method::batch, bytes_of(1000)));
    REQUIRE(raw->receive_message());
    FrameHeader released;
    released.type = FrameType::released;
    released.request_id = 1000;
    raw->send(released);
    SECTION("more") { released.request_id = 1001; }
    SECTION("less than before") { released.request_id = 999; }
    raw->send(released);
    CHECK(f.refused(*raw, "released what was not sent"));
}

TEST_CASE("a client that sends a notice is sent away") {
    RawCommittee f;
    RawPeer raw(f.committee.ports[0], KeyPair::generate());
    raw.greet(f.committee.config_of(2), Role::client);
    raw.send(header_of(FrameType::notice, MessageClass::data, Method::batch, 1), as_bytes("x"));
    CHECK(raw.read_to_end() == GoawayReason::protocol_violation);
}

TEST_CASE("cancelled and expired requests are answered once, and their places are free again") {
    RawCommittee f;
    auto raw = f.greeted();
    for (std::uint64_t id = 1; id < 400; id += 2) {
        raw->send(header_of(FrameType::request, MessageClass::interactive, Method::get_batches, id),
                  request_payload(kSoon, as_bytes("x")));
        FrameHeader cancel;
        cancel.type = FrameType::cancel;
        cancel.request_id = id;
        raw->send(cancel);
        CHECK(failure_of(raw->receive_message()).code == RpcError::cancelled);
        // Nobody has this one open.
        raw->send(cancel);
    }
    raw->send(header_of(FrameType::request, MessageClass::interactive, Method::get_batches, 401),
              request_payload(std::chrono::milliseconds(30), as_bytes("x")));
    CHECK(failure_of(raw->receive_message()).code == RpcError::deadline);
    // Half a request, cancelled.
    FrameHeader half = header_of(FrameType::request, MessageClass::data, Method::submit_transactions, 403);
    half.flags = 0;
    const RequestHeadBytes head = encode(RequestHead{kSoon, 1000});
    raw->send(half, head.view());
    FrameHeader cancel;
    cancel.type = FrameType::cancel;
    cancel.request_id = 403;
    raw->send(cancel);
    CHECK(failure_of(raw->receive_message()).code == RpcError::cancelled);
}

TEST_CASE("a flood of pings gets a trickle of pongs") {
    RawCommittee f;
    auto raw = f.greeted();
    FrameHeader ping;
    ping.type = FrameType::ping;
    for (std::uint64_t id = 1; id <= 1000; ++id) {
        ping.request_id = id;
        raw->send(ping);
    }
    f.node().serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    raw->send(header_of(FrameType::request, MessageClass::interactive, Method::get_batches, 1),
              request_payload(kSoon, as_bytes("x")));
    int pongs = 0;
    for (;;) {
        const auto got = raw->receive();
        REQUIRE(got);
        if (got->header.type == FrameType::pong) ++pongs;
        if (got->header.type == FrameType::response) break;
    }
    CHECK(pongs >= 1);
    CHECK(pongs <= 50);
}

TEST_CASE("a peer that answers no ping is given up, one that sends anything is not") {
    RawCommittee f([](NetworkConfig& config) { config.limits.ping_after = std::chrono::milliseconds(100); });
    auto silent = f.greeted();
    silent->answer_pings(false);
    CHECK(silent->closed_by_node());
    CHECK(eventually([&] { return f.last_error() == "peer does not answer pings"; }));

    auto talking = f.greeted();
    talking->answer_pings(false);
    for (std::uint64_t id = 1; id <= 15; ++id) {
        talking->send(header_of(FrameType::notice, MessageClass::consensus, Method::vote, id), as_bytes("x"));
        monodon::test::dawdle(std::chrono::milliseconds(50));
    }
    CHECK(f.node().network().connected(f.raw_id()));
}

TEST_CASE("a peer that does not read loses messages, holds up nobody, and is closed in the end") {
    RawCommittee f([](NetworkConfig& config) { config.limits.write_stall = std::chrono::milliseconds(700); });
    auto raw = f.greeted();
    const SharedBytes batch = bytes_of(500'000);
    std::size_t accepted = 0;
    // The kernel takes a few, the queue of the class four megabytes, then it is full.
    while (accepted < 100 && f.node().network().send(f.raw_id(), MessageClass::data, Method::batch, batch)) {
        ++accepted;
    }
    CHECK(accepted < 100);
    CHECK(f.node().network().queued_bytes(f.raw_id(), MessageClass::data) <= 4 * 1024 * 1024);
    CHECK(f.node().status_of(f.raw_id()).dropped_messages[3] >= 1);
    // Consensus messages still find room, and so does everybody else.
    CHECK(f.node().network().send(f.raw_id(), MessageClass::consensus, Method::vote, text_of("x")));
    for (int at = 0; at < 20; ++at) {
        f.node().network().send(f.committee[1].id(), MessageClass::data, Method::batch, batch);
        CHECK(eventually([&] { return f.committee[1].notice_count() > static_cast<std::size_t>(at); }));
    }
    CHECK(eventually([&] { return f.last_error() == "peer does not read"; }));
}

TEST_CASE("a peer that stops reading is closed when the time is over, not when the clock next looks") {
    // Nothing else is due for long after.
    RawCommittee f([](NetworkConfig& config) {
        config.limits.write_stall = std::chrono::milliseconds(500);
        config.limits.ping_after = std::chrono::hours(1);
    });
    auto raw = f.greeted();
    const SharedBytes batch = bytes_of(500'000);
    while (f.node().network().send(f.raw_id(), MessageClass::data, Method::batch, batch)) {
    }
    CHECK(eventually([&] { return f.last_error() == "peer does not read"; }));
}

TEST_CASE("whoever dawdles before the hello is closed on its budget, and says so in no time") {
    RawCommittee f([](NetworkConfig& config) {
        config.limits.first_byte = std::chrono::milliseconds(150);
        config.limits.tls = std::chrono::milliseconds(400);
        config.limits.hello = std::chrono::milliseconds(400);
    });
    SECTION("silent") {
        auto raw = f.peer();
        CHECK(raw->closed_by_node());
    }
    SECTION("one byte, then nothing") {
        auto raw = f.peer();
        raw->send_raw(Bytes{0x16});
        CHECK(raw->closed_by_node());
    }
    SECTION("TLS, then nothing") {
        auto raw = f.peer();
        raw->secure();
        CHECK(raw->closed_by_node());
    }
    SECTION("a frame header, then a byte at a time") {
        auto raw = f.peer();
        raw->secure();
        FrameHeader header;
        header.type = FrameType::hello;
        header.length = 1000;
        raw->send_plain(encode(header));
        for (int at = 0; at < 8; ++at) {
            raw->send_plain(Bytes{0});
            monodon::test::dawdle(std::chrono::milliseconds(100));
        }
        CHECK(raw->closed_by_node());
    }
    SECTION("noise instead of TLS") {
        auto raw = f.peer();
        raw->send_raw(Bytes(200, 'x'));
        CHECK(raw->closed_by_node());
    }
    CHECK(f.node().network().connected(f.committee[1].id()));
    CHECK(f.greeted());
}

TEST_CASE("a hello that is none is refused by its name") {
    RawCommittee f;
    auto raw = f.peer();
    raw->secure();
    FrameHeader header;
    header.type = FrameType::hello;
    SECTION("malformed") { raw->send(header, as_bytes("not msgpack")); }
    SECTION("another frame first") {
        header.type = FrameType::ping;
        raw->send(header);
    }
    SECTION("more than 32 KiB of something else") {
        header.type = FrameType::notice;
        header.message_class = MessageClass::data;
        header.method = 4;
        header.request_id = 1;
        header.flags = 0;
        FrameHeader declared = header;
        declared.length = 65536;
        raw->send_plain(encode(declared));
        raw->send_plain(Bytes(40'000));
        CHECK(raw->closed_by_node());
        return;
    }
    CHECK(raw->read_to_end() == GoawayReason::invalid_hello);
}

TEST_CASE("a peer that knows fewer methods is not asked them, and its window is kept") {
    RawCommittee f;
    auto raw = f.peer();
    raw->secure();
    Hello hello = hello_from(f.committee.config_of(2), Role::member);
    hello.methods = {{static_cast<std::uint16_t>(Method::get_batches), 1},
                     {static_cast<std::uint16_t>(Method::get_commits), 2}};
    hello.limits = {2, 1, 1, 100};
    raw->send_hello(hello);
    REQUIRE(raw->receive());
    const auto ask = [&](Method method, std::size_t bytes, Answer& answer) {
        f.node().network().request(f.raw_id(), MessageClass::interactive, method, bytes_of(bytes),
                                   std::chrono::milliseconds(300), answer.callback());
    };
    REQUIRE(eventually([&] { return f.node().network().connected(f.raw_id()); }));
    Answer unknown;
    ask(Method::get_certificates, 1, unknown);
    CHECK(unknown.get().error().code == RpcError::unknown_method);
    Answer other_version;
    ask(Method::get_commits, 1, other_version);
    CHECK(other_version.get().error().code == RpcError::unknown_method);
    Answer large;
    ask(Method::get_batches, 101, large);
    CHECK(large.get().error().code == RpcError::too_large);
    Answer first;
    Answer second;
    ask(Method::get_batches, 1, first);
    ask(Method::get_batches, 1, second);
    const auto asked = raw->receive_message();
    REQUIRE(asked);
    CHECK(asked->header.request_id == 2);
    // Instead of the second request comes the cancel of the first.
    const auto next = raw->receive_message();
    REQUIRE(next);
    CHECK(next->header.type == FrameType::cancel);
    CHECK(first.get().error().code == RpcError::deadline);
    CHECK(second.get().error().code == RpcError::deadline);
}

}  // namespace violations_test
