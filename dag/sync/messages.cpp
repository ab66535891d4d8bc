#include "dag/sync/messages.hpp"

#include <algorithm>

namespace monodon::dag {

namespace {

bool is_range(Round first, Round last) { return first > Round{0} && first <= last; }

/// Each certificate was asked for by its digest, in the order of the request.
bool follows_list(const std::vector<Digest>& asked, const Certificates& reply) {
    auto at = asked.begin();
    for (const auto& certificate : reply.certificates) {
        at = std::find(at, asked.end(), certificate->header.digest);
        if (at == asked.end()) return false;
        ++at;
    }
    if (!reply.next) return true;
    const auto looked_at = static_cast<std::size_t>(at - asked.begin());
    return reply.next->position > 0 && reply.next->position >= looked_at &&
           reply.next->position < asked.size();
}

bool follows_rounds(const SyncRequest& request, const AskedSlots& asked, const Certificates& reply) {
    const auto* missing = std::get_if<GetMissingCertificates>(&request);
    Slot earliest = asked.first;
    for (const auto& certificate : reply.certificates) {
        const Slot slot = certificate->ref().slot();
        if (slot < earliest || slot.round > asked.last) return false;
        if (missing != nullptr && missing->known.contains(slot)) return false;
        earliest = {slot.round, ValidatorIndex{static_cast<std::uint16_t>(slot.author.value() + 1)}};
    }
    if (!reply.next) return true;
    // After what came, or after the first slot if nothing did.
    return reply.next->slot > asked.first && reply.next->slot >= earliest &&
           reply.next->slot.round <= asked.last;
}

}  // namespace

std::optional<AskedSlots> asked_slots(const SyncRequest& request) {
    if (const auto* round = std::get_if<GetCertificatesInRound>(&request)) {
        return AskedSlots{{round->round, round->from}, round->round};
    }
    if (const auto* range = std::get_if<GetCertificatesInRange>(&request)) {
        return AskedSlots{{range->first, range->from}, range->last};
    }
    if (const auto* missing = std::get_if<GetMissingCertificates>(&request)) {
        return AskedSlots{{missing->first, missing->from}, missing->last};
    }
    return std::nullopt;
}

std::vector<Digest> asked_digests(const SyncRequest& request) {
    if (const auto* certificates = std::get_if<GetCertificates>(&request)) return certificates->headers;
    std::vector<Digest> digests;
    if (const auto* batch = std::get_if<GetBatch>(&request)) digests.push_back(batch->batch.digest);
    if (const auto* batches = std::get_if<GetBatches>(&request)) {
        for (const WantedBatch& each : batches->batches) digests.push_back(each.digest);
    }
    return digests;
}

bool is_bulk(const SyncRequest& request) {
    return std::holds_alternative<GetCertificatesInRange>(request) ||
           std::holds_alternative<GetMissingCertificates>(request);
}

bool is_well_formed(const SyncRequest& request) {
    if (const auto slots = asked_slots(request)) {
        if (!is_range(slots->first.round, slots->last)) return false;
        const auto* missing = std::get_if<GetMissingCertificates>(&request);
        return missing == nullptr || missing->known.authors.size() <= kKnownRoundsMax;
    }
    if (std::holds_alternative<GetHighestRound>(request) || std::holds_alternative<GetBatch>(request)) {
        return true;
    }
    const std::size_t named = asked_digests(request).size();
    return named >= 1 && named <= kDigestsPerRequestMax;
}

std::optional<SyncRequest> rest_of(const SyncRequest& request, const SyncResponse& response) {
    const auto* certificates = std::get_if<Certificates>(&response);
    const auto* batches = std::get_if<Batches>(&response);
    const auto next = certificates != nullptr ? certificates->next
                      : batches != nullptr    ? batches->next
                                              : std::nullopt;
    if (!next) return std::nullopt;
    SyncRequest rest = request;
    const auto from = static_cast<std::ptrdiff_t>(next->position);
    if (auto* list = std::get_if<GetCertificates>(&rest)) {
        list->headers.erase(list->headers.begin(), list->headers.begin() + from);
    } else if (auto* wanted = std::get_if<GetBatches>(&rest)) {
        wanted->batches.erase(wanted->batches.begin(), wanted->batches.begin() + from);
    } else if (auto* round = std::get_if<GetCertificatesInRound>(&rest)) {
        round->from = next->slot.author;
    } else if (auto* range = std::get_if<GetCertificatesInRange>(&rest)) {
        range->first = next->slot.round;
        range->from = next->slot.author;
    } else if (auto* missing = std::get_if<GetMissingCertificates>(&rest)) {
        missing->first = next->slot.round;
        missing->from = next->slot.author;
    } else {
        return std::nullopt;
    }
    return rest;
}

bool fits(const SyncRequest& request, const SyncResponse& response) {
    if (std::holds_alternative<SyncError>(response) || std::holds_alternative<Empty>(response)) {
        return true;
    }
    if (std::holds_alternative<GetHighestRound>(request)) {
        return std::holds_alternative<HighestRound>(response);
    }
    const bool batches =
        std::holds_alternative<GetBatch>(request) || std::holds_alternative<GetBatches>(request);
    if (batches) {
        const auto* found = std::get_if<Batches>(&response);
        const std::size_t asked = asked_digests(request).size();
        if (found == nullptr || found->batches.size() > asked) return false;
        return !found->next || (found->next->position > 0 && found->next->position < asked);
    }
    const auto* reply = std::get_if<Certificates>(&response);
    if (reply == nullptr || reply->certificates.size() > kCertificatesPerReplyMax) return false;
    const auto slots = asked_slots(request);
    return slots ? follows_rounds(request, *slots, *reply) : follows_list(asked_digests(request), *reply);
}

}  // namespace monodon::dag
