#include "net/peers/discovery.hpp"

#include <algorithm>

#include "net/core/canonical.hpp"

namespace monodon::net {

namespace {

/// A member is dialled again every two seconds at most, and its address comes from its own signature: a host
/// with several members on it gets what they need.
constexpr DialRates kMemberRates{32, 64, 1, 8};

std::set<PeerId> set_of(const std::vector<PeerId>& peers) { return {peers.begin(), peers.end()}; }

Digest secret_of(const KeyPair& identity) {
    return sha256(identity.sign(CanonicalWriter("address-book").view()).bytes);
}

/// What is wrong whatever the clocks say.
bool is_fault(RecordError error) {
    return error != RecordError::expired && error != RecordError::from_the_future;
}

}  // namespace

Discovery::Discovery(const KeyPair& identity, Options options)
    : identity_(identity),
      options_(std::move(options)),
      random_(std::random_device{}()),
      book_({secret_of(identity), identity.peer_id(), set_of(options_.members), options_.genesis,
             options_.loopback_exempt}),
      member_dials_(kMemberRates),
      other_dials_(DialRates{}) {}

// --- Ourselves ---

void Discovery::listen_at(const std::vector<std::string>& addresses, Time now) {
    {
        const std::lock_guard lock(mutex_);
        own_addresses_.clear();
        for (const std::string& address : addresses) {
            const bool known =
                std::find(own_addresses_.begin(), own_addresses_.end(), address) != own_addresses_.end();
            if (!known && own_addresses_.size() < kRecordAddressesMax && PeerAddress::parse(address))
                own_addresses_.push_back(address);
        }
        own_.reset();
    }
    (void)own_record(now);
}

Bytes Discovery::own_record(Time now) {
    const std::lock_guard lock(mutex_);
    if (own_addresses_.empty()) return {};
    if (!own_ || own_->issued() + kRecordRefresh <= now) {
        // The time rises from one run to the next without anything being stored.
        const auto time = static_cast<std::uint64_t>(now.time_since_epoch().count());
        own_sequence_ = std::max(own_sequence_ + 1, time);
        own_ =
            PeerRecord::sign(identity_, options_.genesis, options_.role, own_sequence_, own_addresses_, now);
    }
    return own_->bytes();
}

// --- What others tell ---

Discovery::Learned Discovery::learn(const std::vector<Bytes>& records, const RecordSource& source, Time now) {
    Learned learned;
    for (const Bytes& bytes : records) {
        const auto record = PeerRecord::read(bytes, options_.genesis, now);
        if (record) {
            keep(*record, source, now, learned);
        } else if (is_fault(record.error())) {
            learned.wrong = record.error();
        }
    }
    return learned;
}

Discovery::Learned Discovery::learn_own(const Bytes& record, const RecordSource& source, Time now) {
    Learned learned;
    const auto read = PeerRecord::read(record, options_.genesis, now);
    if (read && read->peer() == source.peer) {
        keep(*read, source, now, learned);
    } else if (read || is_fault(read.error())) {
        learned.wrong = read ? RecordError::bad_signature : read.error();
    }
    return learned;
}

void Discovery::keep(const PeerRecord& record, const RecordSource& source, Time now, Learned& learned) {
    const std::lock_guard lock(mutex_);
    const auto offer = book_.offer(record, source, now);
    using Offer = AddressBook::Offer;
    if (offer == Offer::added || offer == Offer::renewed) learned.moved.push_back(record.peer());
    if (offer == Offer::conflicting) learned.conflicting.push_back(record.peer());
}

Expected<std::vector<Bytes>, Duration> Discovery::answer(const PeerId& peer, Time now) {
    const std::lock_guard lock(mutex_);
    if (askers_.size() >= kAskersMax && !askers_.contains(peer)) {
        std::erase_if(askers_, [now](const auto& each) {
            return each.second.last + kAnswerEvery * static_cast<int>(kAnswersBurst) <= now;
        });
        if (askers_.size() >= kAskersMax) return Unexpected{kAnswerEvery};
    }
    Asker& asker = askers_[peer];
    if (!asker.bucket.admit(now, 1)) return Unexpected{asker.bucket.wait()};
    asker.last = now;
    return book_.sample([this] { return random_(); }, now);
}

// --- Dialling ---

std::optional<AddressBook::Candidate> Discovery::pick(const AddressBook::Busy& busy, Time now) {
    const std::lock_guard lock(mutex_);
    return book_.pick([this] { return random_(); }, busy, now);
}

std::optional<AddressBook::Candidate> Discovery::pick_to_test(const AddressBook::Busy& busy, Time now) {
    const std::lock_guard lock(mutex_);
    return book_.pick_to_test([this] { return random_(); }, busy, now);
}

std::vector<std::string> Discovery::addresses(const PeerId& peer) const {
    const std::lock_guard lock(mutex_);
    return book_.addresses(peer);
}

void Discovery::answered(const PeerId& peer, const std::string& address, Time now) {
    const std::lock_guard lock(mutex_);
    book_.answered(peer, address, now);
}

void Discovery::failed(const PeerId& peer, Time now) {
    const std::lock_guard lock(mutex_);
    book_.failed(peer, now);
}

void Discovery::impostor(const PeerId& peer, Time now) {
    const std::lock_guard lock(mutex_);
    book_.impostor(peer, now);
}

void Discovery::expire(Time now) {
    const std::lock_guard lock(mutex_);
    book_.expire(now);
}

Duration Discovery::admit_dial(const std::string& address, bool member, Time now) {
    const auto at = PeerAddress::parse(address);
    if (!at) return kAnswerEvery;
    // All ports of a host are one victim, unless it is a machine on which a committee is tried out.
    const bool apart = options_.loopback_exempt && at->reach() == Reach::machine;
    const std::lock_guard lock(mutex_);
    return (member ? member_dials_ : other_dials_).admit(apart ? at->text : at->network(32, 64), now);
}

std::vector<AddressBook::Row> Discovery::rows() const {
    const std::lock_guard lock(mutex_);
    return book_.rows();
}

std::vector<std::pair<PeerId, std::optional<Bytes>>> Discovery::take_changes() {
    const std::lock_guard lock(mutex_);
    return book_.take_changes();
}

std::vector<PeerId> Discovery::restore(const std::vector<Bytes>& stored, Time now) {
    std::vector<PeerId> found;
    for (const Bytes& each : stored) {
        const std::lock_guard lock(mutex_);
        if (const auto peer = book_.restore(each, now)) found.push_back(*peer);
    }
    return found;
}

}  // namespace monodon::net
