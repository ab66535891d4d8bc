#include "dag/sync/reply.hpp"

#include <algorithm>
#include <set>

#include "dag/planted.hpp"
#include "dag/sync/responder.hpp"

namespace monodon::dag {

namespace {

std::size_t bytes_of(const SyncResponse& response) {
    std::size_t bytes = 0;
    if (const auto* found = std::get_if<Certificates>(&response)) {
        for (const auto& each : found->certificates) bytes += encoded_size(*each);
    } else if (const auto* batches = std::get_if<Batches>(&response)) {
        for (const SharedBytes& each : batches->batches) bytes += each->size();
    } else if (const auto* highest = std::get_if<HighestRound>(&response)) {
        if (highest->certificate) bytes += encoded_size(*highest->certificate);
    }
    return bytes;
}

ReplyBody bad_reply() { return RequestFailed{RequestFailure::bad_reply, {}}; }

/// From the highest down: what one that was accepted names is accepted by its hash. The peer may have some by
/// their hash only; of those that nothing here names nothing is known, and they are as good as not sent.
ReplyBody read(const SyncRequest& request, const Certificates& response, const ReplyChecks& checks) {
    CertificatesReply reply;
    reply.next = response.next;
    reply.held = response.held;
    const auto* list = std::get_if<GetCertificates>(&request);
    const bool by_rounds = asked_slots(request).has_value();
    std::set<Digest> named;
    if (list != nullptr && list->named) named.insert(list->headers.begin(), list->headers.end());
    for (auto at = response.certificates.rbegin(); at != response.certificates.rend(); ++at) {
        const Header& header = (*at)->header;
        const bool by_hash = checks.ancestor && header.round.value() % checks.proofs_every != 0 &&
                             (named.contains(header.digest) || planted(Planted::unnamed_by_hash));
        if (!by_hash && checks.ancestor && !(*at)->has_proof()) {
            if (by_rounds && reply.certificates.empty()) reply.next = Continuation{header.ref().slot(), 0};
            reply.bytes_dropped += encoded_size(**at);
            continue;
        }
        auto verified = by_hash ? checks.ancestor(*at) : checks.certificate(*at);
        // What is named is the digest: it must be that of what was checked.
        if (!verified || (*verified)->header.digest != header.digest) return bad_reply();
        for (const Parent& parent : header.parents) named.insert(parent.header);
        reply.bytes += encoded_size(**at);
        reply.certificates.push_back(std::move(*verified));
    }
    std::reverse(reply.certificates.begin(), reply.certificates.end());
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

std::optional<ReplyBody> read(std::optional<ValidatorIndex> self, const SyncRequest& request,
                              const SyncResponse& response, const ReplyChecks& checks) {
    if (!fits(request, response)) return bad_reply();
    if (const auto* error = std::get_if<SyncError>(&response)) return read(*error);
    if (const auto* found = std::get_if<Certificates>(&response)) return read(request, *found, checks);
    if (const auto* highest = std::get_if<HighestRound>(&response)) return read(self, *highest, checks);
    if (std::holds_alternative<Batches>(response)) return std::nullopt;
    // Of rounds nothing is an answer; by digest the peer does not have it.
    if (!asked_slots(request)) return RequestFailed{RequestFailure::not_found, {}};
    CertificatesReply nothing;
    nothing.held = std::get<Empty>(response).held;
    return nothing;
}

}  // namespace

std::optional<ReplyBody> read_reply(std::optional<ValidatorIndex> self, const SyncRequest& request,
                                    const SyncResponse& response, const ReplyChecks& checks) {
    auto body = read(self, request, response, checks);
    auto* failed = body ? std::get_if<RequestFailed>(&*body) : nullptr;
    if (failed != nullptr && failed->why == RequestFailure::bad_reply) failed->bytes = bytes_of(response);
    return body;
}

}  // namespace monodon::dag
