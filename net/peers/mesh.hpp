#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include "net/peers/backoff.hpp"
#include "net/peers/dial_addresses.hpp"
#include "net/peers/discovery.hpp"
#include "net/peers/log_limiter.hpp"
#include "net/peers/network.hpp"
#include "net/peers/registry.hpp"
#include "net/peers/standings.hpp"
#include "net/transport/greeting.hpp"

namespace monodon::net {

/// The reason under which dials that reach nobody are counted.
inline constexpr std::string_view kCannotConnect = "cannot connect";

/// The coroutines behind Network: one that accepts, one per member that dials it whenever it is not
/// connected, one per greeting. Every one of them is counted, so that stop() knows when the last has ended.
class Network::Impl : public std::enable_shared_from_this<Network::Impl> {
 public:
    Impl(asio::any_io_executor executor, NetworkConfig config, const KeyPair& identity, Handlers handlers);
    ~Impl();

    Expected<std::uint16_t, std::string> start();
    void stop(std::function<void()> done);
    /// Closes everything and lets nothing call a handler any more.
    void abandon();

    bool send(const PeerId& peer, MessageClass message_class, Method method, SharedBytes payload);
    RequestId request(const PeerId& peer, WantedRequest wanted, ReplyCallback callback);
    RequestId request_at(const std::shared_ptr<Session>& session, WantedRequest wanted,
                         ReplyCallback callback);
    void cancel(RequestId request);
    void set_holdings(const Holdings& holdings);
    void hang_up(const PeerId& peer, GoawayReason reason, const std::string& why);

    // mesh_standings.cpp
    void observe(const PeerId& peer, const Observation& observation);
    bool ban(const PeerId& peer);
    void unban(const PeerId& peer);
    /// A request that a member in quarantine is neither asked nor answered.
    [[nodiscard]] bool refuses(const PeerId& peer, MessageClass message_class, Method method) const;

    void dial_now(Seed where, std::function<void(std::optional<std::string>)> done);

    [[nodiscard]] const Registry& registry() const { return registry_; }
    [[nodiscard]] Standings& standings() { return standings_; }
    [[nodiscard]] std::vector<LimitUse> limits() const;
    [[nodiscard]] Discovery& discovery() { return discovery_; }
    [[nodiscard]] const TlsContext& tls() const { return *tls_; }
    [[nodiscard]] std::vector<HandshakeFailures> handshake_failures() const { return failures_.all(); }

 private:
    using Self = std::shared_ptr<Impl>;
    struct Member;
    struct Hunt;

    /// Whom to dial, on a strand of its own, on which the session runs if one begins.
    struct Target {
        asio::any_io_executor strand;
        std::optional<PeerId> expected;
        std::string address;
        /// Else it is only greeted, to see whether it is there.
        bool stay = true;
    };
    enum class Reached : std::uint8_t {
        connected,
        looked,
        /// There is another connection with it.
        present,
        /// It is there, but does not want us.
        refused,
        ourselves,
        another,
        nobody,
    };
    struct Outcome {
        Reached what = Reached::nobody;
        /// Who answered, if that is known.
        std::optional<PeerId> peer;
        /// Why there is no connection: what it is counted under, and in words.
        std::string_view reason;
        std::string why;
    };

    /// Something that stop() has to interrupt, as long as this lives.
    class Interruptible {
     public:
        Interruptible(Self impl, std::function<void()> interrupt);
        ~Interruptible();
        Interruptible(const Interruptible&) = delete;
        Interruptible& operator=(const Interruptible&) = delete;

     private:
        Self impl_;
        std::uint64_t number_;
    };

    static asio::awaitable<void> accept_loop(Self self);
    static asio::awaitable<void> welcome(Self self, std::shared_ptr<Link> link, std::string host,
                                         std::shared_ptr<Registry::HalfOpen> place);
    static asio::awaitable<void> keep_connected(Self self, std::shared_ptr<Member> member);
    /// Why there is no connection: what it is counted under, and in words for the log.
    struct Refusal {
        std::string_view reason;
        std::string text;
    };
    [[nodiscard]] static Refusal refusal_of(GoawayReason reason) {
        return {describe(reason), std::string(describe(reason))};
    }
    static asio::awaitable<Outcome> reach(Self self, Target target);
    /// The same, for discovery: the book learns from it.
    static asio::awaitable<void> explore(Self self, Target target, std::function<void(Outcome)> done);
    static asio::awaitable<void> discover(Self self);

