#include "net/peers/network.hpp"

#include "net/peers/mesh.hpp"
#include "net/transport/clock.hpp"

namespace monodon::net {

Network::Network(boost::asio::any_io_executor executor, NetworkConfig config, const KeyPair& identity,
                 Handlers handlers)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(config), identity, std::move(handlers))) {}

Network::~Network() { impl_->abandon(); }

Expected<std::uint16_t, std::string> Network::start() { return impl_->start(); }

void Network::stop(std::function<void()> done) { impl_->stop(std::move(done)); }

bool Network::send(const PeerId& peer, MessageClass message_class, Method method, SharedBytes payload) {
    return impl_->send(peer, message_class, method, std::move(payload));
}

void Network::publish(MessageClass message_class, Method method, const SharedBytes& payload) {
    for (const auto& observer : impl_->registry().observers()) {
        if (observer->takes(method)) (void)observer->send(message_class, method, payload);
    }
}

std::size_t Network::queued_bytes(const PeerId& peer, MessageClass message_class) const {
    const auto session = impl_->registry().find(peer);
    return session ? session->queued_bytes(message_class) : 0;
}

bool Network::connected(const PeerId& peer) const { return impl_->registry().find(peer) != nullptr; }

RequestId Network::request(const PeerId& peer, MessageClass message_class, Method method, SharedBytes payload,
                           Duration deadline, ReplyCallback callback) {
    WantedRequest wanted;
    wanted.message_class = message_class;
    wanted.method = method;
    wanted.body = std::move(payload);
    wanted.deadline = now() + deadline;
    return impl_->request(peer, std::move(wanted), std::move(callback));
}

void Network::cancel(RequestId request) { impl_->cancel(request); }

void Network::disconnect(const PeerId& peer, std::string_view why) {
    if (const auto session = impl_->registry().find(peer)) {
        session->abort({GoawayReason::protocol_violation, false, std::string(why)});
    }
}

void Network::hang_up(const PeerId& peer) {
    impl_->hang_up(peer, GoawayReason::disconnected_by_operator, "disconnected by the operator");
}

bool Network::ban(const PeerId& peer) { return impl_->ban(peer); }

void Network::unban(const PeerId& peer) { impl_->unban(peer); }

std::vector<Ban> Network::bans() const {
    return impl_->standings().read([](const Reputation& reputation) {
        std::vector<Ban> bans;
        for (const PeerId& peer : reputation.bans()) {
            const Standing standing = reputation.standing(peer, now());
            const auto until = standing.banned_by_operator ? std::nullopt : standing.banned_until;
            bans.push_back({peer, until, standing.reason()});
        }
        return bans;
    });
}

void Network::observe(const PeerId& peer, const Observation& observation) {
    impl_->observe(peer, observation);
}

Standing Network::standing(const PeerId& peer) const {
    return impl_->standings().read(
        [&](const Reputation& reputation) { return reputation.standing(peer, now()); });
}

std::uint32_t Network::weight(const PeerId& peer) const {
    return impl_->standings().read([&](const Reputation& reputation) { return reputation.weight(peer); });
}

std::vector<StandingNote> Network::take_standings() { return impl_->standings().take_notes(now()); }

bool Network::restore_standing(const PeerId& peer, ByteView note) {
    return impl_->standings().restore(peer, note, now());
}

void Network::set_holdings(const Holdings& holdings) { impl_->set_holdings(holdings); }

void Network::connect(Seed where, std::function<void(std::optional<std::string>)> done) {
    impl_->dial_now(std::move(where), std::move(done));
}

std::vector<AddressBook::Row> Network::book() const { return impl_->discovery().rows(); }

std::vector<std::pair<PeerId, std::optional<Bytes>>> Network::take_book_changes() {
    return impl_->discovery().take_changes();
}

std::vector<PeerStatus> Network::peers() const {
    std::vector<PeerStatus> peers = impl_->registry().status();
    impl_->standings().read([&](const Reputation& reputation) {
        for (PeerStatus& peer : peers) peer.standing = reputation.standing(peer.peer, now());
    });
    return peers;
}

std::vector<LimitUse> Network::limits() const { return impl_->limits(); }

std::vector<HandshakeFailures> Network::handshake_failures() const { return impl_->handshake_failures(); }

Bytes Network::certificate() const { return impl_->tls().certificate(); }

}  // namespace monodon::net
