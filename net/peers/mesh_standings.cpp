#include <algorithm>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include "net/core/log.hpp"
#include "net/peers/mesh.hpp"
#include "net/transport/as_result.hpp"
#include "net/transport/clock.hpp"

// The part of the mesh that lets what a peer is worth take effect.
namespace monodon::net {

namespace {

constexpr Duration kStandingTick = std::chrono::seconds(1);
/// For how long after our loop was late nothing that time can cause is held against anybody.
constexpr Duration kStrainKept = std::chrono::seconds(5);
/// So much waiting for most of the members at once is our link, not them.
constexpr std::size_t kBacklog = std::size_t{1} << 20;

Treatment treatment_of(Band band) {
    switch (band) {
        case Band::throttled:
            return Treatment::throttled;
        case Band::quarantined:
            return Treatment::quarantined;
        case Band::preferred:
        case Band::neutral:
        case Band::banned:
            break;
    }
    return Treatment::normal;
}

/// The lower the better.
int rank(Band band) {
    switch (band) {
        case Band::preferred:
            return 0;
        case Band::neutral:
            return 1;
        case Band::throttled:
        case Band::quarantined:
            return 2;
        case Band::banned:
            return 3;
    }
    return 3;
}

}  // namespace

ReputationConfig reputation_config(const NetworkConfig& config, const PeerId& self) {
    ReputationConfig reputation;
    reputation.penalty_half_life = config.limits.penalty_half_life;
    reputation.ban_first = config.limits.ban_first;
    reputation.ban_most = config.limits.ban_most;
    for (const MemberAddress& member : config.members) {
        if (member.peer != self) reputation.members.emplace(member.peer, member.stake);
    }
    reputation.quarantine_stake = config.quarantine_stake;
    return reputation;
}

void Network::Impl::observe(const PeerId& peer, const Observation& observation) {
    take_effect(standings_.observe(peer, observation, now()));
}

void Network::Impl::charge_greeting(const PeerId& peer, const GreetingFailure& failure) {
    if (!failure.fault) return;
    // A member on another chain is a mistake of its operator, or of ours. It is refused anyway, and in
    // quarantine it could not catch up once that is mended.
    if (*failure.fault == Fault::wrong_chain && registry_.is_member(peer)) return;
    observe(peer, *failure.fault);
}

std::optional<GoawayReason> Network::Impl::refused(const PeerId& peer) const {
    return standings_.read([&](const Reputation& reputation) -> std::optional<GoawayReason> {
        if (reputation.banned_by_operator(peer)) return GoawayReason::disconnected_by_operator;
        if (reputation.band(peer) == Band::banned) return GoawayReason::banned;
        return std::nullopt;
    });
}

bool Network::Impl::ban(const PeerId& peer) {
    const auto changes = standings_.ban(peer, now());
    if (!changes) return false;
    take_effect(*changes);
    return true;
}

void Network::Impl::unban(const PeerId& peer) {
    take_effect(standings_.unban(peer, now()));
    if (const auto found = members_.find(peer); found != members_.end())
        asio::post(found->second->strand, [member = found->second] { member->timer.cancel(); });
}

void Network::Impl::take_effect(const Standings::Changes& changes) {
    for (const BandChange& change : changes) {
        const auto standing = standings_.read(
            [&](const Reputation& reputation) { return reputation.standing(change.peer, now()); });
        const bool worse = rank(change.to) > rank(change.from);
        const std::string key = fmt::format("standing {} {}", change.peer.text(), name(change.to));
        if (const auto left_out = log_limiter_.admit(key, now())) {
            log::write(log::Category::net, worse && rank(change.to) > 1 ? log::Level::warn : log::Level::info,
                       "a peer is " + std::string(name(change.to)),
                       {{"peer", change.peer.text()},
                        {"before", std::string(name(change.from))},
                        {"score", fmt::format("{:.1f}", standing.score)},
                        {"reason", standing.reason()}});
        }
    }
    if (!changes.empty()) treat_all();
}

void Network::Impl::treat(Session& session) {
    session.treat(treatment_of(standings_.band(session.config().peer)));
}

void Network::Impl::treat_all() {
    for (const auto& session : registry_.all()) {
        const PeerId& peer = session->config().peer;
        treat(*session);
        if (const auto reason = refused(peer))
            session->close({*reason, false, std::string(describe(*reason))});
    }
}

bool Network::Impl::refuses(const PeerId& peer, MessageClass message_class, Method method) const {
    const bool bulk = message_class == MessageClass::bulk || method == Method::get_peers;
    return bulk && standings_.band(peer) == Band::quarantined;
}

/// Of those who have the places that one more wants, the worst goes if it is worse; the other comes again.
void Network::Impl::make_room(const PeerId& coming, Role role) {
    std::shared_ptr<Session> worst;
    double lowest = 0;
    for (const auto& session : registry_.all()) {
        if (session->config().role != role) continue;
        const Standing standing = standings_.read(
            [&](const Reputation& reputation) { return reputation.standing(session->config().peer, now()); });
        if (rank(standing.band) <= rank(standings_.band(coming))) continue;
        if (worst && standing.score >= lowest) continue;
        worst = session;
        lowest = standing.score;
    }
    if (worst) worst->close({GoawayReason::too_many_connections, false, "makes room for a better peer"});
}

bool Network::Impl::link_is_full() const {
    std::size_t connected = 0;
    std::size_t waiting = 0;
    for (const auto& session : registry_.all()) {
        if (session->config().role != Role::member) continue;
        ++connected;
        const auto queued = session->counters().queued_bytes;
        std::size_t bytes = 0;
        for (const std::uint64_t each : queued) bytes += each;
        if (bytes >= kBacklog) ++waiting;
    }
    return waiting >= 2 && 2 * waiting > connected;
}

std::vector<LimitUse> Network::Impl::limits() const {
    const NetworkLimits& limits = config_.limits;
    std::vector<LimitUse> uses;
    uses.push_back({"connections that have not greeted", {}, limits.half_open, registry_.half_open()});
    uses.push_back({"clients", {}, limits.clients, registry_.clients()});
    uses.push_back({"bytes of unfinished messages", {}, limits.memory_total, memory_->used()});
    standings_.read([&](const Reputation& reputation) {
        uses.push_back({"peers with a standing", {}, Reputation::kPeersMax, reputation.peers().size()});
        const auto stake = reputation.quarantined_stake();
        uses.push_back({"stake in quarantine", {}, config_.quarantine_stake, stake});
    });
    for (const auto& session : registry_.all()) {
        const SessionConfig& config = session->config();
        const bool member = config.role == Role::member;
        const std::uint64_t memory = member ? limits.memory_per_member : limits.memory_per_stranger;
        uses.push_back({"bytes of unfinished messages", config.peer, memory, config.budget->used()});
        const auto requests = static_cast<std::uint64_t>(config.rates->limits().requests_per_second /
                                                         session->cost(MessageClass::interactive));
        uses.push_back({"requests a second; refused so far", config.peer, requests, session->rate_limited()});
        const auto queued = session->counters().queued_bytes;
        const OutboxLimits& outbox = config.connection.outbox;
        for (std::size_t at = 0; at < kMessageClasses; ++at) {
            const auto message_class = static_cast<MessageClass>(at);
            uses.push_back({fmt::format("bytes queued, class {}", name(message_class)), config.peer,
                            outbox.queued.at(at), queued.at(at)});
        }
    }
    return uses;
}

asio::awaitable<void> Network::Impl::watch_standings(Self self) {
    const auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor);
    const Interruptible interruptible(
        self, [timer] { asio::post(timer->get_executor(), [timer] { timer->cancel(); }); });
    Time strained_until{};
    for (;;) {
        {
            const std::lock_guard lock(self->mutex_);
            if (self->stopping_) co_return;
        }
        const Time due = now() + kStandingTick;
        timer->expires_at(to_steady(due));
        co_await timer->async_wait(as_result);
        const Time time = now();
        if (time - due > self->config_.limits.strain_after || self->link_is_full())
            strained_until = time + kStrainKept;
        self->take_effect(self->standings_.advance(time < strained_until, time));
        self->treat_all();
    }
}

}  // namespace monodon::net
