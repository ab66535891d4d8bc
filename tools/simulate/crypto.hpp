#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "dag/model/verification.hpp"

namespace monodon::sim {

/// Signs with a keyed 64-bit mix of the message: costs next to nothing, and StubVerifier really refuses what
/// was not signed by the key. Secret and public key are the same, so that only the simulator may use it.
class StubSigner final : public Signer {
 public:
    explicit StubSigner(std::uint64_t seed);
    [[nodiscard]] Signature sign(ByteView message) const override;
    [[nodiscard]] const PublicKey& public_key() const override { return key_; }

 private:
    PublicKey key_;
};

class StubVerifier final : public SignatureVerifier {
 public:
    [[nodiscard]] bool verify(const PublicKey& key, ByteView message,
                              const Signature& signature) const override;
};

/// The committee of a run with its keys, and the stateless rules that everything delivered must pass. What
/// was judged once is remembered by object, so that a broadcast is judged once and not per receiver.
class Keyring {
 public:
    Keyring(std::uint64_t seed, const std::vector<dag::Stake>& stakes, bool real);

    [[nodiscard]] const dag::Committee& committee() const { return *committee_; }
    [[nodiscard]] const Signer& signer(dag::ValidatorIndex member) const {
        return *signers_.at(member.value());
    }

    [[nodiscard]] std::optional<dag::VerifiedHeader> check(const std::shared_ptr<const dag::Header>& header);
    [[nodiscard]] std::optional<dag::VerifiedVote> check(const std::shared_ptr<const dag::Vote>& vote);
    [[nodiscard]] std::optional<dag::VerifiedCertificate> check(
        const std::shared_ptr<const dag::Certificate>& certificate);
    /// By its hash; not remembered.
    [[nodiscard]] std::optional<dag::VerifiedCertificate> check_ancestor(
        const std::shared_ptr<const dag::Certificate>& certificate) const;

 private:
    /// Keeps the object alive, so that its address stays its name.
    template <class T>
    struct Judged {
        std::shared_ptr<const T> object;
        std::optional<dag::Verified<T>> verdict;
    };
    template <class T>
    using Known = std::unordered_map<const T*, Judged<T>>;
    template <class T, class Rule>
    std::optional<dag::Verified<T>> look_up(Known<T>& known, const std::shared_ptr<const T>& object,
                                            Rule rule);

    std::vector<std::unique_ptr<Signer>> signers_;
    std::unique_ptr<dag::Committee> committee_;
    std::unique_ptr<SignatureVerifier> verifier_;
    std::unique_ptr<dag::Verification> rules_;
    Known<dag::Header> headers_;
    Known<dag::Vote> votes_;
    Known<dag::Certificate> certificates_;
};

}  // namespace monodon::sim
