#include "net/wire/assembler.hpp"

#include <catch2/catch.hpp>

#include "net/wire/compression.hpp"
#include "net/wire/request_head.hpp"

using namespace monodon;
using namespace monodon::net;

namespace {

constexpr std::size_t kMost = 1 << 20;

struct Chunk {
    Bytes payload;
    std::uint32_t number = 0;
    bool last = true;
    std::uint64_t id = 1;
    FrameType type = FrameType::notice;
    std::uint8_t flags = 0;
    std::uint16_t method = 4;

    [[nodiscard]] Frame frame() const {
        FrameHeader header;
        header.type = type;
        header.flags = static_cast<std::uint8_t>(flags | (last ? kFlagLast : 0));
        header.message_class = MessageClass::data;
        header.method = method;
        header.request_id = id;
        header.chunk = number;
        header.length = static_cast<std::uint32_t>(payload.size());
        return Frame{header, payload};
    }
};

struct Fixture {
    std::shared_ptr<MemoryBudget> budget = std::make_shared<MemoryBudget>(kMost);
    MessageAssembler assembler{budget};

    std::optional<Message> take(const Chunk& chunk, std::size_t most = kMost) {
        auto result = assembler.add(chunk.frame(), most);
        REQUIRE(result);
        return std::move(*result);
    }
    AssemblyError refuse(const Chunk& chunk, std::size_t most = kMost) {
        const auto result = assembler.add(chunk.frame(), most);
        REQUIRE(!result);
        return result.error();
    }
};

Bytes with_head(Duration deadline, std::uint32_t declared, const Bytes& body) {
    const RequestHeadBytes head = encode(RequestHead{deadline, declared});
    Bytes bytes(head.view().begin(), head.view().end());
    bytes.insert(bytes.end(), body.begin(), body.end());
    return bytes;
}

}  // namespace

TEST_CASE("chunks of many messages may be interleaved") {
    Fixture f;
    CHECK(!f.take({.payload = {1}, .number = 0, .last = false, .id = 1}));
    CHECK(!f.take({.payload = {9}, .number = 0, .last = false, .id = 2}));
    CHECK(!f.take({.payload = {2}, .number = 1, .last = false, .id = 1}));
    const auto second = f.take({.payload = {8}, .number = 1, .last = true, .id = 2});
    REQUIRE(second);
    CHECK(*second->body == Bytes{9, 8});
    const auto first = f.take({.payload = {}, .number = 2, .last = true, .id = 1});
    REQUIRE(first);
    CHECK(*first->body == Bytes{1, 2});
    CHECK(first->id == 1);
    CHECK(f.assembler.unfinished() == 0);
}

TEST_CASE("a chunk must continue its message") {
    Fixture f;
    CHECK(f.refuse({.payload = {1}, .number = 1}) == AssemblyError::out_of_order);
    CHECK(!f.take({.payload = {1}, .number = 0, .last = false}));
    CHECK(f.refuse({.payload = {1}, .number = 2}) == AssemblyError::out_of_order);
    CHECK(f.refuse({.payload = {1}, .number = 0}) == AssemblyError::out_of_order);
    CHECK(f.refuse({.payload = {1}, .number = 1, .method = 5}) == AssemblyError::out_of_order);
}

TEST_CASE("a message larger than its method allows is refused at the chunk that exceeds it") {
    Fixture f;
    CHECK(!f.take({.payload = Bytes(60000), .number = 0, .last = false}, 100000));
    CHECK(f.refuse({.payload = Bytes(60000), .number = 1, .last = false}, 100000) ==
          AssemblyError::too_large);
    CHECK(f.take({.payload = Bytes(40000), .id = 2}, 40000));
    CHECK(f.refuse({.payload = Bytes(40001), .id = 3}, 40000) == AssemblyError::too_large);
}

TEST_CASE("unfinished messages are limited in number") {
    Fixture f;
    for (std::uint64_t id = 1; id <= MessageAssembler::kUnfinishedMax; ++id) {
        CHECK(!f.take({.payload = {1}, .number = 0, .last = false, .id = id}));
    }
    CHECK(f.refuse({.payload = {1}, .number = 0, .last = false, .id = 1000}) ==
          AssemblyError::too_many_unfinished);
    CHECK(f.take({.payload = {1}, .id = 1001}));
    f.assembler.drop(FrameType::notice, 1);
    CHECK(!f.take({.payload = {1}, .number = 0, .last = false, .id = 1000}));
}

