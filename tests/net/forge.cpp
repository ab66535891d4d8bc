#include "tests/net/forge.hpp"

#include <catch2/catch.hpp>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "net/transport/certificate.hpp"

namespace monodon::net::test {

namespace {

KeyHandle make_key(const std::string& type) {
    if (type == "ED25519") return KeyHandle(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    if (type == "RSA") {
        // Slow to make, and never used for anything but to be refused.
        static const KeyHandle made(EVP_RSA_gen(2048));
        EVP_PKEY_up_ref(made.get());
        return KeyHandle(made.get());
    }
    return KeyHandle(EVP_EC_gen(type.c_str()));
}

Bytes key_info(EVP_PKEY* key) {
    Byte* out = nullptr;
    const int size = i2d_PUBKEY(key, &out);
    REQUIRE(size > 0);
    Bytes bytes(out, out + size);
    OPENSSL_free(out);
    return bytes;
}

void add_extension(X509* certificate, const char* object, const Bytes& content, bool critical) {
    const ObjectHandle id(OBJ_txt2obj(object, 1));
    const OctetsHandle octets(ASN1_OCTET_STRING_new());
    ASN1_OCTET_STRING_set(octets.get(), content.data(), static_cast<int>(content.size()));
    const ExtensionHandle extension(
        X509_EXTENSION_create_by_OBJ(nullptr, id.get(), critical ? 1 : 0, octets.get()));
    REQUIRE(X509_add_ext(certificate, extension.get(), -1) == 1);
}

Bytes identity_content(const KeyPair& identity, EVP_PKEY* key, const Forgery& forgery) {
    const std::string prefix = "libp2p-tls-handshake:";
    Bytes message(prefix.begin(), prefix.end());
    const KeyHandle other = make_key("P-256");
    const Bytes info = key_info(forgery.sign_other_key ? other.get() : key);
    message.insert(message.end(), info.begin(), info.end());
    const Signature signature = identity.sign(message);
    Bytes content = {0x30, 0x68, 0x04, 0x24, 0x08, 0x01, 0x12, 0x20};
    const auto& raw = identity.public_key().bytes;
    content.insert(content.end(), raw.begin(), raw.end());
    if (forgery.identity_type) content[5] = *forgery.identity_type;
    content.push_back(0x04);
    content.push_back(0x40);
    content.insert(content.end(), signature.bytes.begin(), signature.bytes.end());
    if (forgery.trailing_bytes) content.push_back(0);
    content[1] = static_cast<Byte>(2 + 36 + 2 + 64);
    return content;
}

}  // namespace

ForgedCertificate forge(const KeyPair& identity, const Forgery& forgery) {
    ForgedCertificate made{X509Handle(X509_new()), make_key(forgery.key_type)};
    X509* certificate = made.certificate.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), forgery.begins_in_seconds);
    X509_gmtime_adj(X509_getm_notAfter(certificate), forgery.ends_in_seconds);
    X509_set_pubkey(certificate, made.key.get());
    const Bytes content = identity_content(identity, made.key.get(), forgery);
    if (forgery.unknown_extension) add_extension(certificate, "1.2.3.4.5", {1, 2, 3}, false);
    if (!forgery.leave_out_identity) {
        add_extension(certificate, kIdentityExtension, content, forgery.critical_identity);
    }
    if (forgery.two_identities) add_extension(certificate, kIdentityExtension, content, false);
    if (forgery.unknown_critical_extension) add_extension(certificate, "1.2.3.4.5", {1, 2, 3}, true);
    const KeyHandle other = make_key(forgery.key_type);
    const EVP_MD* digest = forgery.key_type == "ED25519" ? nullptr : EVP_sha256();
    REQUIRE(X509_sign(certificate, forgery.not_self_signed ? other.get() : made.key.get(), digest) > 0);
    return made;
}

RawTls::RawTls(const Options& options) : context_(SSL_CTX_new(TLS_method())) {
    SSL_CTX* context = context_.get();
    SSL_CTX_set_min_proto_version(context, options.version);
    SSL_CTX_set_max_proto_version(context, options.version);
    SSL_CTX_set_verify(context, options.server ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                       [](int /*ok*/, X509_STORE_CTX* /*store*/) { return 1; });
    if (!options.chain.empty()) {
        REQUIRE(SSL_CTX_use_certificate(context, options.chain[0]) == 1);
        REQUIRE(SSL_CTX_use_PrivateKey(context, options.key) == 1);
        for (std::size_t at = 1; at < options.chain.size(); ++at) {
            REQUIRE(SSL_CTX_add1_chain_cert(context, options.chain[at]) == 1);
        }
    }
    if (!options.alpn.empty() && !options.server) {
        SSL_CTX_set_alpn_protos(context, reinterpret_cast<const Byte*>(options.alpn.data()),
                                static_cast<unsigned>(options.alpn.size()));
    }
    ssl_.reset(SSL_new(context));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    if (options.resume != nullptr) SSL_set_session(ssl_.get(), options.resume);
    if (options.server) {
        SSL_set_accept_state(ssl_.get());
    } else {
        SSL_set_connect_state(ssl_.get());
    }
}

void RawTls::note_alert() {
    while (const unsigned long code = ERR_get_error()) {
        const int reason = ERR_GET_REASON(code);
        if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
            alert_ = reason - SSL_AD_REASON_OFFSET;
    }
}

void RawTls::feed(ByteView bytes) { BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())); }

int RawTls::handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) return 1;
    if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return 0;
    note_alert();
    return -1;
}

Bytes RawTls::output() {
    Bytes bytes(static_cast<std::size_t>(BIO_ctrl_pending(out_)));
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}

Bytes RawTls::read() {
    Bytes all;
    Bytes buffer(16384);
    for (;;) {
        ERR_clear_error();
        const int size = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
        if (size <= 0) break;
        all.insert(all.end(), buffer.begin(), buffer.begin() + size);
    }
    note_alert();
    return all;
}

void RawTls::write(ByteView bytes) {
    REQUIRE(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
            static_cast<int>(bytes.size()));
}

}  // namespace monodon::net::test
