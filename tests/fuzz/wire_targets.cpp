#include <algorithm>
#include <optional>

#include "net/rpc/rpc_failure.hpp"
#include "net/transport/hello.hpp"
#include "net/wire/compression.hpp"
#include "net/wire/frame_reader.hpp"
#include "net/wire/request_head.hpp"
#include "tests/fuzz/target.hpp"

// Bytes that a peer sends before anything knows what they are about.
namespace monodon::fuzz::wire_targets {

namespace {

using namespace net;

// ---- the header of a frame

void frame_header(ByteView input) {
    if (input.size() < kFrameHeaderBytes) return;
    const auto raw = input.first<kFrameHeaderBytes>();
    const auto header = decode_frame_header(raw);
    if (!header) {
        MONODON_CHECK(!name(header.error()).empty());
        return;
    }
    const FrameHeaderBytes again = encode(*header);
    MONODON_CHECK(same(again, raw));
    MONODON_CHECK(header->length <= kFramePayloadMax);
    MONODON_CHECK(carries_message(header->type) || (header->length <= 4096 && header->last()));
}

Bytes header_bytes(FrameType type, MessageClass message_class, std::uint16_t method, std::uint64_t id,
                   std::uint32_t length = 0, std::uint8_t flags = kFlagLast, std::uint32_t chunk = 0) {
    FrameHeader header;
    header.type = type;
    header.message_class = message_class;
    header.method = method;
    header.request_id = id;
    header.length = length;
    header.flags = flags;
    header.chunk = chunk;
    return copy_of(encode(header));
}

std::vector<Seed> header_seeds() {
    using enum FrameType;
    return {{"hello", header_bytes(hello, MessageClass::control, 0, 0, 300)},
            {"ping", header_bytes(ping, MessageClass::control, 0, 7)},
            {"goaway", header_bytes(goaway, MessageClass::control, 0, 0, 2)},
            {"request", header_bytes(request, MessageClass::interactive, 35, 1, 100)},
            {"response-chunk", header_bytes(response, MessageClass::bulk, 34, 1, 65536, kFlagZstd, 3)},
            {"error", header_bytes(error, MessageClass::control, 35, 1, 3)},
            {"cancel", header_bytes(cancel, MessageClass::control, 0, 1)},
            {"notice", header_bytes(notice, MessageClass::consensus, 1, 9, 400)}};
}

// ---- a stream of frames, cut anywhere

struct Read {
    std::vector<std::pair<FrameHeader, Bytes>> frames;
    std::optional<FrameError> error;
    std::size_t pending = 0;

