#include "net/transport/tls.hpp"

#include <catch2/catch.hpp>

#include "tests/net/forge.hpp"

namespace tls_test {

using namespace monodon;
using namespace monodon::net;
using namespace monodon::net::test;

namespace {

/// Both ends of a connection in memory.
struct Pair {
    KeyPair left_key = KeyPair::generate();
    KeyPair right_key = KeyPair::generate();
    TlsSession dialler;
    TlsSession acceptor;

    Pair() : Pair(KeyPair::generate(), KeyPair::generate()) {}
    Pair(const KeyPair& left, const KeyPair& right)
        : left_key(left),
          right_key(right),
          dialler(std::make_shared<const TlsContext>(left), TlsSide::dialler),
          acceptor(std::make_shared<const TlsContext>(right), TlsSide::acceptor) {}

    void shake() {
        dialler.handshake();
        for (int turn = 0; turn < 6; ++turn) {
            const Bytes to_acceptor = std::exchange(dialler.output(), {});
            acceptor.feed(to_acceptor);
            acceptor.handshake();
            const Bytes to_dialler = std::exchange(acceptor.output(), {});
            dialler.feed(to_dialler);
            dialler.handshake();
        }
    }
};

Bytes read_all(TlsSession& session) {
    Bytes all;
    Bytes buffer(16384);
    while (const std::size_t size = session.read(buffer)) {
        all.insert(all.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    }
    return all;
}

/// Our acceptor against a raw dialler, or the other way round; the raw side's certificate as wished.
struct Against {
    KeyPair ours = KeyPair::generate();
    TlsSession session;
    RawTls raw;
    int raw_result = 0;

    explicit Against(const RawTls::Options& options)
        : session(std::make_shared<const TlsContext>(ours),
                  options.server ? TlsSide::dialler : TlsSide::acceptor),
          raw(options) {
        if (options.server) session.handshake();
        for (int turn = 0; turn < 6; ++turn) {
            raw.feed(std::exchange(session.output(), {}));
            if (raw_result >= 0) raw_result = raw.handshake();
            if (raw_result == 1) raw.read();
            const Bytes bytes = raw.output();
            session.feed(bytes);
            session.handshake();
        }
        raw.feed(std::exchange(session.output(), {}));
        raw.read();
    }
};

}  // namespace

TEST_CASE("two nodes prove to each other who they are") {
    Pair pair;
    pair.shake();
    REQUIRE(pair.dialler.state() == TlsState::established);
    REQUIRE(pair.acceptor.state() == TlsState::established);
    CHECK(pair.dialler.peer() == pair.right_key.peer_id());
    CHECK(pair.acceptor.peer() == pair.left_key.peer_id());
}

TEST_CASE("what is written at one end is read at the other, and a close is seen") {
    Pair pair;
    pair.shake();
    Bytes bytes(200'000);
    for (std::size_t at = 0; at < bytes.size(); ++at) bytes[at] = static_cast<Byte>(at * 31);
    pair.dialler.write(bytes);
    const Bytes ciphertext = std::exchange(pair.dialler.output(), {});
    Bytes received;
    for (std::size_t at = 0; at < ciphertext.size(); at += 10'001) {
        pair.acceptor.feed(
            ByteView(ciphertext).subspan(at, std::min<std::size_t>(10'001, ciphertext.size() - at)));
        const Bytes more = read_all(pair.acceptor);
        received.insert(received.end(), more.begin(), more.end());
    }
    CHECK((received == bytes));
    pair.dialler.close();
    const Bytes end = std::exchange(pair.dialler.output(), {});
    pair.acceptor.feed(end);
    CHECK(read_all(pair.acceptor).empty());
    CHECK(pair.acceptor.state() == TlsState::closed);
}

TEST_CASE("changed ciphertext ends the session") {
    Pair pair;
    pair.shake();
    pair.dialler.write(Bytes(100));
    Bytes ciphertext = std::exchange(pair.dialler.output(), {});
    ciphertext.back() ^= 1U;
    pair.acceptor.feed(ciphertext);
    CHECK(read_all(pair.acceptor).empty());
    CHECK(pair.acceptor.state() == TlsState::failed);
}

TEST_CASE("a node refuses to talk to itself") {
    const KeyPair same = KeyPair::generate();
    Pair pair(same, same);
    pair.shake();
    CHECK(pair.dialler.state() == TlsState::failed);
    CHECK(pair.dialler.error() == "certificate names ourselves");
}

TEST_CASE("a dialler without a certificate gets alert 116") {
    Against attack({.server = false});
    CHECK(attack.session.state() == TlsState::failed);
    CHECK(attack.raw.alert_received() == 116);
}

TEST_CASE("TLS 1.2 gets alert 70") {
    const ForgedCertificate mine = forge(KeyPair::generate(), {});
    Against attack({.version = TLS1_2_VERSION, .chain = {mine.certificate.get()}, .key = mine.key.get()});
    CHECK(attack.session.state() == TlsState::failed);
    CHECK(attack.raw.alert_received() == 70);
}

TEST_CASE("another protocol name gets alert 120, none is refused after the handshake") {
    const ForgedCertificate mine = forge(KeyPair::generate(), {});
    Against other(
        {.alpn = std::string("\x02") + "h2", .chain = {mine.certificate.get()}, .key = mine.key.get()});
    CHECK(other.session.state() == TlsState::failed);
    CHECK(other.raw.alert_received() == 120);
    Against none({.alpn = "", .chain = {mine.certificate.get()}, .key = mine.key.get()});
    CHECK(none.raw_result == 1);
    CHECK(none.session.state() == TlsState::failed);
    CHECK(none.session.error() == "peer does not speak monodon/1");
}

TEST_CASE("our protocol name is found among others") {
    const ForgedCertificate mine = forge(KeyPair::generate(), {});
    Against many({.alpn = std::string("\x02") + "h2" + "\x09" + "monodon/1",
                  .chain = {mine.certificate.get()},
                  .key = mine.key.get()});
    CHECK(many.session.state() == TlsState::established);
}

TEST_CASE("bad certificates get a certificate alert, whichever side shows them") {
    const KeyPair identity = KeyPair::generate();
    const ForgedCertificate second = forge(identity, {});
    struct Case {
        Forgery forgery = {};
        int alert = 0;
        bool two = false;
    };
    const std::vector<Case> cases = {
        {{.ends_in_seconds = -600}, 45},
        {{.begins_in_seconds = 600}, 42},
        {{.sign_other_key = true}, 42},
        {{.leave_out_identity = true}, 42},
        {{.unknown_critical_extension = true}, 42},
        {{.identity_type = Byte{2}}, 42},
        {{}, 42, true},
    };
    for (const Case& bad : cases) {
        const ForgedCertificate mine = forge(identity, bad.forgery);
        RawTls::Options options{.chain = {mine.certificate.get()}, .key = mine.key.get()};
        if (bad.two) options.chain.push_back(second.certificate.get());
        for (const bool server : {false, true}) {
            options.server = server;
            Against attack(options);
            CHECK(attack.session.state() == TlsState::failed);
            CHECK(attack.raw.alert_received() == bad.alert);
        }
    }
}

TEST_CASE("a certificate with a key of another type is refused") {
    const ForgedCertificate rsa = forge(KeyPair::generate(), {.key_type = "RSA"});
    Against attack({.chain = {rsa.certificate.get()}, .key = rsa.key.get()});
    CHECK(attack.session.state() == TlsState::failed);
    CHECK(attack.raw.alert_received() == 42);
    const ForgedCertificate curve = forge(KeyPair::generate(), {.key_type = "P-384"});
    Against other({.chain = {curve.certificate.get()}, .key = curve.key.get()});
    CHECK(other.session.state() == TlsState::failed);
    CHECK(other.raw.alert_received() == 42);
}

TEST_CASE("the certificate of somebody else is of no use without its key") {
    const ForgedCertificate theirs = forge(KeyPair::generate(), {});
    const KeyHandle other(EVP_EC_gen("P-256"));
    SSL_CTX* context = SSL_CTX_new(TLS_method());
    SSL_CTX_use_certificate(context, theirs.certificate.get());
    // OpenSSL itself refuses the pair; a peer that patches that out cannot make the CertificateVerify.
    CHECK(SSL_CTX_use_PrivateKey(context, other.get()) != 1);
    SSL_CTX_free(context);
}

TEST_CASE("no session ticket is ever issued, so there is nothing to resume") {
    const ForgedCertificate mine = forge(KeyPair::generate(), {});
    Against first({.chain = {mine.certificate.get()}, .key = mine.key.get()});
    REQUIRE(first.session.state() == TlsState::established);
    SSL_SESSION* session = SSL_get1_session(first.raw.ssl());
    CHECK(SSL_SESSION_is_resumable(session) == 0);
    Against second({.chain = {mine.certificate.get()}, .key = mine.key.get(), .resume = session});
    CHECK(second.session.state() == TlsState::established);
    CHECK(SSL_session_reused(second.raw.ssl()) == 0);
    SSL_SESSION_free(session);
}

TEST_CASE("a peer that asks for new keys all the time and reads nothing is cut off") {
    const ForgedCertificate mine = forge(KeyPair::generate(), {});
    Against peer({.chain = {mine.certificate.get()}, .key = mine.key.get()});
    REQUIRE(peer.session.state() == TlsState::established);
    std::size_t most = 0;
    for (int round = 0; round < 20'000 && peer.session.state() == TlsState::established; ++round) {
        SSL_key_update(peer.raw.ssl(), SSL_KEY_UPDATE_REQUESTED);
        peer.raw.write(Bytes{1});
        const Bytes bytes = peer.raw.output();
        peer.session.feed(bytes);
        read_all(peer.session);
        most = std::max(most, peer.session.output().size());
    }
    CHECK(most <= 256 * 1024 + 64);
    CHECK(peer.session.state() == TlsState::failed);
}

}  // namespace tls_test
