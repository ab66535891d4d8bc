#include "node/sync_codec.hpp"

#include "net/core/check.hpp"
#include "net/wire/pack.hpp"

namespace monodon::node {

using net::Method;
using net::PackReader;
using net::PackWriter;

namespace {

constexpr std::size_t kItemOverhead = 16;
constexpr std::uint32_t kBatchesMax = dag::kDigestsPerRequestMax;
constexpr std::uint16_t kAuthorMax = dag::kCommitteeMax - 1;

// ---- what the asker has: the floor and, for each round above it, a bit per member

std::size_t bitmap_bytes(std::size_t members) { return (members + 7) / 8; }

Bytes encode_known(const std::vector<dag::AuthorSet>& rounds, std::size_t members) {
    const std::size_t width = bitmap_bytes(members);
    Bytes bits(rounds.size() * width);
    for (std::size_t at = 0; at < rounds.size(); ++at) {
        rounds[at].for_each([&](dag::ValidatorIndex author) {
            bits.at(at * width + author.value() / 8U) |= static_cast<Byte>(1U << (author.value() % 8U));
        });
    }
    return bits;
}

/// Nothing for bits beyond the committee or half a round.
std::optional<std::vector<dag::AuthorSet>> decode_known(ByteView bits, std::size_t members) {
    const std::size_t width = bitmap_bytes(members);
    if (bits.size() % width != 0) return std::nullopt;
    std::vector<dag::AuthorSet> rounds(bits.size() / width);
    for (std::size_t at = 0; at < bits.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            if ((bits[at] >> bit & 1U) == 0) continue;
            const std::size_t author = at % width * 8 + bit;
            if (author >= members) return std::nullopt;
            rounds[at / width].insert(dag::ValidatorIndex{static_cast<std::uint16_t>(author)});
        }
    }
    return rounds;
}

// ---- requests

struct RequestWriter {
    std::size_t members;
    std::uint64_t nonce;

