#pragma once

#include <string>
#include <string_view>

#include "net/core/bytes.hpp"
#include "net/core/expected.hpp"
#include "net/core/keys.hpp"
#include "net/core/time.hpp"
#include "net/transport/openssl_handles.hpp"

namespace monodon::net {

/// Certificates after the libp2p TLS specification 1.0.0: self-signed with a key of their own, naming in an
/// extension the identity key that has signed that key.

enum class CertificateError : std::uint8_t {
    malformed,
    not_exactly_one,
    wrong_key_type,
    bad_self_signature,
    not_yet_valid,
    expired,
    unknown_critical_extension,
    no_identity,
    wrong_identity_type,
    bad_identity_signature,
    ourselves,
};
[[nodiscard]] std::string_view name(CertificateError error);

/// What the extension of a certificate says, before anybody has believed it.
struct IdentityClaim {
    /// The identity key in libp2p's protobuf form, of whatever type.
    Bytes public_key;
    Bytes signature;
    /// What the identity key must have signed.
    Bytes signed_message;

    /// The libp2p peer id of the key, of whatever type.
    [[nodiscard]] std::string peer_id_text() const;
};

/// Checks all of a certificate but the signature in its extension: key type (P-256 or Ed25519),
/// self-signature, dates, critical extensions, and that there is exactly one identity extension, well formed.
[[nodiscard]] Expected<IdentityClaim, CertificateError> check_certificate(X509& certificate, Time now);

/// The peer that the claim proves. Only Ed25519 identities are nodes.
[[nodiscard]] Expected<PeerId, CertificateError> check_identity(const IdentityClaim& claim);

struct OwnCertificate {
    X509Handle certificate;
    KeyHandle key;
    [[nodiscard]] Bytes der() const;
};

/// A fresh P-256 key and its certificate, valid from a day ago for a hundred years: it lives as long as the
/// process.
[[nodiscard]] OwnCertificate make_certificate(const Signer& identity, Time now);

/// The object identifier of the extension and the words before the key that is signed.
inline constexpr const char* kIdentityExtension = "1.3.6.1.4.1.53594.1.1";
inline constexpr std::string_view kIdentityPrefix = "libp2p-tls-handshake:";

}  // namespace monodon::net
