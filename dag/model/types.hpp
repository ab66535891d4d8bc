#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "net/core/strong.hpp"

namespace monodon::dag {

using Epoch = Strong<std::uint64_t, struct EpochTag>;
/// First real round: 1. Round 0 is genesis and exists only as a notion.
using Round = Strong<std::uint64_t, struct RoundTag>;
/// Position of a member in the committee, 0..n-1.
using ValidatorIndex = Strong<std::uint16_t, struct ValidatorIndexTag>;
using WorkerId = Strong<std::uint32_t, struct WorkerIdTag>;
/// Number of an ordered anchor: counts from 1 and never restarts, also not with an epoch.
using CommitIndex = Strong<std::uint64_t, struct CommitIndexTag>;
using Stake = std::uint64_t;

[[nodiscard]] constexpr Round next(Round round) { return Round{round.value() + 1}; }
[[nodiscard]] constexpr CommitIndex next(CommitIndex index) { return CommitIndex{index.value() + 1}; }
/// `rounds` below, saturating at round 0: the only subtraction there is (consensus.md 1).
[[nodiscard]] constexpr Round below(Round round, std::uint64_t rounds) {
    return Round{round.value() > rounds ? round.value() - rounds : 0};
}
[[nodiscard]] constexpr Round above(Round round, std::uint64_t rounds) {
    return Round{round.value() + rounds};
}
/// How many rounds `later` lies above `earlier`; 0 if it does not.
[[nodiscard]] constexpr std::uint64_t distance(Round earlier, Round later) {
    return later > earlier ? later.value() - earlier.value() : 0;
}

// Limits that every member agrees on (consensus.md 1).
inline constexpr std::size_t kCommitteeMax = 128;
inline constexpr std::size_t kHeaderBytesMax = 32 * 1024;
inline constexpr std::size_t kPayloadEntriesMax = 256;
inline constexpr std::size_t kBatchBytesMax = 512 * 1024;
inline constexpr std::size_t kTransactionBytesMax = 256 * 1024;

/// A place in the DAG that at most one certificate ever fills.
struct Slot {
    Round round;
    ValidatorIndex author;
    friend constexpr auto operator<=>(const Slot&, const Slot&) = default;
};

/// A set of committee members as a bit per index.
class AuthorSet {
 public:
    constexpr AuthorSet() = default;
    constexpr AuthorSet(std::uint64_t low, std::uint64_t high) : words_{low, high} {}

    constexpr void insert(ValidatorIndex author) { words_[word(author)] |= bit(author); }
    constexpr void erase(ValidatorIndex author) { words_[word(author)] &= ~bit(author); }
    [[nodiscard]] constexpr bool contains(ValidatorIndex author) const {
        return author.value() < kCommitteeMax && (words_[word(author)] & bit(author)) != 0;
    }
    [[nodiscard]] constexpr bool empty() const { return words_[0] == 0 && words_[1] == 0; }
    [[nodiscard]] constexpr std::size_t size() const {
        return static_cast<std::size_t>(std::popcount(words_[0]) + std::popcount(words_[1]));
    }
    /// The lowest member's index. The set must not be empty.
    [[nodiscard]] constexpr ValidatorIndex first() const {
        const int at = words_[0] != 0 ? std::countr_zero(words_[0]) : 64 + std::countr_zero(words_[1]);
        return ValidatorIndex{static_cast<std::uint16_t>(at)};
    }
    /// Calls `visit(ValidatorIndex)` for each member, ascending.
    template <class Visit>
    constexpr void for_each(Visit visit) const {
        for (std::size_t at = 0; at < words_.size(); ++at) {
            for (std::uint64_t rest = words_[at]; rest != 0; rest &= rest - 1) {
                visit(ValidatorIndex{
                    static_cast<std::uint16_t>(at * 64 + static_cast<std::size_t>(std::countr_zero(rest)))});
            }
        }
    }
    [[nodiscard]] constexpr std::uint64_t low() const { return words_[0]; }
    [[nodiscard]] constexpr std::uint64_t high() const { return words_[1]; }

    constexpr AuthorSet& operator|=(const AuthorSet& other) {
        words_[0] |= other.words_[0];
        words_[1] |= other.words_[1];
        return *this;
    }
    constexpr AuthorSet& operator&=(const AuthorSet& other) {
        words_[0] &= other.words_[0];
        words_[1] &= other.words_[1];
        return *this;
    }
    friend constexpr AuthorSet operator|(AuthorSet left, const AuthorSet& right) { return left |= right; }
    friend constexpr AuthorSet operator&(AuthorSet left, const AuthorSet& right) { return left &= right; }
    /// The members of this set that are not in `other`.
    [[nodiscard]] constexpr AuthorSet without(const AuthorSet& other) const {
        return {words_[0] & ~other.words_[0], words_[1] & ~other.words_[1]};
    }
    friend constexpr bool operator==(const AuthorSet&, const AuthorSet&) = default;

 private:
    static constexpr std::size_t word(ValidatorIndex author) { return author.value() / 64; }
    static constexpr std::uint64_t bit(ValidatorIndex author) {
        return std::uint64_t{1} << (author.value() % 64);
    }

    std::array<std::uint64_t, 2> words_{};
};

}  // namespace monodon::dag
