#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "net/core/expected.hpp"
#include "net/core/keys.hpp"
#include "net/core/time.hpp"
#include "net/transport/hello.hpp"
#include "net/transport/link.hpp"
#include "net/transport/observation.hpp"

namespace monodon::net {

/// How long a new connection may take (network.md 1).
struct GreetingBudgets {
    Duration first_byte = std::chrono::seconds(3);
    Duration tls = std::chrono::seconds(5);
    Duration hello = std::chrono::seconds(5);
    Duration total = std::chrono::seconds(10);
};

/// The most that is read before a HELLO has been accepted.
inline constexpr std::uint64_t kGreetingBytesMax = 32 * 1024;

/// Why there is no connection.
struct GreetingFailure {
    /// In words that are fixed: what such failures are counted under.
    std::string_view reason;
    /// The same for the log, perhaps with more.
    std::string text;
    /// The reason, if it was told to the peer or by it.
    std::optional<GoawayReason> told_peer;
    std::optional<GoawayReason> told_by_peer;
    /// What the peer has to answer for.
    std::optional<Fault> fault;
    /// Who the peer has proven to be, if the handshake came so far.
    std::optional<PeerId> known;
    /// Who answered was ourselves.
    bool ourselves = false;
    /// Given up because it was not needed any more.
    bool superseded = false;
};

/// The TLS handshake, then our HELLO, then the peer's answer. `expected` is the peer that was dialled. If
/// `superseded` says so before the HELLO, the peer has connected to us meanwhile: of two simultaneous dials
/// the one that is further along then stays, without the other ever having counted. On failure the link has
/// been closed.
asio::awaitable<Expected<Hello, GreetingFailure>> greet_as_dialler(std::shared_ptr<Link> link, Hello ours,
                                                                   std::optional<PeerId> expected,
                                                                   GreetingBudgets budgets,
                                                                   std::function<bool()> superseded = {});

/// The TLS handshake, then the peer's HELLO, which agrees with ours. `unwelcome` is asked in between, as soon
/// as it is known who comes. The link waits for answer_hello() or refuse(). On failure it has been closed.
asio::awaitable<Expected<Hello, GreetingFailure>> await_hello(
    std::shared_ptr<Link> link, Hello ours, GreetingBudgets budgets,
    std::function<std::optional<GoawayReason>(PeerId)> unwelcome = {});
/// Sends HELLO_ACK and ends the greeting: the watchdog is off, the link belongs to a connection.
asio::awaitable<ErrorCode> answer_hello(std::shared_ptr<Link> link, Hello ours);
/// Sends GOAWAY with the reason and closes.
asio::awaitable<void> refuse(std::shared_ptr<Link> link, GoawayReason reason);

}  // namespace monodon::net
