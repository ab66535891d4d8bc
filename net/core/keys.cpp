#include "net/core/keys.hpp"

#include <algorithm>
#include <cstring>

#include <sodium.h>

#include "net/core/check.hpp"

namespace monodon {

namespace {

constexpr std::array<Byte, 4> kProtobufPrefix = {0x08, 0x01, 0x12, 0x20};
constexpr std::array<Byte, 2> kIdentityMultihash = {0x00, 36};

void initialise_sodium() {
    static const int result = sodium_init();
    MONODON_CHECK(result >= 0);
}

}  // namespace

bool PublicKey::is_valid() const {
    initialise_sodium();
    return crypto_core_ed25519_is_valid_point(bytes.data()) == 1;
}

std::optional<PublicKey> PublicKey::from(ByteView bytes) {
    PublicKey key;
    if (bytes.size() != key.bytes.size()) return std::nullopt;
    std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
    return key;
}

Bytes to_libp2p(const PublicKey& key) {
    Bytes bytes(kProtobufPrefix.begin(), kProtobufPrefix.end());
    bytes.insert(bytes.end(), key.bytes.begin(), key.bytes.end());
    return bytes;
}

std::optional<PublicKey> from_libp2p(ByteView bytes) {
    if (bytes.size() != kProtobufPrefix.size() + 32) return std::nullopt;
    if (!std::equal(kProtobufPrefix.begin(), kProtobufPrefix.end(), bytes.begin())) return std::nullopt;
    const auto key = PublicKey::from(bytes.subspan(kProtobufPrefix.size()));
    if (!key || !key->is_valid()) return std::nullopt;
    return key;
}

std::string PeerId::text() const {
    Bytes bytes(kIdentityMultihash.begin(), kIdentityMultihash.end());
    const Bytes key = to_libp2p(key_);
    bytes.insert(bytes.end(), key.begin(), key.end());
    return to_base58(bytes);
}

std::optional<PeerId> PeerId::parse(std::string_view text) {
    const auto bytes = from_base58(text);
    if (!bytes || bytes->size() < kIdentityMultihash.size()) return std::nullopt;
    if (!std::equal(kIdentityMultihash.begin(), kIdentityMultihash.end(), bytes->begin()))
        return std::nullopt;
    const auto key = from_libp2p(ByteView(*bytes).subspan(kIdentityMultihash.size()));
    if (!key) return std::nullopt;
    return PeerId(*key);
}

KeyPair KeyPair::generate() {
    initialise_sodium();
    std::array<Byte, 32> seed{};
    randombytes_buf(seed.data(), seed.size());
    KeyPair pair = from_seed(seed);
    sodium_memzero(seed.data(), seed.size());
    return pair;
}

KeyPair KeyPair::from_seed(const std::array<Byte, 32>& seed) {
    initialise_sodium();
    KeyPair pair;
    MONODON_CHECK(crypto_sign_seed_keypair(pair.public_.bytes.data(), pair.secret_.data(), seed.data()) == 0);
    return pair;
}

KeyPair::~KeyPair() { sodium_memzero(secret_.data(), secret_.size()); }

std::array<Byte, 32> KeyPair::seed() const {
    std::array<Byte, 32> seed{};
    crypto_sign_ed25519_sk_to_seed(seed.data(), secret_.data());
    return seed;
}

Signature KeyPair::sign(ByteView message) const {
    Signature signature;
    MONODON_CHECK(crypto_sign_detached(signature.bytes.data(), nullptr, message.data(), message.size(),
                                       secret_.data()) == 0);
    return signature;
}

bool Ed25519Verifier::verify(const PublicKey& key, ByteView message, const Signature& signature) const {
    initialise_sodium();
    return crypto_sign_verify_detached(signature.bytes.data(), message.data(), message.size(),
                                       key.bytes.data()) == 0;
}

}  // namespace monodon

std::size_t std::hash<monodon::PeerId>::operator()(const monodon::PeerId& peer) const noexcept {
    std::size_t head = 0;
    std::memcpy(&head, peer.key().bytes.data(), sizeof head);
    return head;
}
