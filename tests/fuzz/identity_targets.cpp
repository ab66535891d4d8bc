#include <openssl/asn1.h>
#include <openssl/obj_mac.h>
#include <openssl/x509v3.h>

#include "net/core/canonical.hpp"
#include "net/peers/peer_record.hpp"
#include "net/transport/certificate.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/net/tls_vectors.hpp"

// What a peer's TLS certificate may be.
namespace monodon::fuzz::identity_targets {

namespace {

using namespace net;

constexpr Time kNow{std::chrono::hours(24 * 365 * 55)};

std::array<Byte, 32> seed_of(Byte number) {
    std::array<Byte, 32> seed{};
    seed.fill(number);
    return seed;
}

void check_both(X509& certificate) {
    const auto claim = check_certificate(certificate, kNow);
    if (!claim) {
        MONODON_CHECK(!name(claim.error()).empty());
        return;
    }
    MONODON_CHECK(!claim->peer_id_text().empty());
    const auto peer = check_identity(*claim);
    if (!peer) {
        MONODON_CHECK(peer.error() == CertificateError::wrong_identity_type ||
                      peer.error() == CertificateError::bad_identity_signature);
        return;
    }
    MONODON_CHECK(claim->public_key == to_libp2p(peer->key()));
    MONODON_CHECK(peer->text() == claim->peer_id_text() && PeerId::parse(peer->text()) == *peer);
    IdentityClaim other = *claim;
    other.signed_message.push_back(0);
    MONODON_CHECK(!check_identity(other));
}

// ---- the whole certificate, in DER

void certificate_der(ByteView input) {
    const Byte* begin = input.data();
    const X509Handle certificate(d2i_X509(nullptr, &begin, static_cast<long>(input.size())));
    if (certificate) check_both(*certificate);
}

std::vector<Seed> der_seeds() {
    using namespace net::test;
    return {{"ed25519", *from_hex(kEd25519Vector)},
            {"ecdsa", *from_hex(kEcdsaVector)},
            {"secp256k1", *from_hex(kSecp256k1Vector)},
            {"invalid", *from_hex(kInvalidVector)}};
}

// ---- the extension, in a certificate that is otherwise without fault

/// An Ed25519 key that is always the same, so that every run makes the same certificate.
EVP_PKEY* certificate_key() {
    static const KeyHandle kKey(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed_of(3).data(), seed_of(3).size()));
    return kKey.get();
}

void add_extension(X509& certificate, const char* object_text, ByteView content, bool critical) {
    const ObjectHandle object(OBJ_txt2obj(object_text, 1));
    const OctetsHandle octets(ASN1_OCTET_STRING_new());
    MONODON_CHECK(ASN1_OCTET_STRING_set(octets.get(), content.data(), static_cast<int>(content.size())) == 1);
    const ExtensionHandle extension(
        X509_EXTENSION_create_by_OBJ(nullptr, object.get(), critical ? 1 : 0, octets.get()));
    MONODON_CHECK(extension && X509_add_ext(&certificate, extension.get(), -1) == 1);
}

X509Handle certificate_with(ByteView content, Byte flags) {
    X509Handle certificate(X509_new());
    MONODON_CHECK(X509_set_version(certificate.get(), X509_VERSION_3) == 1);
    MONODON_CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), 1) == 1);
    const std::time_t now = std::chrono::system_clock::to_time_t(kNow);
    MONODON_CHECK(ASN1_TIME_adj(X509_getm_notBefore(certificate.get()), now, -1, 0) != nullptr);
    MONODON_CHECK(ASN1_TIME_adj(X509_getm_notAfter(certificate.get()), now, 1, 0) != nullptr);
    MONODON_CHECK(X509_set_pubkey(certificate.get(), certificate_key()) == 1);
    add_extension(*certificate, kIdentityExtension, content, (flags & 1U) != 0);
    if ((flags & 2U) != 0) add_extension(*certificate, kIdentityExtension, content, false);
    if ((flags & 4U) != 0) add_extension(*certificate, "1.2.3.4", content, (flags & 8U) != 0);
    MONODON_CHECK(X509_sign(certificate.get(), certificate_key(), nullptr) > 0);
    return certificate;
}

