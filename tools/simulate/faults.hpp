#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace monodon::sim {

/// What can go wrong in a run. README.md says what each does.
enum class Fault : std::uint8_t {
    // network
    loss,
    duplicate,
    reorder,
    partition,
    one_way,
    flapping,
    bandwidth,
    // members
    slow,
    silent,
    pause,
    crash,
    blackout,
    dead,
    mute,
    clock,
    // disks
    slow_disk,
    disk_full,
    write_error,
    backup,
    // Byzantine members
    equivocate,
    double_vote,
    withhold_certificate,
    withhold_batch,
    selective,
    far_future,
    invalid_parents,
    lying_reply,
    false_claim,
    twin,
    withhold_reply,
    slow_reply,
    // synchronisation, of honest members
    crash_reply,
    islands,
    own_loss,
};
inline constexpr std::size_t kFaults = 34;
inline constexpr Fault kFirstByzantine = Fault::equivocate;
inline constexpr Fault kLastByzantine = Fault::slow_reply;

[[nodiscard]] std::string_view name(Fault fault);
[[nodiscard]] constexpr bool is_byzantine(Fault fault) {
    return fault >= kFirstByzantine && fault <= kLastByzantine;
}

/// Which faults a run may inject.
class FaultSet {
 public:
    constexpr void insert(Fault fault) { bits_ |= bit(fault); }
    constexpr void erase(Fault fault) { bits_ &= ~bit(fault); }
    [[nodiscard]] constexpr bool contains(Fault fault) const { return (bits_ & bit(fault)) != 0; }
    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
    [[nodiscard]] bool any_byzantine() const;
    /// Names joined by commas; `none` for the empty set.
    [[nodiscard]] std::string text() const;
    /// `all`, `none`, `benign`, `byzantine`, `sync`, or names joined by commas. Nothing if a word is none of
    /// these.
    [[nodiscard]] static std::optional<FaultSet> parse(std::string_view text);
    friend constexpr bool operator==(const FaultSet&, const FaultSet&) = default;

 private:
    static constexpr std::uint64_t bit(Fault fault) {
        return std::uint64_t{1} << static_cast<unsigned>(fault);
    }
    std::uint64_t bits_ = 0;
};

/// How often each fault was really injected.
using FaultCounts = std::array<std::uint64_t, kFaults>;

/// Calls `visit(Fault)` for every kind.
template <class Visit>
void for_each_fault(Visit visit) {
    for (std::size_t at = 0; at < kFaults; ++at) visit(static_cast<Fault>(at));
}

}  // namespace monodon::sim
