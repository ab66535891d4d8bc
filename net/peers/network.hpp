#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"
#include "net/core/expected.hpp"
#include "net/core/keys.hpp"
#include "net/core/time.hpp"
#include "net/peers/address_book.hpp"
#include "net/peers/failure_counts.hpp"
#include "net/peers/reputation.hpp"
#include "net/peers/seed.hpp"
#include "net/rpc/replier.hpp"
#include "net/transport/hello.hpp"
#include "net/transport/impairment.hpp"
#include "net/wire/method.hpp"

namespace monodon::net {

struct MemberAddress {
    PeerId peer;
    /// `host:port`, `[v6]:port`; tried in turn.
    std::vector<std::string> addresses;
    std::uint64_t stake = 1;
};

/// Limits of the network, each with the default of network.md. Sizes in bytes.
struct NetworkLimits {
    std::uint32_t half_open = 64;
    std::uint32_t half_open_per_address = 4;
    std::uint32_t clients = 64;
    std::uint32_t clients_per_address = 16;
    /// That dial us; of one address, of one /24 (IPv6: /48).
    std::uint32_t observers = 32;
    std::uint32_t observers_per_address = 4;
    std::uint32_t observers_per_network = 16;
    /// The limits per address do not hold for loopback addresses: a local committee shares one.
    bool loopback_exempt = false;
    Duration first_byte = std::chrono::seconds(3);
    Duration tls = std::chrono::seconds(5);
    Duration hello = std::chrono::seconds(5);
    Duration greeting_total = std::chrono::seconds(10);
    Duration connect = std::chrono::seconds(2);
    Duration redial_first = std::chrono::milliseconds(250);
    Duration redial_most = std::chrono::seconds(2);
    Duration redial_reset_after = std::chrono::seconds(60);
    /// The same of seeds.
    Duration seed_redial_first = std::chrono::seconds(1);
    Duration seed_redial_most = std::chrono::minutes(10);
    /// How often somebody in the address book is dialled only to see whether it is there.
    Duration test_every = std::chrono::seconds(10);
    /// Connections that an observer dials, members included.
    std::uint32_t outbound = 8;
    Duration ping_after = std::chrono::seconds(10);
    Duration write_stall = std::chrono::seconds(20);
    std::uint32_t member_requests_per_second = 2000;
    std::uint64_t member_bytes_per_second = 64ULL * 1024 * 1024;
    std::uint64_t member_bytes_burst = 32ULL * 1024 * 1024;
    /// Of the items that the table of methods allows to a member.
    double member_items_share = 1;
    /// Clients and observers have the rates of a member divided by this.
    std::uint32_t stranger_divisor = 4;
    /// What unfinished messages and unanswered requests may hold.
    std::uint64_t memory_total = 192ULL * 1024 * 1024;
    std::uint64_t memory_per_member = 32ULL * 1024 * 1024;
    /// Also what replies that wait to be written to one may hold.
    std::uint64_t memory_per_stranger = 4ULL * 1024 * 1024;
    Duration penalty_half_life = std::chrono::minutes(10);
    Duration ban_first = std::chrono::minutes(10);
    Duration ban_most = std::chrono::hours(24);
    /// Turning so late, our own loop is what others wait for: then time is nobody's fault.
    Duration strain_after = std::chrono::milliseconds(250);
    /// Compress what travels in the bulk class when that makes it smaller: for slow links.
    bool compress_bulk = false;
};

struct NetworkConfig {
    std::string listen_host = "127.0.0.1";
    /// 0 takes a free port, which start() returns.
    std::uint16_t listen_port = 0;
    /// A socket that is bound already (listening or not); it takes precedence over host and port, and the
    /// network owns it from then on.
    int listen_fd = -1;
    std::string chain_id;
    Digest genesis;
    std::uint64_t epoch = 0;
    /// Digest of the committee of this epoch.
    Digest committee;
    Role role = Role::member;
    /// Shown to peers, at most 64 bytes.
    std::string agent = "monodon";
    /// The whole committee; ourselves among them or not makes no difference. Who has no address is found by
    /// discovery.
    std::vector<MemberAddress> members;
    /// Of members that are in quarantine at a time: what the committee tolerates.
    std::uint64_t quarantine_stake = 0;
    std::vector<Seed> seeds;
    /// Where others reach us, for our record: up to four `host:port`. Empty: where we listen, unless that is
    /// every address of the host.
    std::vector<std::string> advertise;
    /// The address book as it was stored.
    std::vector<Bytes> book;
    /// Verifies the records of others; empty: the executor of the network.
    boost::asio::any_io_executor compute;
    NetworkLimits limits;
    Impairment impairment;
};

struct Handlers {
    // All are called on a thread of the executor, for one connection one after the other, for different
    // connections at the same time. They must return quickly: hand over and go.

