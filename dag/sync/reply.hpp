#pragma once

#include <functional>

#include "dag/events.hpp"

namespace monodon::dag {

/// How a carrier checks what members send.
struct ReplyChecks {
    std::function<std::optional<VerifiedCertificate>(const std::shared_ptr<const Certificate>&)> certificate;
    std::function<std::optional<VerifiedHeader>(const std::shared_ptr<const Header>&)> header;
};

/// What the engine of `self` is told of a response: all of it verified and asked for, or that it failed.
/// Nothing for batches: they are told when they are stored.
[[nodiscard]] std::optional<ReplyBody> read_reply(std::optional<ValidatorIndex> self,
                                                  const SyncRequest& request, const SyncResponse& response,
                                                  const ReplyChecks& checks);

}  // namespace monodon::dag
