#include "net/wire/assembler.hpp"

#include <algorithm>

#include "net/wire/compression.hpp"
#include "net/wire/request_head.hpp"

namespace monodon::net {

namespace {

/// Makes room for `bytes` more, by doubling, so that a long message is not copied once per chunk.
std::optional<AssemblyError> make_room(Bytes& body, Reservation& memory, std::size_t bytes,
                                       std::size_t most) {
    if (bytes > most - body.size()) return AssemblyError::too_large;
    const std::size_t needed = body.size() + bytes;
    if (needed <= body.capacity()) return std::nullopt;
    const std::size_t capacity = std::min(most, std::max(needed, body.capacity() * 2));
    if (!memory.grow(capacity - body.capacity())) return AssemblyError::out_of_memory;
    body.reserve(capacity);
    return std::nullopt;
}

}  // namespace

std::optional<AssemblyError> MessageAssembler::begin(const Frame& frame, std::size_t most, Partial& partial,
                                                     ByteView& payload) const {
    if (frame.header.chunk != 0) return AssemblyError::out_of_order;
    partial.method = frame.header.method;
    partial.message_class = frame.header.message_class;
    partial.memory = Reservation(budget_);
    if (frame.header.type != FrameType::request) return std::nullopt;
    std::size_t head_bytes = 0;
    const auto head = decode_request_head(payload, head_bytes);
    if (!head) return AssemblyError::bad_head;
    if (head->body_bytes > most) return AssemblyError::too_large;
    partial.deadline = head->deadline;
    partial.declared = head->body_bytes;
    payload = payload.subspan(head_bytes);
    return std::nullopt;
}

std::optional<AssemblyError> MessageAssembler::append(const Frame& frame, ByteView payload, std::size_t most,
                                                      Partial& partial) {
    ++partial.next_chunk;
    if (frame.header.compressed()) {
        const std::size_t room =
            std::min({most - partial.body.size(), kFramePayloadMax, payload.size() * kCompressionRatioMax});
        if (const auto error = make_room(partial.body, partial.memory, room, most)) return error;
        if (!decompress_chunk(payload, room, partial.body)) return AssemblyError::bad_compression;
    } else {
        if (const auto error = make_room(partial.body, partial.memory, payload.size(), most)) return error;
        partial.body.insert(partial.body.end(), payload.begin(), payload.end());
    }
    if (!partial.declared) return std::nullopt;
    const bool complete = partial.body.size() == *partial.declared;
    if (partial.body.size() > *partial.declared || complete != frame.header.last())
        return AssemblyError::bad_head;
    return std::nullopt;
}

Message MessageAssembler::finish(const Frame& frame, Partial partial) {
    Message message;
    message.type = frame.header.type;
    message.message_class = partial.message_class;
    message.method = partial.method;
    message.id = frame.header.request_id;
    message.deadline = partial.deadline;
    message.body = std::make_shared<const Bytes>(std::move(partial.body));
    message.memory = std::move(partial.memory);
    return message;
}

Expected<std::optional<Message>, AssemblyError> MessageAssembler::add(const Frame& frame, std::size_t most) {
    const std::pair key{frame.header.type, frame.header.request_id};
    ByteView payload = frame.payload;
    const auto found = unfinished_.find(key);
    if (found == unfinished_.end()) {
        Partial fresh;
        if (const auto error = begin(frame, most, fresh, payload)) return Unexpected{*error};
        if (const auto error = append(frame, payload, most, fresh)) return Unexpected{*error};
        if (frame.header.last()) return std::optional<Message>(finish(frame, std::move(fresh)));
        if (unfinished_.size() >= kUnfinishedMax) return Unexpected{AssemblyError::too_many_unfinished};
        unfinished_.emplace(key, std::move(fresh));
        return std::optional<Message>{};
    }
    Partial& partial = found->second;
    const bool continues = frame.header.chunk == partial.next_chunk &&
                           frame.header.method == partial.method &&
                           frame.header.message_class == partial.message_class;
    if (!continues) return Unexpected{AssemblyError::out_of_order};
    if (const auto error = append(frame, payload, most, partial)) return Unexpected{*error};
    if (!frame.header.last()) return std::optional<Message>{};
    Message message = finish(frame, std::move(partial));
    unfinished_.erase(found);
    return std::optional<Message>(std::move(message));
}

std::string_view name(AssemblyError error) {
    switch (error) {
        case AssemblyError::out_of_order:
            return "chunks out of order";
        case AssemblyError::too_large:
            return "message too large";
        case AssemblyError::too_many_unfinished:
            return "too many unfinished messages";
        case AssemblyError::out_of_memory:
            return "unfinished messages exceed their memory";
        case AssemblyError::bad_head:
            return "malformed request head";
        case AssemblyError::bad_compression:
            return "malformed compressed chunk";
    }
    return "bad message";
}

}  // namespace monodon::net
