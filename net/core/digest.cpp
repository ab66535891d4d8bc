#include "net/core/digest.hpp"

#include <algorithm>

#include <openssl/evp.h>

#include "net/core/check.hpp"

namespace monodon {

std::optional<Digest> Digest::parse(std::string_view hex) {
    const auto bytes = from_hex(hex);
    if (!bytes || bytes->size() != 32) return std::nullopt;
    Digest digest;
    std::copy(bytes->begin(), bytes->end(), digest.bytes.begin());
    return digest;
}

namespace {

/// Fetched once: looking the algorithm up by name costs more than hashing a header.
const EVP_MD* sha256_algorithm() {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    MONODON_CHECK(algorithm != nullptr);
    return algorithm;
}

}  // namespace

struct Sha256::Context {
    EVP_MD_CTX* evp = EVP_MD_CTX_new();
    Context() { restart(); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() { EVP_MD_CTX_free(evp); }
    void restart() const {
        MONODON_CHECK(evp != nullptr && EVP_DigestInit_ex2(evp, sha256_algorithm(), nullptr) == 1);
    }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView bytes) {
    MONODON_CHECK(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
    Digest digest;
    unsigned size = 0;
    MONODON_CHECK(EVP_DigestFinal_ex(context_->evp, digest.bytes.data(), &size) == 1 && size == 32);
    context_->restart();
    return digest;
}

Digest sha256(ByteView bytes) {
    thread_local Sha256 hasher;
    hasher.update(bytes);
    return hasher.finish();
}

}  // namespace monodon