    /// A notice of a member.
    std::function<void(const PeerId&, Method, SharedBytes)> on_notice;
    /// A request; the answer goes through the replier, from any thread, now or later.
    std::function<void(const PeerId&, Role, Method, SharedBytes, Replier)> on_request;
    /// True before the first message of a new connection, also when it replaces an older one of the same peer
    /// (what was queued on that one may be lost); false when the peer has no connection left. For a client,
    /// once for each of its connections.
    std::function<void(const PeerId&, Role, bool connected)> on_peer;
};

/// Names one request of this process; 0 names none.
struct RequestId {
    std::uint64_t number = 0;
    friend auto operator<=>(const RequestId&, const RequestId&) = default;
};

struct PeerStatus {
    PeerId peer;
    Role role = Role::member;
    std::string address;
    /// We dialled it.
    bool outbound = false;
    bool connected = false;
    std::string agent;
    Holdings holdings;
    /// Zero until measured.
    Duration rtt{0};
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::array<std::uint64_t, kMessageClasses> queued_bytes{};
    std::array<std::uint64_t, kMessageClasses> dropped_messages{};
    Time connected_since{};
    std::uint64_t connections = 0;
    /// Why the last connection or attempt ended, in words; empty if none did.
    std::string last_error;
    Standing standing;
};

struct Ban {
    PeerId peer;
    /// Without it the ban is the operator's, and stays until it is lifted.
    std::optional<Time> until;
    std::string reason;
};

/// A limit in force, and how much of it is in use.
struct LimitUse {
    std::string name;
    /// Whom it is about; empty if all.
    std::optional<PeerId> peer;
    std::uint64_t limit = 0;
    std::uint64_t used = 0;
};

/// The peer-to-peer network of one node: listens, keeps a connection to every member of the committee, admits
/// clients, carries notices, requests and replies as bytes.
///
/// All methods are thread-safe. Handlers run on the executor that was given, which must outlive the network.
class Network {
 public:
    Network(boost::asio::any_io_executor executor, NetworkConfig config, const KeyPair& identity,
            Handlers handlers);
    /// Closes at once whatever stop() has not closed. Not to be called from a handler.
    ~Network();
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    /// Listens and begins to dial. The port, or why it cannot be had.
    [[nodiscard]] Expected<std::uint16_t, std::string> start();
    /// Says goodbye to every peer, closes within about a second, then calls `done` on the executor. No
    /// handler is called after that; open requests have failed with `disconnected`. Once only.
    void stop(std::function<void()> done);

    /// Sends a notice. False: not connected, or the queue of its class is full and the message was dropped.
    /// A full consensus queue drops its oldest messages instead.
    bool send(const PeerId& peer, MessageClass message_class, Method method, SharedBytes payload);
    /// Sends a notice to every observer that has asked for such in its greeting. Who is slow misses the
    /// oldest of them.
    void publish(MessageClass message_class, Method method, const SharedBytes& payload);
    /// Bytes that wait to be written to the peer in one class; 0 if it is not connected.
    [[nodiscard]] std::size_t queued_bytes(const PeerId& peer, MessageClass message_class) const;
    [[nodiscard]] bool connected(const PeerId& peer) const;

    /// Sends a request and calls back exactly once, on the executor and never from within this call: with the
    /// whole reply, or with the failure. Waits for a free place in the window of the peer, but never beyond
    /// the deadline (at most 30 s from now).
    RequestId request(const PeerId& peer, MessageClass message_class, Method method, SharedBytes payload,
                      Duration deadline, ReplyCallback callback);
    /// Frees both ends; the callback gets `cancelled` unless it was already on its way.
    void cancel(RequestId request);

    /// Ends the connection to a peer that broke a rule that only the caller can see, in words for the log.
    void disconnect(const PeerId& peer, std::string_view why);
    /// Ends the connections to a peer and has no other with it, until unban(). False if there are as many
    /// bans as are remembered.
    bool ban(const PeerId& peer);
    /// Lifts the operator's ban; if there is none, what the peer was charged with and banned or quarantined
    /// for.
    void unban(const PeerId& peer);
    [[nodiscard]] std::vector<Ban> bans() const;

    /// What a peer did that only the caller can see (network.md 6): whether a reply was of use, and what is
    /// wrong with what it said.
    void observe(const PeerId& peer, const Observation& observation);
    /// Also of a peer that is not connected.
    [[nodiscard]] Standing standing(const PeerId& peer) const;
    /// How often to ask it rather than others: 100 is usual, 0 only for exploration. See select().
    [[nodiscard]] std::uint32_t weight(const PeerId& peer) const;
    /// What is to be stored so that standings and bans outlive the process, as far as it has changed.
    [[nodiscard]] std::vector<StandingNote> take_standings();
    /// Before start(): what was stored. False: it is of no use any more.
    bool restore_standing(const PeerId& peer, ByteView note);

    /// Ends the connections to a peer, as an operator wants it; a member is dialled again.
    void hang_up(const PeerId& peer);
    /// What greetings say about our history from now on.
    void set_holdings(const Holdings& holdings);
    /// Connects to whoever is there, and calls back once, on the executor, with the reason if that failed.
    void connect(Seed where, std::function<void(std::optional<std::string>)> done);
    [[nodiscard]] std::vector<AddressBook::Row> book() const;
    /// What has changed in the book since the last call, to be stored by peer; nothing: to be removed.
    [[nodiscard]] std::vector<std::pair<PeerId, std::optional<Bytes>>> take_book_changes();

    /// Every member, connected or not, then the connected observers and clients.
    [[nodiscard]] std::vector<PeerStatus> peers() const;
    [[nodiscard]] std::vector<LimitUse> limits() const;
    /// Connections that did not come about since the start, by direction and reason.
    [[nodiscard]] std::vector<HandshakeFailures> handshake_failures() const;
    /// The certificate shown to peers, in DER.
    [[nodiscard]] Bytes certificate() const;

 private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace monodon::net
