#include "net/wire/pack.hpp"

#include <catch2/catch.hpp>

#include "net/wire/compression.hpp"

using namespace monodon;
using namespace monodon::net;

namespace {

PackReader opened(ByteView bytes) {
    auto reader = PackReader::open(bytes);
    REQUIRE(reader);
    return *reader;
}

PackReader opened_hex(std::string_view hex) {
    static Bytes bytes;
    bytes = *from_hex(hex);
    return opened(bytes);
}

PackError refused(std::string_view hex) {
    const Bytes bytes = *from_hex(hex);
    const auto reader = PackReader::open(bytes);
    REQUIRE(!reader);
    return reader.error();
}

}  // namespace

TEST_CASE("what is packed is read back") {
    const std::string long_text(300, 't');
    const Bytes long_bin(70000, 9);
    PackWriter writer;
    writer.array(12)
        .u64(0)
        .u64(127)
        .u64(128)
        .u64(65536)
        .u64(~std::uint64_t{0})
        .i64(-1)
        .i64(-40000)
        .boolean(true);
    writer.nil().text(long_text).bin(long_bin);
    writer.array(2).text("a").digest(sha256(as_bytes("x")));
    const Bytes bytes = writer.take();

    PackReader reader = opened(bytes);
    reader.array(12);
    CHECK(reader.u64() == 0);
    CHECK(reader.u8() == 127);
    CHECK(reader.u16() == 128);
    CHECK(reader.u32() == 65536);
    CHECK(reader.u64() == ~std::uint64_t{0});
    CHECK(reader.i64() == -1);
    CHECK(reader.i64() == -40000);
    CHECK(reader.boolean());
    CHECK(reader.nil());
    CHECK(reader.text(300) == long_text);
    CHECK(reader.bin(70000).size() == 70000);
    reader.array(2);
    CHECK(reader.text(1) == "a");
    CHECK(reader.digest() == sha256(as_bytes("x")));
    CHECK(reader.finished());
}

TEST_CASE("every signed width is read with its sign") {
    for (const std::int64_t value :
         {INT64_MIN, std::int64_t{INT32_MIN}, std::int64_t{INT16_MIN}, std::int64_t{INT8_MIN},
          std::int64_t{-33}, std::int64_t{-32}, std::int64_t{5}, INT64_MAX}) {
        PackWriter writer;
        writer.i64(value);
        const Bytes bytes = writer.take();
        PackReader reader = opened(bytes);
        CHECK(reader.i64() == value);
        CHECK(reader.finished());
    }
}

TEST_CASE("maps, extensions and floats are refused wherever they stand") {
    CHECK(refused("80") == PackError::forbidden_type);                    // {}
    CHECK(refused("9181c0c0") == PackError::forbidden_type);              // [{nil: nil}]
    CHECK(refused("d40102") == PackError::forbidden_type);                // fixext 1
    CHECK(refused("91c70101ff") == PackError::forbidden_type);            // [ext 8]
    CHECK(refused("ca3f800000") == PackError::forbidden_type);            // float 32
    CHECK(refused("91cb3ff0000000000000") == PackError::forbidden_type);  // [float 64]
}

TEST_CASE("a payload is exactly one whole value") {
    CHECK(refused("") == PackError::malformed);
    CHECK(refused("c1") == PackError::malformed);      // never used
    CHECK(refused("9201") == PackError::malformed);    // one item of two
    CHECK(refused("c4ff00") == PackError::malformed);  // 1 byte of 255
    CHECK(refused("0102") == PackError::malformed);    // trailing bytes
}

TEST_CASE("sixteen arrays may be nested, seventeen may not") {
    std::string hex;
    for (int depth = 0; depth < 15; ++depth) hex += "91";
    CHECK(PackReader::open(*from_hex(hex + "90")));
    CHECK(refused(hex + "9190") == PackError::too_deep);
    std::string deep;
    for (int depth = 0; depth < 100000; ++depth) deep += "91";
    CHECK(refused(deep) == PackError::too_deep);
}

TEST_CASE("a declared count costs nothing and is refused") {
    CHECK(refused("ddffffffff") == PackError::too_many_items);
    CHECK(refused("dc000a01") == PackError::malformed);
    Bytes empty_arrays = *from_hex("dd00030d40");
    empty_arrays.resize(5 + 200000, 0x90);
    const auto reader = PackReader::open(empty_arrays);
    REQUIRE(!reader);
    CHECK(reader.error() == PackError::too_many_items);
}

