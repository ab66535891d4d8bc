#include "net/peers/registry.hpp"

#include <algorithm>
#include <mutex>

#include "net/transport/clock.hpp"

namespace monodon::net {

namespace {

/// Who greets has done so by then, over any distance; it also bounds the handshakes that a flood costs us, to
/// 64 in this time.
constexpr Duration kGreetingGrace = std::chrono::milliseconds(500);
constexpr std::ptrdiff_t kOutboundOfNetwork = 2;

}  // namespace

std::string host_of(const std::string& address) { return address.substr(0, address.rfind(':')); }

namespace {

std::string network_of(const std::string& address) {
    const auto parsed = PeerAddress::parse(address);
    return parsed ? slot_group(*parsed) : address;
}

}  // namespace

Registry::Registry(PeerId self, const NetworkConfig& config)
    : self_(self),
      limits_(config.limits),
      clients_{config.limits.clients, config.limits.clients_per_address, config.limits.clients},
      observers_{config.limits.observers, config.limits.observers_per_address,
                 config.limits.observers_per_network} {
    for (const MemberAddress& member : config.members) {
        members_[member.peer].addresses = member.addresses;
        for (const std::string& address : member.addresses) member_hosts_.insert(host_of(address));
    }
}

bool Registry::exempt(const std::string& host) const {
    return limits_.loopback_exempt && (host.starts_with("127.") || host == "[::1]");
}

Expected<Registry::HalfOpen, std::string_view> Registry::enter_half_open(const std::string& host,
                                                                         std::function<void()> give_way) {
    std::function<void()> evict;
    std::uint64_t number = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto here = std::count_if(greeting_.begin(), greeting_.end(),
                                        [&](const auto& each) { return each.second.host == host; });
        if (here >= limits_.half_open_per_address && !exempt(host))
            return Unexpected{std::string_view("too many half-open connections from one address")};
        if (greeting_.size() >= limits_.half_open) {
            const auto oldest = may_give_way();
            if (oldest == greeting_.end())
                return Unexpected{std::string_view("too many half-open connections")};
            evict = std::move(oldest->second.give_way);
            greeting_.erase(oldest);
        }
        number = entered_++;
        greeting_.emplace(number, Greeting{host, std::move(give_way), now()});
    }
    if (evict) evict();
    return HalfOpen(*this, number);
}

std::map<std::uint64_t, Registry::Greeting>::iterator Registry::may_give_way() {
    std::map<std::string, std::uint32_t> places;
    for (const auto& [number, each] : greeting_) ++places[each.host];
    const auto rank = [&](const std::string& host) {
        return std::pair(!member_hosts_.contains(host), places.at(host));
    };
    const Time late = now() - kGreetingGrace;
    auto found = greeting_.end();
    for (auto each = greeting_.begin(); each != greeting_.end() && each->second.since <= late; ++each) {
        if (found == greeting_.end() || rank(each->second.host) > rank(found->second.host)) found = each;
    }
    return found;
}

void Registry::leave_half_open(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    greeting_.erase(number);
}

bool Registry::has_place(const Strangers& strangers, const std::string& address) const {
    const auto used = [](const std::map<std::string, std::uint32_t>& by, const std::string& key) {
        const auto found = by.find(key);
        return found == by.end() ? 0U : found->second;
    };
    if (strangers.connections >= strangers.most) return false;
    if (exempt(host_of(address))) return true;
    return used(strangers.by_host, host_of(address)) < strangers.most_of_host &&
           used(strangers.by_network, network_of(address)) < strangers.most_of_network;
}

void Registry::enter(Strangers& strangers, const std::string& address) {
    ++strangers.connections;
    ++strangers.by_host[host_of(address)];
    ++strangers.by_network[network_of(address)];
}

void Registry::leave(Strangers& strangers, const std::string& address) {
    const auto less = [](std::map<std::string, std::uint32_t>& by, const std::string& key) {
        const auto found = by.find(key);
        if (--found->second == 0) by.erase(found);
    };
    --strangers.connections;
    less(strangers.by_host, host_of(address));
    less(strangers.by_network, network_of(address));
}

