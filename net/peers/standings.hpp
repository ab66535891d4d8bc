#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "net/peers/reputation.hpp"

namespace monodon::net {

/// Reputation for everybody who asks at the same time. What changes a band gives the changes, and whoever
/// called lets them take effect.
class Standings {
 public:
    using Changes = std::vector<BandChange>;
    explicit Standings(ReputationConfig config) : reputation_(std::move(config)) {}

    Changes observe(const PeerId& peer, const Observation& observation, Time now) {
        const std::lock_guard lock(mutex_);
        reputation_.observe(peer, observation, now);
        return reputation_.take_changes();
    }
    Changes advance(bool strained, Time now) {
        const std::lock_guard lock(mutex_);
        reputation_.set_strained(strained);
        reputation_.advance(now);
        return reputation_.take_changes();
    }
    /// Nothing if there are too many bans.
    std::optional<Changes> ban(const PeerId& peer, Time now) {
        const std::lock_guard lock(mutex_);
        if (!reputation_.ban(peer, now)) return std::nullopt;
        return reputation_.take_changes();
    }
    Changes unban(const PeerId& peer, Time now) {
        const std::lock_guard lock(mutex_);
        reputation_.unban(peer, now);
        return reputation_.take_changes();
    }
    bool restore(const PeerId& peer, ByteView note, Time now) {
        const std::lock_guard lock(mutex_);
        const bool restored = reputation_.restore(peer, note, now);
        // Nobody is connected yet.
        (void)reputation_.take_changes();
        return restored;
    }
    /// See Reputation for the rest.
    template <class Give>
    auto read(Give give) const {
        const std::lock_guard lock(mutex_);
        return give(reputation_);
    }
    [[nodiscard]] Band band(const PeerId& peer) const {
        const std::lock_guard lock(mutex_);
        return reputation_.band(peer);
    }
    [[nodiscard]] std::vector<StandingNote> take_notes(Time now) {
        const std::lock_guard lock(mutex_);
        return reputation_.take_notes(now);
    }

 private:
    mutable std::mutex mutex_;
    Reputation reputation_;
};

}  // namespace monodon::net
