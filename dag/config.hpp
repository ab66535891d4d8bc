#pragma once

#include <cstdint>
#include <map>
#include <variant>

#include "dag/model/types.hpp"
#include "net/core/time.hpp"

namespace monodon::dag {

/// Anchors in turn; for tests and replays.
struct RoundRobin {};
/// Anchors by a list; for tests and replays.
struct LeaderTable {
    std::map<Round, ValidatorIndex> leaders;
    ValidatorIndex otherwise;
};
/// Variant A of consensus.md 8.5; zero windows stand for their defaults 10 n and n.
struct ReputationRule {
    std::uint64_t proposer_window = 0;
    std::uint64_t voter_window = 0;
    std::uint64_t failed_weight = 1;
    std::uint64_t inactive_weight = 10;
    std::uint64_t active_weight = 1000;
    std::uint64_t failure_threshold_percent = 10;

    /// With the windows that a committee of this size gets where they are zero.
    [[nodiscard]] ReputationRule with_defaults(std::size_t committee_size) const;
};
using LeaderRule = std::variant<ReputationRule, RoundRobin, LeaderTable>;

enum class OrderingMode : std::uint8_t { shoal, bullshark };

/// Identical on all members of an epoch: part of the genesis. Changing a value is a fork.
struct OrderingConfig {
    OrderingMode mode = OrderingMode::shoal;
    LeaderRule leaders = ReputationRule{};
    /// W: how many rounds below an anchor its history reaches.
    std::uint64_t window = 20;
    Round first_instance_round{1};
    /// LIFE of a sealed batch in rounds (8.9).
    std::uint64_t batch_life = 4096;

    /// How many of the newest commits determine the next anchors and the ordered set: max(K, W + 1).
    [[nodiscard]] std::uint64_t history_events(std::size_t committee_size) const;
};

/// Chapter 6 and the bounds of one member; may differ between members.
struct EngineConfig {
    OrderingConfig ordering;
    /// D: rounds that stay in the graph below the last anchor; at least window + 1. 0 stands for 3 W.
    std::uint64_t retention = 0;
    /// How far above our highest round headers and suspended certificates are kept.
    std::uint64_t ahead = 128;
    std::size_t suspended_bytes = 8 * 1024 * 1024;

    Duration min_round_delay = std::chrono::milliseconds(5);
    Duration idle_round = std::chrono::seconds(1);
    Duration leader_timeout = std::chrono::milliseconds(50);
    Duration leader_timeout_max = std::chrono::seconds(1);
    Duration grace_max = std::chrono::milliseconds(20);
    Duration resend = std::chrono::milliseconds(100);
    Duration resend_max = std::chrono::seconds(2);
    Duration request_timeout = std::chrono::milliseconds(1000);
    /// One member is asked so often what it has that we have not.
    Duration background_sync = std::chrono::seconds(5);

    /// Bytes of records that are not durable yet, above which nothing new is taken from others: 64 MiB are
    /// 60,000 certificates of a small committee or 1,600 of the largest, seconds of work for a slow disk. The
    /// graph holds as much again for them, and one reply of 8 MiB may come on top.
    std::size_t unsynced_bytes_max = 64 * 1024 * 1024;
    /// Whether a signature of ours that the store does not know of stops us (consensus.md 9.3). Members of
    /// simulations that sign twice on purpose do without.
    bool notice_forgotten = true;

    /// A8: above this many commits ordered but not executed no payload is proposed.
    std::uint64_t unexecuted_commits_max = 256;
};

}  // namespace monodon::dag
