#include "net/transport/outbox.hpp"

#include <algorithm>

#include "net/wire/compression.hpp"

namespace monodon::net {

namespace {

constexpr std::array kSharing = {MessageClass::interactive, MessageClass::data, MessageClass::bulk};
constexpr std::array<std::size_t, 3> kWeights = {8, 4, 1};
constexpr std::size_t kQuantum = kFrameHeaderBytes + kFramePayloadMax;
constexpr std::size_t kConsensusPercent = 80;
/// So much in 100 ms is never too much: a link that is not saturated needs no sharing.
constexpr std::size_t kShareFloor = 256 * 1024;
constexpr std::int64_t kBucketMicroseconds = 10'000;

}  // namespace

void FrameSlice::append_to(Bytes& out) const {
    const ByteView payload = body ? ByteView(*body).subspan(offset, length) : ByteView{};
    FrameHeader written = header;
    std::optional<Bytes> smaller;
    if (compress && head.size == 0) smaller = compress_chunk(payload);
    if (smaller) written.flags |= kFlagZstd;
    const ByteView chosen = smaller ? ByteView(*smaller) : payload;
    written.length = static_cast<std::uint32_t>(head.size + chosen.size());
    const FrameHeaderBytes bytes = encode(written);
    out.insert(out.end(), bytes.begin(), bytes.end());
    out.insert(out.end(), head.view().begin(), head.view().end());
    out.insert(out.end(), chosen.begin(), chosen.end());
}

void Outbox::Share::advance(Time now) {
    const std::int64_t bucket = now.time_since_epoch().count() / kBucketMicroseconds;
    const std::int64_t steps = std::min<std::int64_t>(bucket - last_bucket, kBuckets);
    for (std::int64_t step = 0; step < steps; ++step) {
        const auto at = static_cast<std::size_t>(bucket - step) % kBuckets;
        all_sum -= all[at];
        consensus_sum -= consensus[at];
        all[at] = 0;
        consensus[at] = 0;
    }
    last_bucket = std::max(last_bucket, bucket);
}

void Outbox::Share::add(std::size_t bytes, bool is_consensus) {
    const auto at = static_cast<std::size_t>(last_bucket) % kBuckets;
    all[at] += bytes;
    all_sum += bytes;
    if (!is_consensus) return;
    consensus[at] += bytes;
    consensus_sum += bytes;
}

void Outbox::recharge(Queue& queue, Entry& entry, std::size_t remaining) {
    const bool reply = entry.message.type == FrameType::response;
    const std::size_t charged = reply ? std::min(remaining, kReplyQueued) : remaining;
    queue.bytes = queue.bytes - entry.remaining + remaining;
    queue.charged = queue.charged - entry.charged + charged;
    entry.remaining = remaining;
    entry.charged = charged;
}

bool Outbox::make_room(Queue& queue, MessageClass message_class, std::size_t bytes) {
    const auto fits = [&] { return queue.charged + bytes <= limit(message_class); };
    if (fits() || message_class != MessageClass::consensus) return fits();
    for (auto entry = queue.entries.begin(); entry != queue.entries.end() && !fits();) {
        if (entry->chunk > 0 || entry->message.type != FrameType::notice) {
            ++entry;
            continue;
        }
        recharge(queue, *entry, 0);
        ++queue.dropped;
        entry = queue.entries.erase(entry);
    }
    return fits();
}

bool Outbox::coalesce(const OutMessage& message) {
    const bool newest_counts = message.type == FrameType::ping || message.type == FrameType::pong ||
                               message.type == FrameType::released;
    if (!newest_counts) return false;
    for (Entry& entry : of(MessageClass::control).entries) {
        if (entry.message.type != message.type) continue;
        entry.message.id = message.id;
        return true;
    }
    return false;
}

Push Outbox::push(OutMessage message) {
    const MessageClass message_class = message.message_class;
    Queue& queue = of(message_class);
    if (coalesce(message)) return Push::queued;
    // A control frame has no body to speak of, but is not free.
    const std::size_t bytes =
        message.bytes() + (message_class == MessageClass::control ? kFrameHeaderBytes : 0);
    if (!make_room(queue, message_class, bytes)) {
        if (message_class == MessageClass::control) return Push::overflow;
        ++queue.dropped;
        return Push::full;
    }
    Entry& entry = queue.entries.emplace_back();
    entry.message = std::move(message);
    recharge(queue, entry, bytes);
    return Push::queued;
}

Push Outbox::push_part(OutMessage part, bool last) {
    Queue& queue = of(part.message_class);
    const std::size_t bytes = part.bytes();
    const auto append = [&](Entry& entry) {
        // A reply that was waiting for its next part has no bytes left of the one before.
        if (bytes > 0 && !entry.message.body) {
            entry.message.body = std::move(part.body);
        } else if (bytes > 0) {
            entry.more.push_back(std::move(part.body));
        }
        entry.finished = last;
        recharge(queue, entry, entry.remaining + bytes);
    };
    if (const auto paused = paused_.find(part.id); paused != paused_.end()) {
        if (bytes == 0 && !last) return Push::queued;
        queue.entries.push_back(std::move(paused->second));
        paused_.erase(paused);
        append(queue.entries.back());
        return Push::queued;
    }
    for (Entry& entry : queue.entries) {
        if (entry.message.type != FrameType::response || entry.message.id != part.id) continue;
        append(entry);
        return Push::queued;
    }
    if (bytes == 0 && !last) return Push::queued;
    if (!make_room(queue, part.message_class, std::min(bytes, kReplyQueued))) {
        ++queue.dropped;
        return Push::full;
    }
    Entry& entry = queue.entries.emplace_back();
    entry.message = std::move(part);
    entry.finished = last;
    recharge(queue, entry, bytes);
    return Push::queued;
}

Outbox::Removed Outbox::remove(FrameType type, MessageClass message_class, std::uint64_t id) {
    if (type == FrameType::response && paused_.erase(id) > 0) return Removed::in_the_middle;
    Queue& queue = of(message_class);
    for (auto entry = queue.entries.begin(); entry != queue.entries.end(); ++entry) {
        if (entry->message.type != type || entry->message.id != id) continue;
        const bool begun = entry->chunk > 0;
        recharge(queue, *entry, 0);
        queue.entries.erase(entry);
        return begun ? Removed::in_the_middle : Removed::before_it_began;
    }
    return Removed::nothing;
}

bool Outbox::empty() const {
    return std::all_of(queues_.begin(), queues_.end(),
                       [](const Queue& queue) { return queue.entries.empty(); });
}

std::optional<MessageClass> Outbox::choose_shared() {
    // Two rounds: whoever has something may send at least one frame once its quantum was added.
    for (std::size_t step = 0; step <= 2 * kSharing.size(); ++step) {
        Queue& queue = of(kSharing[turn_]);
        if (!queue.entries.empty()) {
            if (!turn_begun_) queue.deficit += kWeights[turn_] * kQuantum;
            turn_begun_ = true;
            const Entry& entry = queue.entries.front();
            if (queue.deficit >= kFrameHeaderBytes + std::min(entry.remaining, kFramePayloadMax)) {
                return kSharing[turn_];
            }
        } else {
            queue.deficit = 0;
        }
        turn_ = (turn_ + 1) % kSharing.size();
        turn_begun_ = false;
    }
    return std::nullopt;
}

std::optional<MessageClass> Outbox::choose() {
    if (!of(MessageClass::control).entries.empty()) return MessageClass::control;
    const bool consensus = !of(MessageClass::consensus).entries.empty();
    const std::size_t most = std::max(share_.all_sum, kShareFloor) * kConsensusPercent / 100;
    if (consensus && share_.consensus_sum < most) return MessageClass::consensus;
    if (const auto shared = choose_shared()) return shared;
    if (consensus) return MessageClass::consensus;
    return std::nullopt;
}

FrameSlice Outbox::cut(Queue& queue) {
    Entry& entry = queue.entries.front();
    OutMessage& message = entry.message;
    if (entry.chunk == 0 && message.type == FrameType::notice) message.id = next_notice_++;
    FrameSlice slice;
    slice.header.type = message.type;
    slice.header.message_class = message.message_class;
    slice.header.method = message.method;
    slice.header.request_id = message.id;
    slice.header.chunk = entry.chunk;
    if (entry.chunk == 0) slice.head = message.head;
    const std::size_t size = message.body ? message.body->size() : 0;
    slice.body = message.body;
    slice.offset = entry.offset;
    slice.length = std::min(size - entry.offset, kFramePayloadMax - slice.head.size);
    slice.compress = message.compress;
    entry.offset += slice.length;
    entry.chunk += 1;
    if (entry.offset == size && !entry.more.empty()) {
        message.body = std::move(entry.more.front());
        entry.more.erase(entry.more.begin());
        entry.offset = 0;
    }
    const bool control = message.message_class == MessageClass::control;
    recharge(queue, entry, control ? 0 : entry.remaining - slice.length - slice.head.size);
    slice.remaining = entry.remaining;
    slice.header.flags = entry.finished && entry.remaining == 0 ? kFlagLast : 0;
    return slice;
}

void Outbox::after_cut(Queue& queue) {
    Entry& entry = queue.entries.front();
    if (entry.remaining > 0) {
        if (entry.message.type != FrameType::response || queue.entries.size() == 1) return;
        queue.entries.push_back(std::move(entry));
    } else if (!entry.finished) {
        entry.message.body.reset();
        entry.offset = 0;
        paused_.emplace(entry.message.id, std::move(entry));
    }
    queue.entries.pop_front();
}

std::optional<FrameSlice> Outbox::next(Time now) {
    share_.advance(now);
    const auto chosen = choose();
    if (!chosen) return std::nullopt;
    Queue& queue = of(*chosen);
    FrameSlice slice = cut(queue);
    const std::size_t bytes = kFrameHeaderBytes + slice.head.size + slice.length;
    share_.add(bytes, *chosen == MessageClass::consensus);
    queue.deficit -= std::min(queue.deficit, bytes);
    after_cut(queue);
    return slice;
}

}  // namespace monodon::net
