#include "net/wire/frame.hpp"

#include <catch2/catch.hpp>

#include "net/wire/frame_reader.hpp"

using namespace monodon;
using namespace monodon::net;

namespace {

FrameHeader notice() {
    FrameHeader header;
    header.type = FrameType::notice;
    header.flags = kFlagLast;
    header.message_class = MessageClass::consensus;
    header.method = static_cast<std::uint16_t>(Method::vote);
    header.request_id = 7;
    header.length = 3;
    return header;
}

Expected<FrameHeader, FrameError> decoded(const FrameHeaderBytes& bytes) {
    return decode_frame_header(bytes);
}

/// What the reader says of a header with one byte changed.
FrameError error_with(std::size_t offset, Byte value) {
    FrameHeaderBytes bytes = encode(notice());
    bytes[offset] = value;
    const auto result = decoded(bytes);
    REQUIRE(!result);
    return result.error();
}

FrameError error_of(const FrameHeader& header) {
    const auto result = decoded(encode(header));
    REQUIRE(!result);
    return result.error();
}

Bytes frame_bytes(FrameHeader header, std::size_t length) {
    header.length = static_cast<std::uint32_t>(length);
    const FrameHeaderBytes head = encode(header);
    Bytes bytes(head.begin(), head.end());
    for (std::size_t at = 0; at < length; ++at) bytes.push_back(static_cast<Byte>(at * 7));
    return bytes;
}

}  // namespace

TEST_CASE("a frame header is 24 big-endian bytes in the order of the table") {
    FrameHeader header = notice();
    header.request_id = 0x0102030405060708;
    header.chunk = 0x090A0B0C;
    header.length = 0xABCD;
    header.flags = kFlagLast | kFlagZstd;
    CHECK(to_hex(encode(header)) ==
          "013003010002000001020304050607080"
          "90a0b0c0000abcd");
    CHECK(*decoded(encode(header)) == header);
}

TEST_CASE("every field of a frame header is refused when it is wrong") {
    CHECK(error_with(0, 0) == FrameError::bad_version);
    CHECK(error_with(0, 2) == FrameError::bad_version);
    CHECK(error_with(1, 0x00) == FrameError::unknown_type);
    CHECK(error_with(1, 0x31) == FrameError::unknown_type);
    CHECK(error_with(2, 0x05) == FrameError::bad_flags);
    CHECK(error_with(2, 0x81) == FrameError::bad_flags);
    CHECK(error_with(3, 5) == FrameError::bad_class);
    CHECK(error_with(3, 0) == FrameError::bad_field);
    CHECK(error_with(6, 1) == FrameError::reserved_bits);
    CHECK(error_with(7, 0x80) == FrameError::reserved_bits);
    CHECK(error_with(20, 0xFF) == FrameError::too_long);
    CHECK(error_with(21, 2) == FrameError::too_long);
}

TEST_CASE("a payload of 65,536 bytes is the longest") {
    FrameHeader header = notice();
    header.length = kFramePayloadMax;
    CHECK(decoded(encode(header)));
    header.length = kFramePayloadMax + 1;
    CHECK(error_of(header) == FrameError::too_long);
}

TEST_CASE("a message frame names its method and its id, and only its last chunk may be empty") {
    FrameHeader header = notice();
    header.method = 0;
    CHECK(error_of(header) == FrameError::bad_field);
    header = notice();
    header.request_id = 0;
    CHECK(error_of(header) == FrameError::bad_field);
    header = notice();
    header.length = 0;
    CHECK(decoded(encode(header)));
    header.flags = 0;
    CHECK(error_of(header) == FrameError::bad_field);
    header = notice();
    header.type = FrameType::request;
    header.flags |= kFlagZstd;
    CHECK(error_of(header) == FrameError::bad_field);
}