    [[nodiscard]] bool stopping() const;
    [[nodiscard]] bool is_hungry() const;
    void wake_discovery();
    void ask_peers(Time time);
    void ask(const std::shared_ptr<Session>& session);
    void dial_seeds(Time time);
    /// Who is not to be dialled because of the address book.
    [[nodiscard]] AddressBook::Busy busy() const;
    void dial_strangers(Time time);
    void test_somebody(Time time);
    void explore_candidate(const AddressBook::Candidate& candidate, bool stay);
    void answer_get_peers(const std::shared_ptr<Session>& session, const SharedBytes& request,
                          const Replier& replier);
    void peers_told(const std::weak_ptr<Session>& session, const SharedBytes& reply);
    /// The record in a greeting. A session whose peer shows a wrong one ends.
    void learn_greeting(const Link& link, const Hello& theirs, std::weak_ptr<Session> session);
    void learned(const Discovery::Learned& learned, const std::weak_ptr<Session>& session);
    void find_anew(const std::vector<PeerId>& peers);
    void begin_discovery(std::uint16_t port);

    static asio::awaitable<void> watch_standings(Self self);
    /// Why a peer is not let in, if so.
    [[nodiscard]] std::optional<GoawayReason> refused(const PeerId& peer) const;
    void charge_greeting(const PeerId& peer, const GreetingFailure& failure);
    void take_effect(const Standings::Changes& changes);
    /// Lets a session serve its peer as its standing deserves.
    void treat(Session& session);
    void treat_all();
    void make_room(const PeerId& coming, Role role);
    [[nodiscard]] bool link_is_full() const;

    Expected<std::uint16_t, std::string> listen();
    template <class Coroutine>
    void spawn(asio::any_io_executor executor, Coroutine coroutine);
    void task_ended(const std::exception_ptr& failure);

    [[nodiscard]] Hello hello_for(const Link& link);
    [[nodiscard]] std::optional<GoawayReason> judge_role(const Hello& theirs, const PeerId& peer,
                                                         bool dialler) const;
    /// A session that is admitted and not yet running, or why it is not.
    Expected<std::shared_ptr<Session>, GoawayReason> adopt(const std::shared_ptr<Link>& link,
                                                           const Hello& theirs, bool dialler);
    [[nodiscard]] SessionConfig session_config(const std::shared_ptr<Link>& link, const Hello& theirs,
                                               bool dialler);
    [[nodiscard]] SessionHandlers session_handlers();
    void session_ended(const std::shared_ptr<Session>& session, const CloseCause& cause);
    /// Counts it, and logs it once in a while.
    void report_refusal(bool outbound, const std::string& peer, const std::string& address,
                        const Refusal& why);
    /// What a member may cost us, divided by this.
    [[nodiscard]] static RateLimits rates_of(const NetworkLimits& limits, double divisor);
    double draw();

    const asio::any_io_executor executor_;
    const NetworkConfig config_;
    const asio::any_io_executor compute_;
    const Handlers handlers_;
    const std::shared_ptr<const TlsContext> tls_;
    const std::uint64_t nonce_;
    const std::shared_ptr<MemoryBudget> memory_;
    Registry registry_;
    Standings standings_;
    Discovery discovery_;
    const std::unique_ptr<Hunt> hunt_;
    LogLimiter log_limiter_;
    FailureCounts failures_;
    /// For the impairment: a connection that is cut off does not begin to count anew.
    const std::shared_ptr<std::atomic<std::uint64_t>> replies_ =
        std::make_shared<std::atomic<std::uint64_t>>(0);
    asio::ip::tcp::acceptor acceptor_;
    std::map<PeerId, std::shared_ptr<Member>> members_;
    /// Of every member, for all its connections. Constant after construction.
    std::map<PeerId, std::shared_ptr<PeerRates>> rates_;

    /// Orders on_peer calls as the registry changed.
    std::mutex events_mutex_;
    mutable std::mutex mutex_;
    // Guarded by the mutex:
    Holdings holdings_;
    std::mt19937_64 random_;
    std::map<std::uint64_t, std::function<void()>> interrupts_;
    std::uint64_t next_interrupt_ = 1;
    std::size_t tasks_ = 0;
    bool stopping_ = false;
    std::function<void()> done_;

    std::atomic<bool> mute_{false};
    /// Answers to get_peers whose records are being verified.
    std::atomic<unsigned> checks_{0};
    std::atomic<std::uint32_t> next_serial_{1};
    std::atomic<std::uint64_t> next_request_{1};
};

[[nodiscard]] ReputationConfig reputation_config(const NetworkConfig& config, const PeerId& self);

/// A member and the strand on which it is dialled, and on which the sessions dialled to it run.
struct Network::Impl::Member {
    Member(const asio::any_io_executor& executor, MemberAddress of, Backoff wait)
        : strand(asio::make_strand(executor)),
          timer(strand),
          peer(of.peer),
          given(of.addresses),
          addresses(std::move(of.addresses)),
          backoff(wait) {}

    /// Chosen by the operator, not by a record.
    [[nodiscard]] bool is_given(const std::string& address) const {
        return std::find(given.begin(), given.end(), address) != given.end();
    }

    asio::any_io_executor strand;
    asio::steady_timer timer;
    PeerId peer;
    const std::vector<std::string> given;
    /// Those of its newest record, then the given ones.
    DialAddresses addresses;
    Backoff backoff;
};

}  // namespace monodon::net
