#include "node/codec.hpp"

#include "net/core/check.hpp"
#include "net/wire/pack.hpp"
#include "node/submission.hpp"

namespace monodon::node {

using net::PackReader;
using net::PackWriter;

namespace {

constexpr std::size_t kPackOverhead = 16;
/// A reply holds at most 8 MiB, so this many batches at the least size each.
constexpr std::uint32_t kBatchesMax = 1000;

}  // namespace

SharedBytes encode_object(ByteView object) {
    PackWriter writer(object.size() + kPackOverhead);
    writer.array(1).bin(object);
    return writer.share();
}

Notice encode_message(const dag::Message& message) {
    if (const auto* header = std::get_if<dag::VerifiedHeader>(&message)) {
        return {net::Method::header, encode_object(dag::encode(**header))};
    }
    if (const auto* vote = std::get_if<dag::VerifiedVote>(&message)) {
        return {net::Method::vote, encode_object(dag::encode(**vote))};
    }
    return {net::Method::certificate,
            encode_object(dag::encode(*std::get<dag::VerifiedCertificate>(message)))};
}

std::optional<ByteView> decode_object(ByteView payload, std::size_t most) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    reader->array(1);
    const ByteView object = reader->bin(most);
    if (!reader->finished()) return std::nullopt;
    return object;
}

SharedBytes encode_digests(const std::vector<Digest>& digests) {
    MONODON_CHECK(!digests.empty() && digests.size() <= kDigestsMax);
    PackWriter writer(digests.size() * 34 + kPackOverhead);
    writer.array(1).array(digests.size());
    for (const Digest& digest : digests) writer.digest(digest);
    return writer.share();
}

std::optional<std::vector<Digest>> decode_digests(ByteView payload) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    reader->array(1);
    std::vector<Digest> digests;
    for (std::uint32_t left = reader->array_between(1, kDigestsMax); left > 0; --left) {
        digests.push_back(reader->digest());
    }
    if (!reader->finished()) return std::nullopt;
    return digests;
}

SharedBytes encode_wanted(const std::vector<dag::WantedBatch>& batches) {
    MONODON_CHECK(!batches.empty() && batches.size() <= kDigestsMax);
    PackWriter writer(batches.size() * 44 + kPackOverhead);
    writer.array(1).array(batches.size());
    for (const dag::WantedBatch& each : batches) writer.array(2).digest(each.digest).u64(each.sealed.value());
    return writer.share();
}

std::optional<std::vector<dag::WantedBatch>> decode_wanted(ByteView payload) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    reader->array(1);
    std::vector<dag::WantedBatch> batches;
    for (std::uint32_t left = reader->array_between(1, kDigestsMax); left > 0; --left) {
        reader->array(2);
        const Digest digest = reader->digest();
        batches.push_back({digest, dag::Round{reader->u64()}});
    }
    if (!reader->finished()) return std::nullopt;
    return batches;
}

SharedBytes encode_range(dag::Round first, dag::Round last) {
    PackWriter writer;
    writer.array(2).u64(first.value()).u64(last.value());
    return writer.share();
}

std::optional<std::pair<dag::Round, dag::Round>> decode_range(ByteView payload) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    reader->array(2);
    const dag::Round first{reader->u64()};
    const dag::Round last{reader->u64()};
    if (!reader->finished() || first == dag::Round{0} || last < first) return std::nullopt;
    return std::pair{first, last};
}

SharedBytes encode_certificates(const CertificateList& list) {
    std::size_t bytes = kPackOverhead * 2;
    for (const Bytes& certificate : list.certificates) bytes += certificate.size() + kPackOverhead;
    PackWriter writer(bytes);
    writer.array(4).u64(list.lowest_held.value()).u64(list.highest_held.value()).boolean(list.has_more);
    writer.array(list.certificates.size());
    for (const Bytes& certificate : list.certificates) writer.bin(certificate);
    return writer.share();
}

std::optional<CertificateListView> decode_certificates(ByteView payload) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    CertificateListView list;
    reader->array(4);
    list.lowest_held = dag::Round{reader->u64()};
    list.highest_held = dag::Round{reader->u64()};
    list.has_more = reader->boolean();
    for (std::uint32_t left = reader->array_between(0, kCertificatesMax); left > 0; --left) {
        list.certificates.push_back(reader->bin(dag::kCertificateBytesMax));
    }
    if (!reader->finished()) return std::nullopt;
    return list;
}

SharedBytes encode_batches(const std::vector<SharedBytes>& batches) {
    std::size_t bytes = kPackOverhead;
    for (const SharedBytes& batch : batches) bytes += batch->size() + kPackOverhead;
    PackWriter writer(bytes);
    writer.array(1).array(batches.size());
    for (const SharedBytes& batch : batches) writer.bin(*batch);
    return writer.share();
}

