#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "net/core/keys.hpp"
#include "net/rpc/batch_window.hpp"
#include "net/rpc/peer_rates.hpp"
#include "net/rpc/replier.hpp"
#include "net/rpc/request_window.hpp"
#include "net/rpc/served_requests.hpp"
#include "net/transport/connection.hpp"
#include "net/wire/assembler.hpp"

namespace monodon::net {

/// What we let a peer have open at us, and tell it in the greeting.
inline constexpr WindowLimits kWindows{64, 16, 4, kMessageBytesMax};

/// Of messages whose method we do not know: they are answered or ignored, but first received.
inline constexpr std::uint32_t kUnknownMessageMax = 64 * 1024;
/// What RATE_LIMITED tells the asker to wait at least, in milliseconds: a peer that asks again for each
/// request that has room could not be told from one that does not wait at all.
inline constexpr std::int64_t kRateLimitedMs = 100;
/// What BUSY tells the asker to wait, in milliseconds.
inline constexpr std::uint64_t kBusyRetryMs = 100;

/// How a peer is served (network.md 6).
enum class Treatment : std::uint8_t {
    normal,
    /// At a quarter of its rates: everything costs four times as much.
    throttled,
    /// A member: class 2 at a quarter of its rates, no class 4 and no peer exchange.
    quarantined,
};
inline constexpr double kThrottledCost = 4;
/// What a refusal for good tells the asker to wait.
inline constexpr std::uint64_t kQuarantineRetryMs = 10'000;

struct SessionConfig {
    PeerId peer;
    /// What the peer is to us.
    Role role = Role::member;
    bool dialler = false;
    /// Names the session within the process.
    std::uint32_t serial = 0;
    Hello theirs;
    std::shared_ptr<PeerRates> rates;
    ConnectionLimits connection;
    Impairment impairment;
    /// How many replies all sessions have sent; needed only where some are to be wrong.
    std::shared_ptr<std::atomic<std::uint64_t>> replies;
    bool compress_bulk = false;
    /// Bytes of replies that may wait to be written; beyond it, and beyond the first, the peer hears BUSY.
    std::size_t replies_max = std::numeric_limits<std::size_t>::max();
    /// Of this session; above it that of all.
    std::shared_ptr<MemoryBudget> budget;
};

class Session;

/// Called on the session's strand.
struct SessionHandlers {
    /// A payload of the data class counts against the window of its sender until the last has let go of it.
    std::function<void(const std::shared_ptr<Session>&, Method, SharedBytes)> on_notice;
    std::function<void(const std::shared_ptr<Session>&, Method, SharedBytes, Replier)> on_request;
    std::function<void(const std::shared_ptr<Session>&, const CloseCause&)> on_closed;
    /// What the peer did, the end of the connection aside.
    std::function<void(const std::shared_ptr<Session>&, const Observation&)> on_observation;
};

/// Notices, requests and replies on one connection. Its tables live on the connection's strand; what other
/// threads call is posted there, except notices, which go straight into the outbox.
class Session : public ConnectionHandler, public std::enable_shared_from_this<Session> {
 public:
    Session(std::shared_ptr<Link> link, SessionConfig config, SessionHandlers handlers);

    /// On the strand, once, when the greeting is over. Until it ends the session keeps itself alive.
    void run();

    // Thread-safe:
    /// False: nothing was queued. In the data class also if the peer still holds a window of what was sent.
    bool send(MessageClass message_class, Method method, SharedBytes payload);
    /// `handle` is the caller's, unique within the session.
    void request(WantedRequest request, ReplyCallback callback);
    void cancel(std::uint64_t handle);
    void treat(Treatment treatment) { treatment_ = treatment; }
    void close(CloseCause cause) { connection_->close(std::move(cause)); }
    void abort(CloseCause cause) { connection_->abort(std::move(cause)); }
    [[nodiscard]] std::size_t queued_bytes(MessageClass message_class) const {
        return connection_->queued_bytes(message_class);
    }
    [[nodiscard]] ConnectionCounters counters() const { return connection_->counters(); }
    /// Requests that were beyond the rates.
    [[nodiscard]] std::uint64_t rate_limited() const { return rate_limited_; }
    /// What a request or a byte costs of the rates, in one class as things are.
    [[nodiscard]] double cost(MessageClass message_class) const;
    /// The peer knows the method, and has said that it takes it.
    [[nodiscard]] bool takes(Method method) const {
        return peer_methods_.contains(static_cast<std::uint16_t>(method));
    }
    [[nodiscard]] const SessionConfig& config() const { return config_; }
    [[nodiscard]] const std::string& address() const { return connection_->link().address; }
    [[nodiscard]] asio::any_io_executor executor() const { return connection_->executor(); }
    [[nodiscard]] Time since() const { return since_; }

 private:
    friend class ReplySink;

    // ConnectionHandler, on the strand:
    std::optional<Violation> on_frame(const Frame& frame) override;
    void on_round_trip(Duration rtt) override;
    void on_reply_written(std::uint64_t id, std::size_t bytes) override;
    Time on_time(Time now) override;
    void on_closed(const CloseCause& cause) override;

    std::optional<Violation> on_notice(const Frame& frame);
    [[nodiscard]] SharedBytes held(SharedBytes body);
    void release(std::uint64_t bytes);
    std::optional<Violation> on_request(const Frame& frame);
    std::optional<Violation> on_response(const Frame& frame);
    std::optional<Violation> on_error(const Frame& frame);
    void observe(const Observation& observation);
    void on_cancel(std::uint64_t id);

    // As the one who asks:
    void start_request(WantedRequest request, ReplyCallback callback);
    void pump_requests();
    void give_up(const RequestWindow::Ended& ended, RpcError why);
    void answer_caller(std::uint64_t handle, Expected<SharedBytes, RpcFailure> result);

    // As the one who is asked:
    void serve(Message message);
    [[nodiscard]] std::optional<RpcFailure> refusal(const Message& message, const MethodInfo* info);
    void reply_part(std::uint64_t id, SharedBytes bytes, bool last);
    void reply_failure(std::uint64_t id, RpcFailure failure);
    [[nodiscard]] bool corrupts(std::uint16_t method);
    void reply_on_room(std::uint64_t id, std::function<void(bool)> callback);
    void abandon(ServedRequest request);
    void send_error(std::uint64_t id, std::uint16_t method, RpcFailure failure);

    const SessionConfig config_;
    const SessionHandlers handlers_;
    const std::shared_ptr<Connection> connection_;
    const Time since_;
    std::set<std::uint16_t> peer_methods_;

    MessageAssembler assembler_;
    RequestWindow window_;
    ServedRequests served_;
    std::unordered_map<std::uint64_t, ReplyCallback> callbacks_;
    std::atomic<Treatment> treatment_{Treatment::normal};
    /// When a peer that waits as it was told asks again, and what came before that.
    Time told_until_{};
    std::uint32_t refused_since_told_ = 0;
    std::atomic<std::uint64_t> rate_limited_{0};
    std::uint64_t last_notice_ = 0;
    /// Of what we send, and of what the peer sends: received on the strand, released anywhere.
    BatchWindow batch_window_;
    std::uint64_t batches_received_ = 0;
    std::atomic<std::uint64_t> batches_released_{0};
    std::atomic<bool> release_due_{false};
    bool closed_ = false;
};

}  // namespace monodon::net
