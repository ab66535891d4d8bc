#include "net/transport/connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "net/core/log.hpp"
#include "net/transport/clock.hpp"

namespace monodon::net {

namespace {

/// What may wait because of an artificial delay.
constexpr std::size_t kDelayedBytesMax = 16 * 1024 * 1024;

}  // namespace

Connection::Connection(std::shared_ptr<Link> link, ConnectionLimits limits, Impairment impairment)
    : link_(std::move(link)),
      limits_(std::move(limits)),
      impairment_(std::move(impairment)),
      outbox_(limits_.outbox),
      writer_timer_(link_->socket.get_executor()),
      clock_timer_(link_->socket.get_executor()) {}

void Connection::run(std::shared_ptr<ConnectionHandler> handler) {
    handler_ = std::move(handler);
    last_received_ = now();
    next_ping_ = last_received_;
    running_ = 3;
    const Self self = shared_from_this();
    const auto ended = [self](const std::exception_ptr& failure) { self->loop_ended(failure); };
    asio::co_spawn(executor(), read_loop(self), ended);
    asio::co_spawn(executor(), write_loop(self), ended);
    asio::co_spawn(executor(), clock_loop(self), ended);
}

// --- Pushing, from any thread ---

void Connection::wake_writer_locked() {
    if (!std::exchange(writer_idle_, false)) return;
    asio::post(executor(), [self = shared_from_this()] { self->writer_timer_.cancel(); });
}

Push Connection::into_outbox(OutMessage message, bool is_part, bool last) {
    const Push result =
        is_part ? outbox_.push_part(std::move(message), last) : outbox_.push(std::move(message));
    if (result == Push::queued) wake_writer_locked();
    return result;
}

Push Connection::push_any(OutMessage message, bool is_part, bool last) {
    if (impairment_.drop_outgoing.contains(static_cast<Method>(message.method))) return Push::queued;
    Push result = Push::queued;
    {
        const std::lock_guard lock(mutex_);
        if (dead_) return Push::full;
        if (impairment_.send_delay == Duration{0}) {
            result = into_outbox(std::move(message), is_part, last);
        } else if (delayed_bytes_ + message.bytes() > kDelayedBytesMax) {
            outbox_.count_dropped(message.message_class);
            result = Push::full;
        } else {
            const Time due = now() + impairment_.send_delay;
            if (delayed_.empty()) {
                asio::post(executor(), [self = shared_from_this(), due] { self->wake_at(due); });
            }
            delayed_bytes_ += message.bytes();
            delayed_.push_back({due, std::move(message), is_part, last});
        }
    }
    if (result == Push::overflow) {
        abort({GoawayReason::protocol_violation, false, "control queue is full: the peer does not read"});
    }
    return result;
}

Push Connection::push(OutMessage message) { return push_any(std::move(message), false, true); }

Push Connection::push_part(OutMessage part, bool last) { return push_any(std::move(part), true, last); }

Outbox::Removed Connection::remove(FrameType type, MessageClass message_class, std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    bool was_delayed = false;
    std::erase_if(delayed_, [&](const Delayed& delayed) {
        if (delayed.message.type != type || delayed.message.id != id) return false;
        delayed_bytes_ -= delayed.message.bytes();
        was_delayed = true;
        return true;
    });
    const Outbox::Removed removed = outbox_.remove(type, message_class, id);
    if (removed == Outbox::Removed::nothing && was_delayed) return Outbox::Removed::before_it_began;
    return removed;
}

void Connection::count_dropped(MessageClass message_class) {
    const std::lock_guard lock(mutex_);
    outbox_.count_dropped(message_class);
}

std::size_t Connection::queued_bytes(MessageClass message_class) const {
    const std::lock_guard lock(mutex_);
    return outbox_.queued_bytes(message_class);
}

ConnectionCounters Connection::counters() const {
    ConnectionCounters counters;
    counters.bytes_in = link_->bytes_in.load(std::memory_order_relaxed);
    counters.bytes_out = link_->bytes_out.load(std::memory_order_relaxed);
    counters.rtt = Duration(rtt_us_.load(std::memory_order_relaxed));
    const std::lock_guard lock(mutex_);
    for (std::size_t at = 0; at < kMessageClasses; ++at) {
        counters.queued_bytes[at] = outbox_.queued_bytes(static_cast<MessageClass>(at));
        counters.dropped_messages[at] = outbox_.dropped(static_cast<MessageClass>(at));
    }
    return counters;
}

// --- Ending ---

void Connection::close(CloseCause cause) {
    asio::post(executor(), [self = shared_from_this(), cause = std::move(cause)]() mutable {
        self->begin_close(std::move(cause), true);
    });
}

void Connection::abort(CloseCause cause) {
    asio::post(executor(), [self = shared_from_this(), cause = std::move(cause)]() mutable {
        self->begin_close(std::move(cause), false);
    });
}

void Connection::begin_close(CloseCause cause, bool drain) {
    if (!cause_) {
        cause_ = std::move(cause);
        draining_ = drain;
        close_due_ = now() + limits_.shutdown;
        wake_at(close_due_);
    } else if (!drain) {
        draining_ = false;
    }
    // The writer says goodbye; it may be asleep.
    writer_timer_.cancel();
}

void Connection::end_now() {
    if (std::exchange(ended_, true)) return;
    {
        const std::lock_guard lock(mutex_);
        dead_ = true;
        delayed_.clear();
    }
    link_->close();
    writer_timer_.cancel();
    clock_timer_.cancel();
}

void Connection::loop_ended(const std::exception_ptr& failure) {
    if (failure) {
        // Nothing in the loops throws but the allocator; the connection cannot go on without memory.
        log::error(log::Category::net, "connection ended by an exception", {{"address", link_->address}});
        if (!cause_) cause_ = CloseCause{{}, false, "out of memory"};
        end_now();
    }
    if (--running_ > 0) return;
    const auto handler = std::move(handler_);
    handler->on_closed(cause_.value_or(CloseCause{{}, false, "connection lost"}));
}

}  // namespace monodon::net
