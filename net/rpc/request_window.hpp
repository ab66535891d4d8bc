#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "net/core/bytes.hpp"
#include "net/core/expected.hpp"
#include "net/core/time.hpp"
#include "net/transport/hello.hpp"
#include "net/wire/method.hpp"

namespace monodon::net {

/// A request that somebody wants to make of a peer.
struct WantedRequest {
    /// The caller's name for it, unique among its open requests.
    std::uint64_t handle = 0;
    MessageClass message_class = MessageClass::interactive;
    Method method = Method::none;
    SharedBytes body;
    Time deadline{};
    /// The longest reply that is accepted, in bytes.
    std::uint32_t reply_max = 0;
};

struct StartedRequest {
    std::uint64_t id = 0;
    WantedRequest request;
};

inline constexpr std::size_t kWaitingMax = 256;
inline constexpr std::size_t kWaitingBytesMax = 8 * 1024 * 1024;
/// Closed ids that are remembered to tell a late reply from one that nobody asked for (network.md 4).
inline constexpr std::size_t kClosedMax = 256;
inline constexpr Duration kClosedKept = std::chrono::seconds(60);

/// The requests that this side has open at one peer: their ids, the windows, who waits for a place, and which
/// replies are late. No clock, no lock, no I/O.
class RequestWindow {
 public:
    /// Diallers have odd ids, acceptors even ones.
    RequestWindow(bool dialler, WindowLimits limits) : limits_(limits), next_id_(dialler ? 1 : 2) {}

    /// Takes the request into the window, or into the queue before it; next_start() tells which. Refused if
    /// the queue is full.
    [[nodiscard]] bool add(WantedRequest request);
    /// A request that has a place, to be sent under its id; call until nothing is left, after every change.
    [[nodiscard]] std::optional<StartedRequest> next_start(Time now);
    /// The peer has said that it wants no request of this class until then.
    void hold(MessageClass message_class, Time until);

    enum class Reply : std::uint8_t { expected, late, unsolicited };
    /// What a frame of a reply with this id is.
    [[nodiscard]] Reply classify(std::uint64_t id) const;
    /// The open request with this id; null if there is none.
    struct Open {
        std::uint64_t handle = 0;
        MessageClass message_class = MessageClass::interactive;
        Method method = Method::none;
        Time deadline{};
        std::uint32_t reply_max = 0;
        Time started{};
        /// When the reply began; not yet if it is the epoch.
        Time first_byte{};
    };
    [[nodiscard]] const Open* find(std::uint64_t id) const;
    /// A part of the reply has come.
    void note_reply(std::uint64_t id, Time now);

    /// The last frame of the answer has come: frees the place; a late one is counted and forgotten.
    void complete(std::uint64_t id);

    /// The peer has never heard of a closed id: no answer to it will come.
    void forget(std::uint64_t id) { closed_.erase(id); }

    /// A request that its caller has given up; the id only if it was sent.
    struct Ended {
        std::uint64_t handle = 0;
        std::optional<std::uint64_t> id;
        MessageClass message_class = MessageClass::interactive;
    };
    /// Nothing if it is not open any more. If it was sent, its id is remembered as closed.
    [[nodiscard]] std::optional<Ended> cancel(std::uint64_t handle, Time now);
    /// Ends what is past its deadline in the same way.
    [[nodiscard]] std::vector<Ended> expire(Time now);
    /// When expire() has something to do; Time::max() for never.
    [[nodiscard]] Time next_due() const;
    /// Ends everything: the connection is gone.
    [[nodiscard]] std::vector<std::uint64_t> clear();

    [[nodiscard]] std::size_t open() const { return open_.size(); }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    [[nodiscard]] std::uint64_t late_replies() const { return late_replies_; }

 private:
    [[nodiscard]] bool has_place(MessageClass message_class, Time now) const;
    Ended close(std::map<std::uint64_t, Open>::iterator open, Time now);

    WindowLimits limits_;
    std::uint64_t next_id_;
    std::map<std::uint64_t, Open> open_;
    std::map<MessageClass, std::uint32_t> open_by_class_;
    std::map<MessageClass, Time> held_until_;
    std::deque<WantedRequest> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::map<std::uint64_t, Time> closed_;
    std::uint64_t late_replies_ = 0;
};

}  // namespace monodon::net
