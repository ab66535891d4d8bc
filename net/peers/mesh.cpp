#include "net/peers/mesh.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <sys/socket.h>

#include "net/core/log.hpp"
#include "net/peers/hunt.hpp"
#include "net/transport/as_result.hpp"
#include "net/transport/clock.hpp"

namespace monodon::net {

namespace {

/// After accept() failed for want of descriptors or memory.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
/// How long the lesser of two peers waits at the start for the dial of the greater.
constexpr auto kCourtesy = std::chrono::milliseconds(50);

std::uint64_t random_number() {
    std::random_device device;
    return static_cast<std::uint64_t>(device()) << 32U | device();
}

Discovery::Options options_of(const NetworkConfig& config) {
    Discovery::Options options{config.genesis, config.role, {}, config.limits.loopback_exempt};
    for (const MemberAddress& member : config.members) options.members.push_back(member.peer);
    return options;
}

GreetingBudgets budgets_of(const NetworkLimits& limits) {
    return {limits.first_byte, limits.tls, limits.hello, limits.greeting_total};
}

}  // namespace

Network::Impl::Interruptible::Interruptible(Self impl, std::function<void()> interrupt)
    : impl_(std::move(impl)) {
    const std::lock_guard lock(impl_->mutex_);
    number_ = impl_->next_interrupt_++;
    if (impl_->stopping_) interrupt();
    impl_->interrupts_.emplace(number_, std::move(interrupt));
}

Network::Impl::Interruptible::~Interruptible() {
    const std::lock_guard lock(impl_->mutex_);
    impl_->interrupts_.erase(number_);
}

Network::Impl::Impl(asio::any_io_executor executor, NetworkConfig config, const KeyPair& identity,
                    Handlers handlers)
    : executor_(std::move(executor)),
      config_(std::move(config)),
      compute_(config_.compute ? config_.compute : executor_),
      handlers_(std::move(handlers)),
      tls_(std::make_shared<const TlsContext>(identity)),
      nonce_(random_number()),
      memory_(std::make_shared<MemoryBudget>(config_.limits.memory_total)),
      registry_(identity.peer_id(), config_),
      standings_(reputation_config(config_, identity.peer_id())),
      discovery_(identity, options_of(config_)),
      hunt_(std::make_unique<Hunt>(executor_, config_)),
      acceptor_(asio::make_strand(executor_)),
      random_(random_number()) {
    MONODON_CHECK(config_.chain_id.size() <= kChainIdMax && config_.agent.size() <= kAgentMax);
    const NetworkLimits& limits = config_.limits;
    const Backoff backoff(limits.redial_first, limits.redial_most, limits.redial_reset_after);
    for (const MemberAddress& address : config_.members) {
        rates_.emplace(address.peer, std::make_shared<PeerRates>(rates_of(limits, 1)));
        if (address.peer == tls_->self()) continue;
        members_.emplace(address.peer, std::make_shared<Member>(executor_, address, backoff));
    }
}

Network::Impl::~Impl() = default;

// --- Starting and stopping ---

bool Network::Impl::stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

template <class Coroutine>
void Network::Impl::spawn(asio::any_io_executor executor, Coroutine coroutine) {
    {
        const std::lock_guard lock(mutex_);
        ++tasks_;
    }
    asio::co_spawn(
        std::move(executor), std::move(coroutine),
        [self = shared_from_this()](const std::exception_ptr& failure) { self->task_ended(failure); });
}

void Network::Impl::task_ended(const std::exception_ptr& failure) {
    // Nothing in the coroutines throws but the allocator and the system's thread limits.
    if (failure) log::error(log::Category::net, "a network task ended by an exception");
    std::function<void()> done;
    {
        const std::lock_guard lock(mutex_);
        if (--tasks_ == 0 && stopping_) done = std::exchange(done_, nullptr);
    }
    if (done) asio::post(executor_, std::move(done));
}

Expected<std::uint16_t, std::string> Network::Impl::listen() {
    ErrorCode error;
    if (config_.listen_fd >= 0) {
        sockaddr_storage bound{};
        socklen_t size = sizeof bound;
        if (::getsockname(config_.listen_fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
            return Unexpected{std::string("the given listening socket is not one")};
        }
        const auto protocol = bound.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
        acceptor_.assign(protocol, config_.listen_fd, error);
    } else {
        const auto host = asio::ip::make_address(config_.listen_host, error);
        if (error) return Unexpected{"not a numeric address: " + config_.listen_host};
        const asio::ip::tcp::endpoint endpoint(host, config_.listen_port);
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor_.bind(endpoint, error);
    }
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return Unexpected{"cannot listen: " + error.message()};
    const std::uint16_t port = acceptor_.local_endpoint(error).port();
    if (error) return Unexpected{"cannot listen: " + error.message()};
    return port;
}

Expected<std::uint16_t, std::string> Network::Impl::start() {
    auto port = listen();
    if (!port) return port;
    begin_discovery(*port);
    spawn(acceptor_.get_executor(), accept_loop(shared_from_this()));
    spawn(asio::make_strand(executor_), watch_standings(shared_from_this()));
    for (const auto& [peer, member] : members_)
        spawn(member->strand, keep_connected(shared_from_this(), member));
    return port;
}

void Network::Impl::stop(std::function<void()> done) {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        // One task more, for the time until everybody has been told.
        ++tasks_;
        done_ = std::move(done);
        for (const auto& [number, interrupt] : interrupts_) interrupt();
    }
    for (const auto& session : registry_.all())
        session->close({GoawayReason::shutting_down, false, "shutting down"});
    task_ended(nullptr);
}

void Network::Impl::abandon() {
    mute_ = true;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        for (const auto& [number, interrupt] : interrupts_) interrupt();
    }
    for (const auto& session : registry_.all())
        session->abort({GoawayReason::shutting_down, false, "shutting down"});
}

