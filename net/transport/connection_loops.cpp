#include <algorithm>

#include "net/transport/as_result.hpp"
#include "net/transport/clock.hpp"
#include "net/transport/connection.hpp"

// The three coroutines of a connection: what is done on its strand.
namespace monodon::net {

namespace {

/// A gather stops once it holds so much: with its last frame it stays below 96 KiB.
constexpr std::size_t kGatherBytes = 32 * 1024 - kFrameHeaderBytes;
/// Pings that may stay unanswered, with nothing else received either.
constexpr int kPingMisses = 2;

}  // namespace

// --- Reading ---

asio::awaitable<void> Connection::read_loop(Self self) {
    // What came with the hello is read before the socket is.
    while (self->read_available()) {
        const ErrorCode error = co_await fill(self->link_);
        if (error) {
            if (!self->cause_) {
                const bool closed = error == asio::error::eof || error == asio::error::operation_aborted;
                self->cause_ =
                    CloseCause{{}, true, closed ? "connection closed by the peer" : error.message()};
            }
            break;
        }
        self->last_received_ = now();
    }
    self->end_now();
}

/// Takes all frames that the received bytes hold. False: nothing more is to be read.
bool Connection::read_available() {
    Link& link = *link_;
    bool taken = false;
    for (;;) {
        for (;;) {
            const auto frame = link.reader.next();
            if (!frame) {
                const Fault fault =
                    frame.error() == FrameError::too_long ? Fault::oversize : Fault::malformed;
                begin_close(
                    {GoawayReason::protocol_violation, false, std::string(name(frame.error())), fault},
                    false);
                // Not in step with the peer any more: only its end is waited for.
                link.reader = FrameReader();
                break;
            }
            if (!frame->has_value()) break;
            taken = true;
            // Once the connection is ending for the peer's fault, nothing of it counts.
            if (!cause_ || draining_) take_frame(**frame);
            if (ended_) return false;
        }
        const std::size_t bytes = link.tls.read(link.reader.prepare());
        if (bytes > 0) {
            if (!cause_ || draining_) link.reader.commit(bytes);
            continue;
        }
        // A key update has to be answered.
        if (!link.tls.output().empty()) writer_timer_.cancel();
        if (link.tls.state() == TlsState::established) {
            watch_frame(taken);
            return true;
        }
        if (!cause_) {
            const bool closed = link.tls.state() == TlsState::closed;
            cause_ = CloseCause{{}, true, closed ? "connection closed by the peer" : link.tls.error()};
        }
        return false;
    }
}

/// After all received bytes were looked at; `taken` if a frame became whole.
void Connection::watch_frame(bool taken) {
    if (link_->reader.pending() == 0) {
        frame_due_ = Time::max();
    } else if (taken || frame_due_ == Time::max()) {
        // Single bytes count as life, so without this a frame could be fed for ever.
        frame_due_ = now() + limits_.frame;
        wake_at(frame_due_);
    }
}

void Connection::take_frame(const Frame& frame) {
    switch (frame.header.type) {
        case FrameType::ping:
        case FrameType::pong:
        case FrameType::goaway:
            return take_control(frame);
        case FrameType::hello:
        case FrameType::hello_ack:
            return begin_close({GoawayReason::protocol_violation, false, "a second hello", Fault::malformed},
                               false);
        default:
            break;
    }
    if (auto wrong = handler_->on_frame(frame)) {
        begin_close({GoawayReason::protocol_violation, false, std::move(wrong->text), wrong->fault}, false);
    }
}

void Connection::take_control(const Frame& frame) {
    const Time time = now();
    if (frame.header.type == FrameType::ping) {
        // A flood of pings gets a trickle of pongs.
        if (!pongs_.admit(time, 1)) return;
        OutMessage pong;
        pong.type = FrameType::pong;
        pong.id = frame.header.request_id;
        push(std::move(pong));
    } else if (frame.header.type == FrameType::pong) {
        if (frame.header.request_id != ping_id_ || ping_sent_ == Time{}) return;
        rtt_us_.store((time - ping_sent_).count(), std::memory_order_relaxed);
        handler_->on_round_trip(time - ping_sent_);
        ping_sent_ = Time{};
    } else {
        const auto reason = decode_goaway(frame.payload);
        const auto text = reason ? describe(*reason) : "an unknown reason";
        if (!cause_) cause_ = CloseCause{reason, true, "closed by the peer: " + std::string(text)};
        end_now();
    }
}

// --- Writing ---

asio::awaitable<void> Connection::write_loop(Self self) {
    while (!self->ended_) {
        const bool goodbye = self->cause_ && (!self->draining_ || now() >= self->close_due_);
        const bool more = !goodbye && self->gather();
        if (self->link_->tls.state() == TlsState::failed) {
            if (!self->cause_) self->cause_ = CloseCause{{}, false, self->link_->tls.error()};
            self->end_now();
            co_return;
        }
        if (self->link_->tls.output().empty() && !more) {
            if (self->cause_) break;
            self->writer_timer_.expires_at(asio::steady_timer::time_point::max());
            co_await self->writer_timer_.async_wait(as_result);
            continue;
        }
        self->writing_ = true;
        self->wake_at(now() + self->limits_.write_stall);
        const ErrorCode error = co_await flush(self->link_);
        self->writing_ = false;
        if (error) {
            if (!self->cause_) self->cause_ = CloseCause{{}, true, error.message()};
            self->end_now();
            co_return;
        }
        if (goodbye) break;
    }
    if (self->ended_) co_return;
    self->finish_writing();
    co_await flush(self->link_);
    ErrorCode ignored;
    self->link_->socket.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    // The reader waits for the peer's end, the clock for the end of our patience.
}

/// Encrypts the next frames into the link. False if there are none.
bool Connection::gather() {
    slices_.clear();
    plain_.clear();
    const Time time = now();
    {
        const std::lock_guard lock(mutex_);
        std::size_t bytes = 0;
        while (bytes < kGatherBytes) {
            auto slice = outbox_.next(time);
            if (!slice) break;
            bytes += kFrameHeaderBytes + slice->head.size + slice->length;
            slices_.push_back(std::move(*slice));
        }
        writer_idle_ = slices_.empty();
    }
    if (slices_.empty()) return false;
    for (const FrameSlice& slice : slices_) slice.append_to(plain_);
    link_->tls.write(plain_);
    for (const FrameSlice& slice : slices_) {
        if (slice.header.type == FrameType::response) {
            handler_->on_reply_written(slice.header.request_id, slice.length);
        }
    }
    slices_.clear();
    return true;
}

void Connection::finish_writing() {
    if (cause_ && cause_->reason && !cause_->by_peer) {
        FrameHeader header;
        header.type = FrameType::goaway;
        const Bytes payload = encode(*cause_->reason);
        header.length = static_cast<std::uint32_t>(payload.size());
        const FrameHeaderBytes head = encode(header);
        plain_.assign(head.begin(), head.end());
        plain_.insert(plain_.end(), payload.begin(), payload.end());
        link_->tls.write(plain_);
    }
    link_->tls.close();
}

// --- The clock ---

asio::awaitable<void> Connection::clock_loop(Self self) {
    while (!self->ended_) {
        const Time due = self->housekeeping(now());
        if (self->ended_) break;
        self->clock_due_ = due;
        self->clock_timer_.expires_at(to_steady(due));
        co_await self->clock_timer_.async_wait(as_result);
    }
}

void Connection::wake_at(Time due) {
    if (due >= clock_due_) return;
    clock_due_ = due;
    clock_timer_.cancel();
}

Time Connection::housekeeping(Time time) {
    release_delayed(time);
    check_life(time);
    if (ended_) return Time::max();
    if (!cause_ && time >= next_ping_) send_ping(time);
    const Time handler_due = handler_->on_time(time);
    const Time silent_at = last_received_ + limits_.ping_after * (kPingMisses + 1);
    Time due = std::min({next_ping_, close_due_, handler_due, silent_at, frame_due_});
    if (writing_) due = std::min(due, link_->written_at + limits_.write_stall);
    const std::lock_guard lock(mutex_);
    if (!delayed_.empty()) due = std::min(due, delayed_.front().due);
    // Never at once: whatever is due has just been done.
    return std::max(due, time + Duration(1));
}

void Connection::release_delayed(Time time) {
    const std::lock_guard lock(mutex_);
    while (!delayed_.empty() && delayed_.front().due <= time) {
        Delayed delayed = std::move(delayed_.front());
        delayed_.pop_front();
        delayed_bytes_ -= delayed.message.bytes();
        (void)into_outbox(std::move(delayed.message), delayed.is_part, delayed.last);
    }
}

void Connection::check_life(Time time) {
    if (time >= close_due_) return end_now();
    const bool stalled = writing_ && time - link_->written_at >= limits_.write_stall;
    const bool silent = time - last_received_ >= limits_.ping_after * (kPingMisses + 1);
    const bool dawdling = time >= frame_due_;
    if (!stalled && !silent && !dawdling) return;
    if (!cause_) {
        const std::string_view why = stalled  ? "peer does not read"
                                     : silent ? "peer does not answer pings"
                                              : "a frame took too long";
        cause_ = CloseCause{GoawayReason::unresponsive, false, std::string(why)};
    }
    end_now();
}

void Connection::send_ping(Time time) {
    next_ping_ = time + limits_.ping_after;
    OutMessage ping;
    ping.type = FrameType::ping;
    ping.id = ++ping_id_;
    ping_sent_ = time;
    push(std::move(ping));
}

}  // namespace monodon::net
