#pragma once

#include <array>
#include <compare>
#include <functional>
#include <optional>
#include <string>

#include "net/core/bytes.hpp"

namespace monodon {

/// An Ed25519 public key, as 32 raw bytes. Not checked by itself: see is_valid().
struct PublicKey {
    std::array<Byte, 32> bytes{};
    friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
    /// False for non-canonical encodings and points of small order, with which a signature proves nothing.
    [[nodiscard]] bool is_valid() const;
    [[nodiscard]] static std::optional<PublicKey> from(ByteView bytes);
};

/// An Ed25519 signature.
struct Signature {
    std::array<Byte, 64> bytes{};
    friend auto operator<=>(const Signature&, const Signature&) = default;
};

/// The libp2p name of an identity: the identity multihash of the protobuf form of an Ed25519 public key, so
/// the same key has the same name in every libp2p tool. Ordered by the bytes of the key.
class PeerId {
 public:
    PeerId() = default;
    explicit PeerId(const PublicKey& key) : key_(key) {}
    [[nodiscard]] const PublicKey& key() const { return key_; }
    /// `12D3KooW…`
    [[nodiscard]] std::string text() const;
    /// Nothing unless the text names a valid Ed25519 key.
    [[nodiscard]] static std::optional<PeerId> parse(std::string_view text);
    friend auto operator<=>(const PeerId&, const PeerId&) = default;

 private:
    PublicKey key_;
};

/// The protobuf form of an Ed25519 key as libp2p writes it: 08 01 12 20 and the 32 bytes.
[[nodiscard]] Bytes to_libp2p(const PublicKey& key);
/// Nothing unless the bytes are exactly that form with a valid key; other key types are refused.
[[nodiscard]] std::optional<PublicKey> from_libp2p(ByteView bytes);

/// Makes signatures in the name of one validator. The simulator replaces it by a stub.
class Signer {
 public:
    virtual ~Signer() = default;
    [[nodiscard]] virtual Signature sign(ByteView message) const = 0;
    [[nodiscard]] virtual const PublicKey& public_key() const = 0;
};

/// Checks signatures. Thread-safe. The simulator replaces it by a stub.
class SignatureVerifier {
 public:
    virtual ~SignatureVerifier() = default;
    [[nodiscard]] virtual bool verify(const PublicKey& key, ByteView message,
                                      const Signature& signature) const = 0;
};

/// An Ed25519 key pair. The secret half is wiped when the object goes. Signing is deterministic and
/// thread-safe.
class KeyPair final : public Signer {
 public:
    /// From the system's random source.
    [[nodiscard]] static KeyPair generate();
    /// The same seed of 32 bytes gives the same pair.
    [[nodiscard]] static KeyPair from_seed(const std::array<Byte, 32>& seed);
    KeyPair(const KeyPair&) = default;
    KeyPair& operator=(const KeyPair&) = default;
    ~KeyPair() override;

    [[nodiscard]] Signature sign(ByteView message) const override;
    [[nodiscard]] const PublicKey& public_key() const override { return public_; }
    [[nodiscard]] PeerId peer_id() const { return PeerId(public_); }
    /// For the key file only.
    [[nodiscard]] std::array<Byte, 32> seed() const;

 private:
    KeyPair() = default;
    PublicKey public_;
    std::array<Byte, 64> secret_{};
};

/// Ed25519 by libsodium, which refuses keys of small order and non-canonical encodings.
class Ed25519Verifier final : public SignatureVerifier {
 public:
    [[nodiscard]] bool verify(const PublicKey& key, ByteView message,
                              const Signature& signature) const override;
};

}  // namespace monodon

template <>
struct std::hash<monodon::PeerId> {
    std::size_t operator()(const monodon::PeerId& peer) const noexcept;
};
