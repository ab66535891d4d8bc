#include "net/transport/tls.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include <openssl/err.h>

#include "net/transport/certificate.hpp"

namespace monodon::net {

namespace {

// 9, then "monodon/1": how ALPN lists a name.
constexpr std::array<Byte, 10> kAlpnWire = {9, 'm', 'o', 'n', 'o', 'd', 'o', 'n', '/', '1'};
static_assert(kAlpn.size() == kAlpnWire[0]);
// A gathered buffer of 128 KiB with its record overhead, and a little.
constexpr std::size_t kOutputReserve = 160 * 1024;
// A peer that asks for new keys all the time and never reads the answers must not fill our memory.
constexpr std::size_t kOutputMax = 256 * 1024;

Time system_now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

/// The X.509 error that makes OpenSSL send the alert we want (network.md 7, rows 5 to 8).
int x509_error(CertificateError error) {
    switch (error) {
        case CertificateError::expired:
            return X509_V_ERR_CERT_HAS_EXPIRED;  // 45
        case CertificateError::ourselves:
            return X509_V_ERR_APPLICATION_VERIFICATION;  // 40
        case CertificateError::malformed:
        case CertificateError::not_exactly_one:
        case CertificateError::wrong_key_type:
        case CertificateError::bad_self_signature:
        case CertificateError::not_yet_valid:
        case CertificateError::unknown_critical_extension:
        case CertificateError::no_identity:
        case CertificateError::wrong_identity_type:
        case CertificateError::bad_identity_signature:
            return X509_V_ERR_CERT_REJECTED;  // 42
    }
    return X509_V_ERR_CERT_REJECTED;
}

}  // namespace

struct TlsContext::Impl {
    PeerId self;
    OwnCertificate own;
    ContextHandle context;
    BioMethodHandle bio_method;
};

struct TlsSession::Impl {
    std::shared_ptr<const TlsContext> context;
    TlsSide side = TlsSide::dialler;
    SslHandle ssl;
    ByteView input;
    Bytes output;
    TlsState state = TlsState::handshaking;
    std::optional<Expected<PeerId, CertificateError>> verdict;
    std::string_view reason;
    std::string error;

