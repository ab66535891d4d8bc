#include "net/peers/reputation.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "net/core/canonical.hpp"
#include "net/core/check.hpp"

namespace monodon::net {

namespace {

constexpr double kUsefulMost = 30;
constexpr double kUsefulScale = 50;
constexpr Duration kUsefulHalfLife = std::chrono::minutes(10);
constexpr double kSpeedMost = 15;
constexpr double kSmoothing = 0.1;
constexpr double kFailuresMost = 30;
constexpr double kFailuresFree = 0.2;
constexpr std::uint32_t kFailuresLeast = 10;
constexpr double kPenaltiesMost = 100;
constexpr double kScoreMost = 100;

constexpr double kPreferred = 20;
constexpr double kThrottled = -20;
constexpr double kBanned = -50;
/// By how much a score has to come back before its band is left, so that a band does not change with each
/// observation.
constexpr double kHysteresis = 5;
/// What is left of the penalties when a ban ends: the peer begins as throttled, and is not banned again
/// before it does something.
constexpr double kAfterBan = 40;

/// Below it nobody is slow: the differences are those of schedulers.
constexpr double kFirstByteFloor = 5000;
/// Shorter replies say more of the way than of its width.
constexpr std::uint64_t kRateBytesLeast = 16 * 1024;
/// Measurements that are older say nothing about the median of today.
constexpr Duration kMeasuredKept = std::chrono::minutes(10);
/// The reply whose time decides between two peers.
constexpr double kNominalReply = 64 * 1024;
constexpr std::uint32_t kWeightMedian = 100;
constexpr std::uint32_t kWeightMost = 400;

constexpr Duration kSlot = std::chrono::seconds(30);
constexpr std::uint8_t kNoteVersion = 1;
/// Notes hold numbers in thousandths.
constexpr double kThousand = 1000;

struct FaultInfo {
    std::string_view name;
    double penalty;
    /// The request counts among those that failed.
    bool failed_request;
    /// Our own slowness can cause it.
    bool by_time;
};
constexpr std::array<FaultInfo, kFaults> kFaultTable{{
    {"timeout", 1, true, true},
    {"ignored rate limit", 2, false, true},
    {"unsolicited or repeated id", 5, false, false},
    {"withheld what it says it holds", 5, true, false},
    {"wrong data", 10, true, false},
    {"bad signature or digest", 40, true, false},
    {"malformed frame", kPenaltiesMost, false, false},
    {"oversized message", kPenaltiesMost, false, false},
    {"wrong chain", kPenaltiesMost, false, false},
    {"invalid hello", kPenaltiesMost, false, false},
}};

const FaultInfo& info_of(Fault fault) { return kFaultTable.at(static_cast<std::size_t>(fault)); }

/// Nothing is left of what such a peer was worth.
bool at_once(Fault fault) { return info_of(fault).penalty >= kPenaltiesMost; }

void smooth(std::optional<double>& average, double sample) {
    average = average ? *average + kSmoothing * (sample - *average) : sample;
}

double speed_term(double log_ratio) { return kSpeedMost * std::clamp(log_ratio / std::log(4.0), -1.0, 1.0); }

std::optional<double> median(std::vector<double>& values) {
    if (values.empty()) return std::nullopt;
    std::sort(values.begin(), values.end());
    return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

std::uint64_t thousandths(double value) {
    return static_cast<std::uint64_t>(std::llround(std::max(value, 0.0) * kThousand));
}

std::uint64_t since_epoch(Time time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }

Time to_time(std::uint64_t microseconds) {
    return Time(Duration(static_cast<Duration::rep>(std::min<std::uint64_t>(microseconds, 1ULL << 62))));
}

double milliseconds(Duration duration) { return static_cast<double>(duration.count()) / kThousand; }

}  // namespace

std::string_view name(Fault fault) { return info_of(fault).name; }

std::string_view name(Band band) {
    switch (band) {
        case Band::preferred:
            return "preferred";
        case Band::neutral:
            return "neutral";
        case Band::throttled:
            return "throttled";
        case Band::banned:
            return "banned";
        case Band::quarantined:
            return "quarantined";
    }
    MONODON_CHECK(false);
}

std::string Standing::reason() const {
    if (banned_by_operator) return "banned by the operator";
    const double worst = std::max({penalties, failures, -latency, -throughput});
    if (worst < 1) return {};
    if (penalties == worst) {
        std::string text;
        for (std::size_t at = 0; at < kFaults; ++at) {
            if (faults[at] == 0) continue;
            text +=
                fmt::format("{}{} x{}", text.empty() ? "" : ", ", name(static_cast<Fault>(at)), faults[at]);
        }
        return text;
    }
    if (failures == worst) return fmt::format("{} of {} requests failed in 5 min", failed, requests);
    if (-latency == worst) {
        return fmt::format("slow: {:.1f} ms to the first byte, median {:.1f} ms",
                           milliseconds(first_byte.value_or(Duration{0})),
                           milliseconds(median_first_byte.value_or(Duration{0})));
    }
    return fmt::format("slow: {:.2f} MB/s, median {:.2f} MB/s", bytes_per_second.value_or(0) / 1e6,
                       median_bytes_per_second.value_or(0) / 1e6);
}

double Reputation::Decaying::as_of(Time now, Duration half_life) const {
    if (value == 0 || now <= at) return value;
    const double halvings = static_cast<double>((now - at).count()) / static_cast<double>(half_life.count());
    return value * std::exp2(-halvings);
}

void Reputation::Window::add(Time now, bool failed) {
    const std::int64_t number = now.time_since_epoch() / kSlot;
    Slot& slot = slots.at(static_cast<std::size_t>(number) % slots.size());
    if (slot.number != number) slot = {number, 0, 0};
    ++slot.all;
    if (failed) ++slot.failed;
}

Reputation::Window::Slot Reputation::Window::sum(Time now) const {
    const std::int64_t number = now.time_since_epoch() / kSlot;
    Slot sum;
    for (const Slot& slot : slots) {
        if (slot.number + static_cast<std::int64_t>(slots.size()) <= number) continue;
        sum.all += slot.all;
        sum.failed += slot.failed;
    }
    return sum;
}

// --- Who is known ---

Reputation::Entry& Reputation::entry_of(const PeerId& peer, Time now) {
    auto found = entries_.find(peer);
    if (found == entries_.end()) {
        if (entries_.size() >= kPeersMax) evict();
        found = entries_.emplace(peer, Entry{}).first;
    }
    found->second.seen = now;
    found->second.changed = true;
    return found->second;
}

/// The stranger leaves that was not heard of for longest, also one that is banned: a new identity costs a
/// handshake, so that a ban is worth no more than the memory of who was useful. Members and what the operator
/// has banned stay.
void Reputation::evict() {
    auto oldest = entries_.end();
    for (auto each = entries_.begin(); each != entries_.end(); ++each) {
        if (is_member(each->first) || each->second.banned_by_operator) continue;
        if (oldest == entries_.end() || each->second.seen < oldest->second.seen) oldest = each;
    }
    if (oldest == entries_.end()) return;
    forget(oldest->first);
    set_band(oldest->first, oldest->second, Band::neutral);
    entries_.erase(oldest);
}

/// What the store keeps of more than these it drops by its own bound, and at the next start by their age.
void Reputation::forget(const PeerId& peer) {
    if (forgotten_.size() < kPeersMax) forgotten_.push_back(peer);
}

std::vector<PeerId> Reputation::peers() const {
    std::vector<PeerId> peers;
    for (const auto& [peer, entry] : entries_) peers.push_back(peer);
    return peers;
}

std::vector<PeerId> Reputation::bans() const {
    std::vector<PeerId> banned;
    for (const auto& [peer, entry] : entries_) {
        if (entry.band == Band::banned) banned.push_back(peer);
    }
    return banned;
}

std::uint64_t Reputation::quarantined_stake() const {
    std::uint64_t stake = 0;
    for (const auto& [peer, own] : config_.members) stake += band(peer) == Band::quarantined ? own : 0;
    return stake;
}

Band Reputation::band(const PeerId& peer) const {
    const auto found = entries_.find(peer);
    return found == entries_.end() ? Band::neutral : found->second.band;
}

bool Reputation::banned_by_operator(const PeerId& peer) const {
    const auto found = entries_.find(peer);
    return found != entries_.end() && found->second.banned_by_operator;
}

// --- What is seen ---

void Reputation::observe(const PeerId& peer, const Observation& observation, Time now) {
    const auto* fault = std::get_if<Fault>(&observation);
    const bool by_time =
        fault != nullptr ? info_of(*fault).by_time : std::holds_alternative<Measured>(observation);
    if (strained_ && by_time) return;
    Entry& entry = entry_of(peer, now);
    if (fault != nullptr) return charge(peer, entry, *fault, now);
    if (const auto* measured = std::get_if<Measured>(&observation)) return measure(entry, *measured, now);
    entry.useful.set(entry.useful.as_of(now, kUsefulHalfLife) + 1, now);
    entry.window.add(now, false);
}

void Reputation::measure(Entry& entry, const Measured& measured, Time now) {
    const double first_byte = static_cast<double>(std::max<Duration::rep>(measured.first_byte.count(), 1));
    smooth(entry.log_first_byte, std::log(std::max(first_byte, kFirstByteFloor)));
    entry.measured = now;
    if (measured.bytes < kRateBytesLeast) return;
    const double seconds = std::chrono::duration<double>(std::max(measured.whole, Duration(1))).count();
    smooth(entry.log_rate, std::log(static_cast<double>(measured.bytes) / seconds));
}

void Reputation::charge(const PeerId& peer, Entry& entry, Fault fault, Time now) {
    const FaultInfo& info = info_of(fault);
    ++entry.faults.at(static_cast<std::size_t>(fault));
    entry.recent.push_back({now, fault, info.penalty});
    if (entry.recent.size() > kRecentMax) entry.recent.pop_front();
    if (info.failed_request) entry.window.add(now, true);
    const double before = entry.penalties.as_of(penalty_time(entry, now), config_.penalty_half_life);
    entry.penalties.set(std::min(before + info.penalty, kPenaltiesMost), now);
    if (at_once(fault)) {
        entry.useful = {};
        entry.window = {};
        entry.log_first_byte.reset();
        entry.log_rate.reset();
    }
    if (is_member(peer)) {
        judge(peer, entry, now);
        return judge_members(now);
    }
    // Whoever is banned is so for an act, never for time that passes.
    if (entry.band != Band::banned && evaluate(entry, now).score < kBanned) {
        const Duration ban = config_.ban_first * (1LL << std::min<std::uint32_t>(entry.bans, 20));
        entry.banned_at = now;
        entry.banned_until = now + std::min(ban, config_.ban_most);
        ++entry.bans;
    }
    judge(peer, entry, now);
}

// --- What it comes to ---

Time Reputation::penalty_time(const Entry& entry, Time now) const {
    return entry.banned_until > now ? std::max(entry.banned_at, entry.penalties.at) : now;
}

Standing Reputation::evaluate(const Entry& entry, Time now) const {
    Standing standing;
    standing.useful_replies = entry.useful.as_of(now, kUsefulHalfLife);
    standing.useful = kUsefulMost * (1 - std::exp(-standing.useful_replies / kUsefulScale));
    if (entry.log_first_byte) {
        const double median = median_log_first_byte_.value_or(*entry.log_first_byte);
        standing.latency = speed_term(median - *entry.log_first_byte);
        standing.first_byte = Duration(std::llround(std::exp(*entry.log_first_byte)));
        standing.median_first_byte = Duration(std::llround(std::exp(median)));
    }
    if (entry.log_rate) {
        const double median = median_log_rate_.value_or(*entry.log_rate);
        standing.throughput = speed_term(*entry.log_rate - median);
        standing.bytes_per_second = std::exp(*entry.log_rate);
        standing.median_bytes_per_second = std::exp(median);
    }
    const Window::Slot window = entry.window.sum(now);
    standing.requests = window.all;
    standing.failed = window.failed;
    if (window.all >= kFailuresLeast) {
        const double share = static_cast<double>(window.failed) / window.all;
        standing.failures = kFailuresMost * std::max(0.0, share - kFailuresFree) / (1 - kFailuresFree);
    }
    standing.penalties = entry.penalties.as_of(penalty_time(entry, now), config_.penalty_half_life);
    standing.score = std::clamp(
        standing.useful + standing.latency + standing.throughput - standing.failures - standing.penalties,
        -kScoreMost, kScoreMost);
    return standing;
}

std::uint32_t Reputation::weight_of(const Entry& entry, Band band) const {
    if (band != Band::preferred && band != Band::neutral) return 0;
    const double first_byte = median_log_first_byte_.value_or(std::log(kFirstByteFloor));
    const auto seconds = [](double log_first_byte, std::optional<double> log_rate) {
        return std::exp(log_first_byte) / 1e6 + (log_rate ? kNominalReply / std::exp(*log_rate) : 0);
    };
    const std::optional<double> rate = entry.log_rate && median_log_rate_ ? entry.log_rate : median_log_rate_;
    const double own = seconds(entry.log_first_byte.value_or(first_byte), rate);
    const double share = kWeightMedian * seconds(first_byte, median_log_rate_) / own;
    return static_cast<std::uint32_t>(std::llround(std::clamp(share, 1.0, double{kWeightMost})));
}

std::uint32_t Reputation::weight(const PeerId& peer) const {
    const auto found = entries_.find(peer);
    return found == entries_.end() ? kWeightMedian : weight_of(found->second, found->second.band);
}

Standing Reputation::standing(const PeerId& peer, Time now) const {
    const auto found = entries_.find(peer);
    if (found == entries_.end()) return {};
    const Entry& entry = found->second;
    Standing standing = evaluate(entry, now);
    standing.band = entry.band;
    standing.weight = weight_of(entry, entry.band);
    standing.faults = entry.faults;
    standing.recent.assign(entry.recent.begin(), entry.recent.end());
    standing.bans = entry.bans;
    standing.banned_by_operator = entry.banned_by_operator;
    if (entry.banned_until > now) standing.banned_until = entry.banned_until;
    return standing;
}

void Reputation::set_band(const PeerId& peer, Entry& entry, Band band) {
    if (entry.band == band) return;
    changes_.push_back({peer, entry.band, band});
    entry.band = band;
    entry.changed = true;
}

void Reputation::judge(const PeerId& peer, Entry& entry, Time now) {
    if (entry.banned_by_operator || entry.banned_until > now) return set_band(peer, entry, Band::banned);
    // judge_members() has the word about those.
    if (entry.band == Band::quarantined) return;
    const double score = evaluate(entry, now).score;
    const bool was_preferred = entry.band == Band::preferred;
    const bool was_throttled = entry.band == Band::throttled;
    if (score >= (was_preferred ? kPreferred - kHysteresis : kPreferred)) {
        set_band(peer, entry, Band::preferred);
    } else if (score < (was_throttled ? kThrottled + kHysteresis : kThrottled)) {
        set_band(peer, entry, Band::throttled);
    } else {
        set_band(peer, entry, Band::neutral);
    }
}

void Reputation::judge_members(Time now) {
    std::vector<std::pair<double, PeerId>> worst;
    for (const auto& [peer, stake] : config_.members) {
        const auto found = entries_.find(peer);
        if (found == entries_.end() || found->second.banned_by_operator) continue;
        const double score = evaluate(found->second, now).score;
        const bool inside = found->second.band == Band::quarantined;
        if (score < (inside ? kBanned + kHysteresis : kBanned)) worst.emplace_back(score, peer);
    }
    std::sort(worst.begin(), worst.end());
    std::uint64_t stake = 0;
    std::set<PeerId> chosen;
    for (const auto& [score, peer] : worst) {
        const std::uint64_t own = config_.members.at(peer);
        if (stake + own > config_.quarantine_stake) continue;
        stake += own;
        chosen.insert(peer);
    }
    // Those who leave go first, so that at no moment more than the stake is inside.
    for (const auto& [peer, own] : config_.members) {
        const auto found = entries_.find(peer);
        if (found == entries_.end() || found->second.band != Band::quarantined || chosen.contains(peer))
            continue;
        set_band(peer, found->second, Band::throttled);
        judge(peer, found->second, now);
    }
    for (const PeerId& peer : chosen) set_band(peer, entries_.at(peer), Band::quarantined);
}

void Reputation::end_ban(Entry& entry, Time now) {
    const double left =
        entry.penalties.as_of(penalty_time(entry, entry.banned_at), config_.penalty_half_life);
    entry.penalties.set(std::min(left, kAfterBan), now);
    entry.window = {};
    entry.banned_until = {};
    entry.banned_at = {};
    entry.changed = true;
}

void Reputation::find_medians(Time now) {
    // Strangers can be as many as they like: what is usual, the committee says.
    for (const bool members_only : {true, false}) {
        std::vector<double> first_bytes;
        std::vector<double> rates;
        for (const auto& [peer, entry] : entries_) {
            if (members_only && !is_member(peer)) continue;
            if (!entry.log_first_byte || now - entry.measured > kMeasuredKept) continue;
            first_bytes.push_back(*entry.log_first_byte);
            if (entry.log_rate) rates.push_back(*entry.log_rate);
        }
        median_log_first_byte_ = median(first_bytes);
        median_log_rate_ = median(rates);
        if (median_log_first_byte_) return;
    }
}

void Reputation::advance(Time now) {
    find_medians(now);
    for (auto each = entries_.begin(); each != entries_.end();) {
        const PeerId peer = each->first;
        Entry& entry = each->second;
        if (entry.banned_until != Time{} && entry.banned_until <= now) end_ban(entry, now);
        const bool held = entry.banned_by_operator || entry.banned_until > now;
        if (!held && now - entry.seen > kKept) {
            set_band(peer, entry, Band::neutral);
            forget(peer);
            each = entries_.erase(each);
            continue;
        }
        judge(peer, entry, now);
        ++each;
    }
    judge_members(now);
}

// --- The operator ---

bool Reputation::ban(const PeerId& peer, Time now) {
    const auto banned = std::count_if(entries_.begin(), entries_.end(),
                                      [](const auto& each) { return each.second.banned_by_operator; });
    if (!banned_by_operator(peer) && banned >= static_cast<std::ptrdiff_t>(kOperatorBansMax)) return false;
    Entry& entry = entry_of(peer, now);
    entry.banned_by_operator = true;
    judge(peer, entry, now);
    if (is_member(peer)) judge_members(now);
    return true;
}

void Reputation::unban(const PeerId& peer, Time now) {
    const auto found = entries_.find(peer);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    if (!std::exchange(entry.banned_by_operator, false)) {
        entry.banned_until = {};
        entry.banned_at = {};
        entry.penalties = {};
        entry.window = {};
    }
    entry.changed = true;
    judge(peer, entry, now);
    if (is_member(peer)) judge_members(now);
}

// --- What is taken away ---

std::vector<BandChange> Reputation::take_changes() { return std::exchange(changes_, {}); }

std::vector<StandingNote> Reputation::take_notes(Time now) {
    std::vector<StandingNote> notes;
    for (const PeerId& peer : std::exchange(forgotten_, {})) {
        if (!entries_.contains(peer)) notes.push_back({peer, std::nullopt});
    }
    for (auto& [peer, entry] : entries_) {
        if (std::exchange(entry.changed, false)) notes.push_back({peer, encode(entry, now)});
    }
    return notes;
}

Bytes Reputation::encode(const Entry& entry, Time now) const {
    CanonicalWriter writer;
    writer.u8(kNoteVersion)
        .u64(since_epoch(entry.seen))
        .u64(since_epoch(now))
        .u64(thousandths(entry.useful.as_of(now, kUsefulHalfLife)))
        .u64(thousandths(entry.penalties.as_of(penalty_time(entry, now), config_.penalty_half_life)))
        .u64(thousandths(entry.log_first_byte.value_or(0)))
        .u64(thousandths(entry.log_rate.value_or(0)))
        .u32(entry.bans)
        .u64(since_epoch(entry.banned_until))
        .u8(entry.banned_by_operator ? 1 : 0)
        .count(kFaults);
    for (const std::uint64_t count : entry.faults) writer.u64(count);
    return writer.take();
}

bool Reputation::restore(const PeerId& peer, ByteView note, Time now) {
    CanonicalReader reader(note);
    if (reader.u8() != kNoteVersion) return false;
    Entry entry;
    entry.seen = std::min(to_time(reader.u64()), now);
    const Time written = std::min(to_time(reader.u64()), now);
    entry.useful.set(static_cast<double>(reader.u64()) / kThousand, written);
    const double penalties = static_cast<double>(reader.u64()) / kThousand;
    const double first_byte = static_cast<double>(reader.u64()) / kThousand;
    const double rate = static_cast<double>(reader.u64()) / kThousand;
    entry.bans = reader.u32();
    entry.banned_until = to_time(reader.u64());
    entry.banned_by_operator = reader.u8() != 0;
    if (reader.count(kFaults, 8) != kFaults) return false;
    for (std::uint64_t& count : entry.faults) count = reader.u64();
    if (!reader.finished() || (entries_.size() >= kPeersMax && !entries_.contains(peer))) return false;
    // Whether it is a member can have changed, and so can the clock.
    entry.banned_until = is_member(peer) ? Time{} : std::min(entry.banned_until, now + config_.ban_most);
    const bool banned = entry.banned_until > now;
    if (!banned && !entry.banned_by_operator && now - entry.seen > kKept) return false;
    if (banned) entry.banned_at = written;
    entry.penalties.set(std::min(penalties, kPenaltiesMost), written);
    if (entry.banned_until != Time{} && !banned) end_ban(entry, now);
    if (first_byte > 0) entry.log_first_byte = std::max(first_byte, std::log(kFirstByteFloor));
    if (rate > 0) entry.log_rate = rate;
    Entry& restored = entries_.insert_or_assign(peer, std::move(entry)).first->second;
    judge(peer, restored, now);
    if (is_member(peer)) judge_members(now);
    restored.changed = false;
    return true;
}

}  // namespace monodon::net
