#include "net/transport/certificate.hpp"

#include <algorithm>
#include <optional>

#include <openssl/asn1.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "net/core/check.hpp"
#include "net/core/digest.hpp"

namespace monodon::net {

namespace {

constexpr Byte kSequence = 0x30;
constexpr Byte kOctetString = 0x04;
constexpr std::chrono::hours kBackdated{24};
constexpr long kLifetimeDays = 36500;
/// Longer keys are named by their hash (libp2p peer id specification).
constexpr std::size_t kInlineKeyMax = 42;

Bytes public_key_info(X509& certificate) {
    Byte* out = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &out);
    MONODON_CHECK(size > 0);
    Bytes bytes(out, out + size);
    OPENSSL_free(out);
    return bytes;
}

Bytes signed_message(X509& certificate) {
    const ByteView prefix = as_bytes(kIdentityPrefix);
    Bytes message(prefix.begin(), prefix.end());
    const Bytes info = public_key_info(certificate);
    message.insert(message.end(), info.begin(), info.end());
    return message;
}

/// Takes one DER element off the input: lengths of up to two bytes, in their shortest form only.
std::optional<ByteView> take_element(ByteView& input, Byte tag) {
    if (input.size() < 2 || input[0] != tag) return std::nullopt;
    std::size_t head = 2;
    std::size_t length = input[1];
    if (length == 0x81 && input.size() >= 3 && input[2] >= 0x80) {
        head = 3;
        length = input[2];
    } else if (length == 0x82 && input.size() >= 4 && input[2] != 0) {
        head = 4;
        length = static_cast<std::size_t>(input[2]) << 8U | input[3];
    } else if (length >= 0x80) {
        return std::nullopt;
    }
    if (input.size() < head + length) return std::nullopt;
    const ByteView content = input.subspan(head, length);
    input = input.subspan(head + length);
    return content;
}

void append_element(Bytes& out, Byte tag, ByteView content) {
    out.push_back(tag);
    if (content.size() >= 0x80) {
        MONODON_CHECK(content.size() <= 0xFF);
        out.push_back(0x81);
    }
    out.push_back(static_cast<Byte>(content.size()));
    out.insert(out.end(), content.begin(), content.end());
}

/// SEQUENCE { OCTET STRING key, OCTET STRING signature } and nothing after it.
bool parse_signed_key(ByteView input, IdentityClaim& claim) {
    auto sequence = take_element(input, kSequence);
    if (!sequence || !input.empty()) return false;
    const auto key = take_element(*sequence, kOctetString);
    const auto signature = take_element(*sequence, kOctetString);
    if (!key || !signature || !sequence->empty()) return false;
    claim.public_key.assign(key->begin(), key->end());
    claim.signature.assign(signature->begin(), signature->end());
    return true;
}

std::optional<CertificateError> check_extensions(X509& certificate, IdentityClaim& claim) {
    const ObjectHandle wanted(OBJ_txt2obj(kIdentityExtension, 1));
    int found = 0;
    for (int at = 0; at < X509_get_ext_count(&certificate); ++at) {
        X509_EXTENSION* extension = X509_get_ext(&certificate, at);
        if (OBJ_cmp(X509_EXTENSION_get_object(extension), wanted.get()) != 0) {
            if (X509_EXTENSION_get_critical(extension) != 0)
                return CertificateError::unknown_critical_extension;
            continue;
        }
        const ASN1_OCTET_STRING* data = X509_EXTENSION_get_data(extension);
        const ByteView bytes(ASN1_STRING_get0_data(data), static_cast<std::size_t>(ASN1_STRING_length(data)));
        if (++found > 1 || !parse_signed_key(bytes, claim)) return CertificateError::no_identity;
    }
    if (found == 0) return CertificateError::no_identity;
    return std::nullopt;
}

std::optional<CertificateError> check_self_signature(X509& certificate) {
    EVP_PKEY* key = X509_get0_pubkey(&certificate);
    if (key == nullptr) return CertificateError::malformed;
    const int algorithm = X509_get_signature_nid(&certificate);
    if (EVP_PKEY_get_id(key) == EVP_PKEY_ED25519) {
        if (algorithm != NID_ED25519) return CertificateError::bad_self_signature;
    } else if (EVP_PKEY_get_id(key) == EVP_PKEY_EC) {
        char group[32] = {};
        std::size_t size = 0;
        // A curve given by its parameters instead of its name has no group name.
        if (EVP_PKEY_get_group_name(key, group, sizeof group, &size) != 1 ||
            std::string_view(group) != SN_X9_62_prime256v1) {
            return CertificateError::wrong_key_type;
        }
        if (algorithm != NID_ecdsa_with_SHA256) return CertificateError::bad_self_signature;
    } else {
        return CertificateError::wrong_key_type;
    }
    if (X509_verify(&certificate, key) != 1) return CertificateError::bad_self_signature;
    return std::nullopt;
}

std::optional<CertificateError> check_dates(X509& certificate, Time now) {
    // The comparison gives 0 for a date that cannot be read.
    std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    if (X509_cmp_time(X509_get0_notBefore(&certificate), &seconds) >= 0)
        return CertificateError::not_yet_valid;
    if (X509_cmp_time(X509_get0_notAfter(&certificate), &seconds) <= 0) return CertificateError::expired;
    return std::nullopt;
}

void add_identity(X509& certificate, const Signer& identity) {
    const Bytes key = to_libp2p(identity.public_key());
    const Signature signature = identity.sign(signed_message(certificate));
    Bytes content;
    append_element(content, kOctetString, key);
    append_element(content, kOctetString, signature.bytes);
    Bytes sequence;
    append_element(sequence, kSequence, content);

    const ObjectHandle object(OBJ_txt2obj(kIdentityExtension, 1));
    const OctetsHandle octets(ASN1_OCTET_STRING_new());
    MONODON_CHECK(ASN1_OCTET_STRING_set(octets.get(), sequence.data(), static_cast<int>(sequence.size())) ==
                  1);
    const ExtensionHandle extension(X509_EXTENSION_create_by_OBJ(nullptr, object.get(), 0, octets.get()));
    MONODON_CHECK(extension && X509_add_ext(&certificate, extension.get(), -1) == 1);
}

}  // namespace

