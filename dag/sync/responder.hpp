#pragma once

#include <functional>

#include "dag/sync/messages.hpp"

namespace monodon::dag {

/// What the responder reads: the store of a node, memory in simulator and tests. Everything that others may
/// ask for is in it: what was said or voted on is durable.
class SyncSource {
 public:
    virtual ~SyncSource() = default;
    [[nodiscard]] virtual Held held() const = 0;
    /// The members of the committee.
    [[nodiscard]] virtual AuthorSet everybody() const = 0;
    /// By the digest of its header.
    [[nodiscard]] virtual std::optional<VerifiedCertificate> certificate(const Digest& header) const = 0;
    struct Page {
        std::vector<VerifiedCertificate> certificates;
        /// Where the rest begins; nothing at the end.
        std::optional<Slot> next;
    };
    /// From slot `first` through round `last`, ascending; at most so many, and no more once the rows have so
    /// many bytes, but one if there is one.
    [[nodiscard]] virtual Page certificates(Slot first, Round last, std::size_t most,
                                            std::size_t bytes) const = 0;
    /// Null if it is not here.
    [[nodiscard]] virtual SharedBytes batch(const WantedBatch& wanted) const = 0;
    /// The newest header of this author that is known.
    [[nodiscard]] virtual std::shared_ptr<const Header> newest_header(ValidatorIndex author) const = 0;
};

/// How much one answer may take.
struct AnswerBudget {
    std::size_t certificates = kCertificatesPerReplyMax;
    std::size_t bytes = kReplyBytes;
    /// Whether the time for this answer is over: it stops where it is then, after at least one step. May be
    /// empty.
    std::function<bool()> expired;
};

/// Answers a request. `asker` is who asks, if it is a member. The answer begins at the round that was asked
/// for; it reads no more than in proportion to what it may hold.
[[nodiscard]] SyncResponse answer(const SyncSource& source, const SyncRequest& request,
                                  std::optional<ValidatorIndex> asker, const AnswerBudget& budget);

/// About the bytes of a certificate in a message.
[[nodiscard]] std::size_t encoded_size(const Certificate& certificate);

/// SyncSource::certificates() over a map from slots to verified certificates.
template <class Map>
[[nodiscard]] SyncSource::Page page_of(const Map& by_slot, Slot first, Round last, std::size_t most,
                                       std::size_t bytes) {
    SyncSource::Page page;
    std::size_t taken = 0;
    for (auto at = by_slot.lower_bound(first); at != by_slot.end() && at->first.round <= last; ++at) {
        const std::size_t size = encoded_size(*at->second);
        const bool full = page.certificates.size() == most || taken + size > bytes;
        if (full && !page.certificates.empty()) {
            page.next = at->first;
            break;
        }
        taken += size;
        page.certificates.push_back(at->second);
    }
    return page;
}

}  // namespace monodon::dag