/// Whom we have dialled takes no place of those that dial us.
void Registry::leave(const std::shared_ptr<Session>& observer) {
    if (!observer->config().dialler) leave(observers_, observer->address());
}

Expected<std::shared_ptr<Session>, GoawayReason> Registry::admit_observer(
    const std::shared_ptr<Session>& session) {
    const SessionConfig& config = session->config();
    std::shared_ptr<Session> replaced;
    if (const auto older = observer_sessions_.find(config.peer); older != observer_sessions_.end()) {
        replaced = older->second;
        const SessionConfig& before = replaced->config();
        if (!newer_replaces_older(self_, config.peer, {before.dialler, before.theirs.nonce},
                                  {config.dialler, config.theirs.nonce})) {
            return Unexpected{GoawayReason::duplicate};
        }
        leave(replaced);
    }
    if (!config.dialler && !has_place(observers_, session->address())) {
        if (replaced && !replaced->config().dialler) enter(observers_, replaced->address());
        return Unexpected{GoawayReason::too_many_connections};
    }
    if (!config.dialler) enter(observers_, session->address());
    if (replaced) by_serial_.erase(replaced->config().serial);
    observer_sessions_[config.peer] = session;
    by_serial_[config.serial] = session;
    return replaced;
}

Expected<std::shared_ptr<Session>, GoawayReason> Registry::admit(const std::shared_ptr<Session>& session) {
    const SessionConfig& config = session->config();
    const std::lock_guard lock(mutex_);
    if (config.role == Role::client) {
        if (!has_place(clients_, session->address())) return Unexpected{GoawayReason::too_many_connections};
        enter(clients_, session->address());
        by_serial_[config.serial] = session;
        return std::shared_ptr<Session>{};
    }
    if (config.role == Role::observer) return admit_observer(session);
    const auto found = members_.find(config.peer);
    if (found == members_.end()) return Unexpected{GoawayReason::not_a_member};
    Member& member = found->second;
    std::shared_ptr<Session> replaced;
    if (member.session) {
        const SessionConfig& older = member.session->config();
        if (!newer_replaces_older(self_, config.peer, {older.dialler, older.theirs.nonce},
                                  {config.dialler, config.theirs.nonce})) {
            return Unexpected{GoawayReason::duplicate};
        }
        replaced = std::exchange(member.session, nullptr);
        by_serial_.erase(older.serial);
    }
    member.session = session;
    ++member.connections;
    by_serial_[config.serial] = session;
    return replaced;
}

bool Registry::remove(const std::shared_ptr<Session>& session, const std::string& why) {
    const SessionConfig& config = session->config();
    const std::lock_guard lock(mutex_);
    if (by_serial_.erase(config.serial) == 0) return false;
    if (config.role == Role::client) {
        leave(clients_, session->address());
        return true;
    }
    if (config.role == Role::observer) {
        leave(session);
        observer_sessions_.erase(config.peer);
        return true;
    }
    Member& member = members_.at(config.peer);
    member.session.reset();
    member.last_error = why;
    return true;
}

void Registry::note_error(const PeerId& peer, const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (const auto found = members_.find(peer); found != members_.end()) found->second.last_error = why;
}

void Registry::set_addresses(const PeerId& peer, const std::vector<std::string>& addresses) {
    const std::lock_guard lock(mutex_);
    const auto found = members_.find(peer);
    if (found == members_.end()) return;
    found->second.addresses = addresses;
    member_hosts_.clear();
    for (const auto& [id, member] : members_) {
        for (const std::string& address : member.addresses) member_hosts_.insert(host_of(address));
    }
}

bool Registry::members_missing() const {
    const std::shared_lock lock(mutex_);
    return std::any_of(members_.begin(), members_.end(), [this](const auto& each) {
        return each.first != self_ && each.second.session == nullptr;
    });
}

bool Registry::has_nodes() const {
    const std::shared_lock lock(mutex_);
    return std::any_of(by_serial_.begin(), by_serial_.end(),
                       [](const auto& each) { return each.second->config().role != Role::client; });
}

