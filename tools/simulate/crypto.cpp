#include "tools/simulate/crypto.hpp"

#include <cstring>

#include "net/core/check.hpp"
#include "tools/simulate/random.hpp"

namespace monodon::sim {

namespace {

std::uint64_t word(ByteView bytes, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t each = 0; each < 8 && at + each < bytes.size(); ++each) {
        value |= std::uint64_t{bytes[at + each]} << (8 * each);
    }
    return value;
}

Signature keyed_mix(const PublicKey& key, ByteView message) {
    std::uint64_t state = Random::mix(word(key.bytes, 0) + message.size());
    for (std::size_t at = 0; at < message.size(); at += 8) {
        state = Random::mix(state ^ word(message, at)) + at;
    }
    Signature signature;
    for (std::size_t at = 0; at < 16; ++at) {
        signature.bytes[at] = static_cast<Byte>(Random::mix(state + at / 8) >> (8 * (at % 8)));
    }
    return signature;
}

}  // namespace

StubSigner::StubSigner(std::uint64_t seed) {
    Random random(seed);
    for (Byte& byte : key_.bytes) byte = static_cast<Byte>(random.next());
}

Signature StubSigner::sign(ByteView message) const { return keyed_mix(key_, message); }

bool StubVerifier::verify(const PublicKey& key, ByteView message, const Signature& signature) const {
    return keyed_mix(key, message) == signature;
}

Keyring::Keyring(std::uint64_t seed, const std::vector<dag::Stake>& stakes, bool real) {
    std::vector<dag::Member> members;
    Random random = Random(seed).fork(0x6b6579);
    for (const dag::Stake stake : stakes) {
        if (real) {
            std::array<Byte, 32> secret{};
            for (Byte& byte : secret) byte = static_cast<Byte>(random.next());
            signers_.push_back(std::make_unique<KeyPair>(KeyPair::from_seed(secret)));
        } else {
            signers_.push_back(std::make_unique<StubSigner>(random.next()));
        }
        members.push_back({signers_.back()->public_key(), stake});
    }
    auto committee = dag::Committee::make("simulation", dag::Epoch{0}, std::move(members), real);
    MONODON_CHECK(committee.has_value());
    committee_ = std::make_unique<dag::Committee>(std::move(*committee));
    if (real) {
        verifier_ = std::make_unique<Ed25519Verifier>();
    } else {
        verifier_ = std::make_unique<StubVerifier>();
    }
    rules_ = std::make_unique<dag::Verification>(*committee_, *verifier_);
}

template <class T, class Rule>
std::optional<dag::Verified<T>> Keyring::look_up(Known<T>& known, const std::shared_ptr<const T>& object,
                                                 Rule rule) {
    const auto at = known.find(object.get());
    if (at != known.end()) return at->second.verdict;
    Judged<T> judged{object, std::nullopt};
    if (auto verified = rule(*object)) {
        judged.verdict = *verified;
        // Receivers pass on the verified copy.
        known.emplace(verified->shared().get(), Judged<T>{verified->shared(), *verified});
    }
    return known.emplace(object.get(), std::move(judged)).first->second.verdict;
}

std::optional<dag::VerifiedHeader> Keyring::check(const std::shared_ptr<const dag::Header>& header) {
    return look_up(headers_, header, [this](const dag::Header& each) {
        auto read = dag::decode_header(*committee_, encode(each));
        return read ? rules_->header(std::move(*read))
                    : Expected<dag::VerifiedHeader, dag::ObjectError>(Unexpected{read.error()});
    });
}
std::optional<dag::VerifiedVote> Keyring::check(const std::shared_ptr<const dag::Vote>& vote) {
    return look_up(votes_, vote, [this](const dag::Vote& each) { return rules_->vote(each); });
}
std::optional<dag::VerifiedCertificate> Keyring::check(
    const std::shared_ptr<const dag::Certificate>& certificate) {
    return look_up(certificates_, certificate, [this](const dag::Certificate& each) {
        auto read = dag::decode_certificate(*committee_, encode(each));
        return read ? rules_->certificate(std::move(*read))
                    : Expected<dag::VerifiedCertificate, dag::ObjectError>(Unexpected{read.error()});
    });
}
std::optional<dag::VerifiedCertificate> Keyring::check_ancestor(
    const std::shared_ptr<const dag::Certificate>& certificate) const {
    auto read = dag::decode_certificate(*committee_, encode(*certificate));
    if (!read) return std::nullopt;
    auto checked = rules_->ancestor(std::move(*read));
    return checked ? std::optional(std::move(*checked)) : std::nullopt;
}

}  // namespace monodon::sim