    std::pair<Method, SharedBytes> operator()(const dag::GetCertificates& request) const {
        PackWriter writer(request.headers.size() * 34 + kItemOverhead);
        writer.array(1).array(request.headers.size());
        for (const Digest& digest : request.headers) writer.digest(digest);
        return {Method::get_certificates, writer.share()};
    }
    std::pair<Method, SharedBytes> operator()(const dag::GetCertificatesInRound& request) const {
        PackWriter writer;
        writer.array(2).u64(request.round.value()).u64(request.from.value());
        return {Method::get_certificates_in_round, writer.share()};
    }
    std::pair<Method, SharedBytes> operator()(const dag::GetCertificatesInRange& request) const {
        PackWriter writer;
        writer.array(3).u64(request.first.value()).u64(request.last.value()).u64(request.from.value());
        return {Method::get_certificates_in_range, writer.share()};
    }
    std::pair<Method, SharedBytes> operator()(const dag::GetBatch& request) const {
        return (*this)(dag::GetBatches{{request.batch}});
    }
    std::pair<Method, SharedBytes> operator()(const dag::GetBatches& request) const {
        PackWriter writer(request.batches.size() * 44 + kItemOverhead);
        writer.array(1).array(request.batches.size());
        for (const dag::WantedBatch& each : request.batches) {
            writer.array(2).digest(each.digest).u64(each.sealed.value());
        }
        return {Method::get_batches, writer.share()};
    }
    std::pair<Method, SharedBytes> operator()(const dag::GetHighestRound&) const {
        PackWriter writer;
        writer.array(1).u64(nonce);
        return {Method::get_highest_round, writer.share()};
    }
    std::pair<Method, SharedBytes> operator()(const dag::GetMissingCertificates& request) const {
        const Bytes bits = encode_known(request.known.authors, members);
        PackWriter writer(bits.size() + 4 * kItemOverhead);
        writer.array(5).u64(request.first.value()).u64(request.last.value()).u64(request.from.value());
        writer.u64(request.known.floor.value()).bin(bits);
        return {Method::get_missing_certificates, writer.share()};
    }
};

dag::Round read_round(PackReader& reader) { return dag::Round{reader.u64()}; }
dag::ValidatorIndex read_author(PackReader& reader) { return dag::ValidatorIndex{reader.u16(kAuthorMax)}; }

std::optional<dag::SyncRequest> read_request(Method method, PackReader& reader, std::size_t members) {
    if (method == Method::get_certificates) {
        dag::GetCertificates request;
        reader.array(1);
        for (auto left = reader.array_between(1, dag::kDigestsPerRequestMax); left > 0; --left) {
            request.headers.push_back(reader.digest());
        }
        return request;
    }
    if (method == Method::get_batches) {
        dag::GetBatches request;
        reader.array(1);
        for (auto left = reader.array_between(1, dag::kDigestsPerRequestMax); left > 0; --left) {
            reader.array(2);
            const Digest digest = reader.digest();
            request.batches.push_back({digest, read_round(reader)});
        }
        return request;
    }
    if (method == Method::get_certificates_in_round) {
        dag::GetCertificatesInRound request;
        reader.array(2);
        request.round = read_round(reader);
        request.from = read_author(reader);
        return request;
    }
    if (method == Method::get_certificates_in_range) {
        dag::GetCertificatesInRange request;
        reader.array(3);
        request.first = read_round(reader);
        request.last = read_round(reader);
        request.from = read_author(reader);
        return request;
    }
    dag::GetMissingCertificates request;
    reader.array(5);
    request.first = read_round(reader);
    request.last = read_round(reader);
    request.from = read_author(reader);
    request.known.floor = read_round(reader);
    auto known = decode_known(reader.bin(dag::kKnownRoundsMax * bitmap_bytes(members)), members);
    if (!known) return std::nullopt;
    request.known.authors = std::move(*known);
    return request;
}

// ---- responses

void write_held(PackWriter& writer, const dag::Held& held) {
    writer.u64(held.lowest.value()).u64(held.highest.value());
    writer.u64(held.oldest_commit.value()).u64(held.newest_commit.value());
}

dag::Held read_held(PackReader& reader) {
    dag::Held held;
    held.lowest = read_round(reader);
    held.highest = read_round(reader);
    held.oldest_commit = dag::CommitIndex{reader.u64()};
    held.newest_commit = dag::CommitIndex{reader.u64()};
    return held;
}

/// The beginning that all lists share: what is held, and where the rest begins.
void begin_list(PackWriter& writer, const dag::Held& held, const std::optional<dag::Continuation>& next) {
    const dag::Continuation at = next.value_or(dag::Continuation{});
    writer.array(9);
    write_held(writer, held);
    writer.boolean(next.has_value()).u64(at.slot.round.value()).u64(at.slot.author.value()).u64(at.position);
}

std::optional<dag::Continuation> read_next(PackReader& reader) {
    const bool has_more = reader.boolean();
    dag::Continuation at;
    at.slot.round = read_round(reader);
    at.slot.author = read_author(reader);
    at.position = reader.u32(dag::kDigestsPerRequestMax);
    return has_more ? std::optional(at) : std::nullopt;
}

SharedBytes write_list(const dag::Held& held, const std::optional<dag::Continuation>& next,
                       const std::vector<ByteView>& items) {
    std::size_t bytes = 6 * kItemOverhead;
    for (const ByteView item : items) bytes += item.size() + kItemOverhead;
    PackWriter writer(bytes);
    begin_list(writer, held, next);
    writer.array(items.size());
    for (const ByteView item : items) writer.bin(item);
    return writer.share();
}

SharedBytes write_highest(const dag::HighestRound& highest, std::uint64_t nonce) {
    const Bytes certificate = highest.certificate ? encode(*highest.certificate) : Bytes{};
    const Bytes header = highest.yours ? encode(*highest.yours) : Bytes{};
    PackWriter writer(certificate.size() + header.size() + 8 * kItemOverhead);
    writer.array(7).u64(nonce);
    write_held(writer, highest.held);
    writer.bin(certificate).bin(header);
    return writer.share();
}

std::optional<dag::SyncResponse> read_certificates(const dag::Committee& committee, PackReader& reader) {
    dag::Certificates found;
    reader.array(9);
    found.held = read_held(reader);
    found.next = read_next(reader);
    for (auto left = reader.array_between(0, dag::kCertificatesPerReplyMax); left > 0; --left) {
        auto certificate = decode_certificate(committee, reader.bin(dag::kCertificateBytesMax));
        if (!certificate) return std::nullopt;
        found.certificates.push_back(std::make_shared<const dag::Certificate>(std::move(*certificate)));
    }
    if (!reader.finished()) return std::nullopt;
    if (found.certificates.empty() && !found.next) return dag::Empty{found.held};
    return found;
}

std::optional<dag::SyncResponse> read_highest(const dag::Committee& committee, PackReader& reader,
                                              std::uint64_t nonce) {
    dag::HighestRound highest;
    reader.array(7);
    const bool current = reader.u64() == nonce;
    highest.held = read_held(reader);
    const ByteView certificate = reader.bin(dag::kCertificateBytesMax);
    const ByteView header = reader.bin(dag::kHeaderBytesMax + sizeof(Signature));
    if (!reader.finished() || !current) return std::nullopt;
    if (!certificate.empty()) {
        auto decoded = decode_certificate(committee, certificate);
        if (!decoded) return std::nullopt;
        highest.certificate = std::make_shared<const dag::Certificate>(std::move(*decoded));
    }
    if (!header.empty()) {
        auto decoded = decode_header(committee, header);
        if (!decoded) return std::nullopt;
        highest.yours = std::make_shared<const dag::Header>(std::move(*decoded));
    }
    return highest;
}

}  // namespace

