#pragma once

#include <map>
#include <optional>
#include <utility>

#include "net/core/time.hpp"
#include "net/wire/frame_reader.hpp"
#include "net/wire/memory_budget.hpp"

namespace monodon::net {

/// A whole notice, request or reply.
struct Message {
    FrameType type = FrameType::notice;
    MessageClass message_class = MessageClass::control;
    std::uint16_t method = 0;
    std::uint64_t id = 0;
    /// Of a request: how long its sender waits.
    Duration deadline{0};
    SharedBytes body;
    /// The memory of the body, until whoever answers for it takes over.
    Reservation memory;
};

/// Why a message can never become whole. All of them end the connection.
enum class AssemblyError : std::uint8_t {
    /// A chunk that does not continue what came before.
    out_of_order,
    too_large,
    too_many_unfinished,
    out_of_memory,
    bad_head,
    bad_compression,
};
[[nodiscard]] std::string_view name(AssemblyError error);

/// Puts the chunks of messages together, many messages at the same time, keyed by type and request id. What
/// it holds is taken from a budget before it is allocated and grows with what was received. Not thread-safe.
class MessageAssembler {
 public:
    /// Both windows of a connection (64 requests of ours, 64 of theirs) and a notice of each class at once.
    static constexpr std::size_t kUnfinishedMax = 64 + 64 + kMessageClasses;

    explicit MessageAssembler(std::shared_ptr<MemoryBudget> budget) : budget_(std::move(budget)) {}

    /// Takes a chunk of a message of at most `most` bytes (decompressed, without the request's head). The
    /// message if this chunk completes it.
    [[nodiscard]] Expected<std::optional<Message>, AssemblyError> add(const Frame& frame, std::size_t most);
    /// Forgets an unfinished message; later chunks of it would be out of order.
    void drop(FrameType type, std::uint64_t id) { unfinished_.erase({type, id}); }
    [[nodiscard]] bool unfinished(FrameType type, std::uint64_t id) const {
        return unfinished_.contains({type, id});
    }
    [[nodiscard]] std::size_t unfinished() const { return unfinished_.size(); }

 private:
    struct Partial {
        std::uint16_t method = 0;
        MessageClass message_class = MessageClass::control;
        std::uint32_t next_chunk = 0;
        Duration deadline{0};
        std::optional<std::size_t> declared;
        Bytes body;
        Reservation memory;
    };

    [[nodiscard]] std::optional<AssemblyError> begin(const Frame& frame, std::size_t most, Partial& partial,
                                                     ByteView& payload) const;
    [[nodiscard]] static std::optional<AssemblyError> append(const Frame& frame, ByteView payload,
                                                             std::size_t most, Partial& partial);
    [[nodiscard]] static Message finish(const Frame& frame, Partial partial);

    std::shared_ptr<MemoryBudget> budget_;
    std::map<std::pair<FrameType, std::uint64_t>, Partial> unfinished_;
};

}  // namespace monodon::net
