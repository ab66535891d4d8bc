#include "dag/sync/responder.hpp"

#include <algorithm>

namespace monodon::dag {

namespace {

/// What the asker has is looked at in steps of so many certificates; and so many times as many as an answer
/// may hold are looked at before it stops.
constexpr std::size_t kLookedAtOnce = 64;
constexpr std::size_t kLookedAtPerHeld = 4;

bool is_over(const AnswerBudget& budget) { return budget.expired && budget.expired(); }

SyncResponse certificates_by_digest(const SyncSource& source, const GetCertificates& request,
                                    const AnswerBudget& budget) {
    Certificates reply{source.held(), {}, {}};
    std::size_t bytes = 0;
    std::uint32_t position = 0;
    for (const Digest& digest : request.headers) {
        const bool full = reply.certificates.size() >= budget.certificates || bytes >= budget.bytes;
        if (full || (position > 0 && is_over(budget))) {
            reply.next = Continuation{{}, position};
            return reply;
        }
        ++position;
        const auto certificate = source.certificate(digest);
        if (!certificate) continue;
        bytes += encoded_size(**certificate);
        reply.certificates.push_back(certificate->shared());
    }
    if (reply.certificates.empty()) return Empty{reply.held};
    return reply;
}

SyncResponse certificates_by_round(const SyncSource& source, const AskedSlots& asked,
                                   const AnswerBudget& budget) {
    Certificates reply{source.held(), {}, {}};
    if (asked.first.round < reply.held.lowest) {
        return SyncError{SyncError::Why::pruned, reply.held.lowest};
    }
    auto page = source.certificates(asked.first, asked.last, budget.certificates, budget.bytes);
    for (const VerifiedCertificate& each : page.certificates) reply.certificates.push_back(each.shared());
    if (page.next) reply.next = Continuation{*page.next, 0};
    if (reply.certificates.empty() && !reply.next) return Empty{reply.held};
    return reply;
}

/// The first slot from `slot` on that the asker does not have.
Slot skip_known(const KnownRounds& known, const AuthorSet& everybody, Slot slot) {
    while (slot.round > known.floor) {
        const std::uint64_t at = distance(known.floor, slot.round) - 1;
        if (at >= known.authors.size() || !everybody.without(known.authors[at]).empty()) return slot;
        slot = {next(slot.round), ValidatorIndex{0}};
    }
    return {std::max(slot.round, next(known.floor)), ValidatorIndex{0}};
}

SyncResponse missing_certificates(const SyncSource& source, const GetMissingCertificates& request,
                                  const AnswerBudget& budget) {
    Certificates reply{source.held(), {}, {}};
    const AuthorSet everybody = source.everybody();
    Slot at{request.first, request.from};
    // Of what lies below our store the asker may have all that it wants.
    if (skip_known(request.known, everybody, at).round < reply.held.lowest) {
        return SyncError{SyncError::Why::pruned, reply.held.lowest};
    }
    std::size_t bytes = 0;
    std::size_t looked_at = 0;
    while (true) {
        at = std::max(at, skip_known(request.known, everybody, at));
        if (at.round > request.last) break;
        const bool tired =
            looked_at >= kLookedAtPerHeld * budget.certificates || (looked_at > 0 && is_over(budget));
        const bool full = reply.certificates.size() >= budget.certificates || bytes >= budget.bytes;
        if (tired || full) {
            reply.next = Continuation{at, 0};
            return reply;
        }
        const std::size_t room = budget.certificates - reply.certificates.size();
        const auto page =
            source.certificates(at, request.last, std::min(room, kLookedAtOnce), budget.bytes - bytes);
        for (const VerifiedCertificate& each : page.certificates) {
            ++looked_at;
            if (request.known.contains(each->ref().slot())) continue;
            bytes += encoded_size(*each);
            reply.certificates.push_back(each.shared());
        }
        if (!page.next) break;
        at = *page.next;
    }
    if (reply.certificates.empty()) return Empty{reply.held};
    return reply;
}

SyncResponse batches_by_digest(const SyncSource& source, const std::vector<WantedBatch>& wanted,
                               const AnswerBudget& budget) {
    Batches reply{source.held(), {}, {}};
    std::size_t bytes = 0;
    std::uint32_t position = 0;
    for (const WantedBatch& each : wanted) {
        if (bytes >= budget.bytes || (position > 0 && is_over(budget))) {
            reply.next = Continuation{{}, position};
            return reply;
        }
        ++position;
        SharedBytes batch = source.batch(each);
        if (!batch) continue;
        bytes += batch->size();
        reply.batches.push_back(std::move(batch));
    }
    if (reply.batches.empty()) return Empty{reply.held};
    return reply;
}

SyncResponse highest_round(const SyncSource& source, std::optional<ValidatorIndex> asker) {
    HighestRound reply{source.held(), nullptr, nullptr};
    if (reply.held.highest > Round{}) {
        const auto page = source.certificates({reply.held.highest, ValidatorIndex{0}}, reply.held.highest,
                                              kCommitteeMax, kReplyBytes);
        const auto proven = std::find_if(page.certificates.begin(), page.certificates.end(),
                                         [](const auto& each) { return each->has_proof(); });
        // Who asks relies on it: no answer is better than one that shows less than there is.
        if (proven == page.certificates.end()) return SyncError{SyncError::Why::busy, {}};
        reply.certificate = proven->shared();
    }
    if (asker) reply.yours = source.newest_header(*asker);
    return reply;
}

}  // namespace

std::size_t encoded_size(const Certificate& certificate) {
    constexpr std::size_t kHeaderFixed = 8 + 8 + 2 + 8 + 4 + 4 + 40 + 64;
    return kHeaderFixed + certificate.header.payload.size() * kPayloadEntryBytes +
           certificate.header.parents.size() * (2 + 32) + kAuthorSetBytes + 4 +
           certificate.signatures.size() * sizeof(Signature);
}

SyncResponse answer(const SyncSource& source, const SyncRequest& request, std::optional<ValidatorIndex> asker,
                    const AnswerBudget& budget) {
    if (!is_well_formed(request)) return SyncError{SyncError::Why::malformed, {}};
    if (const auto* list = std::get_if<GetCertificates>(&request)) {
        return certificates_by_digest(source, *list, budget);
    }
    if (const auto* missing = std::get_if<GetMissingCertificates>(&request)) {
        return missing_certificates(source, *missing, budget);
    }
    if (const auto* batch = std::get_if<GetBatch>(&request)) {
        return batches_by_digest(source, {batch->batch}, budget);
    }
    if (const auto* batches = std::get_if<GetBatches>(&request)) {
        return batches_by_digest(source, batches->batches, budget);
    }
    if (const auto slots = asked_slots(request)) return certificates_by_round(source, *slots, budget);
    return highest_round(source, asker);
}

}  // namespace monodon::dag
