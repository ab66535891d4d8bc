#pragma once

#include <map>
#include <optional>

#include "dag/model/verification.hpp"

namespace monodon::dag {

/// Collects the votes for one own header until they make a certificate (consensus.md 4.4).
class VoteCollector {
 public:
    VoteCollector(const Committee& committee, VerifiedHeader header)
        : committee_(&committee), header_(std::move(header)) {}

    [[nodiscard]] const VerifiedHeader& header() const { return header_; }
    [[nodiscard]] AuthorSet voters() const { return voters_; }
    [[nodiscard]] bool certified() const { return certificate_.has_value(); }
    [[nodiscard]] const std::optional<VerifiedCertificate>& certificate() const { return certificate_; }

    /// True for the one vote that completes the quorum; then certificate() is there. Votes for other headers,
    /// second votes of a member and votes after the quorum change nothing.
    bool add(const Vote& vote);
    /// The same header came back certified: after a restart, from a member that still had it.
    void complete(const VerifiedCertificate& certificate) { certificate_ = certificate; }

 private:
    const Committee* committee_;
    VerifiedHeader header_;
    AuthorSet voters_;
    std::map<ValidatorIndex, Signature> signatures_;
    std::optional<VerifiedCertificate> certificate_;
};

}  // namespace monodon::dag
