#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/core/bytes.hpp"
#include "net/core/keys.hpp"
#include "net/core/time.hpp"
#include "net/transport/observation.hpp"

namespace monodon::net {

[[nodiscard]] std::string_view name(Fault fault);

enum class Band : std::uint8_t { preferred, neutral, throttled, banned, quarantined };
[[nodiscard]] std::string_view name(Band band);

struct ReputationConfig {
    /// Of penalties. That of useful replies is fixed.
    Duration penalty_half_life = std::chrono::minutes(10);
    /// The first ban of a peer; each further one is twice as long, up to `ban_most`.
    Duration ban_first = std::chrono::minutes(10);
    Duration ban_most = std::chrono::hours(24);
    /// The committee, ourselves excepted, with its stake: members are quarantined, never banned.
    std::map<PeerId, std::uint64_t> members;
    /// Of stake that is in quarantine at a time: what the committee tolerates.
    std::uint64_t quarantine_stake = 0;
};

/// A score with everything that it was made from.
struct Standing {
    double score = 0;
    Band band = Band::neutral;
    // The terms.
    double useful = 0;
    double latency = 0;
    double throughput = 0;
    double failures = 0;
    double penalties = 0;
    // What they were made from.
    double useful_replies = 0;
    std::optional<Duration> first_byte;
    std::optional<Duration> median_first_byte;
    std::optional<double> bytes_per_second;
    std::optional<double> median_bytes_per_second;
    /// In the last five minutes.
    std::uint32_t requests = 0;
    std::uint32_t failed = 0;
    /// Since the peer is known.
    std::array<std::uint64_t, kFaults> faults{};
    struct Incident {
        Time at{};
        Fault fault = Fault::timeout;
        double penalty = 0;
    };
    /// The newest, oldest first.
    std::vector<Incident> recent;
    std::uint32_t bans = 0;
    /// Not if it is the operator's: that one has no end.
    std::optional<Time> banned_until;
    bool banned_by_operator = false;
    /// For selection: 100 is the median, 0 only for exploration.
    std::uint32_t weight = 100;
    /// The term that costs most, in words; empty if none does.
    [[nodiscard]] std::string reason() const;
};

struct BandChange {
    PeerId peer;
    Band from = Band::neutral;
    Band to = Band::neutral;
};

/// What is to be stored of a peer; nothing: to be forgotten.
struct StandingNote {
    PeerId peer;
    std::optional<Bytes> note;
};

/// What each peer is worth to us, term by term. No clock, no lock, no I/O: time is an argument and never goes
/// back. It decides on rates, connections and whom to ask first, and has no part in ordering.
class Reputation {
 public:
    static constexpr std::size_t kPeersMax = 4096;
    static constexpr std::size_t kOperatorBansMax = 1024;
    static constexpr Duration kKept = std::chrono::hours(24);
    static constexpr std::size_t kRecentMax = 16;

    explicit Reputation(ReputationConfig config) : config_(std::move(config)) {}

    void observe(const PeerId& peer, const Observation& observation, Time now);
    /// While our own loop or link is the bottleneck, what time can cause is nobody's fault: no timeout,
    /// failed request, ignored limit or measurement counts.
    void set_strained(bool strained) { strained_ = strained; }
    [[nodiscard]] bool strained() const { return strained_; }
    /// Lets time pass: about once a second.
    void advance(Time now);

    /// False if there are kOperatorBansMax others.
    bool ban(const PeerId& peer, Time now);
    /// Lifts the operator's ban, after which the peer is what it was; where there is none, ends a ban or a
    /// quarantine and forgets what led to it.
    void unban(const PeerId& peer, Time now);
    [[nodiscard]] std::vector<PeerId> bans() const;

    [[nodiscard]] Band band(const PeerId& peer) const;
    [[nodiscard]] bool banned_by_operator(const PeerId& peer) const;
    [[nodiscard]] Standing standing(const PeerId& peer, Time now) const;
    [[nodiscard]] std::uint32_t weight(const PeerId& peer) const;
    [[nodiscard]] std::uint64_t quarantined_stake() const;
    /// Everybody who is known.
    [[nodiscard]] std::vector<PeerId> peers() const;

    /// Bands that have changed since the last call, in the order in which they did.
    [[nodiscard]] std::vector<BandChange> take_changes();
    /// Whose note differs from what was taken before.
    [[nodiscard]] std::vector<StandingNote> take_notes(Time now);
    /// Takes what an earlier life stored. False if it is malformed or too old.
    bool restore(const PeerId& peer, ByteView note, Time now);

 private:
    /// A sum that halves in a fixed time.
    struct Decaying {
        double value = 0;
        Time at{};
        [[nodiscard]] double as_of(Time now, Duration half_life) const;
        void set(double to, Time now) { value = to, at = now; }
    };
    /// Requests of the last five minutes, in slots of 30 s.
    struct Window {
        struct Slot {
            std::int64_t number = 0;
            std::uint32_t all = 0;
            std::uint32_t failed = 0;
        };
        std::array<Slot, 10> slots{};
        void add(Time now, bool failed);
        [[nodiscard]] Slot sum(Time now) const;
    };
    struct Entry {
        Decaying useful;
        Decaying penalties;
        Window window;
        /// Moving averages of logarithms, of microseconds and of bytes per second.
        std::optional<double> log_first_byte;
        std::optional<double> log_rate;
        Time measured{};
        std::array<std::uint64_t, kFaults> faults{};
        std::deque<Standing::Incident> recent;
        Band band = Band::neutral;
        std::uint32_t bans = 0;
        Time banned_at{};
        Time banned_until{};
        bool banned_by_operator = false;
        Time seen{};
        bool changed = false;
    };

    [[nodiscard]] bool is_member(const PeerId& peer) const { return config_.members.contains(peer); }
    Entry& entry_of(const PeerId& peer, Time now);
    void evict();
    void forget(const PeerId& peer);
    void measure(Entry& entry, const Measured& measured, Time now);
    void charge(const PeerId& peer, Entry& entry, Fault fault, Time now);
    /// Time does not count as good behaviour while a peer is banned.
    [[nodiscard]] Time penalty_time(const Entry& entry, Time now) const;
    [[nodiscard]] Standing evaluate(const Entry& entry, Time now) const;
    [[nodiscard]] std::uint32_t weight_of(const Entry& entry, Band band) const;
    void judge(const PeerId& peer, Entry& entry, Time now);
    /// Who of the committee is in quarantine: the worst first, as far as the stake goes.
    void judge_members(Time now);
    void end_ban(Entry& entry, Time now);
    void set_band(const PeerId& peer, Entry& entry, Band band);
    void find_medians(Time now);
    [[nodiscard]] Bytes encode(const Entry& entry, Time now) const;

    ReputationConfig config_;
    std::map<PeerId, Entry> entries_;
    std::optional<double> median_log_first_byte_;
    std::optional<double> median_log_rate_;
    bool strained_ = false;
    std::vector<BandChange> changes_;
    std::vector<PeerId> forgotten_;
};

}  // namespace monodon::net
