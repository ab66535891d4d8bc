#pragma once

#include <functional>
#include <memory>

#include "net/core/bytes.hpp"
#include "net/core/expected.hpp"
#include "net/core/time.hpp"
#include "net/wire/method.hpp"

namespace monodon::net {

/// What a request comes to: the whole reply, or why there is none.
using ReplyCallback = std::function<void(Expected<SharedBytes, RpcFailure>)>;

/// The answer to one request of a peer. Thread-safe; copies answer the same request. Exactly one of finish()
/// and fail() counts, the first; if the last copy goes without either, the peer gets INTERNAL.
///
/// A reply is one message. It may be given in parts, which the peer gets as one: a producer that reads from
/// the store sends a part, waits for on_room(), and sends the next, so that no reply is ever held whole.
class Replier {
 public:
    /// Where answers go: one open request of one connection.
    class Sink {
     public:
        virtual ~Sink() = default;
        virtual void part(SharedBytes bytes, bool last) = 0;
        virtual void fail(RpcFailure failure) = 0;
        virtual void charge(std::size_t items) = 0;
        virtual void on_room(std::function<void(bool wanted)> callback) = 0;
        [[nodiscard]] virtual bool wanted() const = 0;
    };

    Replier() = default;
    Replier(std::shared_ptr<Sink> sink, MessageClass message_class, Time deadline)
        : sink_(std::move(sink)), message_class_(message_class), deadline_(deadline) {}

    /// Appends to the reply.
    void send(SharedBytes part) const { sink_->part(std::move(part), false); }
    /// Appends the end of the reply, or the whole of it. Null is the same as no bytes.
    void finish(SharedBytes last) const { sink_->part(std::move(last), true); }
    void fail(RpcFailure failure) const { sink_->fail(failure); }
    /// Says how many items the request asks for or brings: they count against the rates of its peer.
    void charge(std::size_t items) const { sink_->charge(items); }
    /// Calls back once, on a thread of the network, when the queued rest of this reply is below 256 KiB; with
    /// false as soon as nobody wants the reply any more.
    void on_room(std::function<void(bool wanted)> callback) const { sink_->on_room(std::move(callback)); }

    /// Nobody waits for the answer any more: its deadline has passed, it was cancelled, or the peer is gone.
    [[nodiscard]] bool expired() const { return !sink_ || !sink_->wanted(); }
    [[nodiscard]] Time deadline() const { return deadline_; }
    [[nodiscard]] MessageClass message_class() const { return message_class_; }

 private:
    std::shared_ptr<Sink> sink_;
    MessageClass message_class_ = MessageClass::interactive;
    Time deadline_{};
};

}  // namespace monodon::net
