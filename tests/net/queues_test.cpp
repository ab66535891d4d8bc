#include <catch2/catch.hpp>

#include "tests/net/raw_committee.hpp"

namespace queues_test {

using namespace monodon;
using namespace monodon::net;
using namespace monodon::net::test;

// What a connection does when its queues are full (network.md 3): the rules of the outbox have tests of their
// own, these are about who is told.

namespace {

constexpr MessageClass kInteractive = MessageClass::interactive;

/// A raw peer that reads nothing, and so much sent to it that the node's writer waits for it.
struct Stuck {
    Stuck() : raw(f.greeted()) {
        REQUIRE(eventually([&] { return f.node().network().connected(f.raw_id()); }));
        const SharedBytes batch = bytes_of(500'000);
        while (f.node().network().send(f.raw_id(), MessageClass::data, Method::batch, batch)) {
        }
        REQUIRE(eventually([&] {
            const std::size_t queued = f.node().network().queued_bytes(f.raw_id(), MessageClass::data);
            const bool same = queued == before;
            before = queued;
            return same && queued > 1'000'000;
        }));
    }
    RawCommittee f;
    std::unique_ptr<RawPeer> raw;
    std::size_t before = 0;
};

}  // namespace

TEST_CASE("control messages that nobody reads end the connection when their queue is full") {
    Stuck s;
    Bytes plain;
    const Bytes payload = request_payload(kSoon, as_bytes("x"));
    const auto append = [&plain](FrameHeader header, ByteView body) {
        header.length = static_cast<std::uint32_t>(body.size());
        const FrameHeaderBytes head = encode(header);
        plain.insert(plain.end(), head.begin(), head.end());
        plain.insert(plain.end(), body.begin(), body.end());
    };
    // Each is answered, and the answers are not read.
    for (std::uint64_t id = 1; id < 6000; id += 2) {
        append(header_of(FrameType::request, kInteractive, Method::get_batches, id), payload);
        append(header_of(FrameType::cancel, MessageClass::control, Method::none, id), {});
    }
    s.raw->send_plain(plain);
    CHECK(eventually([&] { return s.f.last_error().find("control queue is full") != std::string::npos; }));
    CHECK(s.f.node().network().connected(s.f.committee[1].id()));
}

TEST_CASE("whoever asks a peer whose queue of questions is full is told that it is busy") {
    Stuck s;
    std::vector<Answer> answers(16);
    for (Answer& answer : answers) {
        s.f.node().network().request(s.f.raw_id(), kInteractive, Method::get_missing_certificates,
                                     bytes_of(250'000), std::chrono::seconds(30), answer.callback());
    }
    // Eight are 2 MB; the others have been answered before anything else can happen to them.
    const auto busy = [&] {
        return std::count_if(answers.begin(), answers.end(), [](const Answer& each) { return each.ready(); });
    };
    CHECK(eventually([&] { return busy() == 8; }));
    for (std::size_t at = 8; at < answers.size(); ++at) {
        const RpcFailure failure = answers[at].get().error();
        CHECK(failure.code == RpcError::busy);
        CHECK(failure.detail > 0);
    }
}

TEST_CASE("of the replies that a peer does not read those that have no room are BUSY, the others whole") {
    Stuck s;
    std::atomic<int> served{0};
    s.f.node().serve([&served](const Asked& asked) {
        asked.replier.finish(bytes_of(600'000));
        ++served;
    });
    for (std::uint64_t id = 1; id < 32; id += 2) {
        s.raw->send(header_of(FrameType::request, kInteractive, Method::get_batches, id),
                    request_payload(std::chrono::seconds(20), as_bytes("x")));
    }
    REQUIRE(eventually([&] { return served == 16; }));
    int whole = 0;
    int busy = 0;
    while (whole + busy < 16) {
        const auto got = s.raw->receive_message();
        REQUIRE(got);
        if (got->header.type == FrameType::error) {
            CHECK(failure_of(got).code == RpcError::busy);
            ++busy;
        } else if (got->header.type == FrameType::response && got->header.last()) {
            ++whole;
        }
    }
    // Of each 256 KiB count.
    CHECK(whole == 8);
}

}  // namespace queues_test
