#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/peers/peer_record.hpp"

namespace monodon::net {

/// Uniform over 64 bits.
using Draw = std::function<std::uint64_t()>;

struct BookRules {
    /// Places in the book follow from it, so nobody else can aim at one.
    Digest secret;
    PeerId self;
    std::set<PeerId> committee;
    Digest genesis;
    /// Peers of this machine share an address and are no less different for it: each loopback address with
    /// its port is a group of its own, and so is each source.
    bool loopback_apart = false;
};

/// Whom we have a record from.
struct RecordSource {
    PeerId peer;
    /// At which we see it, if known.
    std::optional<PeerAddress> address;
};

/// Where peers can be found (network.md 5): the signed records of the committee, which stay, and of others,
/// in two tables of buckets whose places are a keyed hash. `tried` holds those that have answered where they
/// said; `new` the others. No clock, no lock, no I/O.
///
/// What a liar gains is bounded: records told by one network group come into kNewBucketsOfSource of the
/// kNewBuckets, peers that answer from one network group into kTriedBucketsOfGroup of the kTriedBuckets. Who
/// is in a place keeps it until it has been found gone.
///
/// At most 4,096 + 1,024 + 128 entries of about 2 KiB (a record of 512 bytes, its addresses as texts): 11
/// MiB.
class AddressBook {
 public:
    static constexpr std::size_t kBucketSize = 16;
    static constexpr std::size_t kNewBuckets = 256;
    static constexpr std::size_t kNewBucketsOfSource = 16;
    static constexpr std::size_t kTriedBuckets = 64;
    static constexpr std::size_t kTriedBucketsOfGroup = 2;
    /// A peer of which many tell has at most so many places in `new`.
    static constexpr std::size_t kPlacesOfPeer = 4;
    /// Those who wait for a place in `tried` until whoever has it has been tested.
    static constexpr std::size_t kChallengesMax = 16;
    static constexpr Duration kChallengeLife = std::chrono::minutes(30);
    /// Then a peer that has never answered is as good as gone.
    static constexpr std::uint32_t kFailuresMax = 4;
    /// What one answer to GetPeers tells at most: so many records, so many of them of the committee, and this
    /// share of the others.
    static constexpr std::size_t kSampleMax = 64;
    static constexpr std::size_t kSampleCommittee = 48;
    static constexpr std::size_t kSamplePercent = 23;
    static constexpr Duration kRetryFirst = std::chrono::seconds(1);
    static constexpr Duration kRetryMost = std::chrono::minutes(10);

    explicit AddressBook(BookRules rules);

    enum class Offer : std::uint8_t {
        added,
        /// A higher sequence of a peer that we know.
        renewed,
        known,
        older,
        /// The same sequence with other bytes: its subject has signed two. The first is kept.
        conflicting,
        /// It has only addresses that its teller can know nothing of: a peer out there names our machine.
        out_of_reach,
        /// It says it is a member, and is none; or the other way round.
        wrong_role,
        ourselves,
        /// All places that it could have are taken.
        no_place,
    };
    [[nodiscard]] Offer offer(const PeerRecord& record, const RecordSource& source, Time now);

    struct Candidate {
        PeerId peer;
        std::string address;
    };
    using Busy = std::function<bool(const PeerId&)>;
    /// Whom to dial for a lasting connection, none of the committee: from `tried` or `new` with equal chance,
    /// then from any bucket of it with equal chance. Neither is asked of who is `busy`.
    [[nodiscard]] std::optional<Candidate> pick(const Draw& draw, const Busy& busy, Time now) const;
    /// Whom to dial only to see whether it is there: who has a place in `tried` that another waits for, else
    /// somebody in `new`.
    [[nodiscard]] std::optional<Candidate> pick_to_test(const Draw& draw, const Busy& busy, Time now) const;
    /// The addresses of a member, or of anybody, at which it may be dialled.
    [[nodiscard]] std::vector<std::string> addresses(const PeerId& peer) const;

