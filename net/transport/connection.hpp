#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "net/transport/hello.hpp"
#include "net/transport/impairment.hpp"
#include "net/transport/link.hpp"
#include "net/transport/observation.hpp"
#include "net/transport/outbox.hpp"
#include "net/wire/token_bucket.hpp"

namespace monodon::net {

struct ConnectionLimits {
    OutboxLimits outbox;
    Duration ping_after = std::chrono::seconds(10);
    Duration write_stall = std::chrono::seconds(20);
    Duration shutdown = std::chrono::seconds(1);
    /// From the first byte of a frame to its last: at least 3 KiB/s of the longest.
    Duration frame = std::chrono::seconds(20);
};

/// Why a connection ended.
struct CloseCause {
    /// What the peer was told, or what it told us.
    std::optional<GoawayReason> reason;
    bool by_peer = false;
    /// In words, for the log.
    std::string text;
    /// What the peer has to answer for.
    std::optional<Fault> fault = {};
};

/// What stands above a connection. Called on its strand, one call after the other.
class ConnectionHandler {
 public:
    virtual ~ConnectionHandler() = default;
    /// A frame that is no PING, PONG or GOAWAY. Its payload is valid during the call. What is wrong with it,
    /// if the peer broke a rule: the connection then ends.
    virtual std::optional<Violation> on_frame(const Frame& frame) = 0;
    /// A ping was answered.
    virtual void on_round_trip(Duration rtt) = 0;
    /// So many more bytes of the reply are on their way, after which it may be finished.
    virtual void on_reply_written(std::uint64_t id, std::size_t bytes) = 0;
    /// Does what is due and returns when something will be; Time::max() for never.
    virtual Time on_time(Time now) = 0;
    /// The last call.
    virtual void on_closed(const CloseCause& cause) = 0;
};

struct ConnectionCounters {
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    Duration rtt{0};
    std::array<std::uint64_t, kMessageClasses> queued_bytes{};
    std::array<std::uint64_t, kMessageClasses> dropped_messages{};
};

/// An accepted connection: its read loop, its write loop and its clock, three coroutines that end together,
/// on one strand. Pushing is thread-safe and wakes the writer at most once until it has looked. Reading never
/// waits for writing. Lives until all three have ended, whoever else lets go of it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
    Connection(std::shared_ptr<Link> link, ConnectionLimits limits, Impairment impairment);

    /// Begins, and keeps the handler until it has been told of the end. On the strand, once.
    void run(std::shared_ptr<ConnectionHandler> handler);

    /// Thread-safe; see Outbox.
    Push push(OutMessage message);
    Push push_part(OutMessage part, bool last);
    Outbox::Removed remove(FrameType type, MessageClass message_class, std::uint64_t id);
    /// A message that was not even pushed.
    void count_dropped(MessageClass message_class);
    [[nodiscard]] std::size_t queued_bytes(MessageClass message_class) const;
    [[nodiscard]] ConnectionCounters counters() const;

    /// Thread-safe: writes what is queued, then GOAWAY, then closes, all within limits.shutdown.
    void close(CloseCause cause);
    /// Thread-safe: forgets what is queued; GOAWAY at once.
    void abort(CloseCause cause);

    /// On the strand: on_time() wants to be called at `due` or before.
    void wake_at(Time due);
    [[nodiscard]] asio::any_io_executor executor() const { return link_->socket.get_executor(); }
    [[nodiscard]] const Link& link() const { return *link_; }

 private:
    struct Delayed {
        Time due;
        OutMessage message;
        bool is_part = false;
        bool last = false;
    };
    using Self = std::shared_ptr<Connection>;

    static asio::awaitable<void> read_loop(Self self);
    static asio::awaitable<void> write_loop(Self self);
    static asio::awaitable<void> clock_loop(Self self);
    void loop_ended(const std::exception_ptr& failure);

    bool read_available();
    void take_frame(const Frame& frame);
    void take_control(const Frame& frame);
    bool gather();
    void finish_writing();
    Time housekeeping(Time time);
    void release_delayed(Time time);
    void watch_frame(bool taken);
    void check_life(Time time);
    void send_ping(Time time);
    void begin_close(CloseCause cause, bool drain);
    void end_now();
    void wake_writer_locked();
    Push push_any(OutMessage message, bool is_part, bool last);
    Push into_outbox(OutMessage message, bool is_part, bool last);

    const std::shared_ptr<Link> link_;
    const ConnectionLimits limits_;
    const Impairment impairment_;
    std::shared_ptr<ConnectionHandler> handler_;

    mutable std::mutex mutex_;
    // Guarded by the mutex.
    Outbox outbox_;
    std::deque<Delayed> delayed_;
    std::size_t delayed_bytes_ = 0;
    bool writer_idle_ = false;
    bool dead_ = false;

    // On the strand only.
    std::vector<FrameSlice> slices_;
    Bytes plain_;
    asio::steady_timer writer_timer_;
    asio::steady_timer clock_timer_;
    Time clock_due_ = Time::max();
    Time close_due_ = Time::max();
    std::optional<CloseCause> cause_;
    bool draining_ = false;
    bool ended_ = false;
    unsigned running_ = 0;
    Time last_received_{};
    /// When the frame of which a part has come must be whole.
    Time frame_due_ = Time::max();
    Time next_ping_{};
    Time ping_sent_{};
    std::uint64_t ping_id_ = 0;
    bool writing_ = false;
    TokenBucket pongs_{10, 20};
    std::atomic<std::int64_t> rtt_us_{0};
};

}  // namespace monodon::net
