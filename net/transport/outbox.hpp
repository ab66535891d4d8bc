#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "net/core/time.hpp"
#include "net/wire/frame.hpp"
#include "net/wire/request_head.hpp"

namespace monodon::net {

/// A whole message on its way out; the bytes are shared, never copied before they are written.
struct OutMessage {
    FrameType type = FrameType::notice;
    MessageClass message_class = MessageClass::control;
    std::uint16_t method = 0;
    /// Of a request, reply, error, cancel, ping or pong. Notices get theirs when they are cut.
    std::uint64_t id = 0;
    /// Of a request only.
    RequestHeadBytes head;
    SharedBytes body;
    bool compress = false;

    [[nodiscard]] std::size_t bytes() const { return head.size + (body ? body->size() : 0); }
};

/// One frame, cut but not yet copied.
struct FrameSlice {
    FrameHeader header;
    RequestHeadBytes head;
    SharedBytes body;
    std::size_t offset = 0;
    std::size_t length = 0;
    bool compress = false;
    /// Bytes of the same message that are still queued.
    std::size_t remaining = 0;

    /// Header and payload as they go on the wire.
    void append_to(Bytes& out) const;
};

struct OutboxLimits {
    /// Bytes per class. For replies at most kReplyQueued count, whatever their length.
    std::array<std::size_t, kMessageClasses> queued = {64 * 1024, 4 << 20, 2 << 20, 4 << 20, 4 << 20};
};
inline constexpr std::size_t kReplyQueued = 256 * 1024;

enum class Push : std::uint8_t {
    queued,
    /// Nothing was queued: the sender is told busy, or drops the message.
    full,
    /// The control queue is full: the connection has to be closed.
    overflow,
};

/// What a connection still has to write, in five classes, and which frame is next (network.md 3): control
/// first; consensus first up to 80 % of the bytes of any 100 ms; the other three share the rest 8:4:1 by
/// deficit round robin. Replies of one class take turns frame by frame; notices and requests go one after the
/// other. No clock, no lock, no I/O: the connection has those.
class Outbox {
 public:
    explicit Outbox(OutboxLimits limits = {}) : limits_(limits) {}

    /// Queues a notice, a request or a control message. A full consensus class drops its oldest notices,
    /// which newer rounds supersede; the other classes refuse.
    Push push(OutMessage message);
    /// Appends to the reply `id`, which begins with its first part and ends with the last.
    Push push_part(OutMessage part, bool last);

    /// The next frame to write, if any.
    [[nodiscard]] std::optional<FrameSlice> next(Time now);

    enum class Removed : std::uint8_t { nothing, before_it_began, in_the_middle };
    /// Forgets the rest of a request or reply.
    Removed remove(FrameType type, MessageClass message_class, std::uint64_t id);

    [[nodiscard]] bool empty() const;
    [[nodiscard]] std::size_t queued_bytes(MessageClass message_class) const {
        return of(message_class).bytes;
    }
    [[nodiscard]] std::uint64_t dropped(MessageClass message_class) const {
        return of(message_class).dropped;
    }
    void count_dropped(MessageClass message_class) { ++of(message_class).dropped; }

 private:
    struct Entry {
        OutMessage message;
        /// Further parts of a reply, few; a vector, since most entries have none and it then costs nothing.
        std::vector<SharedBytes> more;
        bool finished = true;
        std::size_t offset = 0;
        std::uint32_t chunk = 0;
        /// Bytes not yet cut, and how many of them count against the limit.
        std::size_t remaining = 0;
        std::size_t charged = 0;
    };
    struct Queue {
        std::deque<Entry> entries;
        std::size_t bytes = 0;
        std::size_t charged = 0;
        std::uint64_t dropped = 0;
        std::size_t deficit = 0;
    };
    /// How much was sent lately, in buckets of 10 ms.
    struct Share {
        static constexpr std::size_t kBuckets = 10;
        std::array<std::size_t, kBuckets> all{};
        std::array<std::size_t, kBuckets> consensus{};
        std::int64_t last_bucket = 0;
        std::size_t all_sum = 0;
        std::size_t consensus_sum = 0;

        void advance(Time now);
        void add(std::size_t bytes, bool is_consensus);
    };

    [[nodiscard]] Queue& of(MessageClass message_class) {
        return queues_[static_cast<std::size_t>(message_class)];
    }
    [[nodiscard]] const Queue& of(MessageClass message_class) const {
        return queues_[static_cast<std::size_t>(message_class)];
    }
    [[nodiscard]] std::size_t limit(MessageClass message_class) const {
        return limits_.queued[static_cast<std::size_t>(message_class)];
    }
    bool make_room(Queue& queue, MessageClass message_class, std::size_t bytes);
    bool coalesce(const OutMessage& message);
    void recharge(Queue& queue, Entry& entry, std::size_t remaining);
    [[nodiscard]] std::optional<MessageClass> choose();
    [[nodiscard]] std::optional<MessageClass> choose_shared();
    [[nodiscard]] FrameSlice cut(Queue& queue);
    void after_cut(Queue& queue);

    OutboxLimits limits_;
    std::array<Queue, kMessageClasses> queues_;
    /// Replies that wait for their next part.
    std::map<std::uint64_t, Entry> paused_;
    Share share_;
    std::size_t turn_ = 0;
    bool turn_begun_ = false;
    std::uint64_t next_notice_ = 1;
};

}  // namespace monodon::net