void append_octets(Bytes& out, Byte tag, ByteView content) {
    out.push_back(tag);
    if (content.size() >= 0x100) {
        out.insert(out.end(), {0x82, static_cast<Byte>(content.size() >> 8U)});
    } else if (content.size() >= 0x80) {
        out.push_back(0x81);
    }
    out.push_back(static_cast<Byte>(content.size()));
    out.insert(out.end(), content.begin(), content.end());
}

Bytes signed_key(ByteView key, ByteView signature) {
    Bytes content;
    append_octets(content, 0x04, key);
    append_octets(content, 0x04, signature);
    Bytes sequence;
    append_octets(sequence, 0x30, content);
    return sequence;
}

/// Byte 0 says what else is in the certificate, the rest is the value of the extension.
void certificate_extension(ByteView input) {
    Cursor cursor(input);
    const Byte flags = cursor.u8();
    const ByteView content = cursor.rest();
    const X509Handle certificate = certificate_with(content, flags);
    const auto claim = check_certificate(*certificate, kNow);
    if ((flags & 2U) != 0) {
        MONODON_CHECK(!claim && claim.error() == CertificateError::no_identity);
    } else if ((flags & 12U) == 12U) {
        MONODON_CHECK(!claim);
    } else if (claim) {
        // DER has one form for each value.
        MONODON_CHECK(same(signed_key(claim->public_key, claim->signature), content));
    } else {
        MONODON_CHECK(claim.error() == CertificateError::no_identity);
    }
    check_both(*certificate);
}

std::vector<Seed> extension_seeds() {
    const KeyPair identity = KeyPair::from_seed(seed_of(5));
    const X509Handle empty = certificate_with({}, 0);
    Byte* info = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(empty.get()), &info);
    Bytes message = copy_of(as_bytes(kIdentityPrefix));
    message.insert(message.end(), info, info + size);
    OPENSSL_free(info);
    const Bytes key = to_libp2p(identity.public_key());
    const Bytes good = signed_key(key, identity.sign(message).bytes);
    const auto of = [](Byte flags, const Bytes& content) {
        Bytes input = {flags};
        input.insert(input.end(), content.begin(), content.end());
        return input;
    };
    return {{"good", of(0, good)},
            {"critical", of(1, good)},
            {"twice", of(2, good)},
            {"with-another", of(4, good)},
            {"other-signature", of(0, signed_key(key, Bytes(64, 1)))},
            {"long", of(0, signed_key(Bytes(300, 2), Bytes(128, 3)))},
            {"trailing", of(0, with_trailing(good))}};
}

// ---- what a peer signs about where it listens

const Digest kGenesis = sha256(as_bytes("genesis"));
constexpr std::size_t kRecordKey = 32;
constexpr std::size_t kRecordSignature = 64;

