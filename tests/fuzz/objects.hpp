#pragma once

#include "dag/model/commit.hpp"
#include "dag/model/verification.hpp"

/// Real objects of a small committee, for seeds, and the committee that reads them.
namespace monodon::fuzz {

/// Four members with different stakes; their keys are stand-ins.
[[nodiscard]] const dag::Committee& committee();

/// Takes every signature but those that begin with kForged: what stands behind the check must be reached
/// without a key.
class EasyVerifier final : public SignatureVerifier {
 public:
    static constexpr Byte kForged = 0xEE;
    [[nodiscard]] bool verify(const PublicKey& /*key*/, ByteView /*message*/,
                              const Signature& signature) const override {
        return signature.bytes[0] != kForged;
    }
};
[[nodiscard]] const dag::Verification& verification();

[[nodiscard]] dag::PayloadEntry payload_entry(std::uint32_t number, std::uint64_t sealed);
/// With all of the round before as parents, and `payload` batches.
[[nodiscard]] dag::Header header(std::uint64_t round, std::uint16_t author, std::uint32_t payload);
[[nodiscard]] dag::Vote vote(std::uint64_t round, std::uint16_t author, std::uint16_t voter);
[[nodiscard]] dag::Certificate certificate(std::uint64_t round, std::uint16_t author, std::uint32_t payload);
[[nodiscard]] dag::Commit commit(std::uint64_t index);
[[nodiscard]] Bytes batch(std::uint32_t transactions, std::size_t bytes);

}  // namespace monodon::fuzz
