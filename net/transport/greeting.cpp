#include "net/transport/greeting.hpp"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/transport/clock.hpp"

namespace monodon::net {

namespace {

using FrameResult = Expected<FrameHeader, GreetingFailure>;

constexpr std::string_view kFirstByteLate = "the first byte took too long";
constexpr std::string_view kTlsLate = "the TLS handshake took too long";
constexpr std::string_view kHelloLate = "the hello took too long";
constexpr std::string_view kTooMuch = "too much before the hello";

/// `reason` is static text; `text` only if the log can say more.
GreetingFailure failed(std::string_view reason, std::string text = {}, std::optional<Fault> fault = {}) {
    GreetingFailure failure;
    failure.reason = reason;
    failure.text = text.empty() ? std::string(reason) : std::move(text);
    failure.fault = fault;
    return failure;
}

void write_frame(Link& link, FrameType type, ByteView payload) {
    FrameHeader header;
    header.type = type;
    header.length = static_cast<std::uint32_t>(payload.size());
    const FrameHeaderBytes head = encode(header);
    Bytes bytes(head.begin(), head.end());
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    link.tls.write(bytes);
}

GreetingFailure failure_of(const Link& link, const ErrorCode& error) {
    if (!link.closed_for.empty()) return failed(link.closed_for);
    if (link.tls.state() == TlsState::failed) {
        GreetingFailure failure = failed(link.tls.reason(), link.tls.error());
        failure.ourselves = link.tls.ourselves();
        return failure;
    }
    if (error == asio::error::eof) return failed("connection closed by the peer");
    return failed("connection lost", error.message());
}

/// Runs the handshake to its end; nothing if it is established.
asio::awaitable<std::optional<GreetingFailure>> secure(std::shared_ptr<Link> link, GreetingBudgets budgets,
                                                       Time begin) {
    link->arm_watchdog(link, begin + std::min(budgets.first_byte, budgets.total), kFirstByteLate);
    if (link->side == TlsSide::dialler) link->tls.handshake();
    for (bool heard = false;; heard = true) {
        ErrorCode error = co_await flush(link);
        if (!error && link->tls.state() == TlsState::established) co_return std::nullopt;
        if (error || link->tls.state() != TlsState::handshaking) co_return failure_of(*link, error);
        if (error = co_await fill(link); error) co_return failure_of(*link, error);
        if (link->bytes_in > kGreetingBytesMax) co_return failed(kTooMuch);
        if (!heard) link->arm_watchdog(link, begin + std::min(budgets.tls, budgets.total), kTlsLate);
        link->tls.handshake();
    }
}

/// The next frame; its payload is copied to `payload`.
asio::awaitable<FrameResult> read_frame(std::shared_ptr<Link> link, std::shared_ptr<Bytes> payload) {
    for (;;) {
        const auto frame = link->reader.next();
        if (!frame) co_return Unexpected{failed(name(frame.error()), {}, Fault::malformed)};
        if (frame->has_value()) {
            payload->assign((*frame)->payload.begin(), (*frame)->payload.end());
            co_return (*frame)->header;
        }
        const std::size_t bytes = link->tls.read(link->reader.prepare());
        link->reader.commit(bytes);
        if (bytes > 0) continue;
        if (link->tls.state() == TlsState::closed) {
            co_return Unexpected{failed("connection closed by the peer")};
        }
        if (link->tls.state() == TlsState::failed) {
            co_await flush(link);
            co_return Unexpected{failure_of(*link, {})};
        }
        if (const ErrorCode error = co_await fill(link); error)
            co_return Unexpected{failure_of(*link, error)};
        if (link->bytes_in > kGreetingBytesMax) {
            co_return Unexpected{failed(kTooMuch, {}, Fault::oversize)};
        }
    }
}

/// What a peer answers for of what is wrong with its hello: another epoch or version it may just not know
/// yet.
std::optional<Fault> fault_of(GoawayReason reason) {
    if (reason == GoawayReason::wrong_chain || reason == GoawayReason::wrong_genesis)
        return Fault::wrong_chain;
    if (reason == GoawayReason::invalid_hello) return Fault::invalid_hello;
    return std::nullopt;
}

/// The peer's HELLO or HELLO_ACK, of which nothing is wrong. What is wrong has been told to the peer.
asio::awaitable<Expected<Hello, GreetingFailure>> receive_hello(std::shared_ptr<Link> link, FrameType wanted,
                                                                Hello ours) {
    const auto payload = std::make_shared<Bytes>();
    const FrameResult frame = co_await read_frame(link, payload);
    if (!frame) co_return Unexpected{frame.error()};
    if (frame.value().type == FrameType::goaway) {
        const auto reason = decode_goaway(*payload);
        const auto text = reason ? describe(*reason) : "an unknown reason";
        GreetingFailure failure = failed("refused by the peer", "refused by the peer: " + std::string(text));
        failure.told_by_peer = reason;
        co_return Unexpected{std::move(failure)};
    }
    const auto theirs = frame.value().type == wanted ? decode_hello(*payload) : std::nullopt;
    const auto wrong = theirs ? find_disagreement(ours, *theirs) : GoawayReason::invalid_hello;
    if (!wrong) co_return *theirs;
    co_await refuse(link, *wrong);
    std::string text(describe(*wrong));
    if (*wrong == GoawayReason::wrong_chain) text += " (the peer is on another one)";
    GreetingFailure failure = failed(describe(*wrong), std::move(text), fault_of(*wrong));
    failure.told_peer = *wrong;
    co_return Unexpected{std::move(failure)};
}

}  // namespace

asio::awaitable<Expected<Hello, GreetingFailure>> greet_as_dialler(std::shared_ptr<Link> link, Hello ours,
                                                                   std::optional<PeerId> expected,
                                                                   GreetingBudgets budgets,
                                                                   std::function<bool()> superseded) {
    const Time begin = now();
    if (auto failure = co_await secure(link, budgets, begin)) {
        // The peer may still be sending; closing at once would lose the alert that tells it why.
        if (link->tls.state() == TlsState::failed) co_await linger(link);
        link->close();
        co_return Unexpected{*failure};
    }
    if (expected && link->tls.peer() != *expected) {
        co_await refuse(link, GoawayReason::wrong_peer);
        const std::string_view reason = describe(GoawayReason::wrong_peer);
        GreetingFailure failure =
            failed(reason, std::string(reason) + ": " + link->tls.peer().text() + " answered");
        failure.told_peer = GoawayReason::wrong_peer;
        failure.known = link->tls.peer();
        co_return Unexpected{std::move(failure)};
    }
    if (superseded && superseded()) {
        co_await refuse(link, GoawayReason::duplicate);
        GreetingFailure failure = failed(describe(GoawayReason::duplicate));
        failure.superseded = true;
        failure.known = link->tls.peer();
        co_return Unexpected{std::move(failure)};
    }
    link->arm_watchdog(link, std::min(now() + budgets.hello, begin + budgets.total), kHelloLate);
    write_frame(*link, FrameType::hello, encode(ours));
    if (const ErrorCode error = co_await flush(link); error) {
        link->close();
        co_return Unexpected{failure_of(*link, error)};
    }
    const PeerId peer = link->tls.peer();
    auto theirs = co_await receive_hello(link, FrameType::hello_ack, ours);
    if (theirs) {
        link->disarm_watchdog();
        co_return theirs;
    }
    link->close();
    GreetingFailure failure = theirs.error();
    failure.known = peer;
    co_return Unexpected{std::move(failure)};
}

asio::awaitable<Expected<Hello, GreetingFailure>> await_hello(
    std::shared_ptr<Link> link, Hello ours, GreetingBudgets budgets,
    std::function<std::optional<GoawayReason>(PeerId)> unwelcome) {
    const Time begin = now();
    if (auto failure = co_await secure(link, budgets, begin)) {
        // The peer may still be sending; closing at once would lose the alert that tells it why.
        if (link->tls.state() == TlsState::failed) co_await linger(link);
        link->close();
        co_return Unexpected{*failure};
    }
    if (const auto reason = unwelcome ? unwelcome(link->tls.peer()) : std::nullopt) {
        co_await refuse(link, *reason);
        GreetingFailure failure = failed(describe(*reason));
        failure.told_peer = *reason;
        co_return Unexpected{std::move(failure)};
    }
    link->arm_watchdog(link, std::min(now() + budgets.hello, begin + budgets.total), kHelloLate);
    auto theirs = co_await receive_hello(link, FrameType::hello, ours);
    if (!theirs) link->close();
    co_return theirs;
}

asio::awaitable<ErrorCode> answer_hello(std::shared_ptr<Link> link, Hello ours) {
    write_frame(*link, FrameType::hello_ack, encode(ours));
    const ErrorCode error = co_await flush(link);
    link->disarm_watchdog();
    if (error) link->close();
    co_return error;
}

asio::awaitable<void> refuse(std::shared_ptr<Link> link, GoawayReason reason) {
    write_frame(*link, FrameType::goaway, encode(reason));
    co_await linger(link);
}

}  // namespace monodon::net
