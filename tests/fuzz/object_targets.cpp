#include "dag/model/batch.hpp"
#include "storage/checkpoint_image.hpp"
#include "tests/fuzz/objects.hpp"
#include "tests/fuzz/target.hpp"

// The objects of the protocol, as they travel, are hashed and are stored.
namespace monodon::fuzz::object_targets {

namespace {

using namespace dag;

void header_object(ByteView input) {
    auto header = decode_header(committee(), input);
    if (!header) {
        MONODON_CHECK(header.error() == ObjectError::malformed);
        return;
    }
    MONODON_CHECK(same(encode(*header), input));
    MONODON_CHECK(header->payload.size() <= kPayloadEntriesMax && header->parents.size() <= kCommitteeMax);
    MONODON_CHECK(!decode_header(committee(), with_trailing(input)));
    // The digest covers everything but the signature.
    Header other = *header;
    other.created_at ^= 1;
    const auto differs = decode_header(committee(), encode(other));
    MONODON_CHECK(differs && differs->digest != header->digest);
    const auto verified = verification().header(std::move(*header));
    if (!verified) {
        MONODON_CHECK(!describe(verified.error()).empty());
        return;
    }
    const Header& good = **verified;
    MONODON_CHECK(good.epoch == committee().epoch() && committee().contains(good.author));
    MONODON_CHECK(good.round >= Round{1});
    MONODON_CHECK((good.round == Round{1}) == good.parents.empty());
    if (!good.parents.empty()) MONODON_CHECK(committee().is_quorum(good.parent_authors()));
    MONODON_CHECK(good.parent_authors().size() == good.parents.size());
}

std::vector<Seed> header_seeds() {
    Header stranger = header(4, 1, 1);
    stranger.author = ValidatorIndex{300};
    stranger.parents.back().author = ValidatorIndex{500};
    return {{"round-1", encode(header(1, 0, 0))},
            {"round-2", encode(header(2, 1, 3))},
            {"large", encode(header(9, 3, 40))},
            {"stranger", encode(stranger)}};
}

void vote_object(ByteView input) {
    auto vote = decode_vote(input);
    if (!vote) return;
    MONODON_CHECK(same(encode(*vote), input));
    MONODON_CHECK(!decode_vote(with_trailing(input)));
    const auto verified = verification().vote(std::move(*vote));
    if (!verified) return;
    MONODON_CHECK(committee().contains((*verified)->voter) && committee().contains((*verified)->author));
}

std::vector<Seed> vote_seeds() { return {{"vote", encode(vote(2, 1, 3))}, {"own", encode(vote(1, 0, 0))}}; }

void certificate_object(ByteView input) {
    auto certificate = decode_certificate(committee(), input);
    if (!certificate) return;
    MONODON_CHECK(same(encode(*certificate), input));
    MONODON_CHECK(certificate->signatures.size() <= kCommitteeMax);
    MONODON_CHECK(!decode_certificate(committee(), with_trailing(input)));
    const auto verified = verification().certificate(std::move(*certificate));
    if (!verified) {
        MONODON_CHECK(!describe(verified.error()).empty());
        return;
    }
    const Certificate& good = **verified;
    MONODON_CHECK(committee().is_quorum(good.signers) && good.signers.size() == good.signatures.size());
    MONODON_CHECK(good.signers.without(committee().everybody()).empty());
}

std::vector<Seed> certificate_seeds() {
    Certificate forged = certificate(3, 0, 1);
    forged.signatures.back().bytes[0] = EasyVerifier::kForged;
    Certificate strangers = certificate(2, 0, 0);
    strangers.signers = AuthorSet{7, 1ULL << 63U};
    return {{"round-1", encode(certificate(1, 2, 0))},
            {"round-2", encode(certificate(2, 3, 2))},
            {"forged", encode(forged)},
            {"strangers", encode(strangers)}};
}

void batch_object(ByteView input) {
    const auto view = parse_batch(committee(), input);
    if (!view) return;
    MONODON_CHECK(view->transactions > 0 && input.size() <= kBatchBytesMax);
    MONODON_CHECK(!parse_batch(committee(), with_trailing(input)));
    BatchBuilder builder;
    std::uint32_t seen = 0;
    view->for_each([&](ByteView transaction) {
        ++seen;
        MONODON_CHECK(builder.add(transaction));
    });
    MONODON_CHECK(seen == view->transactions);
    const auto sealed = builder.seal(committee(), view->head);
    MONODON_CHECK(same(*sealed.bytes, input));
    MONODON_CHECK(sealed.entry == dag::payload_entry(committee(), *view, input));
}

std::vector<Seed> batch_seeds() {
    return {{"one", batch(1, 100)}, {"many", batch(40, 3)}, {"empty-transactions", batch(3, 0)}};
}

void commit_object(ByteView input) {
    const auto read = decode_commit(committee(), input);
    if (!read) return;
    MONODON_CHECK(same(encode(*read), input));
    MONODON_CHECK(read->digest == commit_digest(committee(), *read));
    MONODON_CHECK(!decode_commit(committee(), with_trailing(input)));
}

/// The digest at the end has to fit: the target puts it there, so that more than the seeds is read.
void commit_with_digest(ByteView input) {
    commit_object(input);
    constexpr std::size_t kDigest = sizeof(Digest::bytes);
    if (input.size() < kDigest) return;
    Bytes mended = copy_of(input);
    CanonicalReader reader(mended);
    Commit made;
    made.index = CommitIndex{reader.u64()};
    made.previous = reader.digest();
    made.anchor = read_header_ref(reader);
    for (std::uint32_t left = reader.count(1000, kHeaderRefBytes); left > 0; --left)
        made.certificates.push_back(read_header_ref(reader));
    for (std::uint32_t left = reader.count(1000, 10); left > 0; --left) {
        const Round round{reader.u64()};
        made.failed.push_back({round, ValidatorIndex{reader.u16()}});
    }
    made.transactions = reader.u64();
    made.bytes = reader.u64();
    if (!reader.ok()) return;
    const Digest digest = commit_digest(committee(), made);
    std::ranges::copy(digest.bytes, mended.end() - static_cast<std::ptrdiff_t>(kDigest));
    commit_object(mended);
}

std::vector<Seed> commit_seeds() {
    Commit small = commit(1);
    small.failed.clear();
    small.payload.clear();
    small.digest = commit_digest(committee(), small);
    return {{"commit", encode(commit(7))}, {"small", encode(small)}};
}

// ---- the files of a checkpoint

void consensus_state(ByteView input) {
    const auto state = storage::decode_consensus_state(input);
    if (!state) return;
    MONODON_CHECK(same(storage::encode_consensus_state(*state), input));
    MONODON_CHECK(!storage::decode_consensus_state(with_trailing(input)));
}

std::vector<Seed> state_seeds() {
    ConsensusState state;
    const Bytes first = storage::encode_consensus_state(state);
    state.last = {CommitIndex{9}, sha256(as_bytes("last"))};
    state.anchor = header(2, 1, 1).ref();
    state.events = {
        {CommitIndex{8}, {Round{14}, ValidatorIndex{2}}, AuthorSet{7, 0}, {{Round{12}, ValidatorIndex{0}}}},
        {CommitIndex{9}, {Round{16}, ValidatorIndex{1}}, AuthorSet{15, 0}, {}}};
    state.ordered = {AuthorSet{}, AuthorSet{15, 0}, AuthorSet{2, 0}};
    state.executed = {{Round{12}, sha256(as_bytes("batch"))}};
    return {{"first", first}, {"later", storage::encode_consensus_state(state)}};
}

void checkpoint_segment(ByteView input) {
    std::vector<VerifiedCertificate> read;
    if (!storage::read_segment(input, Epoch{0}, Round{0}, read)) {
        MONODON_CHECK(read.empty());
        return;
    }
    MONODON_CHECK(!storage::read_segment(input, Epoch{1}, Round{0}, read));
    std::vector<VerifiedCertificate> longer;
    MONODON_CHECK(!storage::read_segment(with_trailing(input), Epoch{0}, Round{0}, longer) && longer.empty());
    // Ascending as the writer demands: then it is read back as what it is.
    storage::SegmentWriter writer;
    for (const VerifiedCertificate& each : read) {
        if (each->header.round < writer.last()) return;
        if (!writer.empty() && distance(writer.first(), each->header.round) > 0xFFFF) return;
        writer.add(*each);
    }
    if (writer.empty()) return;
    std::vector<VerifiedCertificate> again;
    MONODON_CHECK(storage::read_segment(writer.finish(), Epoch{0}, Round{0}, again));
    MONODON_CHECK(again.size() == read.size());
    for (std::size_t at = 0; at < read.size(); ++at) MONODON_CHECK(encode(*again[at]) == encode(*read[at]));
}

std::vector<Seed> segment_seeds() {
    storage::SegmentWriter writer;
    for (std::uint16_t author = 0; author < 4; ++author) writer.add(certificate(1, author, 0));
    for (std::uint16_t author = 0; author < 3; ++author) writer.add(certificate(2, author, 2));
    writer.add(certificate(5, 1, 1));
    const Bytes rounds = writer.finish();
    writer.add(certificate(3, 2, 0));
    return {{"rounds", rounds}, {"one", writer.finish()}};
}

const Registration kObjects{{
    {"header", "what decodes encodes to the same bytes; limits; what verifies keeps the rules", 4096,
     header_object, header_seeds},
    {"vote", "what decodes encodes to the same bytes; what verifies is of members", 256, vote_object,
     vote_seeds},
    {"certificate", "what decodes encodes to the same bytes; what verifies has a quorum of members", 4096,
     certificate_object, certificate_seeds},
    {"batch", "built anew from its transactions it is the same bytes; limits; not empty", 4096, batch_object,
     batch_seeds},
    {"commit", "what decodes encodes to the same bytes and has the digest of its fields", 2048,
     commit_with_digest, commit_seeds},
    {"consensus_state", "what decodes encodes to the same bytes", 2048, consensus_state, state_seeds},
    {"checkpoint_segment", "all or nothing; written anew it gives the same certificates", 4096,
     checkpoint_segment, segment_seeds},
}};

}  // namespace

}  // namespace monodon::fuzz::object_targets
