#include <algorithm>

#include "net/peers/selection.hpp"
#include "net/transport/clock.hpp"
#include "node/node_impl.hpp"

// What has to do with peers: who they are, what they are worth, what the operator does about them.
namespace monodon::node {

namespace {

/// Standings are written this often: what a crash loses of them is learned again.
constexpr Duration kStandingsEvery = std::chrono::seconds(10);

Bytes key_of(const PeerId& peer) { return {peer.key().bytes.begin(), peer.key().bytes.end()}; }

PeerSnapshot snapshot_of(const net::PeerStatus& peer, Time now) {
    PeerSnapshot snapshot;
    snapshot.role = peer.role;
    snapshot.peer_id = peer.peer.text();
    snapshot.address = peer.address;
    snapshot.outbound = peer.outbound;
    snapshot.connected = peer.connected;
    if (peer.rtt > Duration(0)) snapshot.rtt = peer.rtt;
    snapshot.bytes_in = peer.bytes_in;
    snapshot.bytes_out = peer.bytes_out;
    snapshot.queued_bytes = peer.queued_bytes;
    snapshot.dropped = peer.dropped_messages;
    if (peer.connected) snapshot.since = now - peer.connected_since;
    snapshot.last_error = peer.last_error;
    snapshot.standing = peer.standing;
    return snapshot;
}

}  // namespace

std::string Node::Impl::name_of(const PeerId& peer) const {
    const auto member = genesis_.index_of(peer);
    return member ? genesis_.member(*member).name : std::string();
}

std::optional<PeerId> Node::Impl::find_peer(std::string_view word) const {
    const auto member = genesis_.index_of(word);
    return member ? genesis_.member(*member).peer : PeerId::parse(word);
}

std::vector<PeerSnapshot> Node::Impl::peers() const {
    std::vector<PeerSnapshot> snapshots;
    const Time now = net::now();
    for (const net::PeerStatus& peer : network_->peers()) {
        const auto member = genesis_.index_of(peer.peer);
        if (member && member == self_) continue;
        PeerSnapshot snapshot = snapshot_of(peer, now);
        snapshot.name = name_of(peer.peer);
        if (member) snapshot.validator = member->value();
        snapshots.push_back(std::move(snapshot));
    }
    return snapshots;
}

std::optional<PeerSnapshot> Node::Impl::peer(std::string_view word) const {
    const auto wanted = find_peer(word);
    if (!wanted || *wanted == key_.peer_id()) return std::nullopt;
    const std::string id = wanted->text();
    for (PeerSnapshot& each : peers()) {
        if (each.peer_id == id) return std::move(each);
    }
    net::PeerStatus absent;
    absent.peer = *wanted;
    absent.standing = network_->standing(*wanted);
    return snapshot_of(absent, net::now());
}

std::vector<BanSnapshot> Node::Impl::bans() const {
    std::vector<BanSnapshot> bans;
    for (const net::Ban& each : network_->bans()) {
        BanSnapshot ban{each.peer.text(), name_of(each.peer), {}, each.reason};
        if (each.until) ban.left = std::max(Duration{0}, *each.until - net::now());
        bans.push_back(std::move(ban));
    }
    return bans;
}

std::vector<LimitSnapshot> Node::Impl::limits() const {
    std::vector<LimitSnapshot> limits;
    for (const net::LimitUse& each : network_->limits()) {
        LimitSnapshot limit{each.name, {}, {}, each.limit, each.used};
        if (each.peer) {
            limit.peer_id = each.peer->text();
            limit.peer = name_of(*each.peer);
        }
        limits.push_back(std::move(limit));
    }
    return limits;
}

std::optional<std::string> Node::Impl::act_on_peer(std::string_view word, PeerAction action) {
    const auto peer = find_peer(word);
    if (!peer) return "not a validator's name and not a peer id: " + std::string(word);
    if (*peer == key_.peer_id()) return "this is the node itself";
    log::info(log::Category::net, "the operator acts on a peer",
              {{"peer", peer->text()},
               {"action", action == PeerAction::ban     ? "ban"
                          : action == PeerAction::unban ? "unban"
                                                        : "disconnect"}});
    switch (action) {
        case PeerAction::disconnect:
            network_->hang_up(*peer);
            break;
        case PeerAction::ban:
            if (!network_->ban(*peer)) return "too many bans; lift some first";
            break;
        case PeerAction::unban:
            network_->unban(*peer);
            break;
    }
    // A ban of the operator is there after a crash, too.
    if (action != PeerAction::disconnect) store_standings();
    return std::nullopt;
}

void Node::Impl::restore_standings() {
    std::vector<storage::NoteChange> useless;
    for (storage::PeerNote& each : reader_->notes(storage::NoteKind::standing)) {
        const auto key = PublicKey::from(each.peer);
        if (key && network_->restore_standing(PeerId(*key), each.note)) continue;
        useless.push_back({storage::NoteKind::standing, std::move(each.peer), std::nullopt});
    }
    consensus_->note(std::move(useless));
}

void Node::Impl::store_standings() {
    const std::lock_guard lock(standings_mutex_);
    std::vector<storage::NoteChange> changes;
    for (net::StandingNote& each : network_->take_standings()) {
        changes.push_back({storage::NoteKind::standing, key_of(each.peer), std::move(each.note)});
    }
    if (!changes.empty()) consensus_->note(std::move(changes));
}

dag::ValidatorIndex Node::Impl::choose_member() {
    std::vector<dag::ValidatorIndex> others;
    std::vector<std::uint32_t> weights;
    for (std::size_t at = 0; at < genesis_.members().size(); ++at) {
        const dag::ValidatorIndex member{static_cast<std::uint16_t>(at)};
        if (member == self_) continue;
        others.push_back(member);
        weights.push_back(network_->weight(genesis_.member(member).peer));
    }
    std::uniform_real_distribution<double> draw;
    const auto chosen = net::select(weights, draw(random_), draw(random_));
    return others.at(chosen.value_or(0));
}

void Node::Impl::rate_peers() {
    std::vector<std::uint32_t> ratings;
    for (const GenesisMember& member : genesis_.members()) ratings.push_back(network_->weight(member.peer));
    if (ratings == ratings_) return;
    ratings_ = ratings;
    engine_->post(dag::PeersRated{std::move(ratings)});
}

void Node::Impl::keep_addresses() {
    std::vector<storage::NoteChange> changes;
    for (auto& [peer, entry] : network_->take_book_changes())
        changes.push_back({storage::NoteKind::address_book, key_of(peer), std::move(entry)});
    if (!changes.empty()) consensus_->note(std::move(changes));
}

void Node::Impl::look_after_peers() {
    const Time now = net::now();
    keep_addresses();
    rate_peers();
    if (now - standings_stored_ < kStandingsEvery) return;
    standings_stored_ = now;
    store_standings();
}

std::vector<AddressSnapshot> Node::Impl::addresses() const {
    std::vector<AddressSnapshot> snapshots;
    const Time now = net::now();
    for (const net::AddressBook::Row& row : network_->book()) {
        AddressSnapshot& snapshot = snapshots.emplace_back();
        snapshot.peer_id = row.peer.text();
        if (const auto member = genesis_.index_of(row.peer)) snapshot.name = genesis_.member(*member).name;
        snapshot.table = row.table;
        snapshot.addresses = row.addresses;
        if (row.addresses.empty()) continue;
        snapshot.sequence = row.sequence;
        snapshot.expires_in = row.expires - now;
        if (row.answered) snapshot.answered_ago = now - *row.answered;
        snapshot.failures = row.failures;
        snapshot.source = row.source.text();
    }
    return snapshots;
}

void Node::Impl::dial(const std::string& where, std::function<void(std::optional<std::string>)> done) {
    const auto seed = net::Seed::parse(where);
    if (!seed) return done("write host:port or peer-id@host:port");
    log::info(log::Category::net, "the operator has a peer dialled", {{"address", where}});
    network_->connect(*seed, std::move(done));
}

}  // namespace monodon::node