    /// `why` is static text.
    void fail(std::string_view why, std::string_view detail = {}) {
        if (state == TlsState::failed) return;
        state = TlsState::failed;
        reason = why;
        error = why;
        if (!detail.empty()) error.append(": ").append(detail);
    }
    void fail_from_openssl();
    void check_established();
};

namespace {

TlsSession::Impl& session_of(BIO* bio) { return *static_cast<TlsSession::Impl*>(BIO_get_data(bio)); }

int bio_read(BIO* bio, char* out, int size) {
    auto& session = session_of(bio);
    BIO_clear_retry_flags(bio);
    const std::size_t taken = std::min(session.input.size(), static_cast<std::size_t>(size));
    if (taken == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    std::memcpy(out, session.input.data(), taken);
    session.input = session.input.subspan(taken);
    return static_cast<int>(taken);
}

int bio_write(BIO* bio, const char* bytes, int size) {
    // No exception may cross OpenSSL's frames: without memory the session breaks, not the process.
    try {
        auto& output = session_of(bio).output;
        if (output.size() > kOutputMax) return -1;
        // As unsigned bytes: from another type of byte they would be converted one by one.
        const auto* begin = reinterpret_cast<const Byte*>(bytes);
        output.insert(output.end(), begin, begin + size);
        return size;
    } catch (...) {
        return -1;
    }
}

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

Expected<PeerId, CertificateError> judge(X509_STORE_CTX* store, const PeerId& self) {
    const STACK_OF(X509)* chain = X509_STORE_CTX_get0_untrusted(store);
    X509* certificate = X509_STORE_CTX_get0_cert(store);
    if (certificate == nullptr || chain == nullptr || sk_X509_num(chain) != 1) {
        return Unexpected{CertificateError::not_exactly_one};
    }
    const auto claim = check_certificate(*certificate, system_now());
    if (!claim) return Unexpected{claim.error()};
    const auto peer = check_identity(*claim);
    if (peer && *peer == self) return Unexpected{CertificateError::ourselves};
    return peer;
}

int verify_certificate(X509_STORE_CTX* store, void* /*argument*/) {
    try {
        auto* ssl =
            static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
        auto& session = *static_cast<TlsSession::Impl*>(SSL_get_app_data(ssl));
        session.verdict.emplace(judge(store, session.context->self()));
        if (*session.verdict) {
            X509_STORE_CTX_set_error(store, X509_V_OK);
            return 1;
        }
        X509_STORE_CTX_set_error(store, x509_error(session.verdict->error()));
        return 0;
    } catch (...) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
        return 0;
    }
}

int select_alpn(SSL* /*ssl*/, const Byte** out, Byte* out_size, const Byte* in, unsigned in_size,
                void* /*unused*/) {
    for (unsigned at = 0; at < in_size; at += 1U + in[at]) {
        const unsigned left = in_size - at;
        if (left < kAlpnWire.size() || !std::equal(kAlpnWire.begin(), kAlpnWire.end(), in + at)) continue;
        *out = in + at + 1;
        *out_size = in[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

BioMethodHandle make_bio_method() {
    BioMethodHandle method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "monodon"));
    MONODON_CHECK(method);
    BIO_meth_set_read(method.get(), bio_read);
    BIO_meth_set_write(method.get(), bio_write);
    BIO_meth_set_ctrl(method.get(), bio_control);
    return method;
}

ContextHandle make_context(const OwnCertificate& own) {
    ContextHandle context(SSL_CTX_new(TLS_method()));
    SSL_CTX* raw = context.get();
    MONODON_CHECK(raw != nullptr);
    MONODON_CHECK(SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) == 1);
    MONODON_CHECK(SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1);
    SSL_CTX_set_options(raw, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    MONODON_CHECK(SSL_CTX_set_num_tickets(raw, 0) == 1);
    // AES-128 first: a quarter cheaper per byte than AES-256, and every byte of a transaction is encrypted
    // thrice.
    MONODON_CHECK(SSL_CTX_set_ciphersuites(raw,
                                           "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                           "TLS_CHACHA20_POLY1305_SHA256") == 1);
    MONODON_CHECK(SSL_CTX_set1_groups_list(raw, "X25519:P-256") == 1);
    MONODON_CHECK(SSL_CTX_use_certificate(raw, own.certificate.get()) == 1);
    MONODON_CHECK(SSL_CTX_use_PrivateKey(raw, own.key.get()) == 1);
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_cert_verify_callback(raw, verify_certificate, nullptr);
    SSL_CTX_set_alpn_select_cb(raw, select_alpn, nullptr);
    MONODON_CHECK(SSL_CTX_set_alpn_protos(raw, kAlpnWire.data(), kAlpnWire.size()) == 0);
    return context;
}

}  // namespace

TlsContext::TlsContext(const Signer& identity) : impl_(std::make_unique<Impl>()) {
    impl_->self = PeerId(identity.public_key());
    impl_->own = make_certificate(identity, system_now());
    impl_->context = make_context(impl_->own);
    impl_->bio_method = make_bio_method();
}
TlsContext::~TlsContext() = default;

const PeerId& TlsContext::self() const { return impl_->self; }
Bytes TlsContext::certificate() const { return impl_->own.der(); }

void TlsSession::Impl::fail_from_openssl() {
    const unsigned long code = ERR_peek_last_error();
    const char* detail = ERR_reason_error_string(code);
    ERR_clear_error();
    if (verdict && !*verdict) return fail(name(verdict->error()));
    fail("TLS failed", detail == nullptr ? std::string_view{} : detail);
}

void TlsSession::Impl::check_established() {
    const Byte* alpn = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl.get(), &alpn, &size);
    // An absent protocol name does not fail a handshake by itself.
    if (alpn == nullptr || as_text({alpn, size}) != kAlpn) return fail("peer does not speak monodon/1");
    // A resumed session would not have asked for the certificate.
    if (SSL_session_reused(ssl.get()) != 0) return fail("TLS session was resumed");
    if (!verdict || !*verdict) return fail("peer showed no certificate");
    state = TlsState::established;
}

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context, TlsSide side)
    : impl_(std::make_unique<Impl>()) {
    impl_->context = std::move(context);
    impl_->side = side;
    impl_->ssl.reset(SSL_new(impl_->context->impl_->context.get()));
    BIO* bio = BIO_new(impl_->context->impl_->bio_method.get());
    MONODON_CHECK(impl_->ssl && bio != nullptr);
    BIO_set_data(bio, impl_.get());
    BIO_set_init(bio, 1);
    SSL_set_bio(impl_->ssl.get(), bio, bio);
    SSL_set_app_data(impl_->ssl.get(), impl_.get());
    if (side == TlsSide::dialler) {
        SSL_set_connect_state(impl_->ssl.get());
    } else {
        SSL_set_accept_state(impl_->ssl.get());
    }
}
TlsSession::~TlsSession() = default;
TlsSession::TlsSession(TlsSession&&) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&&) noexcept = default;

void TlsSession::feed(ByteView ciphertext) { impl_->input = ciphertext; }

TlsState TlsSession::handshake() {
    if (impl_->state != TlsState::handshaking) return impl_->state;
    ERR_clear_error();
    const int result = SSL_do_handshake(impl_->ssl.get());
    if (result == 1) {
        impl_->check_established();
    } else if (SSL_get_error(impl_->ssl.get(), result) != SSL_ERROR_WANT_READ) {
        impl_->fail_from_openssl();
    }
    return impl_->state;
}

std::size_t TlsSession::read(std::span<Byte> out) {
    if (impl_->state != TlsState::established || out.empty()) return 0;
    ERR_clear_error();
    std::size_t bytes = 0;
    const int result = SSL_read_ex(impl_->ssl.get(), out.data(), out.size(), &bytes);
    if (result == 1) return bytes;
    switch (SSL_get_error(impl_->ssl.get(), result)) {
        case SSL_ERROR_WANT_READ:
            break;
        case SSL_ERROR_ZERO_RETURN:
            impl_->state = TlsState::closed;
            break;
        default:
            impl_->fail_from_openssl();
    }
    return 0;
}

void TlsSession::write(ByteView plaintext) {
    if (impl_->state != TlsState::established || plaintext.empty()) return;
    if (impl_->output.capacity() < kOutputReserve && plaintext.size() > kOutputReserve / 4) {
        impl_->output.reserve(kOutputReserve);
    }
    ERR_clear_error();
    std::size_t written = 0;
    const int result = SSL_write_ex(impl_->ssl.get(), plaintext.data(), plaintext.size(), &written);
    // The output takes everything, so a write is never partial.
    if (result != 1 || written != plaintext.size()) impl_->fail_from_openssl();
}

void TlsSession::close() {
    if (impl_->state != TlsState::established) return;
    ERR_clear_error();
    SSL_shutdown(impl_->ssl.get());
    ERR_clear_error();
}

TlsState TlsSession::state() const { return impl_->state; }
Bytes& TlsSession::output() { return impl_->output; }
const PeerId& TlsSession::peer() const {
    MONODON_CHECK(impl_->verdict.has_value());
    return impl_->verdict->value();
}
bool TlsSession::ourselves() const {
    const auto& verdict = impl_->verdict;
    return verdict && !*verdict && verdict->error() == CertificateError::ourselves;
}
const std::string& TlsSession::error() const { return impl_->error; }
std::string_view TlsSession::reason() const { return impl_->reason; }

}  // namespace monodon::net
