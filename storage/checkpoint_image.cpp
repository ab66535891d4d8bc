#include "storage/checkpoint_image.hpp"

#include <algorithm>

#include "net/core/check.hpp"

namespace monodon::storage {

namespace {

constexpr std::uint32_t kForm = 1;
/// The lists of a consensus state end with the file; what is counted must still fit a sane machine.
constexpr std::uint32_t kListMax = 64 * 1024 * 1024;

Signature read_signature(CanonicalReader& reader) {
    Signature signature;
    const ByteView raw = reader.fixed(signature.bytes.size());
    std::copy(raw.begin(), raw.end(), signature.bytes.begin());
    return signature;
}

bool ascending(const std::vector<dag::Parent>& parents) {
    return std::ranges::adjacent_find(parents, [](const dag::Parent& a, const dag::Parent& b) {
               return a.author >= b.author;
           }) == parents.end();
}

void write_claim(CanonicalWriter& writer, const dag::CommitClaim& claim) {
    writer.u64(claim.index.value()).digest(claim.digest);
}

dag::CommitClaim read_claim(CanonicalReader& reader) {
    const auto index = dag::CommitIndex{reader.u64()};
    return {index, reader.digest()};
}

/// Reads what SegmentWriter has written.
class SegmentReader {
 public:
    explicit SegmentReader(ByteView bytes) : reader_(bytes) {}

    bool read(dag::Epoch epoch, dag::Round floor, std::vector<dag::VerifiedCertificate>& out) {
        const std::uint32_t form = reader_.u32();
        epoch_ = dag::Epoch{reader_.u64()};
        first_ = dag::Round{reader_.u64()};
        rounds_.enter(first_);
        if (form != kForm || epoch_ != epoch) return false;
        const std::size_t before = out.size();
        const std::uint32_t count = reader_.count(kListMax, kLeastBytes);
        out.reserve(before + count);
        for (std::uint32_t left = count; left > 0 && reader_.ok(); --left) {
            dag::Certificate certificate = read_certificate();
            if (reader_.ok() && certificate.header.round > floor)
                out.push_back(dag::Verification::trusted(std::move(certificate)));
        }
        if (reader_.finished()) return true;
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
        return false;
    }

 private:
    static constexpr std::size_t kLeastBytes = 2 + 2 + 8 + 4 + 16 + 2 + 40 + 64 + 32 + 16 + 2;

    dag::Certificate read_certificate() {
        dag::Certificate certificate;
        dag::Header& header = certificate.header;
        header.epoch = epoch_;
        header.round = dag::above(first_, reader_.u16());
        header.author = dag::ValidatorIndex{reader_.u16()};
        header.created_at = reader_.u64();
        if (header.author.value() >= dag::kCommitteeMax || header.round < rounds_.round()) reader_.fail();
        rounds_.enter(header.round);
        const auto entries = reader_.count(dag::kPayloadEntriesMax, dag::kPayloadEntryBytes);
        header.payload.reserve(entries);
        for (std::uint32_t left = entries; left > 0; --left)
            header.payload.push_back(dag::read_payload_entry(reader_));
        read_parents(header);
        header.committed = read_claim(reader_);
        header.signature = read_signature(reader_);
        header.digest = reader_.digest();
        certificate.signers = dag::read_author_set(reader_);
        const std::uint16_t signatures = reader_.u16();
        if (signatures > dag::kCommitteeMax) reader_.fail();
        certificate.signatures.reserve(reader_.ok() ? signatures : 0);
        for (std::uint16_t left = signatures; left > 0 && reader_.ok(); --left)
            certificate.signatures.push_back(read_signature(reader_));
        if (reader_.ok()) rounds_.add(header.author, header.digest);
        return certificate;
    }

    void read_parents(dag::Header& header) {
        const dag::AuthorSet inside = dag::read_author_set(reader_);
        const std::uint16_t others = reader_.u16();
        if (others > dag::kCommitteeMax) return reader_.fail();
        header.parents.reserve(inside.size() + others);
        inside.for_each([&](dag::ValidatorIndex author) {
            const Digest* digest = rounds_.below(author);
            if (digest == nullptr) return reader_.fail();
            header.parents.push_back({author, *digest});
        });
        for (std::uint16_t left = others; left > 0 && reader_.ok(); --left) {
            const auto author = dag::ValidatorIndex{reader_.u16()};
            // Who writes this certificate into another file looks its parents up by author.
            if (author.value() >= dag::kCommitteeMax) return reader_.fail();
            header.parents.push_back({author, reader_.digest()});
        }
        if (!inside.empty() && others > 0) std::ranges::sort(header.parents, {}, &dag::Parent::author);
    }

