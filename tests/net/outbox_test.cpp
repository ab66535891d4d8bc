#include "net/transport/outbox.hpp"

#include <map>

#include <catch2/catch.hpp>

#include "net/transport/receive_window.hpp"
#include "net/wire/frame_reader.hpp"

namespace outbox_test {

using namespace monodon;
using namespace monodon::net;

namespace {

constexpr Time kStart{std::chrono::seconds(1000)};

SharedBytes bytes_of(std::size_t size, Byte value = 7) { return std::make_shared<const Bytes>(size, value); }

OutMessage notice(MessageClass message_class, std::size_t size, std::uint16_t method = 1) {
    OutMessage message;
    message.message_class = message_class;
    message.method = method;
    message.body = bytes_of(size);
    return message;
}

OutMessage part(std::uint64_t id, std::size_t size, MessageClass message_class = MessageClass::interactive) {
    OutMessage message;
    message.type = FrameType::response;
    message.message_class = message_class;
    message.method = 35;
    message.id = id;
    message.body = bytes_of(size);
    return message;
}

OutMessage control(FrameType type, std::uint64_t id) {
    OutMessage message;
    message.type = type;
    message.id = id;
    return message;
}

/// Fills the queue of a class and keeps it full while frames are taken.
struct Saturated {
    Outbox outbox;
    std::vector<MessageClass> classes;
    Time time = kStart;