// --- Accepting ---

asio::awaitable<void> Network::Impl::accept_loop(Self self) {
    const auto executor = self->acceptor_.get_executor();
    const Interruptible interruptible(self, [self, executor] {
        asio::post(executor, [self] {
            ErrorCode ignored;
            self->acceptor_.close(ignored);
        });
    });
    while (self->acceptor_.is_open()) {
        auto [error, socket] =
            co_await self->acceptor_.async_accept(asio::make_strand(self->executor_), as_result);
        if (error) {
            if (!self->acceptor_.is_open()) break;
            asio::steady_timer pause(executor, kAcceptPause);
            co_await pause.async_wait(as_result);
            continue;
        }
        ErrorCode gone;
        const auto endpoint = socket.remote_endpoint(gone);
        if (gone) continue;
        const auto address = endpoint.address();
        const std::string host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
        const auto strand = socket.get_executor();
        auto link = std::make_shared<Link>(std::move(socket), self->tls_, TlsSide::acceptor);
        auto place = self->registry_.enter_half_open(host, [weak = std::weak_ptr(link), strand] {
            asio::post(strand, [weak] {
                const auto late = weak.lock();
                if (!late) return;
                late->closed_for = "gave way to one that came later";
                late->close();
            });
        });
        if (!place) {
            // Not logged: a flood would be. The socket closes as the link goes out of scope.
            self->failures_.add(false, place.error());
            continue;
        }
        self->spawn(strand, welcome(self, std::move(link), host,
                                    std::make_shared<Registry::HalfOpen>(std::move(*place))));
    }
}

asio::awaitable<void> Network::Impl::welcome(Self self, std::shared_ptr<Link> link, std::string host,
                                             std::shared_ptr<Registry::HalfOpen> place) {
    const Interruptible interruptible(
        self, [link] { asio::post(link->socket.get_executor(), [link] { link->close(); }); });
    const Hello ours = self->hello_for(*link);
    // Named: GCC 12 destroys what a temporary within co_await holds twice.
    const std::function<std::optional<GoawayReason>(PeerId)> refused = [self](PeerId peer) {
        return self->refused(peer);
    };
    const auto theirs = co_await await_hello(link, ours, budgets_of(self->config_.limits), refused);
    if (!theirs) {
        const bool known = link->tls.state() == TlsState::established;
        if (known) self->charge_greeting(link->tls.peer(), theirs.error());
        const std::string who = known ? link->tls.peer().text() : host;
        self->report_refusal(false, who, link->address, {theirs.error().reason, theirs.error().text});
        co_return;
    }
    auto wrong = self->judge_role(*theirs, link->tls.peer(), false);
    if (!wrong) {
        auto session = self->adopt(link, *theirs, false);
        if (session) {
            place.reset();
            if (const ErrorCode error = co_await answer_hello(link, ours); error) {
                // The session ends as soon as it reads; whoever is told of its beginning is told of its end.
            }
            session.value()->run();
            co_return;
        }
        wrong = session.error();
    }
    self->report_refusal(false, link->tls.peer().text(), link->address, refusal_of(*wrong));
    co_await refuse(link, *wrong);
}

// --- Dialling ---

