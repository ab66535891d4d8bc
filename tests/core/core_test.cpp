#include <catch2/catch.hpp>

#include "net/core/bytes.hpp"
#include "net/core/canonical.hpp"
#include "net/core/digest.hpp"
#include "net/core/keys.hpp"

using namespace monodon;

namespace {

PublicKey key_from_hex(std::string_view hex) { return *PublicKey::from(*from_hex(hex)); }

}  // namespace

TEST_CASE("hexadecimal is read strictly") {
    CHECK(to_hex(Bytes{0x00, 0xff, 0x1a}) == "00ff1a");
    CHECK(from_hex("00fF1a") == Bytes{0x00, 0xff, 0x1a});
    CHECK_FALSE(from_hex("0"));
    CHECK_FALSE(from_hex("0g"));
}

TEST_CASE("base58 keeps leading zeros and refuses letters outside the alphabet") {
    const Bytes bytes{0, 0, 1, 2, 255};
    CHECK(from_base58(to_base58(bytes)) == bytes);
    CHECK(to_base58(as_bytes("Hello World!")) == "2NEpo7TZRRrLZSi2U");
    CHECK_FALSE(from_base58("0OIl"));
    CHECK_FALSE(from_base58(std::string(129, '1')));
    CHECK(from_base58("") == Bytes{});
}

TEST_CASE("SHA-256 gives the published value and starts anew after finish") {
    Sha256 hasher;
    for (int round = 0; round < 2; ++round) {
        hasher.update(as_bytes("a"));
        hasher.update(as_bytes("bc"));
        CHECK(hasher.finish().hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
    CHECK(sha256({}).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_FALSE(Digest::parse("ba78"));
    CHECK(Digest::parse(sha256({}).hex()) == sha256({}));
}

TEST_CASE("canonical bytes are little-endian, fixed-width and length-prefixed") {
    CanonicalWriter writer("x");
    writer.u8(1).u16(2).u32(3).u64(4).text("ab").count(0);
    CHECK(to_hex(writer.view()) ==
          "0c0000006d6f6e6f646f6e2e782e7631"
          "01"
          "0200"
          "03000000"
          "0400000000000000"
          "02000000"
          "6162"
          "00000000");
    CHECK(CanonicalWriter().text("ab").text("c").view() != CanonicalWriter().text("a").text("bc").view());
}

TEST_CASE("a canonical reader fails once and for good, and never believes a count") {
    const Bytes bytes = CanonicalWriter().u16(7).bytes(as_bytes("xyz")).take();
    CanonicalReader reader(bytes);
    CHECK(reader.u16() == 7);
    CHECK(as_text(reader.bytes(3)) == "xyz");
    CHECK(reader.finished());
    CHECK(reader.u8() == 0);
    CHECK_FALSE(reader.ok());

    const Bytes four_billion{0xff, 0xff, 0xff, 0xff};
    CanonicalReader counts(four_billion);
    CHECK(counts.count(0xffffffff, 1) == 0);
    CHECK_FALSE(counts.ok());

    CanonicalReader longer(bytes);
    (void)longer.u16();
    CHECK(longer.bytes(2).empty());
    CHECK_FALSE(longer.ok());
}

TEST_CASE("a signature verifies under its key only") {
    const auto pair = KeyPair::from_seed({1});
    const auto other = KeyPair::from_seed({2});
    const Ed25519Verifier verifier;
    const auto signature = pair.sign(as_bytes("message"));
    CHECK(verifier.verify(pair.public_key(), as_bytes("message"), signature));
    CHECK_FALSE(verifier.verify(pair.public_key(), as_bytes("massage"), signature));
    CHECK_FALSE(verifier.verify(other.public_key(), as_bytes("message"), signature));
    CHECK(KeyPair::from_seed(pair.seed()).public_key() == pair.public_key());
    CHECK(KeyPair::generate().public_key() != KeyPair::generate().public_key());
}

TEST_CASE("keys of small order and non-canonical encodings are refused") {
    // The small-order points of the curve, in canonical and in non-canonical form.
    for (const auto* hex : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
        INFO(hex);
        CHECK_FALSE(key_from_hex(hex).is_valid());
        CHECK_FALSE(from_libp2p(to_libp2p(key_from_hex(hex))));
        CHECK_FALSE(Ed25519Verifier().verify(key_from_hex(hex), as_bytes("m"), Signature{}));
    }
    CHECK(KeyPair::from_seed({3}).public_key().is_valid());
}

TEST_CASE("peer ids are libp2p's") {
    const auto id = KeyPair::from_seed({4}).peer_id();
    CHECK(id.text().substr(0, 8) == "12D3KooW");
    CHECK(PeerId::parse(id.text()) == id);
    // The Ed25519 vector of the libp2p TLS specification.
    CHECK(PeerId::parse("12D3KooWM6CgA9iBFZmcYAHA6A2qvbAxqfkmrYiRQuz3XEsk4Ksv"));
    CHECK_FALSE(PeerId::parse("12D3KooWM6CgA9iBFZmcYAHA6A2qvbAxqfkmrYiRQuz3XEsk4Ksw0"));
    CHECK_FALSE(PeerId::parse(""));
    // An ECDSA and a secp256k1 identity of the same specification: valid libp2p names, never ours.
    CHECK_FALSE(PeerId::parse("QmfXbAwNjJLXfesgztEHe8HwgVDCMMpZ9Eax1HYq6hn9uE"));
    CHECK_FALSE(PeerId::parse("16Uiu2HAkutTMoTzDw1tCvSRtu6YoixJwS46S1ZFxW8hSx9fWHiPs"));
}