void check_record(ByteView bytes) {
    const auto record = PeerRecord::read(bytes, kGenesis, kNow);
    if (!record) {
        MONODON_CHECK(describe(record.error()) != "unknown");
        return;
    }
    MONODON_CHECK(same(record->bytes(), bytes) && bytes.size() <= kRecordBytesMax);
    MONODON_CHECK(!record->addresses().empty() && record->addresses().size() <= kRecordAddressesMax);
    MONODON_CHECK(record->role() != Role::client && record->peer().key().is_valid());
    MONODON_CHECK(record->issued() <= kNow + kRecordAheadMax && record->expires() > kNow);
    MONODON_CHECK(record->expires() - record->issued() <= kRecordLifeMax);
    std::vector<std::string> texts;
    for (const PeerAddress& address : record->addresses()) {
        MONODON_CHECK(address.text.size() <= kPeerAddressMax && address.port != 0);
        MONODON_CHECK(!network_group(address).empty() && !slot_group(address).empty());
        texts.push_back(address.text);
    }
    MONODON_CHECK(!PeerRecord::read(with_trailing(bytes), kGenesis, kNow));
    MONODON_CHECK(!PeerRecord::read(bytes, sha256({}), kNow));
    // One encoding: the same said again is the same bytes.
    if (record->expires() != record->issued() + kRecordLifeMax) return;
    const KeyPair key = KeyPair::from_seed(seed_of(5));
    if (record->peer() != key.peer_id()) return;
    const PeerRecord again =
        PeerRecord::sign(key, kGenesis, record->role(), record->sequence(), texts, record->issued());
    MONODON_CHECK(same(again.bytes(), bytes));
}

/// Also with the key and the signature of somebody who signs whatever it is.
void peer_record(ByteView input) {
    check_record(input);
    if (input.size() < kRecordKey + kRecordSignature) return;
    const KeyPair key = KeyPair::from_seed(seed_of(5));
    Bytes mended = copy_of(input);
    std::copy(key.public_key().bytes.begin(), key.public_key().bytes.end(), mended.begin());
    const ByteView body = ByteView(mended).first(mended.size() - kRecordSignature);
    const Signature signature = key.sign(CanonicalWriter("peer-record").fixed(body).view());
    std::copy(signature.bytes.begin(), signature.bytes.end(),
              mended.end() - static_cast<std::ptrdiff_t>(kRecordSignature));
    check_record(mended);
}

void peer_address(ByteView input) {
    const std::string_view text = as_text(input);
    const auto address = PeerAddress::parse(text);
    if (!address) return;
    MONODON_CHECK(address->text == text && text.size() <= kPeerAddressMax && address->port != 0);
    MONODON_CHECK(text.find(address->host) != std::string_view::npos);
    MONODON_CHECK(!address->is_v4() || address->ip);
    MONODON_CHECK(text.ends_with(":" + std::to_string(address->port)));
    const std::string whole = address->network(32, 128);
    MONODON_CHECK(!whole.empty() && !address->network(0, 0).empty());
    MONODON_CHECK(PeerAddress::parse(text)->network(32, 128) == whole);
}

std::vector<Seed> record_seeds() {
    const KeyPair key = KeyPair::from_seed(seed_of(5));
    const auto of = [&](Role role, const std::vector<std::string>& addresses) {
        return PeerRecord::sign(key, kGenesis, role, 7, addresses, kNow).bytes();
    };
    return {{"member", of(Role::member, {"127.0.0.1:7100"})},
            {"observer", of(Role::observer, {"[2001:db8::5]:7100", "v3.example:9", "10.1.2.3:7100"})}};
}

std::vector<Seed> address_seeds() {
    const auto of = [](std::string_view text) { return copy_of(as_bytes(text)); };
    return {{"four", of("203.0.113.7:7100")},      {"six", of("[2001:db8::5]:7100")},
            {"mapped", of("[::ffff:10.0.0.1]:1")}, {"name", of("validator-3.example:65535")},
            {"number", of("2130706433:80")},       {"octal", of("0177.0.0.1:80")}};
}

const Registration kIdentity{{
    {"peer_record", "one encoding, within its limits, of this chain and time, signed by its subject", 520,
     peer_record, record_seeds},
    {"peer_address", "one spelling; the port and the networks are those of the text", 100, peer_address,
     address_seeds},
    {"certificate_der", "an error with a name, or a peer whose key and name agree", 1024, certificate_der,
     der_seeds},
    {"certificate_extension",
     "only the one DER form of key and signature, once; the rest is refused as no identity", 700,
     certificate_extension, extension_seeds},
}};

}  // namespace

}  // namespace monodon::fuzz::identity_targets