EncodedRequest encode_request(const dag::SyncRequest& request, std::size_t members, std::uint64_t nonce) {
    MONODON_CHECK(is_well_formed(request));
    auto [method, payload] = std::visit(RequestWriter{members, nonce}, request);
    const auto message_class = is_bulk(request) ? net::MessageClass::bulk : net::MessageClass::interactive;
    return {method, message_class, std::move(payload)};
}

bool is_sync(Method method) {
    switch (method) {
        case Method::get_certificates:
        case Method::get_certificates_in_round:
        case Method::get_certificates_in_range:
        case Method::get_batches:
        case Method::get_highest_round:
        case Method::get_missing_certificates:
            return true;
        default:
            return false;
    }
}

std::optional<DecodedRequest> decode_request(Method method, ByteView payload, std::size_t members) {
    MONODON_CHECK(is_sync(method));
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    DecodedRequest decoded{dag::GetHighestRound{}, 0};
    if (method == Method::get_highest_round) {
        reader->array(1);
        decoded.nonce = reader->u64();
    } else {
        auto request = read_request(method, *reader, members);
        if (!request) return std::nullopt;
        decoded.request = std::move(*request);
    }
    if (!reader->finished() || !is_well_formed(decoded.request)) return std::nullopt;
    return decoded;
}

net::RpcFailure encode_error(const dag::SyncError& error) {
    switch (error.why) {
        case dag::SyncError::Why::malformed:
            return {net::RpcError::malformed, 0};
        case dag::SyncError::Why::pruned:
            return {net::RpcError::pruned, error.lowest.value()};
        case dag::SyncError::Why::busy:
            break;
    }
    return {net::RpcError::busy, 0};
}

SharedBytes encode_response(const dag::SyncRequest& request, const dag::SyncResponse& response,
                            std::uint64_t nonce) {
    if (const auto* highest = std::get_if<dag::HighestRound>(&response)) {
        return write_highest(*highest, nonce);
    }
    if (const auto* found = std::get_if<dag::Batches>(&response)) {
        std::vector<ByteView> items;
        for (const SharedBytes& each : found->batches) items.emplace_back(*each);
        return write_list(found->held, found->next, items);
    }
    if (const auto* empty = std::get_if<dag::Empty>(&response)) {
        MONODON_CHECK(!std::holds_alternative<dag::GetHighestRound>(request));
        return write_list(empty->held, {}, {});
    }
    const auto* found = std::get_if<dag::Certificates>(&response);
    MONODON_CHECK(found != nullptr);
    std::vector<Bytes> encoded;
    encoded.reserve(found->certificates.size());
    for (const auto& each : found->certificates) encoded.push_back(encode(*each));
    return write_list(found->held, found->next, {encoded.begin(), encoded.end()});
}

std::optional<dag::SyncResponse> decode_response(const dag::Committee& committee,
                                                 const dag::SyncRequest& request, ByteView payload,
                                                 std::uint64_t nonce) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    if (std::holds_alternative<dag::GetHighestRound>(request)) return read_highest(committee, *reader, nonce);
    return read_certificates(committee, *reader);
}

std::optional<DecodedBatches> decode_batches(const SharedBytes& payload) {
    auto reader = PackReader::open(*payload);
    if (!reader) return std::nullopt;
    reader->array(9);
    (void)read_held(*reader);
    DecodedBatches decoded;
    decoded.next = read_next(*reader);
    for (auto left = reader->array_between(0, kBatchesMax); left > 0; --left) {
        decoded.batches.push_back(Slice{payload, reader->bin(dag::kBatchBytesMax)});
    }
    if (!reader->finished()) return std::nullopt;
    return decoded;
}

}  // namespace monodon::node