    void take(FrameReader& reader) {
        while (!error) {
            auto frame = reader.next();
            if (!frame) {
                error = frame.error();
            } else if (!*frame) {
                break;
            } else {
                frames.emplace_back((*frame)->header, copy_of((*frame)->payload));
            }
        }
        pending = reader.pending();
        if (!error) MONODON_CHECK(pending < kFrameHeaderBytes + kFramePayloadMax);
    }
};

/// Bytes 0 to 7 are lengths of pieces, the rest is the stream.
void frame_stream(ByteView input) {
    Cursor cursor(input);
    const ByteView pieces = cursor.take(8);
    const ByteView stream = cursor.rest();
    Read whole;
    FrameReader at_once;
    at_once.feed(stream);
    whole.take(at_once);

    Read cut;
    FrameReader in_pieces;
    std::size_t turn = 0;
    for (ByteView rest = stream; !rest.empty() && !cut.error; ++turn) {
        const std::size_t wanted = pieces.empty() ? 1 : std::size_t{pieces[turn % pieces.size()]} * 7 + 1;
        const ByteView piece = rest.first(std::min(wanted, rest.size()));
        rest = rest.subspan(piece.size());
        const std::span<Byte> room = in_pieces.prepare();
        MONODON_CHECK(room.size() == FrameReader::kReadBytes);
        std::copy(piece.begin(), piece.end(), room.begin());
        in_pieces.commit(piece.size());
        cut.take(in_pieces);
    }
    MONODON_CHECK(cut.frames == whole.frames);
    MONODON_CHECK(cut.error == whole.error);

    Bytes again;
    for (const auto& [header, payload] : whole.frames) {
        const FrameHeaderBytes head = encode(header);
        again.insert(again.end(), head.begin(), head.end());
        again.insert(again.end(), payload.begin(), payload.end());
    }
    MONODON_CHECK(again.size() <= stream.size() && same(again, stream.first(again.size())));
    if (!whole.error) MONODON_CHECK(again.size() + whole.pending == stream.size());
}

Bytes stream_of(std::initializer_list<Byte> pieces, const std::vector<Bytes>& parts) {
    Bytes bytes(pieces);
    bytes.resize(8, 1);
    for (const Bytes& part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
    return bytes;
}

std::vector<Seed> stream_seeds() {
    using enum FrameType;
    const Bytes payload(40, 0xA5);
    const Bytes vote = header_bytes(notice, MessageClass::consensus, 2, 4, 40);
    const Bytes first = header_bytes(response, MessageClass::interactive, 35, 1, 40, 0);
    const Bytes last = header_bytes(response, MessageClass::interactive, 35, 1, 40, kFlagLast, 1);
    const Bytes ping_frame = header_bytes(ping, MessageClass::control, 0, 1);
    const Bytes half(first.begin(), first.begin() + 11);
    return {{"two-notices", stream_of({0}, {vote, payload, vote, payload})},
            {"chunks", stream_of({3, 0, 9}, {first, payload, ping_frame, last, payload})},
            {"cut-short", stream_of({1, 2}, {ping_frame, half})},
            {"broken", stream_of({255}, {ping_frame, Bytes(24, 0xFF)})}};
}

// ---- the head of a request

void request_head(ByteView input) {
    std::size_t size = 0;
    const auto head = decode_request_head(input, size);
    if (!head) return;
    MONODON_CHECK(size <= input.size() && size <= 1 + 5 + 5);
    MONODON_CHECK(head->deadline >= Duration{0} && head->deadline <= kRequestDeadlineMax);
    const RequestHeadBytes written = encode(*head);
    std::size_t again = 0;
    const auto read = decode_request_head(written.view(), again);
    MONODON_CHECK(read && again == written.size);
    MONODON_CHECK(read->deadline == head->deadline && read->body_bytes == head->body_bytes);
    // What is cut off anywhere is no head.
    for (std::size_t cut = 0; cut < size; ++cut) MONODON_CHECK(!decode_request_head(input.first(cut), again));
}

std::vector<Seed> head_seeds() {
    const auto of = [](Duration deadline, std::uint32_t body) {
        return copy_of(encode(RequestHead{deadline, body}).view());
    };
    return {{"short", of(std::chrono::milliseconds(50), 10)},
            {"second", of(std::chrono::seconds(1), 70000)},
            {"longest", of(kRequestDeadlineMax, 0xFFFFFFFF)},
            {"other-forms", *from_hex("92ce00000064c40a")},
            {"too-long", of(kRequestDeadlineMax + Duration(1000), 1)}};
}

// ---- a compressed chunk

/// Bytes 0 and 1 are the room that is left, the rest is the chunk.
void compressed_chunk(ByteView input) {
    Cursor cursor(input);
    const std::size_t most = std::size_t{cursor.u16()} + 1;
    const ByteView chunk = cursor.rest();
    const Bytes before = {1, 2, 3};
    Bytes out = before;
    if (decompress_chunk(chunk, most, out)) {
        const std::size_t plain = out.size() - before.size();
        MONODON_CHECK(plain <= most && plain <= chunk.size() * kCompressionRatioMax);
        MONODON_CHECK(std::equal(before.begin(), before.end(), out.begin()));
        Bytes longer = before;
        MONODON_CHECK(!decompress_chunk(with_trailing(chunk), most, longer));
        Bytes less = before;
        MONODON_CHECK(plain == 0 || !decompress_chunk(chunk, plain - 1, less));
    } else {
        MONODON_CHECK(out == before);
    }
    const auto compressed = compress_chunk(chunk);
    if (!compressed) return;
    MONODON_CHECK(compressed->size() <= chunk.size() - chunk.size() / 8);
    Bytes plain;
    MONODON_CHECK(decompress_chunk(*compressed, chunk.size(), plain));
    MONODON_CHECK(same(plain, chunk));
}

std::vector<Seed> chunk_seeds() {
    const auto of = [](const Bytes& plain, std::uint16_t most) {
        Bytes input = {static_cast<Byte>(most), static_cast<Byte>(most >> 8U)};
        const Bytes chunk = compress_chunk(plain).value_or(plain);
        input.insert(input.end(), chunk.begin(), chunk.end());
        return input;
    };
    Bytes counting(900);
    for (std::size_t at = 0; at < counting.size(); ++at) counting[at] = static_cast<Byte>(at % 61);
    return {{"repeating", of(counting, 1000)},
            {"does-not-fit", of(counting, 800)},
            {"zeros", of(Bytes(1000), 0xFFFF)},
            {"plain", of({1, 2, 3, 4}, 100)},
            // A frame that states no size.
            {"no-size", *from_hex("ffff28b52ffd00580900006161")}};
}

// ---- HELLO and HELLO_ACK

void hello(ByteView input) {
    const auto read = decode_hello(input);
    if (!read) return;
    MONODON_CHECK(input.size() <= kHelloBytesMax);
    MONODON_CHECK(read->chain_id.size() <= kChainIdMax && read->agent.size() <= kAgentMax);
    MONODON_CHECK(read->methods.size() <= 256 && read->record.size() <= 512);
    MONODON_CHECK(read->observed_address.size() <= 64);
    MONODON_CHECK(read->lowest_version <= read->highest_version);
    // The shortest form, and without what a later version may have added.
    const Bytes written = encode(*read);
    MONODON_CHECK(written.size() <= input.size());
    const auto again = decode_hello(written);
    MONODON_CHECK(again && encode(*again) == written);
    MONODON_CHECK(!decode_hello(with_trailing(input)));
    MONODON_CHECK(find_disagreement(*read, *again) == GoawayReason::ourselves);
    Hello other = *again;
    other.nonce ^= 1;
    MONODON_CHECK(!find_disagreement(*read, other));
}

std::vector<Seed> hello_seeds() {
    Hello member;
    member.chain_id = "local-1";
    member.genesis = sha256(as_bytes("genesis"));
    member.committee = sha256(as_bytes("committee"));
    member.agent = "monodon/0.1.0";
    for (const MethodInfo& info : all_methods())
        member.methods.push_back({static_cast<std::uint16_t>(info.method), info.version});
    member.limits = {64, 16, 4, kMessageBytesMax};
    member.observed_address = "127.0.0.1:40000";
    member.nonce = 0x1122334455667788;
    member.holdings = {1, 400, 1, 190};
    Hello client;
    client.role = Role::client;
    client.record = Bytes(200, 7);
    Bytes later = encode(client);
    later.front() = 0x9F;
    const Bytes more = {0x93, 1, 2, 3};
    later.insert(later.end(), more.begin(), more.end());
    return {{"member", encode(member)}, {"client", encode(client)}, {"later-version", later}};
}

// ---- GOAWAY and ERROR

void control_payload(ByteView input) {
    if (const auto reason = decode_goaway(input)) {
        MONODON_CHECK(describe(*reason) != "unknown reason");
        MONODON_CHECK(decode_goaway(encode(*reason)) == reason);
        MONODON_CHECK(!decode_goaway(with_trailing(input)));
    }
    if (const auto failure = decode_failure(input)) {
        MONODON_CHECK(name(failure->code) != "unknown" && failure->code != RpcError::disconnected);
        const Bytes written = encode(*failure);
        MONODON_CHECK(written.size() <= 64 && decode_failure(written) == failure);
        MONODON_CHECK(!decode_failure(with_trailing(input)));
    }
}

std::vector<Seed> control_seeds() {
    return {{"goaway", encode(GoawayReason::wrong_chain)},
            {"goaway-last", encode(GoawayReason::disconnected_by_operator)},
            {"pruned", encode(RpcFailure{RpcError::pruned, 70000})},
            {"busy", encode(RpcFailure{RpcError::busy, 100})}};
}

const Registration kWire{{
    {"frame_header", "what decodes encodes to the same 24 bytes; lengths within their limits", 24,
     frame_header, header_seeds},
    {"frame_stream", "the same frames however the stream is cut, and they are its bytes; bounded buffer",
     4096, frame_stream, stream_seeds},
    {"request_head", "equal after encoding; deadline bounded; no cut-off head", 64, request_head, head_seeds},
    {"compressed_chunk", "at most the room and 64 times as long, else nothing changes; no trailing bytes",
     4096, compressed_chunk, chunk_seeds},
    {"hello", "equal after encoding, never longer; every field within its limit; no trailing bytes", 4200,
     hello, hello_seeds},
    {"control_payload", "GOAWAY and ERROR are equal after encoding; no trailing bytes", 80, control_payload,
     control_seeds},
}};

}  // namespace

}  // namespace monodon::fuzz::wire_targets
