#include "dag/sync/reply.hpp"

#include "dag/sync/responder.hpp"

namespace monodon::dag {

namespace {

ReplyBody bad_reply() { return RequestFailed{RequestFailure::bad_reply, {}}; }

ReplyBody read(const Certificates& response, const ReplyChecks& checks) {
    CertificatesReply reply;
    for (const auto& each : response.certificates) {
        auto verified = checks.certificate(each);
        if (!verified) return bad_reply();
        reply.bytes += encoded_size(*each);
        reply.certificates.push_back(std::move(*verified));
    }
    reply.next = response.next;
    reply.held = response.held;
    return reply;
}

ReplyBody read(std::optional<ValidatorIndex> self, const HighestRound& response, const ReplyChecks& checks) {
    HighestRoundReply reply;
    reply.held = response.held;
    if (response.certificate) {
        reply.highest = checks.certificate(response.certificate);
        if (!reply.highest) return bad_reply();
    }
    if (response.yours) {
        if (response.yours->author != self) return bad_reply();
        // The header of a certificate may have come to the peer with another signature than ours, which no
        // digest covers: that is not the peer's fault, and the certificate is what the bound rests on.
        reply.ours = checks.header(response.yours);
    }
    return reply;
}

ReplyBody read(const SyncError& error) {
    switch (error.why) {
        case SyncError::Why::pruned:
            return RequestFailed{RequestFailure::pruned, error.lowest};
        case SyncError::Why::busy:
            return RequestFailed{RequestFailure::busy, {}};
        case SyncError::Why::malformed:
            break;
    }
    return bad_reply();
}

}  // namespace

std::optional<ReplyBody> read_reply(std::optional<ValidatorIndex> self, const SyncRequest& request,
                                    const SyncResponse& response, const ReplyChecks& checks) {
    if (!fits(request, response)) return bad_reply();
    if (const auto* error = std::get_if<SyncError>(&response)) return read(*error);
    if (const auto* found = std::get_if<Certificates>(&response)) return read(*found, checks);
    if (const auto* highest = std::get_if<HighestRound>(&response)) return read(self, *highest, checks);
    if (std::holds_alternative<Batches>(response)) return std::nullopt;
    // Of rounds nothing is an answer; by digest the peer does not have it.
    if (!asked_slots(request)) return RequestFailed{RequestFailure::not_found, {}};
    CertificatesReply nothing;
    nothing.held = std::get<Empty>(response).held;
    return nothing;
}

}  // namespace monodon::dag