TEST_CASE("unfinished messages are limited in bytes, and give them back") {
    Fixture f;
    for (std::uint64_t id = 1; id <= 16; ++id) {
        CHECK(!f.take({.payload = Bytes(65536), .number = 0, .last = false, .id = id}));
    }
    CHECK(f.budget->used() == kMost);
    CHECK(f.refuse({.payload = {1}, .number = 0, .last = false, .id = 100}) == AssemblyError::out_of_memory);
    f.assembler.drop(FrameType::notice, 1);
    CHECK(f.budget->used() == kMost - 65536);
    {
        const auto message = f.take({.payload = Bytes(100), .id = 101});
        REQUIRE(message);
        CHECK(f.budget->used() == kMost - 65536 + 100);
    }
    CHECK(f.budget->used() == kMost - 65536);
}

TEST_CASE("a budget above is charged as well and refuses for all below it") {
    const auto above = std::make_shared<MemoryBudget>(100);
    const auto left = std::make_shared<MemoryBudget>(80, above);
    const auto right = std::make_shared<MemoryBudget>(80, above);
    Reservation a(left);
    Reservation b(right);
    CHECK(a.grow(80));
    CHECK(!a.grow(1));
    CHECK(!b.grow(21));
    CHECK(b.grow(20));
    CHECK(above->used() == 100);
    a = Reservation(left);
    CHECK(above->used() == 20);
}

TEST_CASE("memory grows with the bytes received, not with the bytes a request declares") {
    Fixture f;
    const Bytes start = with_head(std::chrono::seconds(1), 900000, Bytes(1000));
    CHECK(!f.take({.payload = start, .number = 0, .last = false, .type = FrameType::request}));
    CHECK(f.budget->used() == 1000);
}

TEST_CASE("a request carries its deadline, and its body is exactly as long as it says") {
    Fixture f;
    const auto request = [](const Bytes& payload, bool last = true, std::uint32_t number = 0) {
        return Chunk{.payload = payload, .number = number, .last = last, .type = FrameType::request};
    };
    const auto whole = f.take(request(with_head(std::chrono::milliseconds(1500), 3, {1, 2, 3})));
    REQUIRE(whole);
    CHECK(*whole->body == Bytes{1, 2, 3});
    CHECK(whole->deadline == std::chrono::milliseconds(1500));

    CHECK(f.refuse(request(with_head(std::chrono::seconds(31), 0, {}))) == AssemblyError::bad_head);
    CHECK(f.refuse(request(with_head(std::chrono::seconds(1), 4, {1, 2, 3}))) == AssemblyError::bad_head);
    CHECK(f.refuse(request(with_head(std::chrono::seconds(1), 2, {1, 2, 3}))) == AssemblyError::bad_head);
    CHECK(f.refuse(request(with_head(std::chrono::seconds(1), 2, {1, 2}), false)) == AssemblyError::bad_head);
    CHECK(f.refuse(request(with_head(std::chrono::seconds(1), kMost + 1, {}), false)) ==
          AssemblyError::too_large);
    CHECK(f.refuse(request({})) == AssemblyError::bad_head);
    CHECK(f.refuse(request({0x92})) == AssemblyError::bad_head);
    CHECK(f.refuse(request({0x93, 1, 0xC4, 0, 0})) == AssemblyError::bad_head);
    CHECK(f.refuse(request({0x92, 0xC0, 0xC4, 0})) == AssemblyError::bad_head);
    CHECK(f.refuse(request({0x92, 1, 0xC4})) == AssemblyError::bad_head);
    CHECK(f.refuse(request({0x92, 1, 0xA0})) == AssemblyError::bad_head);
}

TEST_CASE("request heads in shorter forms are understood") {
    std::size_t size = 0;
    const auto short_form = decode_request_head(Bytes{0x92, 0x05, 0xC4, 0x02, 1, 2}, size);
    REQUIRE(short_form);
    CHECK(size == 4);
    CHECK(short_form->deadline == std::chrono::milliseconds(5));
    CHECK(short_form->body_bytes == 2);
    const auto middle = decode_request_head(Bytes{0x92, 0xCD, 0x03, 0xE8, 0xC5, 0x01, 0x00}, size);
    REQUIRE(middle);
    CHECK(middle->deadline == std::chrono::seconds(1));
    CHECK(middle->body_bytes == 256);
}

TEST_CASE("compressed chunks are made plain one by one, within the limit of the message") {
    Fixture f;
    Bytes text;
    for (unsigned at = 0; at < 65536; ++at) text.push_back(static_cast<Byte>(at * at >> 8U & (at % 7)));
    const auto compressed = compress_chunk(text);
    REQUIRE(compressed);
    CHECK(!f.take({.payload = *compressed, .number = 0, .last = false, .flags = kFlagZstd}));
    const auto whole = f.take({.payload = {1}, .number = 1});
    REQUIRE(whole);
    CHECK(whole->body->size() == 65537);
    CHECK(f.refuse({.payload = *compressed, .id = 2, .flags = kFlagZstd}, 60000) ==
          AssemblyError::bad_compression);
    CHECK(f.refuse({.payload = text, .id = 3, .flags = kFlagZstd}) == AssemblyError::bad_compression);
}