    /// It has been dialled, and answered as itself.
    void answered(const PeerId& peer, const std::string& address, Time now);
    /// It has been dialled, and nobody answered.
    void failed(const PeerId& peer, Time now);
    /// It has been dialled, and another answered. Its own signature says it is there, so this is charged to
    /// it alone: it is forgotten. A member is not.
    void impostor(const PeerId& peer, Time now);

    /// What an answer to GetPeers tells: records of the committee, and of others that have answered us where
    /// they said. Hearsay is not passed on.
    [[nodiscard]] std::vector<Bytes> sample(const Draw& draw, Time now) const;
    /// Forgets who has not renewed its record. The last record of a member is kept, to dial it.
    void expire(Time now);

    struct Row {
        PeerId peer;
        Role role = Role::observer;
        /// `committee`, `tried` or `new`.
        std::string_view table;
        std::vector<std::string> addresses;
        std::uint64_t sequence = 0;
        Time issued{};
        Time expires{};
        std::optional<Time> answered;
        std::uint32_t failures = 0;
        /// Who told us first, or last of a member.
        PeerId source;
    };
    /// Ordered by peer.
    [[nodiscard]] std::vector<Row> rows() const;
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] std::size_t tried() const { return tried_count_; }

    /// To be stored under the peer: nothing, if it is to be removed. Whatever has changed since the last
    /// call.
    [[nodiscard]] std::vector<std::pair<PeerId, std::optional<Bytes>>> take_changes();
    /// Takes one in as it was stored: whom. Nothing if it is of no use any more.
    std::optional<PeerId> restore(ByteView stored, Time now);

 private:
    struct Entry {
        std::optional<PeerRecord> record;
        bool member = false;
        /// The widest reach of those that told: addresses beyond it are not dialled.
        Reach reach = Reach::everywhere;
        PeerId source;
        std::string source_group;
        std::optional<std::size_t> tried_place;
        std::vector<std::size_t> new_places;
        std::optional<Time> answered;
        Time last_dial{};
        std::uint32_t failures = 0;
    };
    struct Challenge {
        PeerId challenger;
        Time since{};
    };
    using Entries = std::map<PeerId, Entry>;

    [[nodiscard]] std::uint64_t keyed(std::string_view what, std::string_view first, std::string_view second,
                                      std::uint64_t number) const;
    [[nodiscard]] std::string group_of(const PeerAddress& address) const;
    [[nodiscard]] std::string group_of(const RecordSource& source) const;
    [[nodiscard]] std::size_t new_place(const PeerRecord& record, const std::string& source_group) const;
    [[nodiscard]] std::size_t tried_place(const PeerId& peer, const PeerAddress& address) const;
    [[nodiscard]] static std::vector<const PeerAddress*> usable(const Entry& entry);
    [[nodiscard]] static bool is_gone(const Entry& entry, Time now);
    [[nodiscard]] static bool may_dial(const Entry& entry, Time now);
    [[nodiscard]] std::optional<Candidate> pick_from(const std::vector<std::optional<PeerId>>& table,
                                                     const Draw& draw, const Busy& busy, Time now) const;

    Offer renew(Entry& entry, const PeerRecord& record, const RecordSource& source, Reach reach, Time now);
    bool add_place(const PeerId& peer, Entry& entry, std::size_t place, Time now);
    void enter_tried(const PeerId& peer, Entry& entry, std::size_t place);
    void leave_new(Entry& entry);
    void leave_tried(const PeerId& peer, Time now);
    void settle(const PeerId& incumbent, bool alive, Time now);
    void erase(Entries::iterator entry);
    void changed(const PeerId& peer) { changed_.insert(peer); }
    [[nodiscard]] static Bytes stored(const Entry& entry);

    const BookRules rules_;
    Entries entries_;
    std::vector<std::optional<PeerId>> new_;
    std::vector<std::optional<PeerId>> tried_;
    std::size_t tried_count_ = 0;
    /// By the place in `tried`.
    std::map<std::size_t, Challenge> challenges_;
    std::set<PeerId> changed_;
};

}  // namespace monodon::net
