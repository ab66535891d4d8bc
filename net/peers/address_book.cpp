#include "net/peers/address_book.hpp"

#include <algorithm>

#include "net/core/canonical.hpp"
#include "net/core/check.hpp"

namespace monodon::net {

namespace {

constexpr std::uint8_t kStoredVersion = 1;
/// Of a source group: a host name, a peer id, or digits.
constexpr std::size_t kGroupMax = 256;

std::uint64_t count_of(std::optional<Time> time) {
    return time ? static_cast<std::uint64_t>(time->time_since_epoch().count()) : 0;
}

}  // namespace

AddressBook::AddressBook(BookRules rules)
    : rules_(std::move(rules)), new_(kNewBuckets * kBucketSize), tried_(kTriedBuckets * kBucketSize) {
    for (const PeerId& member : rules_.committee) {
        if (member != rules_.self) entries_[member].member = true;
    }
}

// --- Where somebody belongs ---

std::uint64_t AddressBook::keyed(std::string_view what, std::string_view first, std::string_view second,
                                 std::uint64_t number) const {
    CanonicalWriter writer;
    writer.digest(rules_.secret).text(what).text(first).text(second).u64(number);
    return CanonicalReader(writer.hash().bytes).u64();
}

std::string AddressBook::group_of(const PeerAddress& address) const {
    const bool apart = rules_.loopback_apart && address.reach() == Reach::machine;
    return apart ? address.text : network_group(address);
}

std::string AddressBook::group_of(const RecordSource& source) const {
    const bool apart =
        !source.address || (rules_.loopback_apart && source.address->reach() == Reach::machine);
    return apart ? source.peer.text() : network_group(*source.address);
}

std::size_t AddressBook::new_place(const PeerRecord& record, const std::string& source_group) const {
    const std::string group = group_of(record.addresses().front());
    const auto branch = keyed("branch", source_group, group, 0) % kNewBucketsOfSource;
    const auto bucket = keyed("new", source_group, {}, branch) % kNewBuckets;
    return bucket * kBucketSize + keyed("place", record.peer().text(), {}, bucket) % kBucketSize;
}

std::size_t AddressBook::tried_place(const PeerId& peer, const PeerAddress& address) const {
    const std::string name = peer.text();
    const std::string group = group_of(address);
    const auto branch = keyed("tried branch", group, name, 0) % kTriedBucketsOfGroup;
    const auto bucket = keyed("tried", group, {}, branch) % kTriedBuckets;
    return bucket * kBucketSize + keyed("tried place", name, {}, bucket) % kBucketSize;
}

std::vector<const PeerAddress*> AddressBook::usable(const Entry& entry) {
    std::vector<const PeerAddress*> addresses;
    if (!entry.record) return addresses;
    for (const PeerAddress& address : entry.record->addresses()) {
        // A name may stand for any address: only members are trusted with making us look one up.
        if (address.reach() <= entry.reach && (address.ip || entry.member)) addresses.push_back(&address);
    }
    return addresses;
}

bool AddressBook::is_gone(const Entry& entry, Time now) {
    return entry.record->expires() <= now || (!entry.answered && entry.failures >= kFailuresMax);
}

bool AddressBook::may_dial(const Entry& entry, Time now) {
    if (entry.record->expires() <= now || usable(entry).empty()) return false;
    if (entry.failures == 0) return true;
    const auto wait = kRetryFirst * (1ULL << std::min(entry.failures - 1, 16U));
    return entry.last_dial + std::min<Duration>(wait, kRetryMost) <= now;
}

// --- What others tell ---

AddressBook::Offer AddressBook::offer(const PeerRecord& record, const RecordSource& source, Time now) {
    const PeerId& peer = record.peer();
    if (peer == rules_.self) return Offer::ourselves;
    const bool member = rules_.committee.contains(peer);
    if (member != (record.role() == Role::member)) return Offer::wrong_role;
    const Reach reach = source.address ? source.address->reach() : Reach::everywhere;
    const auto found = entries_.find(peer);
    if (found != entries_.end() && found->second.record)
        return renew(found->second, record, source, reach, now);

    Entry entry;
    entry.record = record;
    entry.member = member;
    entry.reach = reach;
    entry.source = source.peer;
    entry.source_group = group_of(source);
    if (usable(entry).empty()) return Offer::out_of_reach;
    if (!member) {
        const std::size_t place = new_place(record, entry.source_group);
        if (!add_place(peer, entry, place, now)) return Offer::no_place;
    }
    entries_.insert_or_assign(peer, std::move(entry));
    changed(peer);
    return Offer::added;
}

AddressBook::Offer AddressBook::renew(Entry& entry, const PeerRecord& record, const RecordSource& source,
                                      Reach reach, Time now) {
    const PeerId& peer = record.peer();
    if (record.sequence() < entry.record->sequence()) return Offer::older;
    if (record.sequence() == entry.record->sequence()) {
        if (record.bytes() != entry.record->bytes()) return Offer::conflicting;
        // Who is told of by many is easier to find, within limits.
        entry.reach = std::max(entry.reach, reach);
        if (!entry.member && !entry.tried_place && entry.new_places.size() < kPlacesOfPeer)
            (void)add_place(peer, entry, new_place(record, group_of(source)), now);
        return Offer::known;
    }
    Entry renewed = entry;
    renewed.record = record;
    renewed.reach = reach;
    if (usable(renewed).empty()) return Offer::out_of_reach;
    renewed.source = source.peer;
    // Its addresses may be others: it is worth another try at once.
    renewed.failures = 0;
    entry = std::move(renewed);
    changed(peer);
    return Offer::renewed;
}

bool AddressBook::add_place(const PeerId& peer, Entry& entry, std::size_t place, Time now) {
    std::optional<PeerId>& there = new_.at(place);
    if (there == peer) return true;
    if (there) {
        const auto holder = entries_.find(*there);
        MONODON_CHECK(holder != entries_.end());
        const bool spare = holder->second.new_places.size() > 1 && entry.new_places.empty();
        if (!spare && !is_gone(holder->second, now)) return false;
        std::erase(holder->second.new_places, place);
        if (holder->second.new_places.empty()) erase(holder);
    }
    there = peer;
    entry.new_places.push_back(place);
    return true;
}

// --- What dialling shows ---

void AddressBook::answered(const PeerId& peer, const std::string& address, Time now) {
    const auto found = entries_.find(peer);
    if (found == entries_.end() || !found->second.record) return;
    Entry& entry = found->second;
    entry.answered = now;
    entry.last_dial = now;
    entry.failures = 0;
    changed(peer);
    if (entry.member) return;
    if (entry.tried_place) return settle(peer, true, now);
    const auto at = PeerAddress::parse(address);
    if (!at) return;
    const std::size_t place = tried_place(peer, *at);
    if (!tried_.at(place)) return enter_tried(peer, entry, place);
    if (challenges_.size() < kChallengesMax) challenges_.try_emplace(place, Challenge{peer, now});
}

void AddressBook::failed(const PeerId& peer, Time now) {
    const auto found = entries_.find(peer);
    if (found == entries_.end() || !found->second.record) return;
    Entry& entry = found->second;
    ++entry.failures;
    entry.last_dial = now;
    changed(peer);
    if (entry.tried_place) settle(peer, false, now);
}

void AddressBook::impostor(const PeerId& peer, Time now) {
    const auto found = entries_.find(peer);
    if (found == entries_.end()) return;
    if (found->second.member) return failed(peer, now);
    erase(found);
}

void AddressBook::enter_tried(const PeerId& peer, Entry& entry, std::size_t place) {
    leave_new(entry);
    tried_.at(place) = peer;
    entry.tried_place = place;
    ++tried_count_;
}

void AddressBook::leave_new(Entry& entry) {
    for (const std::size_t place : entry.new_places) new_.at(place).reset();
    entry.new_places.clear();
}

/// Back to `new`, if there is room for it.
void AddressBook::leave_tried(const PeerId& peer, Time now) {
    const auto found = entries_.find(peer);
    Entry& entry = found->second;
    tried_.at(*entry.tried_place).reset();
    entry.tried_place.reset();
    --tried_count_;
    if (!add_place(peer, entry, new_place(*entry.record, entry.source_group), now)) erase(found);
}

void AddressBook::settle(const PeerId& incumbent, bool alive, Time now) {
    const std::size_t place = *entries_.at(incumbent).tried_place;
    const auto challenge = challenges_.find(place);
    if (challenge == challenges_.end()) return;
    const PeerId challenger = challenge->second.challenger;
    challenges_.erase(challenge);
    if (alive) return;
    leave_tried(incumbent, now);
    // It may have been forgotten meanwhile.
    const auto found = entries_.find(challenger);
    if (found != entries_.end() && !found->second.tried_place) enter_tried(challenger, found->second, place);
}

void AddressBook::erase(Entries::iterator entry) {
    leave_new(entry->second);
    if (entry->second.tried_place) {
        tried_.at(*entry->second.tried_place).reset();
        challenges_.erase(*entry->second.tried_place);
        --tried_count_;
    }
    changed(entry->first);
    entries_.erase(entry);
}

void AddressBook::expire(Time now) {
    for (auto each = entries_.begin(); each != entries_.end();) {
        const auto entry = each++;
        if (!entry->second.member && entry->second.record->expires() <= now) erase(entry);
    }
    std::erase_if(challenges_, [now](const auto& each) { return each.second.since + kChallengeLife <= now; });
}

// --- Whom to ask ---

std::vector<std::string> AddressBook::addresses(const PeerId& peer) const {
    std::vector<std::string> texts;
    const auto found = entries_.find(peer);
    if (found == entries_.end()) return texts;
    for (const PeerAddress* address : usable(found->second)) texts.push_back(address->text);
    return texts;
}

std::optional<AddressBook::Candidate> AddressBook::pick_from(const std::vector<std::optional<PeerId>>& table,
                                                             const Draw& draw, const Busy& busy,
                                                             Time now) const {
    // Buckets first: who has filled a few of them is not drawn more often for it.
    std::vector<std::vector<PeerId>> buckets;
    for (std::size_t first = 0; first < table.size(); first += kBucketSize) {
        std::vector<PeerId> ready;
        for (std::size_t at = first; at < first + kBucketSize; ++at) {
            const auto& peer = table[at];
            if (peer && may_dial(entries_.at(*peer), now) && !busy(*peer)) ready.push_back(*peer);
        }
        if (!ready.empty()) buckets.push_back(std::move(ready));
    }
    if (buckets.empty()) return std::nullopt;
    const auto& bucket = buckets[draw() % buckets.size()];
    const PeerId& peer = bucket[draw() % bucket.size()];
    const auto at = usable(entries_.at(peer));
    return Candidate{peer, at[draw() % at.size()]->text};
}

std::optional<AddressBook::Candidate> AddressBook::pick(const Draw& draw, const Busy& busy, Time now) const {
    const bool tried_first = draw() % 2 == 0;
    auto first = pick_from(tried_first ? tried_ : new_, draw, busy, now);
    return first ? first : pick_from(tried_first ? new_ : tried_, draw, busy, now);
}

std::optional<AddressBook::Candidate> AddressBook::pick_to_test(const Draw& draw, const Busy& busy,
                                                                Time now) const {
    for (const auto& [place, challenge] : challenges_) {
        const PeerId& incumbent = tried_.at(place).value();
        const Entry& entry = entries_.at(incumbent);
        const auto at = usable(entry);
        if (!at.empty() && may_dial(entry, now) && !busy(incumbent))
            return Candidate{incumbent, at[draw() % at.size()]->text};
    }
    return pick_from(new_, draw, busy, now);
}

std::vector<Bytes> AddressBook::sample(const Draw& draw, Time now) const {
    std::vector<const Entry*> members;
    std::vector<const Entry*> others;
    for (const auto& [peer, entry] : entries_) {
        if (!entry.record || entry.record->expires() <= now) continue;
        if (entry.member) members.push_back(&entry);
        if (!entry.member && entry.answered) others.push_back(&entry);
    }
    std::vector<Bytes> records;
    const auto take = [&](std::vector<const Entry*>& from, std::size_t most) {
        for (std::size_t at = 0; at < std::min(most, from.size()); ++at) {
            std::swap(from[at], from[at + draw() % (from.size() - at)]);
            records.push_back(from[at]->record->bytes());
        }
    };
    take(members, kSampleCommittee);
    const std::size_t share = (others.size() * kSamplePercent + 99) / 100;
    take(others, std::min(share, kSampleMax - records.size()));
    return records;
}

std::vector<AddressBook::Row> AddressBook::rows() const {
    std::vector<Row> rows;
    for (const auto& [peer, entry] : entries_) {
        Row& row = rows.emplace_back();
        row.peer = peer;
        row.role = entry.member ? Role::member : Role::observer;
        row.table = entry.member ? "committee" : entry.tried_place ? "tried" : "new";
        row.answered = entry.answered;
        row.failures = entry.failures;
        row.source = entry.source;
        if (!entry.record) continue;
        for (const PeerAddress& address : entry.record->addresses()) row.addresses.push_back(address.text);
        row.sequence = entry.record->sequence();
        row.issued = entry.record->issued();
        row.expires = entry.record->expires();
    }
    return rows;
}

// --- Between two runs ---

Bytes AddressBook::stored(const Entry& entry) {
    CanonicalWriter writer;
    writer.u8(kStoredVersion).bytes(entry.record->bytes()).u8(static_cast<std::uint8_t>(entry.reach));
    writer.fixed(entry.source.key().bytes).text(entry.source_group);
    writer.u8(entry.tried_place ? 1 : 0);
    return writer.u64(count_of(entry.answered)).u32(entry.failures).take();
}

std::vector<std::pair<PeerId, std::optional<Bytes>>> AddressBook::take_changes() {
    std::vector<std::pair<PeerId, std::optional<Bytes>>> changes;
    for (const PeerId& peer : changed_) {
        const auto found = entries_.find(peer);
        const bool there = found != entries_.end() && found->second.record;
        changes.emplace_back(peer, there ? std::optional(stored(found->second)) : std::nullopt);
    }
    changed_.clear();
    return changes;
}

std::optional<PeerId> AddressBook::restore(ByteView stored, Time now) {
    CanonicalReader reader(stored);
    if (reader.u8() != kStoredVersion) return std::nullopt;
    const ByteView bytes = reader.bytes(kRecordBytesMax);
    Entry entry;
    entry.reach = static_cast<Reach>(std::min<std::uint8_t>(reader.u8(), 2));
    if (const auto key = PublicKey::from(reader.fixed(32))) entry.source = PeerId(*key);
    entry.source_group = as_text(reader.bytes(kGroupMax));
    const bool tried = reader.u8() != 0;
    const std::uint64_t answered = reader.u64();
    if (answered != 0) entry.answered = Time{Duration{static_cast<Duration::rep>(answered)}};
    entry.failures = reader.u32();
    if (!reader.finished()) return std::nullopt;
    auto record = PeerRecord::read(bytes, rules_.genesis, now, RecordAge::any);
    if (!record) return std::nullopt;
    const PeerId peer = record->peer();
    entry.member = rules_.committee.contains(peer);
    if (peer == rules_.self || entry.member != (record->role() == Role::member)) return std::nullopt;
    if (!entry.member && record->expires() <= now) return std::nullopt;
    const auto known = entries_.find(peer);
    if (known != entries_.end() && known->second.record) return std::nullopt;
    entry.record = std::move(*record);
    const auto at = usable(entry);
    if (at.empty()) return std::nullopt;
    if (!entry.member) {
        const std::size_t place = tried_place(peer, *at.front());
        if (tried && !tried_.at(place)) {
            enter_tried(peer, entry, place);
        } else if (!add_place(peer, entry, new_place(*entry.record, entry.source_group), now)) {
            return std::nullopt;
        }
    }
    entries_.insert_or_assign(peer, std::move(entry));
    return peer;
}

}  // namespace monodon::net
