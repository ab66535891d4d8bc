#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/core/time.hpp"
#include "net/transport/hello.hpp"
#include "net/wire/memory_budget.hpp"
#include "net/wire/method.hpp"

namespace monodon::net {

/// One request of the peer, from its first chunk until its answer has been written.
struct ServedRequest {
    std::uint64_t id = 0;
    MessageClass message_class = MessageClass::interactive;
    std::uint16_t method = 0;
    Time deadline = Time::max();
    std::uint32_t reply_max = 0;
    std::uint64_t reply_bytes = 0;
    /// Bytes of the reply that are not written yet, and whether its last part was given.
    std::size_t queued = 0;
    bool finished = false;
    /// The memory of the request itself.
    Reservation memory;
    /// Cleared when nobody wants the answer any more; shared with the replier.
    std::shared_ptr<std::atomic<bool>> wanted;
    std::function<void(bool)> on_room;
};

/// The requests that a peer has open at us: that its ids rise, that it stays within its window, and what is
/// past its deadline. No clock, no lock, no I/O.
class ServedRequests {
 public:
    /// `dialler`: whether the peer is the one that dialled, and so has odd ids.
    ServedRequests(bool dialler, WindowLimits limits) : peer_is_odd_(dialler), limits_(limits) {}

    /// The first chunk of a request. Which rule the peer broke, if any: the connection then ends.
    [[nodiscard]] std::optional<std::string> begin(std::uint64_t id, MessageClass message_class, Time now);
    /// A request of this class with this id has begun, whatever became of it.
    [[nodiscard]] bool begun(std::uint64_t id, MessageClass message_class) const {
        return (id % 2 == 1) == peer_is_odd_ && id <= last_id_.at(static_cast<std::size_t>(message_class));
    }
    [[nodiscard]] ServedRequest* find(std::uint64_t id);
    /// Takes it out; nothing if it is not there.
    [[nodiscard]] std::optional<ServedRequest> take(std::uint64_t id);
    /// Takes out what is past its deadline.
    [[nodiscard]] std::vector<ServedRequest> expire(Time now);
    [[nodiscard]] std::vector<ServedRequest> clear();
    [[nodiscard]] Time next_due() const;
    [[nodiscard]] std::size_t open() const { return requests_.size(); }
    /// Bytes of all replies that are not written yet.
    [[nodiscard]] std::size_t queued() const;

 private:
    bool peer_is_odd_;
    WindowLimits limits_;
    /// Ids rise within a class only: each class has a queue of its own, and a more urgent one overtakes.
    std::array<std::uint64_t, kMessageClasses> last_id_{};
    std::map<std::uint64_t, ServedRequest> requests_;
};

}  // namespace monodon::net
