#include <algorithm>

#include "net/core/log.hpp"
#include "net/rpc/reply_sink.hpp"
#include "net/rpc/rpc_failure.hpp"
#include "net/rpc/session.hpp"
#include "net/transport/clock.hpp"

// The half of a session that serves the peer's requests.
namespace monodon::net {

std::optional<Violation> Session::on_request(const Frame& frame) {
    const FrameHeader& header = frame.header;
    if (header.chunk == 0) {
        if (auto wrong = served_.begin(header.request_id, header.message_class, now())) {
            return Violation{Fault::unsolicited, std::move(*wrong)};
        }
        connection_->wake_at(served_.next_due());
    } else if (served_.begun(header.request_id, header.message_class) &&
               served_.find(header.request_id) == nullptr) {
        // The rest of a request that was past its deadline before it was whole.
        return std::nullopt;
    }
    const MethodInfo* info = find_method(header.method);
    auto added = assembler_.add(frame, info != nullptr ? info->request_max : kUnknownMessageMax);
    if (!added) return violation_of(added.error());
    if (added->has_value()) serve(std::move(**added));
    return std::nullopt;
}

void Session::on_cancel(std::uint64_t id) {
    auto request = served_.take(id);
    // Already answered: the peer will see the answer as late.
    if (!request) return;
    assembler_.drop(FrameType::request, id);
    const std::uint16_t method = request->method;
    abandon(std::move(*request));
    send_error(id, method, {RpcError::cancelled, 0});
}

double Session::cost(MessageClass message_class) const {
    const Treatment treatment = treatment_;
    const bool slowed = treatment == Treatment::throttled ||
                        (treatment == Treatment::quarantined && message_class == MessageClass::interactive);
    return slowed ? kThrottledCost : 1;
}

std::optional<RpcFailure> Session::refusal(const Message& message, const MethodInfo* info) {
    const Time time = now();
    // Everything costs, also what is refused for other reasons.
    const auto over = config_.rates->admit(time, info, message.body->size(), cost(message.message_class));
    if (over) {
        ++rate_limited_;
        const Duration wait = std::max<Duration>(*over, std::chrono::milliseconds(kRateLimitedMs));
        if (time >= told_until_) {
            told_until_ = time + wait;
            refused_since_told_ = 0;
        }
        // Who waits has at most its window under way when it is told.
        if (++refused_since_told_ > kWindows.total) observe(Fault::ignored_rate_limit);
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
        return RpcFailure{RpcError::rate_limited, static_cast<std::uint64_t>(ms)};
    }
    if (info == nullptr || info->notice || !handlers_.on_request)
        return RpcFailure{RpcError::unknown_method, 0};
    if (!info->allows(config_.role)) return RpcFailure{RpcError::unauthorised, 0};
    if (!info->allows(message.message_class)) return RpcFailure{RpcError::malformed, 0};
    const bool bulk = message.message_class == MessageClass::bulk || info->method == Method::get_peers;
    if (treatment_ == Treatment::quarantined && bulk) {
        return RpcFailure{RpcError::rate_limited, kQuarantineRetryMs};
    }
    return std::nullopt;
}

void Session::serve(Message message) {
    ServedRequest* request = served_.find(message.id);
    MONODON_CHECK(request != nullptr);
    const MethodInfo* info = find_method(message.method);
    request->method = message.method;
    if (const auto failure = refusal(message, info)) return reply_failure(message.id, *failure);
    request->deadline = now() + message.deadline;
    request->reply_max = info->reply_max;
    request->memory = std::move(message.memory);
    request->wanted = std::make_shared<std::atomic<bool>>(true);
    connection_->wake_at(request->deadline);
    auto sink = std::make_shared<ReplySink>(shared_from_this(), *request);
    Replier replier(std::move(sink), message.message_class, request->deadline);
    handlers_.on_request(shared_from_this(), info->method, std::move(message.body), std::move(replier));
}

void Session::reply_part(std::uint64_t id, SharedBytes bytes, bool last) {
    ServedRequest* request = served_.find(id);
    if (request == nullptr || request->finished) return;
    const std::size_t size = bytes ? bytes->size() : 0;
    request->reply_bytes += size;
    if (request->reply_bytes > request->reply_max) {
        log::error(log::Category::rpc, "reply larger than its method allows",
                   {{"method", std::string(name(static_cast<Method>(request->method)))}});
        return reply_failure(id, {RpcError::internal, 0});
    }
    const std::size_t waiting = served_.queued();
    if (waiting > 0 && waiting + size > config_.replies_max)
        return reply_failure(id, {RpcError::busy, kBusyRetryMs});
    request->queued += size;
    request->finished = last;
    if (last) request->memory = Reservation();
    if (last && size > 0 && corrupts(request->method)) {
        auto wrong = std::make_shared<Bytes>(*bytes);
        wrong->at(size / 2) ^= 0xff;
        bytes = std::move(wrong);
    }
    config_.rates->charge_bytes(now(), size, cost(request->message_class));
    OutMessage part;
    part.type = FrameType::response;
    part.message_class = request->message_class;
    part.method = request->method;
    part.id = id;
    part.body = std::move(bytes);
    part.compress = config_.compress_bulk && request->message_class == MessageClass::bulk;
    if (connection_->push_part(std::move(part), last) != Push::queued) {
        reply_failure(id, {RpcError::busy, kBusyRetryMs});
    }
}

/// Whether this reply is one that the experiment wants wrong.
bool Session::corrupts(std::uint16_t method) {
    const std::uint64_t every = config_.impairment.corrupt_replies;
    // An answer about peers would be wrong in its form, for which a peer is shut out at once.
    const bool counted = method != static_cast<std::uint16_t>(Method::get_peers);
    return every > 0 && counted && config_.replies && ++*config_.replies % every == 0;
}

void Session::reply_failure(std::uint64_t id, RpcFailure failure) {
    auto request = served_.take(id);
    if (!request) return;
    const std::uint16_t method = request->method;
    abandon(std::move(*request));
    if (failure.code == RpcError::malformed) observe(Fault::wrong_data);
    send_error(id, method, failure);
}

void Session::reply_on_room(std::uint64_t id, std::function<void(bool)> callback) {
    ServedRequest* request = served_.find(id);
    if (request == nullptr) return callback(false);
    if (request->queued < kReplyQueued) return callback(true);
    request->on_room = std::move(callback);
}

void Session::on_reply_written(std::uint64_t id, std::size_t bytes) {
    ServedRequest* request = served_.find(id);
    if (request == nullptr) return;
    request->queued -= std::min(request->queued, bytes);
    if (request->finished && request->queued == 0) {
        // A reply keeps its place in the window until it has been written, so that a peer that does not read
        // cannot make us hold more than its window of them.
        if (auto done = served_.take(id)) abandon(std::move(*done));
    } else if (request->queued < kReplyQueued && request->on_room) {
        std::exchange(request->on_room, {})(true);
    }
}

/// Whoever works on the answer may stop.
void Session::abandon(ServedRequest request) {
    connection_->remove(FrameType::response, request.message_class, request.id);
    if (request.wanted) request.wanted->store(false);
    if (request.on_room) request.on_room(false);
}

void Session::send_error(std::uint64_t id, std::uint16_t method, RpcFailure failure) {
    OutMessage error;
    error.type = FrameType::error;
    error.method = method;
    error.id = id;
    error.body = std::make_shared<const Bytes>(encode(failure));
    connection_->push(std::move(error));
}

}  // namespace monodon::net