std::size_t Registry::outbound() const {
    const std::shared_lock lock(mutex_);
    return static_cast<std::size_t>(std::count_if(by_serial_.begin(), by_serial_.end(), [](const auto& each) {
        return each.second->config().dialler;
    }));
}

bool Registry::is_crowded(const std::string& address, const std::vector<std::string>& coming) const {
    if (exempt(host_of(address))) return false;
    const std::string network = network_of(address);
    const auto soon = std::count_if(coming.begin(), coming.end(),
                                    [&](const std::string& each) { return network_of(each) == network; });
    const std::shared_lock lock(mutex_);
    const auto here =
        std::count_if(observer_sessions_.begin(), observer_sessions_.end(), [&](const auto& each) {
            return each.second->config().dialler && network_of(each.second->address()) == network;
        });
    return here + soon >= kOutboundOfNetwork;
}

std::size_t Registry::half_open() const {
    const std::shared_lock lock(mutex_);
    return greeting_.size();
}

std::uint32_t Registry::clients() const {
    const std::shared_lock lock(mutex_);
    return clients_.connections;
}

std::shared_ptr<Session> Registry::find(const PeerId& peer) const {
    const std::shared_lock lock(mutex_);
    const auto found = members_.find(peer);
    return found == members_.end() ? nullptr : found->second.session;
}

bool Registry::is_connected(const PeerId& peer) const {
    const std::shared_lock lock(mutex_);
    const auto found = members_.find(peer);
    if (found != members_.end()) return found->second.session != nullptr;
    return observer_sessions_.contains(peer);
}

std::shared_ptr<Session> Registry::find(std::uint32_t serial) const {
    const std::shared_lock lock(mutex_);
    const auto found = by_serial_.find(serial);
    return found == by_serial_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Session>> Registry::all() const {
    const std::shared_lock lock(mutex_);
    std::vector<std::shared_ptr<Session>> sessions;
    for (const auto& [serial, session] : by_serial_) sessions.push_back(session);
    return sessions;
}

std::vector<std::shared_ptr<Session>> Registry::observers() const {
    const std::shared_lock lock(mutex_);
    std::vector<std::shared_ptr<Session>> sessions;
    for (const auto& [peer, session] : observer_sessions_) sessions.push_back(session);
    return sessions;
}

std::vector<PeerStatus> Registry::status() const {
    const auto fill = [](PeerStatus& status, const Session& session) {
        const ConnectionCounters counters = session.counters();
        const SessionConfig& config = session.config();
        status.role = config.role;
        status.address = session.address();
        status.outbound = config.dialler;
        status.connected = true;
        status.agent = config.theirs.agent;
        status.holdings = config.theirs.holdings;
        status.rtt = counters.rtt;
        status.bytes_in = counters.bytes_in;
        status.bytes_out = counters.bytes_out;
        status.queued_bytes = counters.queued_bytes;
        status.dropped_messages = counters.dropped_messages;
        status.connected_since = session.since();
    };
    std::vector<PeerStatus> all;
    const std::shared_lock lock(mutex_);
    // In the order of their ids, so that two looks can be compared.
    std::map<PeerId, const Member*> ordered;
    for (const auto& [peer, member] : members_) {
        if (peer != self_) ordered.emplace(peer, &member);
    }
    for (const auto& [peer, member] : ordered) {
        PeerStatus& status = all.emplace_back();
        status.peer = peer;
        status.connections = member->connections;
        status.last_error = member->last_error;
        if (!member->addresses.empty()) status.address = member->addresses.front();
        if (member->session) fill(status, *member->session);
    }
    for (const Role role : {Role::observer, Role::client}) {
        for (const auto& [serial, session] : by_serial_) {
            if (session->config().role != role) continue;
            PeerStatus& status = all.emplace_back();
            status.peer = session->config().peer;
            status.connections = 1;
            fill(status, *session);
        }
    }
    return all;
}

}  // namespace monodon::net
