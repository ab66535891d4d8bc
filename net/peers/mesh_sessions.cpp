#include <boost/asio/post.hpp>

#include "net/core/log.hpp"
#include "net/peers/mesh.hpp"
#include "net/transport/clock.hpp"

// The half of the mesh that has to do with sessions, once a peer has greeted.
namespace monodon::net {

namespace {

/// A request id is the serial of its session and a number.
constexpr unsigned kRequestNumberBits = 40;

}  // namespace

Hello Network::Impl::hello_for(const Link& link) {
    Hello hello;
    hello.chain_id = config_.chain_id;
    hello.genesis = config_.genesis;
    hello.epoch = config_.epoch;
    hello.committee = config_.committee;
    hello.role = config_.role;
    hello.agent = config_.agent;
    for (const MethodInfo& info : all_methods()) {
        // With this it subscribes to certificates: of all notices it takes no others.
        const bool wanted = !info.notice || info.method == Method::certificate;
        if (config_.role == Role::observer && !wanted) continue;
        hello.methods.push_back({static_cast<std::uint16_t>(info.method), info.version});
    }
    hello.limits = kWindows;
    hello.observed_address = link.address;
    hello.nonce = nonce_;
    hello.record = discovery_.own_record(now());
    const std::lock_guard lock(mutex_);
    hello.holdings = holdings_;
    return hello;
}

std::optional<GoawayReason> Network::Impl::judge_role(const Hello& theirs, const PeerId& peer,
                                                      bool dialler) const {
    // Who is dialled is a node; who dials may be a client as well. A member is never taken for an observer:
    // two processes with one key would follow, and one of them sign.
    switch (theirs.role) {
        case Role::member:
            if (!registry_.is_member(peer)) return GoawayReason::not_a_member;
            return std::nullopt;
        case Role::observer:
            if (registry_.is_member(peer)) break;
            return std::nullopt;
        case Role::client:
            if (dialler) break;
            return std::nullopt;
    }
    return GoawayReason::role_not_admitted;
}

RateLimits Network::Impl::rates_of(const NetworkLimits& limits, double divisor) {
    RateLimits rates;
    rates.requests_per_second = limits.member_requests_per_second / divisor;
    rates.requests_burst = rates.requests_per_second;
    rates.bytes_per_second = static_cast<double>(limits.member_bytes_per_second) / divisor;
    rates.bytes_burst = static_cast<double>(limits.member_bytes_burst) / divisor;
    rates.items_share = limits.member_items_share / divisor;
    return rates;
}

SessionConfig Network::Impl::session_config(const std::shared_ptr<Link>& link, const Hello& theirs,
                                            bool dialler) {
    const NetworkLimits& limits = config_.limits;
    SessionConfig session;
    session.peer = link->tls.peer();
    session.role = theirs.role;
    session.dialler = dialler;
    session.serial = next_serial_.fetch_add(1);
    session.theirs = theirs;
    const bool member = theirs.role == Role::member;
    session.rates = member ? rates_.at(session.peer)
                           : std::make_shared<PeerRates>(rates_of(limits, limits.stranger_divisor));
    session.connection.ping_after = limits.ping_after;
    session.connection.write_stall = limits.write_stall;
    session.impairment = config_.impairment;
    session.replies = replies_;
    session.compress_bulk = limits.compress_bulk;
    session.budget = std::make_shared<MemoryBudget>(
        member ? limits.memory_per_member : limits.memory_per_stranger, memory_);
    if (!member) session.replies_max = limits.memory_per_stranger;
    return session;
}

SessionHandlers Network::Impl::session_handlers() {
    SessionHandlers handlers;
    const std::weak_ptr<Impl> weak = weak_from_this();
    handlers.on_notice = [weak](const std::shared_ptr<Session>& session, Method method, SharedBytes payload) {
        const auto self = weak.lock();
        if (!self || self->mute_ || !self->handlers_.on_notice) return;
        self->handlers_.on_notice(session->config().peer, method, std::move(payload));
    };
    handlers.on_request = [weak](const std::shared_ptr<Session>& session, Method method, SharedBytes payload,
                                 Replier replier) {
        const auto self = weak.lock();
        if (!self || self->mute_) return;
        if (method == Method::get_peers) return self->answer_get_peers(session, payload, replier);
        if (!self->handlers_.on_request) return;
        self->handlers_.on_request(session->config().peer, session->config().role, method, std::move(payload),
                                   std::move(replier));
    };
    handlers.on_observation = [weak](const std::shared_ptr<Session>& session,
                                     const Observation& observation) {
        if (const auto self = weak.lock()) self->observe(session->config().peer, observation);
    };
    // Strong, unlike the others: a session that ends is a task that ends.
    handlers.on_closed = [self = shared_from_this()](const std::shared_ptr<Session>& session,
                                                     const CloseCause& cause) {
        self->session_ended(session, cause);
    };
    return handlers;
}

Expected<std::shared_ptr<Session>, GoawayReason> Network::Impl::adopt(const std::shared_ptr<Link>& link,
                                                                      const Hello& theirs, bool dialler) {
    const auto session =
        std::make_shared<Session>(link, session_config(link, theirs, dialler), session_handlers());
    std::shared_ptr<Session> replaced;
    {
        const std::lock_guard events(events_mutex_);
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return Unexpected{GoawayReason::shutting_down};
            auto admitted = registry_.admit(session);
            if (!admitted) {
                if (admitted.error() == GoawayReason::too_many_connections)
                    make_room(session->config().peer, theirs.role);
                return Unexpected{admitted.error()};
            }
            replaced = *admitted;
            ++tasks_;
            // From its first request on: to connect again is no way out.
            treat(*session);
        }
        if (!mute_ && handlers_.on_peer) handlers_.on_peer(session->config().peer, theirs.role, true);
    }
    learn_greeting(*link, theirs, session);
    wake_discovery();
    if (replaced) replaced->close({GoawayReason::duplicate, false, "replaced by another connection"});
    log::write(log::Category::net, theirs.role == Role::member ? log::Level::info : log::Level::debug,
               "peer connected",
               {{"peer", session->config().peer.text()},
                {"role", std::string(name(theirs.role))},
                {"address", link->address},
                {"direction", dialler ? "outbound" : "inbound"},
                {"agent", theirs.agent}});
    return session;
}