    std::map<MessageClass, std::size_t> run(std::size_t total, Duration per_frame) {
        std::map<MessageClass, std::size_t> sent;
        for (std::size_t bytes = 0; bytes < total;) {
            for (const MessageClass message_class : classes) {
                while (outbox.queued_bytes(message_class) < 1'000'000) {
                    REQUIRE(outbox.push(notice(message_class, 200'000)) == Push::queued);
                }
            }
            const auto slice = outbox.next(time);
            REQUIRE(slice);
            sent[slice->header.message_class] += slice->length;
            bytes += slice->length;
            time += per_frame;
        }
        return sent;
    }
};

}  // namespace

TEST_CASE("a message is cut into chunks of at most 65,536 bytes, numbered, the last one marked") {
    Outbox outbox;
    CHECK(outbox.push(notice(MessageClass::data, 150'000)) == Push::queued);
    std::vector<std::size_t> lengths;
    while (const auto slice = outbox.next(kStart)) {
        CHECK(slice->header.chunk == lengths.size());
        CHECK(slice->header.request_id == 1);
        CHECK(slice->header.last() == (slice->remaining == 0));
        lengths.push_back(slice->length);
    }
    CHECK(lengths == std::vector<std::size_t>{65536, 65536, 150'000 - 2 * 65536});
    CHECK(outbox.empty());
    CHECK(outbox.queued_bytes(MessageClass::data) == 0);
}

TEST_CASE("a frame is written as header, request head and body") {
    Outbox outbox;
    OutMessage request;
    request.type = FrameType::request;
    request.message_class = MessageClass::interactive;
    request.method = 35;
    request.id = 9;
    request.body = bytes_of(10, 3);
    request.head = encode(RequestHead{std::chrono::seconds(2), 10});
    outbox.push(std::move(request));
    Bytes out;
    outbox.next(kStart)->append_to(out);
    FrameReader reader;
    reader.feed(out);
    const auto frame = reader.next();
    REQUIRE(frame);
    REQUIRE(frame->has_value());
    CHECK((*frame)->header.length == 10 + 1 + 3 + 5);
    std::size_t head = 0;
    const auto decoded = decode_request_head((*frame)->payload, head);
    REQUIRE(decoded);
    CHECK(decoded->deadline == std::chrono::seconds(2));
    CHECK(decoded->body_bytes == 10);
    CHECK((*frame)->payload.size() - head == 10);
}

TEST_CASE("control goes first, consensus before data, in the middle of a long message too") {
    Outbox outbox;
    outbox.push(notice(MessageClass::bulk, 300'000));
    CHECK(outbox.next(kStart)->header.message_class == MessageClass::bulk);
    outbox.push(notice(MessageClass::consensus, 100));
    outbox.push(control(FrameType::cancel, 5));
    CHECK(outbox.next(kStart)->header.type == FrameType::cancel);
    CHECK(outbox.next(kStart)->header.message_class == MessageClass::consensus);
    const auto rest = outbox.next(kStart);
    CHECK(rest->header.message_class == MessageClass::bulk);
    CHECK(rest->header.chunk == 1);
}

TEST_CASE("interactive, data and bulk share 8:4:1") {
    Saturated s;
    s.classes = {MessageClass::interactive, MessageClass::data, MessageClass::bulk};
    auto sent = s.run(130'000'000, std::chrono::microseconds(10));
    CHECK(sent[MessageClass::interactive] == Approx(80'000'000).epsilon(0.02));
    CHECK(sent[MessageClass::data] == Approx(40'000'000).epsilon(0.02));
    CHECK(sent[MessageClass::bulk] == Approx(10'000'000).epsilon(0.02));
}

TEST_CASE("a class that stands alone gets everything") {
    Saturated s;
    s.classes = {MessageClass::bulk};
    auto sent = s.run(10'000'000, std::chrono::microseconds(10));
    CHECK(sent.size() == 1);
}

TEST_CASE("consensus takes four fifths of a saturated link and leaves one") {
    Saturated s;
    s.classes = {MessageClass::consensus, MessageClass::bulk};
    auto sent = s.run(100'000'000, std::chrono::microseconds(50));
    CHECK(sent[MessageClass::consensus] == Approx(80'000'000).epsilon(0.03));
    CHECK(sent[MessageClass::bulk] == Approx(20'000'000).epsilon(0.1));
}

TEST_CASE("a little consensus is always first, whatever else waits") {
    Saturated s;
    s.classes = {MessageClass::data, MessageClass::bulk};
    for (int round = 0; round < 200; ++round) {
        s.run(500'000, std::chrono::microseconds(60));
        s.outbox.push(notice(MessageClass::consensus, 2000));
        CHECK(s.outbox.next(s.time)->header.message_class == MessageClass::consensus);
    }
}

TEST_CASE("a full data queue refuses the message and counts it") {
    Outbox outbox;
    for (int at = 0; at < 8; ++at) CHECK(outbox.push(notice(MessageClass::data, 512 * 1024)) == Push::queued);
    CHECK(outbox.push(notice(MessageClass::data, 1)) == Push::full);
    CHECK(outbox.dropped(MessageClass::data) == 1);
    CHECK(outbox.push(notice(MessageClass::consensus, 1)) == Push::queued);
}

TEST_CASE("a full consensus queue drops its oldest notices, but not the one that is on its way") {
    Outbox outbox({.queued = {1000, 200'000, 1000, 1000, 1000}});
    outbox.push(notice(MessageClass::consensus, 100'000, 1));
    CHECK(outbox.next(kStart)->header.chunk == 0);
    outbox.push(notice(MessageClass::consensus, 100'000, 2));
    CHECK(outbox.push(notice(MessageClass::consensus, 100'000, 3)) == Push::queued);
    CHECK(outbox.dropped(MessageClass::consensus) == 1);
    CHECK(outbox.next(kStart)->header.method == 1);
    CHECK(outbox.next(kStart)->header.method == 3);
    CHECK(outbox.push(notice(MessageClass::consensus, 300'000)) == Push::full);
}

TEST_CASE("a full control queue ends the connection, and pings do not fill it") {
    Outbox outbox;
    for (std::uint64_t id = 1; id < 10'000; ++id)
        REQUIRE(outbox.push(control(FrameType::ping, id)) == Push::queued);
    std::uint64_t id = 1;
    for (std::uint64_t bytes = 1; bytes < 10'000; ++bytes)
        REQUIRE(outbox.push(control(FrameType::released, bytes)) == Push::queued);
    while (outbox.push(control(FrameType::cancel, id)) == Push::queued) ++id;
    CHECK(id > 2000);
    CHECK(outbox.push(control(FrameType::cancel, id)) == Push::overflow);
    const auto ping = outbox.next(kStart);
    CHECK(ping->header.type == FrameType::ping);
    CHECK(ping->header.request_id == 9999);
    const auto released = outbox.next(kStart);
    CHECK(released->header.type == FrameType::released);
    CHECK(released->header.request_id == 9999);
}

TEST_CASE("replies take turns, so a short one overtakes a long one") {
    Outbox outbox;
    outbox.push_part(part(1, 1'000'000), true);
    outbox.push_part(part(3, 1000), true);
    CHECK(outbox.next(kStart)->header.request_id == 1);
    const auto second = outbox.next(kStart);
    CHECK(second->header.request_id == 3);
    CHECK(second->header.last());
}

TEST_CASE("a reply given in parts is one message, also when it pauses between them") {
    Outbox outbox;
    outbox.push_part(part(1, 70'000), false);
    outbox.push_part(part(1, 10), false);
    std::vector<std::pair<std::uint32_t, std::size_t>> chunks;
    const auto drain = [&] {
        bool last = false;
        while (const auto slice = outbox.next(kStart)) {
            chunks.emplace_back(slice->header.chunk, slice->length);
            last = slice->header.last();
        }
        return last;
    };
    CHECK(!drain());
    CHECK(outbox.empty());
    outbox.push_part(part(1, 5), false);
    CHECK(!drain());
    OutMessage end = part(1, 0);
    end.body = nullptr;
    outbox.push_part(end, true);
    CHECK(drain());
    CHECK(chunks == std::vector<std::pair<std::uint32_t, std::size_t>>{
                        {0, 65536}, {1, 70'000 - 65536}, {2, 10}, {3, 5}, {4, 0}});
}

TEST_CASE("of a long reply only 256 KiB count against the queue") {
    Outbox outbox;
    for (std::uint64_t id = 1; id <= 8; ++id)
        CHECK(outbox.push_part(part(id, 1 << 20), true) == Push::queued);
    CHECK(outbox.push_part(part(9, 1 << 20), true) == Push::full);
    CHECK(outbox.dropped(MessageClass::interactive) == 1);
    // One goes, another comes.
    CHECK(outbox.remove(FrameType::response, MessageClass::interactive, 8) ==
          Outbox::Removed::before_it_began);
    CHECK(outbox.push_part(part(9, 1 << 20), true) == Push::queued);
}

TEST_CASE("a removed message leaves nothing behind, and says whether the peer has seen its beginning") {
    Outbox outbox;
    outbox.push_part(part(1, 200'000), true);
    CHECK(outbox.next(kStart)->header.chunk == 0);
    CHECK(outbox.remove(FrameType::response, MessageClass::interactive, 1) == Outbox::Removed::in_the_middle);
    CHECK(outbox.remove(FrameType::response, MessageClass::interactive, 1) == Outbox::Removed::nothing);
    CHECK(!outbox.next(kStart));
    CHECK(outbox.queued_bytes(MessageClass::interactive) == 0);
    outbox.push_part(part(3, 10), false);
    CHECK(outbox.next(kStart));
    CHECK(outbox.remove(FrameType::response, MessageClass::interactive, 3) == Outbox::Removed::in_the_middle);
}

TEST_CASE("bulk frames are compressed when that makes them smaller") {
    Outbox outbox;
    OutMessage message = part(1, 0, MessageClass::bulk);
    Bytes text;
    for (unsigned at = 0; at < 65536; ++at) text.push_back(static_cast<Byte>(at * at >> 8U & (at % 7)));
    message.body = std::make_shared<const Bytes>(text);
    message.compress = true;
    outbox.push_part(message, true);
    Bytes out;
    outbox.next(kStart)->append_to(out);
    CHECK(out.size() < 40'000);
    FrameReader reader;
    reader.feed(out);
    CHECK((*reader.next())->header.compressed());
}

TEST_CASE("the window of a peer shrinks while we stay behind, and grows again when we keep up") {
    ReceiveWindow window;
    const auto behind = [&](std::size_t left) {
        std::optional<std::size_t> changed;
        for (int read = 0; read < ReceiveWindow::kReadsBehind && !changed; ++read)
            changed = window.after_read(false, left);
        return changed;
    };
    const auto ahead = [&] {
        std::optional<std::size_t> changed;
        for (int read = 0; read < ReceiveWindow::kReadsAhead && !changed; ++read)
            changed = window.after_read(true, 0);
        return changed;
    };
    // Nothing changes for a peer that is read as fast as it writes, nor for one pause of ours.
    CHECK(!ahead());
    for (int read = 1; read < ReceiveWindow::kReadsBehind; ++read)
        CHECK(!window.after_read(false, 5'000'000));
    CHECK(!window.after_read(true, 0));
    CHECK(!window.after_read(false, 5'000'000));
    CHECK(!window.after_read(true, 0));
    // Half of what waits, then half again, and never less than two frames.
    CHECK(behind(1'600'000) == 800'000);
    CHECK(behind(1'600'000) == 400'000);
    CHECK(behind(300'000) == 150'000);
    CHECK(behind(140'000) == ReceiveWindow::kLeast);
    CHECK(!behind(140'000));
    // What is no more than that is no backlog.
    CHECK(!behind(ReceiveWindow::kLeast - 1));
    std::size_t expected = ReceiveWindow::kLeast;
    while (expected < ReceiveWindow::kMost) {
        expected *= 2;
        CHECK(ahead() == std::min(expected, ReceiveWindow::kMost));
    }
    CHECK(!ahead());
}

}  // namespace outbox_test
