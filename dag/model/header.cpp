#include "dag/model/header.hpp"

#include <algorithm>

#include "net/core/check.hpp"

namespace monodon::dag {

namespace {

constexpr std::size_t kParentBytes = 2 + 32;

static_assert(8 + 8 + 2 + 8 + 4 + kPayloadEntriesMax * kPayloadEntryBytes + 4 + kCommitteeMax * kParentBytes +
                      40 <=
                  kHeaderBytesMax,
              "a full header must fit its limit");

/// Every field but digest and signature: what is hashed after the domain.
void write_body(CanonicalWriter& writer, const Header& header) {
    writer.u64(header.epoch.value())
        .u64(header.round.value())
        .u16(header.author.value())
        .u64(header.created_at);
    writer.count(header.payload.size());
    for (const PayloadEntry& entry : header.payload) write(writer, entry);
    writer.count(header.parents.size());
    for (const Parent& parent : header.parents) writer.u16(parent.author.value()).digest(parent.header);
    writer.u64(header.committed.index.value()).digest(header.committed.digest);
}

Digest digest_of_body(const Committee& committee, ByteView body) {
    thread_local Sha256 hasher;
    hasher.update(CanonicalWriter("header").text(committee.chain()).view());
    hasher.update(body);
    return hasher.finish();
}

Signature read_signature(CanonicalReader& reader) {
    Signature signature;
    const ByteView raw = reader.fixed(signature.bytes.size());
    std::copy(raw.begin(), raw.end(), signature.bytes.begin());
    return signature;
}

Header read_header(const Committee& committee, CanonicalReader& reader, ByteView input) {
    Header header;
    const std::size_t before = reader.remaining();
    header.epoch = Epoch{reader.u64()};
    header.round = Round{reader.u64()};
    header.author = ValidatorIndex{reader.u16()};
    header.created_at = reader.u64();
    for (std::uint32_t left = reader.count(kPayloadEntriesMax, kPayloadEntryBytes); left > 0; --left) {
        header.payload.push_back(read_payload_entry(reader));
    }
    for (std::uint32_t left = reader.count(kCommitteeMax, kParentBytes); left > 0; --left) {
        const auto author = ValidatorIndex{reader.u16()};
        header.parents.push_back({author, reader.digest()});
    }
    header.committed.index = CommitIndex{reader.u64()};
    header.committed.digest = reader.digest();
    const std::size_t size = before - reader.remaining();
    if (reader.ok()) header.digest = digest_of_body(committee, input.subspan(input.size() - before, size));
    header.signature = read_signature(reader);
    return header;
}

Bytes statement(const Committee& committee, std::string_view name, const HeaderRef& header) {
    CanonicalWriter writer = committee.domain(name);
    write(writer, header);
    return writer.take();
}

}  // namespace

AuthorSet Header::parent_authors() const {
    AuthorSet set;
    for (const Parent& parent : parents) set.insert(parent.author);
    return set;
}

void write(CanonicalWriter& writer, const HeaderRef& ref) {
    writer.u64(ref.round.value()).u16(ref.author.value()).digest(ref.digest);
}

HeaderRef read_header_ref(CanonicalReader& reader) {
    const auto round = Round{reader.u64()};
    const auto author = ValidatorIndex{reader.u16()};
    return {round, author, reader.digest()};
}

void write(CanonicalWriter& writer, const PayloadEntry& entry) {
    writer.digest(entry.batch).u16(entry.author.value()).u32(entry.worker.value());
    writer.u64(entry.sealed_round.value()).u32(entry.bytes).u32(entry.transactions);
}

PayloadEntry read_payload_entry(CanonicalReader& reader) {
    PayloadEntry entry;
    entry.batch = reader.digest();
    entry.author = ValidatorIndex{reader.u16()};
    entry.worker = WorkerId{reader.u32()};
    entry.sealed_round = Round{reader.u64()};
    entry.bytes = reader.u32();
    entry.transactions = reader.u32();
    return entry;
}

void write(CanonicalWriter& writer, const AuthorSet& set) { writer.u64(set.low()).u64(set.high()); }

AuthorSet read_author_set(CanonicalReader& reader) {
    const std::uint64_t low = reader.u64();
    return {low, reader.u64()};
}

Bytes proposal_statement(const Committee& committee, const HeaderRef& header) {
    return statement(committee, "proposal", header);
}

Bytes vote_statement(const Committee& committee, const HeaderRef& header) {
    return statement(committee, "vote", header);
}

void sign_header(const Committee& committee, const Signer& signer, Header& header) {
    CanonicalWriter body;
    write_body(body, header);
    header.digest = digest_of_body(committee, body.view());
    header.signature = signer.sign(proposal_statement(committee, header.ref()));
}

Vote sign_vote(const Committee& committee, const Signer& signer, ValidatorIndex voter,
               const HeaderRef& header) {
    return {committee.epoch(), header.round, header.author,
            header.digest,     voter,        signer.sign(vote_statement(committee, header))};
}

std::uint64_t proof_spacing(const Committee& committee) {
    constexpr std::uint64_t kMost = 16;
    return std::min(kMost, std::bit_floor(std::max<std::uint64_t>(256 / committee.size(), 1)));
}

std::string_view describe(ObjectError error) {
    switch (error) {
        case ObjectError::malformed:
            return "malformed";
        case ObjectError::wrong_epoch:
            return "wrong epoch";
        case ObjectError::unknown_author:
            return "not by a member";
        case ObjectError::bad_round:
            return "round 0";
        case ObjectError::bad_parents:
            return "bad parents";
        case ObjectError::bad_payload:
            return "bad payload";
        case ObjectError::bad_signers:
            return "bad signers";
        case ObjectError::bad_signature:
            return "bad signature";
    }
    MONODON_CHECK(false);
}

Bytes encode(const Header& header) {
    CanonicalWriter writer;
    write_body(writer, header);
    writer.fixed(header.signature.bytes);
    return writer.take();
}

Bytes encode(const Vote& vote) {
    CanonicalWriter writer;
    writer.u64(vote.epoch.value());
    write(writer, vote.ref());
    writer.u16(vote.voter.value()).fixed(vote.signature.bytes);
    return writer.take();
}

Bytes encode(const Certificate& certificate) {
    CanonicalWriter writer;
    write_body(writer, certificate.header);
    writer.fixed(certificate.header.signature.bytes);
    write(writer, certificate.signers);
    writer.count(certificate.signatures.size());
    for (const Signature& signature : certificate.signatures) writer.fixed(signature.bytes);
    return writer.take();
}

Expected<Header, ObjectError> decode_header(const Committee& committee, ByteView bytes) {
    if (bytes.size() > kHeaderBytesMax) return Unexpected{ObjectError::malformed};
    CanonicalReader reader(bytes);
    Header header = read_header(committee, reader, bytes);
    if (!reader.finished()) return Unexpected{ObjectError::malformed};
    return header;
}

Expected<Vote, ObjectError> decode_vote(ByteView bytes) {
    CanonicalReader reader(bytes);
    Vote vote;
    vote.epoch = Epoch{reader.u64()};
    const HeaderRef ref = read_header_ref(reader);
    vote.round = ref.round;
    vote.author = ref.author;
    vote.header = ref.digest;
    vote.voter = ValidatorIndex{reader.u16()};
    vote.signature = read_signature(reader);
    if (!reader.finished()) return Unexpected{ObjectError::malformed};
    return vote;
}

Expected<Certificate, ObjectError> decode_certificate(const Committee& committee, ByteView bytes) {
    if (bytes.size() > kCertificateBytesMax) return Unexpected{ObjectError::malformed};
    CanonicalReader reader(bytes);
    Certificate certificate;
    certificate.header = read_header(committee, reader, bytes);
    certificate.signers = read_author_set(reader);
    const std::uint32_t count = reader.count(kCommitteeMax, sizeof(Signature::bytes));
    certificate.signatures.reserve(count);
    for (std::uint32_t at = 0; at < count; ++at) certificate.signatures.push_back(read_signature(reader));
    if (!reader.finished()) return Unexpected{ObjectError::malformed};
    return certificate;
}

}  // namespace monodon::dag