std::string IdentityClaim::peer_id_text() const {
    Bytes multihash;
    if (public_key.size() <= kInlineKeyMax) {
        multihash = {0x00, static_cast<Byte>(public_key.size())};
        multihash.insert(multihash.end(), public_key.begin(), public_key.end());
    } else {
        const Digest digest = sha256(public_key);
        multihash = {0x12, 32};
        multihash.insert(multihash.end(), digest.bytes.begin(), digest.bytes.end());
    }
    return to_base58(multihash);
}

Expected<IdentityClaim, CertificateError> check_certificate(X509& certificate, Time now) {
    IdentityClaim claim;
    if (const auto error = check_dates(certificate, now)) return Unexpected{*error};
    if (const auto error = check_extensions(certificate, claim)) return Unexpected{*error};
    if (const auto error = check_self_signature(certificate)) return Unexpected{*error};
    claim.signed_message = signed_message(certificate);
    return claim;
}

Expected<PeerId, CertificateError> check_identity(const IdentityClaim& claim) {
    const auto key = from_libp2p(claim.public_key);
    if (!key) return Unexpected{CertificateError::wrong_identity_type};
    Signature signature;
    if (claim.signature.size() != signature.bytes.size()) {
        return Unexpected{CertificateError::bad_identity_signature};
    }
    std::copy(claim.signature.begin(), claim.signature.end(), signature.bytes.begin());
    if (!Ed25519Verifier().verify(*key, claim.signed_message, signature)) {
        return Unexpected{CertificateError::bad_identity_signature};
    }
    return PeerId(*key);
}

Bytes OwnCertificate::der() const {
    Byte* out = nullptr;
    const int size = i2d_X509(certificate.get(), &out);
    MONODON_CHECK(size > 0);
    Bytes bytes(out, out + size);
    OPENSSL_free(out);
    return bytes;
}

OwnCertificate make_certificate(const Signer& identity, Time now) {
    OwnCertificate own{X509Handle(X509_new()), KeyHandle(EVP_EC_gen(SN_X9_62_prime256v1))};
    X509* certificate = own.certificate.get();
    MONODON_CHECK(own.certificate && own.key);
    MONODON_CHECK(X509_set_version(certificate, X509_VERSION_3) == 1);

    std::uint64_t serial = 0;
    MONODON_CHECK(RAND_bytes(reinterpret_cast<Byte*>(&serial), sizeof serial) == 1);
    MONODON_CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1U | 1U) == 1);

    const auto* name = reinterpret_cast<const Byte*>("monodon");
    X509_NAME* subject = X509_get_subject_name(certificate);
    MONODON_CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0) == 1);
    MONODON_CHECK(X509_set_issuer_name(certificate, subject) == 1);

    const std::time_t begin = std::chrono::system_clock::to_time_t(now - kBackdated);
    MONODON_CHECK(ASN1_TIME_adj(X509_getm_notBefore(certificate), begin, 0, 0) != nullptr);
    MONODON_CHECK(ASN1_TIME_adj(X509_getm_notAfter(certificate), begin, kLifetimeDays, 0) != nullptr);

    MONODON_CHECK(X509_set_pubkey(certificate, own.key.get()) == 1);
    add_identity(*certificate, identity);
    MONODON_CHECK(X509_sign(certificate, own.key.get(), EVP_sha256()) > 0);
    return own;
}

std::string_view name(CertificateError error) {
    switch (error) {
        case CertificateError::malformed:
            return "malformed certificate";
        case CertificateError::not_exactly_one:
            return "not exactly one certificate";
        case CertificateError::wrong_key_type:
            return "certificate key is neither P-256 nor Ed25519";
        case CertificateError::bad_self_signature:
            return "certificate is not signed by its own key";
        case CertificateError::not_yet_valid:
            return "certificate is not valid yet";
        case CertificateError::expired:
            return "certificate has expired";
        case CertificateError::unknown_critical_extension:
            return "certificate has an unknown critical extension";
        case CertificateError::no_identity:
            return "certificate names no identity";
        case CertificateError::wrong_identity_type:
            return "identity is not a valid Ed25519 key";
        case CertificateError::bad_identity_signature:
            return "certificate is not signed by the identity it names";
        case CertificateError::ourselves:
            return "certificate names ourselves";
    }
    return "bad certificate";
}

}  // namespace monodon::net