void Network::Impl::hang_up(const PeerId& peer, GoawayReason reason, const std::string& why) {
    for (const auto& session : registry_.all()) {
        if (session->config().peer == peer) session->close({reason, false, why});
    }
}

void Network::Impl::session_ended(const std::shared_ptr<Session>& session, const CloseCause& cause) {
    const SessionConfig& config = session->config();
    if (cause.fault && !cause.by_peer) observe(config.peer, *cause.fault);
    bool last = false;
    {
        const std::lock_guard events(events_mutex_);
        last = registry_.remove(session, cause.text);
        if (last && !mute_ && handlers_.on_peer) handlers_.on_peer(config.peer, config.role, false);
    }
    if (last) {
        log::write(log::Category::net, config.role == Role::member ? log::Level::info : log::Level::debug,
                   "peer disconnected", {{"peer", config.peer.text()}, {"reason", cause.text}});
    }
    if (const auto found = members_.find(config.peer);
        found != members_.end() && config.role == Role::member) {
        asio::post(found->second->strand, [member = found->second, life = now() - session->since()] {
            member->backoff.connection_lasted(life);
            member->timer.cancel();
        });
    }
    task_ended(nullptr);
}

void Network::Impl::report_refusal(bool outbound, const std::string& peer, const std::string& address,
                                   const Refusal& why) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
    }
    failures_.add(outbound, why.reason);
    // A peer may be refused every two seconds for ever; from strangers the address is all we know.
    const std::string direction = outbound ? "outbound" : "inbound";
    const auto left_out = log_limiter_.admit(fmt::format("{} {} {}", direction, peer, why.text), now());
    if (!left_out) return;
    log::Fields fields = {
        {"reason", why.text}, {"peer", peer}, {"address", address}, {"direction", direction}};
    if (*left_out > 0) fields.emplace_back("left_out", std::to_string(*left_out));
    // A member that is not up is an ordinary thing; one that is refused is not.
    const bool absent = why.reason == kCannotConnect;
    log::write(log::Category::net, absent ? log::Level::info : log::Level::warn, "no connection: " + why.text,
               fields);
}

double Network::Impl::draw() {
    const std::lock_guard lock(mutex_);
    return static_cast<double>(random_() >> 11U) * 0x1.0p-53;
}

// --- What others ask of it ---

bool Network::Impl::send(const PeerId& peer, MessageClass message_class, Method method, SharedBytes payload) {
    const auto session = registry_.find(peer);
    return session && session->send(message_class, method, std::move(payload));
}

RequestId Network::Impl::request(const PeerId& peer, WantedRequest wanted, ReplyCallback callback) {
    const auto session = registry_.find(peer);
    const bool quarantined = refuses(peer, wanted.message_class, wanted.method);
    if (!session || quarantined) {
        const auto why = quarantined ? RpcFailure{RpcError::busy, kQuarantineRetryMs}
                                     : RpcFailure{RpcError::disconnected, 0};
        asio::post(executor_, [callback = std::move(callback), why] { callback(Unexpected{why}); });
        return {};
    }
    return request_at(session, std::move(wanted), std::move(callback));
}

RequestId Network::Impl::request_at(const std::shared_ptr<Session>& session, WantedRequest wanted,
                                    ReplyCallback callback) {
    const std::uint64_t number = next_request_.fetch_add(1) & ((1ULL << kRequestNumberBits) - 1);
    wanted.handle = static_cast<std::uint64_t>(session->config().serial) << kRequestNumberBits | number;
    const RequestId id{wanted.handle};
    session->request(std::move(wanted), std::move(callback));
    return id;
}

void Network::Impl::cancel(RequestId request) {
    const auto serial = static_cast<std::uint32_t>(request.number >> kRequestNumberBits);
    if (const auto session = registry_.find(serial)) session->cancel(request.number);
}

void Network::Impl::set_holdings(const Holdings& holdings) {
    const std::lock_guard lock(mutex_);
    holdings_ = holdings;
}

}  // namespace monodon::net
