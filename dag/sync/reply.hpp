#pragma once

#include <functional>

#include "dag/events.hpp"

namespace monodon::dag {

/// How a carrier checks what members send.
struct ReplyChecks {
    using Check =
        std::function<std::optional<VerifiedCertificate>(const std::shared_ptr<const Certificate>&)>;
    Check certificate;
    std::function<std::optional<VerifiedHeader>(const std::shared_ptr<const Header>&)> header;
    /// Of one whose digest is named by a certificate that is here or comes along (sync.md 2). Without, all of
    /// them are checked by their signatures.
    Check ancestor = {};
    /// Certificates of rounds divisible by this are checked by their signatures all the same.
    std::uint64_t proofs_every = 1;
};

/// What the engine of `self` is told of a response: all of it verified and asked for, or that it failed.
/// Nothing for batches: they are told when they are stored.
[[nodiscard]] std::optional<ReplyBody> read_reply(std::optional<ValidatorIndex> self,
                                                  const SyncRequest& request, const SyncResponse& response,
                                                  const ReplyChecks& checks);

}  // namespace monodon::dag
