#include "node/codec.hpp"

#include "net/core/check.hpp"
#include "net/wire/pack.hpp"
#include "node/submission.hpp"

namespace monodon::node {

using net::PackReader;
using net::PackWriter;

namespace {

constexpr std::size_t kPackOverhead = 16;

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