std::optional<std::vector<Slice>> decode_batches(const SharedBytes& payload) {
    auto reader = PackReader::open(*payload);
    if (!reader) return std::nullopt;
    reader->array(1);
    std::vector<Slice> batches;
    for (std::uint32_t left = reader->array_between(1, kBatchesMax); left > 0; --left) {
        batches.push_back(Slice{payload, reader->bin(dag::kBatchBytesMax)});
    }
    if (!reader->finished()) return std::nullopt;
    return batches;
}

SharedBytes encode_highest_request(std::uint64_t nonce) {
    PackWriter writer;
    writer.array(1).u64(nonce);
    return writer.share();
}

std::optional<std::uint64_t> decode_highest_request(ByteView payload) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    reader->array(1);
    const std::uint64_t nonce = reader->u64();
    if (!reader->finished()) return std::nullopt;
    return nonce;
}

SharedBytes encode_highest(const HighestRound& highest) {
    PackWriter writer(highest.certificate.size() + highest.header.size() + 8 * kPackOverhead);
    writer.array(7).u64(highest.nonce).u64(highest.lowest_held.value()).u64(highest.highest_held.value());
    writer.u64(highest.oldest_commit.value()).u64(highest.newest_commit.value());
    writer.bin(highest.certificate).bin(highest.header);
    return writer.share();
}

std::optional<HighestRound> decode_highest(ByteView payload) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    HighestRound highest;
    reader->array(7);
    highest.nonce = reader->u64();
    highest.lowest_held = dag::Round{reader->u64()};
    highest.highest_held = dag::Round{reader->u64()};
    highest.oldest_commit = dag::CommitIndex{reader->u64()};
    highest.newest_commit = dag::CommitIndex{reader->u64()};
    const ByteView certificate = reader->bin(dag::kCertificateBytesMax);
    const ByteView header = reader->bin(dag::kHeaderBytesMax + sizeof(Signature));
    if (!reader->finished()) return std::nullopt;
    highest.certificate.assign(certificate.begin(), certificate.end());
    highest.header.assign(header.begin(), header.end());
    return highest;
}

SharedBytes encode_submit(Stage want, const std::vector<ByteView>& transactions) {
    std::size_t bytes = kPackOverhead;
    for (const ByteView transaction : transactions) bytes += transaction.size() + kPackOverhead;
    PackWriter writer(bytes);
    writer.array(2).u64(static_cast<std::uint64_t>(want)).array(transactions.size());
    for (const ByteView transaction : transactions) writer.bin(transaction);
    return writer.share();
}

std::optional<SubmitRequest> decode_submit(const SharedBytes& payload) {
    auto reader = PackReader::open(*payload);
    if (!reader) return std::nullopt;
    SubmitRequest request;
    reader->array(2);
    request.want = static_cast<Stage>(reader->u8(kStages - 1));
    for (std::uint32_t left = reader->array_between(1, kSubmissionTransactionsMax); left > 0; --left) {
        // Too large ones are refused one by one, with their position, not with the whole request.
        request.transactions.push_back(Slice{payload, reader->bin(payload->size())});
    }
    if (!reader->finished()) return std::nullopt;
    return request;
}

SharedBytes encode_submit_reply(const SubmitReply& reply) {
    PackWriter writer;
    writer.array(3).u64(reply.accepted).array(reply.refused.size());
    for (const RefusedTransaction& each : reply.refused) {
        writer.array(2).u64(each.position).u64(static_cast<std::uint64_t>(each.why));
    }
    writer.array(reply.reached.size());
    for (const SubmitReply::Reached& each : reply.reached) {
        writer.array(3).u64(static_cast<std::uint64_t>(each.stage)).u64(each.commit.value());
        writer.u64(static_cast<std::uint64_t>(each.since_arrival.count()));
    }
    return writer.share();
}

std::optional<SubmitReply> decode_submit_reply(ByteView payload) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    SubmitReply reply;
    reader->array(3);
    reply.accepted = reader->u32(kSubmissionTransactionsMax);
    for (std::uint32_t left = reader->array_between(0, kSubmissionTransactionsMax); left > 0; --left) {
        reader->array(2);
        const std::uint32_t position = reader->u32();
        const std::uint8_t why = reader->u8(kRefusals - 1);
        if (why == 0) reader->fail();
        reply.refused.push_back({position, static_cast<Refusal>(why)});
    }
    for (std::uint32_t left = reader->array_between(0, kStages); left > 0; --left) {
        reader->array(3);
        SubmitReply::Reached reached;
        reached.stage = static_cast<Stage>(reader->u8(kStages - 1));
        reached.commit = dag::CommitIndex{reader->u64()};
        reached.since_arrival = Duration(static_cast<std::int64_t>(reader->u64(std::uint64_t{1} << 60U)));
        reply.reached.push_back(reached);
    }
    if (!reader->finished()) return std::nullopt;
    return reply;
}

}  // namespace monodon::node