TEST_CASE("a value of another type fails the reader for good") {
    SECTION("nil where an integer belongs") {
        PackReader reader = opened_hex("92c005");
        reader.array(2);
        CHECK(reader.u64() == 0);
        CHECK(!reader.ok());
        CHECK(reader.u64() == 0);
        CHECK(!reader.finished());
    }
    SECTION("a negative number where a positive belongs") {
        PackReader reader = opened_hex("ff");
        reader.u64();
        CHECK(!reader.ok());
    }
    SECTION("text where binary belongs") {
        PackReader reader = opened_hex("a161");
        CHECK(reader.bin(10).empty());
        CHECK(!reader.ok());
    }
    SECTION("binary where text belongs") {
        PackReader reader = opened_hex("c40161");
        CHECK(reader.text(10).empty());
        CHECK(!reader.ok());
    }
    SECTION("an integer where an array belongs") {
        PackReader reader = opened_hex("01");
        reader.array(1);
        CHECK(!reader.ok());
    }
    SECTION("an integer where a boolean belongs") {
        PackReader reader = opened_hex("01");
        CHECK(!reader.boolean());
        CHECK(!reader.ok());
    }
}

TEST_CASE("limits hold on numbers, lengths and counts") {
    SECTION("a number above its limit") {
        PackReader reader = opened_hex("cd0100");
        reader.u8();
        CHECK(!reader.ok());
    }
    SECTION("a binary longer than its limit") {
        PackReader reader = opened_hex("c403010203");
        reader.bin(2);
        CHECK(!reader.ok());
    }
    SECTION("a key of the wrong size") {
        PackReader reader = opened_hex("c403010203");
        CHECK(reader.fixed(4).empty());
        CHECK(!reader.ok());
    }
    SECTION("an array longer than its limit") {
        PackReader reader = opened_hex("93010203");
        CHECK(reader.array_between(0, 2) == 0);
        CHECK(!reader.ok());
    }
}

TEST_CASE("arrays have exactly the size that is read") {
    PackReader more = opened_hex("93010203");
    more.array(2);
    CHECK(!more.ok());
    PackReader unread = opened_hex("920102");
    unread.array(2);
    CHECK(unread.u64() == 1);
    CHECK(unread.ok());
    CHECK(!unread.finished());
}

TEST_CASE("a hello reader ignores what follows the fields it knows") {
    PackReader reader = opened_hex("960192020393c2c0a17a05c40100d1ff00");
    CHECK(reader.array_between(1, 100) == 6);
    CHECK(reader.u64() == 1);
    reader.skip_rest();
    CHECK(reader.finished());
}

TEST_CASE("skipping takes one value with all that is in it") {
    PackReader reader = opened_hex("9392019005a161");
    reader.array(3);
    reader.skip();
    CHECK(reader.ok());
    reader.skip();
    CHECK(reader.u64() == 0);
    CHECK(!reader.ok());
}

TEST_CASE("a compressed chunk becomes what it was") {
    Bytes chunk;
    for (unsigned at = 0; at < 65536; ++at) chunk.push_back(static_cast<Byte>(at * at >> 8U & (at % 7)));
    const auto compressed = compress_chunk(chunk);
    REQUIRE(compressed);
    Bytes out = {1, 2, 3};
    REQUIRE(decompress_chunk(*compressed, 65536, out));
    CHECK(Bytes(out.begin() + 3, out.end()) == chunk);
    out.clear();
    CHECK(!decompress_chunk(*compressed, 65535, out));
    CHECK(out.empty());
}

TEST_CASE("what does not get smaller is not compressed") {
    Bytes noise;
    Digest seed;
    while (noise.size() < 10000) {
        seed = sha256(seed.bytes);
        noise.insert(noise.end(), seed.bytes.begin(), seed.bytes.end());
    }
    CHECK(!compress_chunk(noise));
}

TEST_CASE("a compression bomb is refused by its stated size") {
    // A zstd frame of 1 MiB of zeros, made with the reference tool: 64 bytes or less.
    const Bytes zeros(1 << 20, 0);
    CHECK(!compress_chunk(zeros));  // ours would break the ratio, so it is never sent
    // The magic number, a single segment with an 8-byte content size of 2^40, and an empty last block.
    const Bytes bomb = *from_hex("28b52ffde00000000000010000010000");
    Bytes out;
    CHECK(!decompress_chunk(bomb, 1 << 20, out));
    // The same frame stating 64 times its 16 bytes and one more.
    const Bytes above_ratio = *from_hex("28b52ffde00104000000000000010000");
    CHECK(!decompress_chunk(above_ratio, 1 << 20, out));
    CHECK(!decompress_chunk(*from_hex("00112233"), 100, out));
    CHECK(out.empty());
}

TEST_CASE("a compressed chunk that lies about its size or has a tail is refused") {
    Bytes text;
    for (int at = 0; at < 3000; ++at)
        text.push_back(static_cast<Byte>("monodon narwhal"[at % 15] + at / 300));
    auto compressed = compress_chunk(text);
    REQUIRE(compressed);
    Bytes out;
    compressed->push_back(0);
    CHECK(!decompress_chunk(*compressed, 65536, out));
    compressed->pop_back();
    compressed->pop_back();
    CHECK(!decompress_chunk(*compressed, 65536, out));
    CHECK(out.empty());
}