    CanonicalReader reader_;
    dag::Epoch epoch_;
    dag::Round first_;
    TwoRounds rounds_;
};

}  // namespace

void SegmentWriter::add(const dag::Certificate& certificate) {
    const dag::Header& header = certificate.header;
    if (count_ == 0) {
        epoch_ = header.epoch;
        first_ = header.round;
    }
    MONODON_CHECK(header.epoch == epoch_ && header.round >= rounds_.round());
    rounds_.enter(header.round);
    const std::uint64_t above_first = dag::distance(first_, header.round);
    MONODON_CHECK(above_first <= 0xFFFF);
    body_.u16(static_cast<std::uint16_t>(above_first)).u16(header.author.value()).u64(header.created_at);
    body_.count(header.payload.size());
    for (const dag::PayloadEntry& entry : header.payload) dag::write(body_, entry);

    dag::AuthorSet inside;
    const bool sorted = ascending(header.parents);
    const auto known = [&](const dag::Parent& parent) {
        const Digest* below = rounds_.below(parent.author);
        return sorted && below != nullptr && *below == parent.header;
    };
    for (const dag::Parent& parent : header.parents) {
        if (known(parent)) inside.insert(parent.author);
    }
    dag::write(body_, inside);
    body_.u16(static_cast<std::uint16_t>(header.parents.size() - inside.size()));
    for (const dag::Parent& parent : header.parents) {
        if (!known(parent)) body_.u16(parent.author.value()).digest(parent.header);
    }
    write_claim(body_, header.committed);
    body_.fixed(header.signature.bytes).digest(header.digest);
    dag::write(body_, certificate.signers);
    body_.u16(static_cast<std::uint16_t>(certificate.signatures.size()));
    for (const Signature& signature : certificate.signatures) body_.fixed(signature.bytes);
    rounds_.add(header.author, header.digest);
    ++count_;
}

Bytes SegmentWriter::finish() {
    CanonicalWriter whole;
    whole.reserve(24 + body_.view().size());
    whole.u32(kForm).u64(epoch_.value()).u64(first_.value()).count(count_).fixed(body_.view());
    *this = SegmentWriter();
    return whole.take();
}

bool read_segment(ByteView bytes, dag::Epoch epoch, dag::Round floor,
                  std::vector<dag::VerifiedCertificate>& out) {
    return SegmentReader(bytes).read(epoch, floor, out);
}

Bytes encode_consensus_state(const dag::ConsensusState& state) {
    CanonicalWriter writer;
    writer.u32(kForm);
    write_claim(writer, state.last);
    dag::write(writer, state.anchor);
    writer.count(state.events.size());
    for (const dag::AnchorEvent& event : state.events) {
        writer.u64(event.index.value()).u64(event.anchor.round.value()).u16(event.anchor.author.value());
        dag::write(writer, event.voters);
        writer.count(event.failed.size());
        for (const dag::Slot& slot : event.failed) writer.u64(slot.round.value()).u16(slot.author.value());
    }
    writer.count(state.ordered.size());
    for (const dag::AuthorSet& authors : state.ordered) dag::write(writer, authors);
    writer.count(state.executed.size());
    for (const auto& entry : state.executed) writer.u64(entry.sealed_round.value()).digest(entry.batch);
    return writer.take();
}

std::optional<dag::ConsensusState> decode_consensus_state(ByteView bytes) {
    CanonicalReader reader(bytes);
    dag::ConsensusState state;
    if (reader.u32() != kForm) return std::nullopt;
    state.last = read_claim(reader);
    state.anchor = dag::read_header_ref(reader);
    constexpr std::size_t kEventBytes = 8 + 8 + 2 + 16 + 4;
    for (std::uint32_t left = reader.count(kListMax, kEventBytes); left > 0; --left) {
        dag::AnchorEvent event;
        event.index = dag::CommitIndex{reader.u64()};
        event.anchor.round = dag::Round{reader.u64()};
        event.anchor.author = dag::ValidatorIndex{reader.u16()};
        event.voters = dag::read_author_set(reader);
        for (std::uint32_t failed = reader.count(kListMax, 8 + 2); failed > 0; --failed) {
            const auto round = dag::Round{reader.u64()};
            event.failed.push_back({round, dag::ValidatorIndex{reader.u16()}});
        }
        state.events.push_back(std::move(event));
    }
    for (std::uint32_t left = reader.count(kListMax, 16); left > 0; --left)
        state.ordered.push_back(dag::read_author_set(reader));
    for (std::uint32_t left = reader.count(kListMax, 8 + 32); left > 0; --left) {
        const auto sealed = dag::Round{reader.u64()};
        state.executed.push_back({sealed, reader.digest()});
    }
    if (!reader.finished()) return std::nullopt;
    return state;
}

}  // namespace monodon::storage
