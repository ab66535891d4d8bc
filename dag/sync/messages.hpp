#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "dag/model/batch.hpp"
#include "dag/model/verification.hpp"

/// What members ask one another of the history and what is answered (sync.md 1): seven requests, five
/// responses, the same on the wire, in the simulator and in process. Nothing in a response was checked:
/// fits() says whether it answers its request, Verification whether its certificates are certificates.
namespace monodon::dag {

/// Limits of one request and one response. A response holds at least one item if there is one.
inline constexpr std::size_t kDigestsPerRequestMax = 1000;
inline constexpr std::size_t kKnownRoundsMax = 4096;
inline constexpr std::size_t kCertificatesPerReplyMax = 1000;
inline constexpr std::size_t kReplyBytes = std::size_t{4} << 20;
/// Where a round waits for it.
inline constexpr std::size_t kUrgentReplyBytes = std::size_t{1} << 20;

/// A batch with the round in which it was sealed, or another of its generation (storage.md 1): without it its
/// holder would have to look everywhere.
struct WantedBatch {
    Digest digest;
    Round sealed;

    friend bool operator==(const WantedBatch&, const WantedBatch&) = default;
};

// ---- requests

/// By the digests of their headers: 1 to kDigestsPerRequestMax.
struct GetCertificates {
    std::vector<Digest> headers;
    /// Not told to the peer: certificates that are here name all of these digests, so that what comes needs
    /// no signatures.
    bool named = false;
    friend bool operator==(const GetCertificates&, const GetCertificates&) = default;
};
/// All of one round, of author `from` and those after it.
struct GetCertificatesInRound {
    Round round;
    ValidatorIndex from{};
    friend bool operator==(const GetCertificatesInRound&, const GetCertificatesInRound&) = default;
};
/// All of these rounds, ascending by round and author; of the first round those from author `from` on.
struct GetCertificatesInRange {
    Round first;
    Round last;
    ValidatorIndex from{};
    friend bool operator==(const GetCertificatesInRange&, const GetCertificatesInRange&) = default;
};
struct GetBatch {
    WantedBatch batch;
    friend bool operator==(const GetBatch&, const GetBatch&) = default;
};
/// 1 to kDigestsPerRequestMax.
struct GetBatches {
    std::vector<WantedBatch> batches;
    friend bool operator==(const GetBatches&, const GetBatches&) = default;
};
/// Where the peer is, and where it last saw us.
struct GetHighestRound {
    friend bool operator==(const GetHighestRound&, const GetHighestRound&) = default;
};

/// What a member has, exactly: everything up to the floor, and of the rounds above it these authors'.
struct KnownRounds {
    Round floor;
    /// Of round floor + 1, floor + 2, ..; nothing is known of what lies above. At most kKnownRoundsMax.
    std::vector<AuthorSet> authors;

    [[nodiscard]] bool contains(Slot slot) const { return authors_in(slot.round).contains(slot.author); }
    [[nodiscard]] AuthorSet authors_in(Round round) const {
        if (round <= floor) return {~std::uint64_t{0}, ~std::uint64_t{0}};
        const std::uint64_t at = distance(floor, round) - 1;
        return at < authors.size() ? authors[at] : AuthorSet{};
    }
    friend bool operator==(const KnownRounds&, const KnownRounds&) = default;
};
/// What of these rounds the asker does not have, ascending.
struct GetMissingCertificates {
    KnownRounds known;
    Round first;
    Round last;
    ValidatorIndex from{};
    friend bool operator==(const GetMissingCertificates&, const GetMissingCertificates&) = default;
};

using SyncRequest = std::variant<GetCertificates, GetCertificatesInRound, GetCertificatesInRange, GetBatch,
                                 GetBatches, GetHighestRound, GetMissingCertificates>;

/// The slots that a request for rounds asks for, from the first through all of the last round; nothing for
/// other requests.
struct AskedSlots {
    Slot first;
    Round last;
};
[[nodiscard]] std::optional<AskedSlots> asked_slots(const SyncRequest& request);
/// The digests of certificates or batches that a request names.
[[nodiscard]] std::vector<Digest> asked_digests(const SyncRequest& request);
/// Within the limits, with rounds that ascend and begin above 0. What a member sends is; what it receives may
/// not be.
[[nodiscard]] bool is_well_formed(const SyncRequest& request);

/// Nothing waits for it at once: it travels with the bulk of data, and its reply may be longer.
[[nodiscard]] bool is_bulk(const SyncRequest& request);

// ---- responses

/// What the responder's store holds: below it it has nothing, and is not to blame for it. An empty store
/// holds rounds from 1 to 0.
struct Held {
    Round lowest{1};
    Round highest;
    CommitIndex oldest_commit{1};
    CommitIndex newest_commit;

    friend bool operator==(const Held&, const Held&) = default;
};
/// Where the rest of an answer begins that stopped at a limit: of rounds the slot, of a list the position in
/// it.
struct Continuation {
    Slot slot;
    std::uint32_t position = 0;

    friend bool operator==(const Continuation&, const Continuation&) = default;
};
struct Certificates {
    Held held;
    /// Of rounds ascending by slot, of a list in its order. May be empty where the responder only looked at
    /// what the asker has: then there is a continuation.
    std::vector<std::shared_ptr<const Certificate>> certificates;
    std::optional<Continuation> next;

    [[nodiscard]] bool has_more() const { return next.has_value(); }
};
/// Encoded batches.
struct Batches {
    Held held;
    std::vector<SharedBytes> batches;
    std::optional<Continuation> next;
};
/// Where the responder is, and where it last saw the asker (consensus.md 9.3).
struct HighestRound {
    Held held;
    /// Of the highest round; null before the first.
    std::shared_ptr<const Certificate> certificate;
    /// The newest header of the asker that the responder knows; null if none.
    std::shared_ptr<const Header> yours;
};
/// The responder will not answer this, now or at all.
struct SyncError {
    enum class Why : std::uint8_t { malformed, pruned, busy };
    Why why = Why::malformed;
    /// Of `pruned`: the lowest round that it holds.
    Round lowest;
};
/// It has nothing of what was asked for.
struct Empty {
    Held held;
};
using SyncResponse = std::variant<Certificates, Batches, HighestRound, SyncError, Empty>;

/// The request for the rest of an answer; nothing if it was the whole one, or the request has no rest.
[[nodiscard]] std::optional<SyncRequest> rest_of(const SyncRequest& request, const SyncResponse& response);

/// Whether the response is one to this request: of its kind, nothing in it that was not asked for, in order,
/// nothing twice, and what comes next lies ahead, so that asking for the rest always ends. Certificates and
/// batches themselves are not checked here.
[[nodiscard]] bool fits(const SyncRequest& request, const SyncResponse& response);

}  // namespace monodon::dag