asio::awaitable<void> Network::Impl::keep_connected(Self self, std::shared_ptr<Member> member) {
    const Interruptible interruptible(
        self, [member] { asio::post(member->strand, [member] { member->timer.cancel(); }); });
    if (self->tls_->self() < member->peer) {
        // Both ends dial, and the dial of the greater would win: it is given a start.
        member->timer.expires_after(kCourtesy);
        co_await member->timer.async_wait(as_result);
    }
    while (!self->stopping()) {
        if (self->registry_.find(member->peer)) {
            // session_ended() wakes us.
            member->timer.expires_at(asio::steady_timer::time_point::max());
            co_await member->timer.async_wait(as_result);
            if (self->registry_.find(member->peer)) continue;
        } else if (self->refused(member->peer)) {
            // unban() wakes us.
            member->timer.expires_at(asio::steady_timer::time_point::max());
            co_await member->timer.async_wait(as_result);
            continue;
        } else if (const auto address = member->addresses.next(now())) {
            const Duration early =
                member->is_given(*address) ? Duration{0} : self->discovery_.admit_dial(*address, true, now());
            if (early > Duration{0}) {
                member->timer.expires_after(early);
                co_await member->timer.async_wait(as_result);
                continue;
            }
            // Named: GCC 12 destroys a temporary that is made of braces within co_await twice.
            const Target target{member->strand, member->peer, *address, true};
            const Outcome outcome = co_await reach(self, target);
            if (outcome.what == Reached::ourselves) member->addresses.led_to_ourselves(*address, now());
            if (!outcome.why.empty()) {
                self->registry_.note_error(member->peer, outcome.why);
                self->report_refusal(true, member->peer.text(), *address, {outcome.reason, outcome.why});
            }
            if (self->registry_.find(member->peer)) continue;
        } else {
            // find_anew() wakes us when it can be found somewhere.
            const Time due = member->addresses.due();
            member->timer.expires_at(due == Time::max() ? asio::steady_timer::time_point::max()
                                                        : to_steady(due));
            co_await member->timer.async_wait(as_result);
            continue;
        }
        if (self->stopping()) break;
        const Duration wait = member->backoff.next(self->draw());
        member->timer.expires_after(wait);
        co_await member->timer.async_wait(as_result);
    }
}

asio::awaitable<Network::Impl::Outcome> Network::Impl::reach(Self self, Target target) {
    Outcome outcome;
    const auto attempt = std::make_shared<DialAttempt>(target.strand);
    const Interruptible interrupt_dial(
        self, [attempt, strand = target.strand] { asio::post(strand, [attempt] { attempt->abort(); }); });
    if (const ErrorCode error = co_await dial(attempt, target.address, self->config_.limits.connect); error) {
        outcome.reason = kCannotConnect;
        outcome.why = std::string(kCannotConnect) + ": " + error.message();
        co_return outcome;
    }
    auto link = std::make_shared<Link>(std::move(attempt->socket), self->tls_, TlsSide::dialler);
    const Interruptible interrupt_greeting(
        self, [link, strand = target.strand] { asio::post(strand, [link] { link->close(); }); });
    const auto superseded = [self, link] { return self->registry_.is_connected(link->tls.peer()); };
    const auto theirs = co_await greet_as_dialler(link, self->hello_for(*link), target.expected,
                                                  budgets_of(self->config_.limits), superseded);
    if (!theirs) {
        // The other of two connections that were dialled at the same time may have stayed.
        const GreetingFailure& failure = theirs.error();
        if (link->tls.state() == TlsState::established) self->charge_greeting(link->tls.peer(), failure);
        if (failure.known) outcome.peer = failure.known;
        if (failure.superseded || failure.told_by_peer == GoawayReason::duplicate) {
            outcome.what = Reached::present;
            co_return outcome;
        }
        outcome.reason = failure.reason;
        outcome.why = failure.text;
        if (failure.ourselves) outcome.what = Reached::ourselves;
        if (failure.told_peer == GoawayReason::wrong_peer) outcome.what = Reached::another;
        if (failure.told_by_peer) outcome.what = Reached::refused;
        co_return outcome;
    }
    outcome.peer = link->tls.peer();
    if (const auto wrong = self->judge_role(*theirs, *outcome.peer, true)) {
        co_await refuse(link, *wrong);
        outcome.reason = describe(*wrong);
        outcome.why = outcome.reason;
        co_return outcome;
    }
    if (!target.stay) {
        self->learn_greeting(*link, *theirs, {});
        co_await refuse(link, GoawayReason::only_looked);
        outcome.what = Reached::looked;
        co_return outcome;
    }
    const auto session = self->adopt(link, *theirs, true);
    if (session) {
        session.value()->run();
        outcome.what = Reached::connected;
        co_return outcome;
    }
    co_await refuse(link, session.error());
    outcome.what = session.error() == GoawayReason::duplicate ? Reached::present : Reached::nobody;
    if (outcome.what == Reached::nobody) {
        outcome.reason = describe(session.error());
        outcome.why = outcome.reason;
    }
    co_return outcome;
}

}  // namespace monodon::net
