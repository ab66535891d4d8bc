#pragma once

#include <string>
#include <vector>

#include "net/core/keys.hpp"
#include "net/transport/openssl_handles.hpp"

namespace monodon::net::test {

/// What to do wrong when making a certificate; nothing by default.
struct Forgery {
    long begins_in_seconds = -3600;
    long ends_in_seconds = 3600;
    /// "P-256", "P-384", "ED25519" or "RSA".
    std::string key_type = "P-256";
    bool leave_out_identity = false;
    bool two_identities = false;
    bool sign_other_key = false;
    bool trailing_bytes = false;
    bool critical_identity = false;
    bool unknown_critical_extension = false;
    bool unknown_extension = false;
    /// Signed with another key than the one in it.
    bool not_self_signed = false;
    /// Written over the type in the protobuf of the identity key.
    std::optional<Byte> identity_type = std::nullopt;
};

struct ForgedCertificate {
    X509Handle certificate;
    KeyHandle key;
};

/// A certificate by OpenSSL alone, independent of the code under test.
ForgedCertificate forge(const KeyPair& identity, const Forgery& forgery);

/// A TLS peer by OpenSSL alone, on memory, for the other side of a TlsSession.
class RawTls {
 public:
    struct Options {
        bool server = false;
        int version = TLS1_3_VERSION;
        /// In wire form; empty for none.
        std::string alpn = std::string("\x09") + "monodon/1";
        std::vector<X509*> chain = {};
        EVP_PKEY* key = nullptr;
        SSL_SESSION* resume = nullptr;
    };
    explicit RawTls(const Options& options);

    void feed(ByteView bytes);
    /// 1 done, 0 wants more, -1 failed.
    int handshake();
    Bytes output();
    Bytes read();
    void write(ByteView bytes);
    /// The number of the fatal alert that the other side sent, 0 for none.
    int alert_received() const { return alert_; }
    SSL* ssl() { return ssl_.get(); }

 private:
    void note_alert();

    ContextHandle context_;
    SslHandle ssl_;
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
    int alert_ = 0;
};

}  // namespace monodon::net::test
