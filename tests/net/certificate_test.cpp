#include "net/transport/certificate.hpp"

#include <catch2/catch.hpp>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "net/transport/clock.hpp"
#include "tests/net/forge.hpp"
#include "tests/net/tls_vectors.hpp"

namespace certificate_test {

using namespace monodon;
using namespace monodon::net;
using namespace monodon::net::test;

namespace {

X509Handle from_der(const Bytes& der) {
    const Byte* begin = der.data();
    return X509Handle(d2i_X509(nullptr, &begin, static_cast<long>(der.size())));
}

IdentityClaim claim_of(const char* hex) {
    const X509Handle certificate = from_der(*from_hex(hex));
    REQUIRE(certificate);
    const auto claim = check_certificate(*certificate, now());
    REQUIRE(claim);
    return *claim;
}

CertificateError error_of(const Forgery& forgery) {
    const ForgedCertificate forged = forge(KeyPair::generate(), forgery);
    const auto claim = check_certificate(*forged.certificate, now());
    if (!claim) return claim.error();
    const auto peer = check_identity(*claim);
    REQUIRE(!peer);
    return peer.error();
}

/// An ECDSA identity signature, checked by OpenSSL alone: nodes refuse such identities before they look.
bool ecdsa_signature_holds(const IdentityClaim& claim, EVP_PKEY* key) {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key);
    const int result = EVP_DigestVerify(context, claim.signature.data(), claim.signature.size(),
                                        claim.signed_message.data(), claim.signed_message.size());
    EVP_MD_CTX_free(context);
    return result == 1;
}

}  // namespace

TEST_CASE("specification vector 1: an Ed25519 identity is a node") {
    const IdentityClaim claim = claim_of(kEd25519Vector);
    CHECK(claim.peer_id_text() == "12D3KooWJRSrypvnpHgc6ZAgyCni4KcSmbV7uGRaMw5LgMKT18fq");
    const auto peer = check_identity(claim);
    REQUIRE(peer);
    CHECK(peer->text() == claim.peer_id_text());
}

TEST_CASE("specification vector 2: the peer id of an ECDSA identity agrees, but it is no node") {
    const IdentityClaim claim = claim_of(kEcdsaVector);
    CHECK(claim.peer_id_text() == "QmZcrvr3r4S3QvwFdae3c2EWTfo792Y14UpzCZurhmiWeX");
    const Byte* der = claim.public_key.data() + 4;
    const KeyHandle key(d2i_PUBKEY(nullptr, &der, static_cast<long>(claim.public_key.size()) - 4));
    CHECK(ecdsa_signature_holds(claim, key.get()));
    const auto peer = check_identity(claim);
    REQUIRE(!peer);
    CHECK(peer.error() == CertificateError::wrong_identity_type);
}

TEST_CASE("specification vector 3: the peer id of a secp256k1 identity agrees, but it is no node") {
    const IdentityClaim claim = claim_of(kSecp256k1Vector);
    CHECK(claim.peer_id_text() == "16Uiu2HAm2dSCBFxuge46aEt7U1oejtYuBUZXxASHqmcfVmk4gsbx");
    const auto peer = check_identity(claim);
    REQUIRE(!peer);
    CHECK(peer.error() == CertificateError::wrong_identity_type);
}

TEST_CASE("specification vector 4: an identity that did not sign the key is refused") {
    const auto peer = check_identity(claim_of(kInvalidVector));
    REQUIRE(!peer);
    CHECK(peer.error() == CertificateError::bad_identity_signature);
}

TEST_CASE("our own certificate passes our own checks and names us") {
    const KeyPair identity = KeyPair::generate();
    const OwnCertificate own = make_certificate(identity, now());
    const X509Handle parsed = from_der(own.der());
    REQUIRE(parsed);
    const auto claim = check_certificate(*parsed, now());
    REQUIRE(claim);
    const auto peer = check_identity(*claim);
    REQUIRE(peer);
    CHECK(*peer == identity.peer_id());
    CHECK(claim->peer_id_text() == identity.peer_id().text());
    char object[64] = {};
    OBJ_obj2txt(object, sizeof object, X509_EXTENSION_get_object(X509_get_ext(parsed.get(), 0)), 1);
    CHECK(std::string(object) == "1.3.6.1.4.1.53594.1.1");
    CHECK(make_certificate(identity, now()).der() != own.der());
}

TEST_CASE("well-made certificates of other implementations are accepted") {
    for (const Forgery& fine : {Forgery{}, Forgery{.key_type = "ED25519"}, Forgery{.critical_identity = true},
                                Forgery{.unknown_extension = true}}) {
        const KeyPair identity = KeyPair::generate();
        const ForgedCertificate forged = forge(identity, fine);
        const auto claim = check_certificate(*forged.certificate, now());
        REQUIRE(claim);
        const auto peer = check_identity(*claim);
        REQUIRE(peer);
        CHECK(*peer == identity.peer_id());
    }
}

TEST_CASE("every fault of a certificate has its name") {
    CHECK(error_of({.begins_in_seconds = 600}) == CertificateError::not_yet_valid);
    CHECK(error_of({.ends_in_seconds = -600}) == CertificateError::expired);
    CHECK(error_of({.key_type = "P-384"}) == CertificateError::wrong_key_type);
    CHECK(error_of({.key_type = "RSA"}) == CertificateError::wrong_key_type);
    CHECK(error_of({.leave_out_identity = true}) == CertificateError::no_identity);
    CHECK(error_of({.two_identities = true}) == CertificateError::no_identity);
    CHECK(error_of({.sign_other_key = true}) == CertificateError::bad_identity_signature);
    CHECK(error_of({.trailing_bytes = true}) == CertificateError::no_identity);
    CHECK(error_of({.unknown_critical_extension = true}) == CertificateError::unknown_critical_extension);
    CHECK(error_of({.not_self_signed = true}) == CertificateError::bad_self_signature);
    CHECK(error_of({.identity_type = Byte{0}}) == CertificateError::wrong_identity_type);
    CHECK(error_of({.identity_type = Byte{2}}) == CertificateError::wrong_identity_type);
}

}  // namespace certificate_test
