#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "net/core/keys.hpp"
#include "net/peers/address_book.hpp"
#include "net/peers/dial_limiter.hpp"
#include "net/wire/token_bucket.hpp"

namespace monodon::net {

/// What a node says about itself and knows about others: its own record, the address book, who asked how
/// often, whom we dialled how often. Thread-safe; verifying a record takes 0.1 ms, done outside of the lock.
class Discovery {
 public:
    struct Options {
        Digest genesis;
        Role role = Role::member;
        std::vector<PeerId> members;
        bool loopback_exempt = false;
    };
    /// The key of the book's places is drawn from the identity: nobody else can know it, and it is the same
    /// in every run.
    Discovery(const KeyPair& identity, Options options);

    /// Where we listen, for the record: at most four count. None: we have no record.
    void listen_at(const std::vector<std::string>& addresses, Time now);
    /// Our record, signed anew every six hours; empty without an address.
    [[nodiscard]] Bytes own_record(Time now);

    struct Learned {
        /// Who may be found at other addresses than before.
        std::vector<PeerId> moved;
        /// Who has signed two records with one sequence.
        std::vector<PeerId> conflicting;
        /// What no honest peer passes on, if there was any.
        std::optional<RecordError> wrong;
    };
    /// Reads and keeps records. Those that are expired or from the future are passed over: clocks differ.
    Learned learn(const std::vector<Bytes>& records, const RecordSource& source, Time now);
    /// The record in a greeting; it must be the peer's own.
    Learned learn_own(const Bytes& record, const RecordSource& source, Time now);

    /// What GetPeers is answered; or how long the peer has to wait before it asks again. A few at once, since
    /// a network that starts changes quickly, then one a minute.
    [[nodiscard]] Expected<std::vector<Bytes>, Duration> answer(const PeerId& peer, Time now);
    static constexpr double kAnswersBurst = 6;
    static constexpr Duration kAnswerEvery = std::chrono::minutes(1);
    /// Peers whose last questions are remembered.
    static constexpr std::size_t kAskersMax = 1024;

    [[nodiscard]] std::optional<AddressBook::Candidate> pick(const AddressBook::Busy& busy, Time now);
    [[nodiscard]] std::optional<AddressBook::Candidate> pick_to_test(const AddressBook::Busy& busy, Time now);
    [[nodiscard]] std::vector<std::string> addresses(const PeerId& peer) const;
    void answered(const PeerId& peer, const std::string& address, Time now);
    void failed(const PeerId& peer, Time now);
    void impostor(const PeerId& peer, Time now);
    void expire(Time now);

    /// Whether an address that we were told may be dialled; else for how long not.
    [[nodiscard]] Duration admit_dial(const std::string& address, bool member, Time now);

    [[nodiscard]] std::vector<AddressBook::Row> rows() const;
    [[nodiscard]] std::vector<std::pair<PeerId, std::optional<Bytes>>> take_changes();
    /// Takes in what was stored; who can be found thereby.
    std::vector<PeerId> restore(const std::vector<Bytes>& stored, Time now);

 private:
    struct Asker {
        TokenBucket bucket{1.0 / 60, kAnswersBurst};
        Time last{};
    };
    void keep(const PeerRecord& record, const RecordSource& source, Time now, Learned& learned);

    const KeyPair identity_;
    const Options options_;
    mutable std::mutex mutex_;
    // Guarded by the mutex:
    std::mt19937_64 random_;
    AddressBook book_;
    std::vector<std::string> own_addresses_;
    std::optional<PeerRecord> own_;
    /// Of the last record that was signed, also when it is not current any more.
    std::uint64_t own_sequence_ = 0;
    std::map<PeerId, Asker> askers_;
    DialLimiter member_dials_;
    DialLimiter other_dials_;
};

}  // namespace monodon::net
