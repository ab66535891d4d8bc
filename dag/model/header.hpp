#pragma once

#include <vector>

#include "dag/model/batch.hpp"
#include "dag/model/committee.hpp"
#include "dag/model/types.hpp"

namespace monodon::dag {

/// A certificate of the round before, as a header names it: the round is implied.
struct Parent {
    ValidatorIndex author;
    Digest header;
    friend auto operator<=>(const Parent&, const Parent&) = default;
};

/// The author's highest durable commit when it made a header; (0, zero) before the first. It never falls.
/// Serves lag detection and the divergence alarm and is never an input of ordering.
struct CommitClaim {
    CommitIndex index;
    Digest digest;
    friend auto operator<=>(const CommitClaim&, const CommitClaim&) = default;
};

/// One header of the DAG, exactly one certificate of a slot.
struct HeaderRef {
    Round round;
    ValidatorIndex author;
    Digest digest;
    [[nodiscard]] Slot slot() const { return {round, author}; }
    friend auto operator<=>(const HeaderRef&, const HeaderRef&) = default;
};

/// A proposal of one author for one round (consensus.md 2).
struct Header {
    Epoch epoch;
    Round round;
    ValidatorIndex author;
    /// Microseconds since the Unix epoch by the author's clock. For people; no rule reads it.
    std::uint64_t created_at = 0;
    std::vector<PayloadEntry> payload;
    /// Strictly ascending by author; empty in round 1.
    std::vector<Parent> parents;
    CommitClaim committed;
    /// Of everything above; kept by sign_header() and the decoders.
    Digest digest;
    /// The author's, over proposal_statement().
    Signature signature;

    [[nodiscard]] HeaderRef ref() const { return {round, author, digest}; }
    [[nodiscard]] AuthorSet parent_authors() const;
};

/// A member's promise that it holds a header's payload and parents and has voted for no other in its slot.
struct Vote {
    Epoch epoch;
    Round round;
    /// Of the header.
    ValidatorIndex author;
    Digest header;
    ValidatorIndex voter;
    /// The voter's, over vote_statement(): the same bytes for every voter.
    Signature signature;

    [[nodiscard]] HeaderRef ref() const { return {round, author, header}; }
};

/// A header and a quorum of votes for it. Its identity is that of the header: another set of signers makes
/// the same certificate.
struct Certificate {
    Header header;
    AuthorSet signers;
    /// One per signer, ascending by index.
    std::vector<Signature> signatures;

    [[nodiscard]] HeaderRef ref() const { return header.ref(); }
    /// Without, it is here by its hash: a verified certificate, or another one that is here by its hash,
    /// names its digest. Its quorum is certain then, but cannot be shown to others: it is an ancestor to
    /// them, and evidence to nobody.
    [[nodiscard]] bool has_proof() const { return !signers.empty(); }
};

/// Rounds divisible by this are always kept with their signatures, so that what lies below can be shown by
/// hashes: about 256 certificates, which fit into one reply with what they prove, and 16 rounds at most.
[[nodiscard]] std::uint64_t proof_spacing(const Committee& committee);

/// What the author of a header signs.
[[nodiscard]] Bytes proposal_statement(const Committee& committee, const HeaderRef& header);
/// What every voter for a header signs.
[[nodiscard]] Bytes vote_statement(const Committee& committee, const HeaderRef& header);

/// Fills in digest and signature.
void sign_header(const Committee& committee, const Signer& signer, Header& header);
[[nodiscard]] Vote sign_vote(const Committee& committee, const Signer& signer, ValidatorIndex voter,
                             const HeaderRef& header);

enum class ObjectError : std::uint8_t {
    malformed,  ///< not the canonical encoding of such an object, or beyond a size limit
    wrong_epoch,
    unknown_author,  ///< author, voter, signer or parent is not a member
    bad_round,       ///< round 0
    bad_parents,     ///< not ascending, too little stake, or parents in round 1
    bad_payload,     ///< too many entries, duplicates, or an entry no batch can have
    bad_signers,     ///< below a quorum, or signatures do not match the signers
    bad_signature,
};
[[nodiscard]] std::string_view describe(ObjectError error);

// The encodings in which these objects are stored and relayed: the very bytes that are hashed, then
// signatures.
[[nodiscard]] Bytes encode(const Header& header);
[[nodiscard]] Bytes encode(const Vote& vote);
[[nodiscard]] Bytes encode(const Certificate& certificate);
// Bounds and structure only, and the digest; what the fields mean is checked by Verification.
[[nodiscard]] Expected<Header, ObjectError> decode_header(const Committee& committee, ByteView bytes);
[[nodiscard]] Expected<Vote, ObjectError> decode_vote(ByteView bytes);
[[nodiscard]] Expected<Certificate, ObjectError> decode_certificate(const Committee& committee,
                                                                    ByteView bytes);

/// Largest encoded certificate: a header and one signature per member.
inline constexpr std::size_t kCertificateBytesMax = kHeaderBytesMax + 64 + 16 + 4 + kCommitteeMax * 64;

// Parts of the encodings, for objects that contain them.
void write(CanonicalWriter& writer, const HeaderRef& ref);
[[nodiscard]] HeaderRef read_header_ref(CanonicalReader& reader);
void write(CanonicalWriter& writer, const PayloadEntry& entry);
[[nodiscard]] PayloadEntry read_payload_entry(CanonicalReader& reader);
void write(CanonicalWriter& writer, const AuthorSet& set);
[[nodiscard]] AuthorSet read_author_set(CanonicalReader& reader);
inline constexpr std::size_t kHeaderRefBytes = 8 + 2 + 32;
inline constexpr std::size_t kPayloadEntryBytes = 32 + 2 + 4 + 8 + 4 + 4;
inline constexpr std::size_t kAuthorSetBytes = 16;

}  // namespace monodon::dag
