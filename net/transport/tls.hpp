#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/core/bytes.hpp"
#include "net/core/expected.hpp"
#include "net/core/keys.hpp"

namespace monodon::net {

inline constexpr std::string_view kAlpn = "monodon/1";

/// What all connections of a process share: the certificate, made fresh, and the rules of network.md 1
/// (TLS 1.3 only, mutual, no tickets, no session cache). Immutable and thread-safe.
class TlsContext {
 public:
    explicit TlsContext(const Signer& identity);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    [[nodiscard]] const PeerId& self() const;
    /// The certificate that peers see, in DER.
    [[nodiscard]] Bytes certificate() const;

 private:
    friend class TlsSession;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

enum class TlsSide : std::uint8_t { dialler, acceptor };
enum class TlsState : std::uint8_t { handshaking, established, closed, failed };

/// One TLS connection without its socket: ciphertext in, plaintext out, and the other way round. A whole
/// gathered buffer becomes one run of ciphertext that leaves with one write, and what one read brought is
/// decrypted without another one; Asio's stream would make a system call for each record of 16 KiB.
///
/// Whatever output() holds has to be sent after every call, also when the session has failed: it may be the
/// alert that tells the peer why. Not thread-safe.
class TlsSession {
 public:
    TlsSession(std::shared_ptr<const TlsContext> context, TlsSide side);
    ~TlsSession();
    TlsSession(TlsSession&&) noexcept;
    TlsSession& operator=(TlsSession&&) noexcept;

    /// Ciphertext from the peer; valid until the calls to handshake() or read() that follow have taken it.
    void feed(ByteView ciphertext);
    /// Goes on with the handshake as far as the bytes reach. A dialler calls it once before the first feed().
    /// Established only if the peer's certificate, the protocol name and the absence of a resumed session
    /// were all as they must be.
    TlsState handshake();
    /// Plaintext of what was fed, at most one record of 16 KiB at a time; 0 when there is no more, or when
    /// the state is no longer established.
    [[nodiscard]] std::size_t read(std::span<Byte> out);
    /// Encrypts; only when established.
    void write(ByteView plaintext);
    /// Tells the peer that nothing more follows.
    void close();

    [[nodiscard]] TlsState state() const;
    /// Ciphertext for the peer; the caller clears it when it has been sent.
    [[nodiscard]] Bytes& output();
    /// Who the peer has proven to be; only when established.
    [[nodiscard]] const PeerId& peer() const;
    /// The session failed because the peer has our own key: we have dialled ourselves.
    [[nodiscard]] bool ourselves() const;
    /// Why the session failed, in words, never with anything the peer could choose.
    [[nodiscard]] const std::string& error() const;
    /// The same in one of a few fixed words: what OpenSSL says of it is left out.
    [[nodiscard]] std::string_view reason() const;

    struct Impl;

 private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace monodon::net