TEST_CASE("control frames are one chunk in the control class, with a payload that fits them") {
    FrameHeader ping;
    ping.type = FrameType::ping;
    CHECK(decoded(encode(ping)));
    FrameHeader wrong = ping;
    wrong.length = 1;
    CHECK(error_of(wrong) == FrameError::bad_field);
    wrong = ping;
    wrong.flags = 0;
    CHECK(error_of(wrong) == FrameError::bad_field);
    wrong = ping;
    wrong.chunk = 1;
    CHECK(error_of(wrong) == FrameError::bad_field);
    wrong = ping;
    wrong.message_class = MessageClass::bulk;
    CHECK(error_of(wrong) == FrameError::bad_field);
    wrong = ping;
    wrong.method = 1;
    CHECK(error_of(wrong) == FrameError::bad_field);

    FrameHeader hello;
    hello.type = FrameType::hello;
    hello.length = 4096;
    CHECK(decoded(encode(hello)));
    hello.length = 4097;
    CHECK(error_of(hello) == FrameError::bad_field);

    FrameHeader cancel;
    cancel.type = FrameType::cancel;
    CHECK(error_of(cancel) == FrameError::bad_field);
    cancel.request_id = 3;
    CHECK(decoded(encode(cancel)));
}

TEST_CASE("the frame reader yields the same frames however the bytes are cut") {
    Bytes stream;
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{500}, kFramePayloadMax}) {
        const Bytes frame = frame_bytes(notice(), length);
        stream.insert(stream.end(), frame.begin(), frame.end());
    }
    const std::size_t step = GENERATE(1, 23, 24, 25, 4096, 200000);
    FrameReader reader;
    std::vector<std::size_t> lengths;
    for (std::size_t at = 0; at < stream.size(); at += step) {
        reader.feed(ByteView(stream).subspan(at, std::min(step, stream.size() - at)));
        for (;;) {
            const auto frame = reader.next();
            REQUIRE(frame);
            if (!frame->has_value()) break;
            const ByteView payload = (*frame)->payload;
            lengths.push_back(payload.size());
            if (!payload.empty()) CHECK(payload.back() == static_cast<Byte>((payload.size() - 1) * 7));
        }
    }
    CHECK(lengths == std::vector<std::size_t>{0, 1, 500, kFramePayloadMax});
    CHECK(reader.pending() == 0);
}

TEST_CASE("the frame reader refuses a bad header before its payload arrives") {
    FrameReader reader;
    FrameHeaderBytes bytes = encode(notice());
    bytes[20] = 0xFF;
    reader.feed(bytes);
    const auto frame = reader.next();
    REQUIRE(!frame);
    CHECK(frame.error() == FrameError::too_long);
}

TEST_CASE("the frame reader can be read into without a copy") {
    const Bytes frame = frame_bytes(notice(), 40000);
    FrameReader reader;
    std::size_t at = 0;
    while (at < frame.size()) {
        CHECK(!reader.next()->has_value());
        const auto room = reader.prepare();
        const std::size_t bytes = std::min(room.size(), frame.size() - at);
        std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), bytes, room.begin());
        reader.commit(bytes);
        at += bytes;
    }
    const auto read = reader.next();
    REQUIRE(read->has_value());
    CHECK((*read)->payload.size() == 40000);
}

TEST_CASE("every method has one number, one name and limits within 16 MiB") {
    for (const MethodInfo& info : all_methods()) {
        CHECK(find_method(info.method) == &info);
        CHECK(parse_method(info.name) == info.method);
        CHECK(name(info.method) == info.name);
        CHECK(info.request_max <= kMessageBytesMax);
        CHECK(info.reply_max <= kMessageBytesMax);
        CHECK(!info.allows(MessageClass::control));
    }
    CHECK(find_method(std::uint16_t{9999}) == nullptr);
    CHECK(!parse_method("nonsense"));
    CHECK(find_method(Method::submit_transactions)->allows(Role::client));
    CHECK(!find_method(Method::get_batches)->allows(Role::client));
}
