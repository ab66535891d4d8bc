#include "net/rpc/session.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>

#include "net/core/check.hpp"
#include "net/rpc/rpc_failure.hpp"
#include "net/transport/clock.hpp"

namespace monodon::net {

namespace {

WindowLimits smaller(const WindowLimits& left, const WindowLimits& right) {
    return {std::min(left.total, right.total), std::min(left.interactive, right.interactive),
            std::min(left.bulk, right.bulk), std::min(left.message_bytes, right.message_bytes)};
}

/// However long a peer wants us to wait, it is asked again after this.
constexpr std::uint64_t kHoldMostMs = 30'000;

std::set<std::uint16_t> common_methods(const Hello& theirs) {
    std::set<std::uint16_t> methods;
    for (const MethodVersion& method : theirs.methods) {
        const MethodInfo* info = find_method(method.method);
        if (info != nullptr && info->version == method.version) methods.insert(method.method);
    }
    return methods;
}

}  // namespace

Session::Session(std::shared_ptr<Link> link, SessionConfig config, SessionHandlers handlers)
    : config_(std::move(config)),
      handlers_(std::move(handlers)),
      connection_(std::make_shared<Connection>(std::move(link), config_.connection, config_.impairment)),
      since_(now()),
      peer_methods_(common_methods(config_.theirs)),
      assembler_(config_.budget),
      window_(config_.dialler, smaller(kWindows, config_.theirs.limits)),
      served_(!config_.dialler, kWindows) {
    MONODON_CHECK(config_.rates && config_.budget);
}

void Session::run() { connection_->run(shared_from_this()); }

bool Session::send(MessageClass message_class, Method method, SharedBytes payload) {
    const MethodInfo* info = find_method(method);
    const std::size_t bytes = payload ? payload->size() : 0;
    // The peer would end the connection over it.
    if (info == nullptr || !info->notice || !info->allows(message_class) || bytes > info->request_max)
        return false;
    // What an impaired node only pretends to send takes nothing of the window, for nobody will release it.
    const bool counts =
        message_class == MessageClass::data && !config_.impairment.drop_outgoing.contains(method);
    if (counts && !batch_window_.take(bytes)) {
        connection_->count_dropped(message_class);
        return false;
    }
    OutMessage message;
    message.message_class = message_class;
    message.method = static_cast<std::uint16_t>(method);
    message.body = std::move(payload);
    if (connection_->push(std::move(message)) == Push::queued) return true;
    if (counts) batch_window_.give_back(bytes);
    return false;
}

std::optional<Violation> Session::on_frame(const Frame& frame) {
    switch (frame.header.type) {
        case FrameType::notice:
            return on_notice(frame);
        case FrameType::request:
            return on_request(frame);
        case FrameType::response:
            return on_response(frame);
        case FrameType::error:
            return on_error(frame);
        case FrameType::released:
            if (batch_window_.released(frame.header.request_id)) return std::nullopt;
            return Violation{Fault::unsolicited, "released what was not sent"};
        case FrameType::cancel:
            on_cancel(frame.header.request_id);
            return std::nullopt;
        default:
            return Violation{Fault::malformed, "unexpected frame"};
    }
}

void Session::on_round_trip(Duration rtt) { observe(Measured{rtt, rtt, 0}); }

void Session::observe(const Observation& observation) {
    if (handlers_.on_observation) handlers_.on_observation(shared_from_this(), observation);
}

std::optional<Violation> Session::on_notice(const Frame& frame) {
    const FrameHeader& header = frame.header;
    const MethodInfo* info = find_method(header.method);
    if (info != nullptr && (!info->notice || !info->allows(header.message_class))) {
        return Violation{Fault::malformed, "notice of the wrong kind: " + std::string(info->name)};
    }
    const bool may_send = info != nullptr ? info->allows(config_.role) : config_.role == Role::member;
    if (!may_send) return Violation{Fault::unsolicited, "notice from a peer that may not send it"};
    if (header.chunk == 0) {
        if (header.request_id <= last_notice_) {
            return Violation{Fault::unsolicited, "notice numbers do not rise"};
        }
        last_notice_ = header.request_id;
    }
    auto added = assembler_.add(frame, info != nullptr ? info->request_max : kUnknownMessageMax);
    if (!added) return violation_of(added.error());
    if (!added->has_value()) return std::nullopt;
    SharedBytes body = std::move((*added)->body);
    if (header.message_class == MessageClass::data) {
        batches_received_ += body->size();
        if (batches_received_ - batches_released_ > kBatchWindow) {
            return Violation{Fault::unsolicited, "more batches than the window allows"};
        }
        body = held(std::move(body));
    }
    // A notice of a later version is read over.
    if (info != nullptr && handlers_.on_notice) {
        handlers_.on_notice(shared_from_this(), info->method, std::move(body));
    }
    return std::nullopt;
}

/// The same bytes, which tell the session when nobody holds them any more.
SharedBytes Session::held(SharedBytes body) {
    struct Holder {
        Holder(std::weak_ptr<Session> from, SharedBytes what)
            : session(std::move(from)), body(std::move(what)) {}
        Holder(const Holder&) = delete;
        Holder& operator=(const Holder&) = delete;
        ~Holder() {
            if (const auto alive = session.lock()) alive->release(body->size());
        }
        std::weak_ptr<Session> session;
        SharedBytes body;
    };
    const Bytes* bytes = body.get();
    return {std::make_shared<Holder>(weak_from_this(), std::move(body)), bytes};
}

/// On any thread. One frame tells of all that was released until it is queued.
void Session::release(std::uint64_t bytes) {
    batches_released_ += bytes;
    if (release_due_.exchange(true)) return;
    asio::post(connection_->executor(), [self = shared_from_this()] {
        self->release_due_ = false;
        OutMessage released;
        released.type = FrameType::released;
        released.id = self->batches_released_;
        self->connection_->push(std::move(released));
    });
}

std::optional<Violation> Session::on_response(const Frame& frame) {
    const FrameHeader& header = frame.header;
    switch (window_.classify(header.request_id)) {
        case RequestWindow::Reply::unsolicited:
            return Violation{Fault::unsolicited, "reply that nobody asked for"};
        case RequestWindow::Reply::late:
            if (header.last()) window_.complete(header.request_id);
            pump_requests();
            return std::nullopt;
        case RequestWindow::Reply::expected:
            break;
    }
    const RequestWindow::Open open = *window_.find(header.request_id);
    if (header.message_class != open.message_class ||
        header.method != static_cast<std::uint16_t>(open.method)) {
        return Violation{Fault::unsolicited, "reply to another request"};
    }
    const Time time = now();
    window_.note_reply(header.request_id, time);
    auto added = assembler_.add(frame, open.reply_max);
    if (!added) return violation_of(added.error(), "reply refused: ");
    if (!added->has_value()) return std::nullopt;
    const Time first_byte = open.first_byte == Time{} ? time : open.first_byte;
    const std::size_t bytes = (*added)->body ? (*added)->body->size() : 0;
    observe(Measured{first_byte - open.started, time - open.started, bytes});
    window_.complete(header.request_id);
    answer_caller(open.handle, std::move((*added)->body));
    pump_requests();
    return std::nullopt;
}

std::optional<Violation> Session::on_error(const Frame& frame) {
    const std::uint64_t id = frame.header.request_id;
    const auto failure = decode_failure(frame.payload);
    if (!failure) return Violation{Fault::malformed, "malformed error"};
    const auto kind = window_.classify(id);
    if (kind == RequestWindow::Reply::unsolicited) {
        return Violation{Fault::unsolicited, "error that nobody asked for"};
    }
    const RequestWindow::Open* open = window_.find(id);
    const std::uint64_t handle = open == nullptr ? 0 : open->handle;
    if (open != nullptr && failure->code == RpcError::rate_limited) {
        const auto wait = std::chrono::milliseconds(std::min(failure->detail, kHoldMostMs));
        window_.hold(open->message_class, now() + wait);
        connection_->wake_at(window_.next_due());
    }
    assembler_.drop(FrameType::response, id);
    window_.complete(id);
    if (kind == RequestWindow::Reply::expected) answer_caller(handle, Unexpected{*failure});
    pump_requests();
    return std::nullopt;
}

Time Session::on_time(Time time) {
    for (const RequestWindow::Ended& ended : window_.expire(time)) give_up(ended, RpcError::deadline);
    for (ServedRequest& request : served_.expire(time)) {
        const std::uint64_t id = request.id;
        const std::uint16_t method = request.method;
        assembler_.drop(FrameType::request, id);
        abandon(std::move(request));
        send_error(id, method, {RpcError::deadline, 0});
    }
    pump_requests();
    return std::min(window_.next_due(), served_.next_due());
}

void Session::on_closed(const CloseCause& cause) {
    closed_ = true;
    for (const std::uint64_t handle : window_.clear()) {
        answer_caller(handle, Unexpected{RpcFailure{RpcError::disconnected, 0}});
    }
    for (ServedRequest& request : served_.clear()) abandon(std::move(request));
    if (handlers_.on_closed) handlers_.on_closed(shared_from_this(), cause);
}

// --- As the one who asks (session_serving.cpp: as the one who is asked) ---

void Session::request(WantedRequest request, ReplyCallback callback) {
    asio::post(connection_->executor(), [self = shared_from_this(), request = std::move(request),
                                         callback = std::move(callback)]() mutable {
        self->start_request(std::move(request), std::move(callback));
    });
}

void Session::cancel(std::uint64_t handle) {
    asio::post(connection_->executor(), [self = shared_from_this(), handle] {
        if (const auto ended = self->window_.cancel(handle, now()))
            self->give_up(*ended, RpcError::cancelled);
        self->pump_requests();
    });
}

void Session::start_request(WantedRequest request, ReplyCallback callback) {
    const auto refuse = [&callback](RpcError why, std::uint64_t detail) {
        callback(Unexpected{RpcFailure{why, detail}});
    };
    if (closed_) return refuse(RpcError::disconnected, 0);
    const MethodInfo* info = find_method(request.method);
    const auto number = static_cast<std::uint16_t>(request.method);
    if (info == nullptr || info->notice || !info->allows(request.message_class) ||
        !peer_methods_.contains(number)) {
        return refuse(RpcError::unknown_method, 0);
    }
    const std::size_t bytes = request.body ? request.body->size() : 0;
    if (bytes > std::min(info->request_max, config_.theirs.limits.message_bytes)) {
        return refuse(RpcError::too_large, 0);
    }
    request.reply_max = info->reply_max;
    request.deadline = std::min(request.deadline, now() + kRequestDeadlineMax);
    const std::uint64_t handle = request.handle;
    if (!window_.add(std::move(request))) return refuse(RpcError::busy, kBusyRetryMs);
    callbacks_.emplace(handle, std::move(callback));
    pump_requests();
    connection_->wake_at(window_.next_due());
}

void Session::pump_requests() {
    if (closed_) return;
    while (auto started = window_.next_start(now())) {
        const WantedRequest& request = started->request;
        OutMessage message;
        message.type = FrameType::request;
        message.message_class = request.message_class;
        message.method = static_cast<std::uint16_t>(request.method);
        message.id = started->id;
        message.body = request.body;
        const std::size_t bytes = request.body ? request.body->size() : 0;
        message.head = encode(RequestHead{request.deadline - now(), static_cast<std::uint32_t>(bytes)});
        if (connection_->push(std::move(message)) == Push::queued) continue;
        window_.complete(started->id);
        answer_caller(request.handle, Unexpected{RpcFailure{RpcError::busy, kBusyRetryMs}});
    }
}

/// The caller stops waiting; the peer is told unless it has not heard of the request.
void Session::give_up(const RequestWindow::Ended& ended, RpcError why) {
    if (ended.id) {
        assembler_.drop(FrameType::response, *ended.id);
        if (connection_->remove(FrameType::request, ended.message_class, *ended.id) ==
            Outbox::Removed::before_it_began) {
            window_.forget(*ended.id);
        } else {
            OutMessage cancel;
            cancel.type = FrameType::cancel;
            cancel.id = *ended.id;
            connection_->push(std::move(cancel));
            if (why == RpcError::deadline) observe(Fault::timeout);
        }
    }
    answer_caller(ended.handle, Unexpected{RpcFailure{why, 0}});
}

void Session::answer_caller(std::uint64_t handle, Expected<SharedBytes, RpcFailure> result) {
    auto node = callbacks_.extract(handle);
    if (!node.empty()) node.mapped()(std::move(result));
}

}  // namespace monodon::net
