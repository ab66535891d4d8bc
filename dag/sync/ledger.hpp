#pragma once

#include <map>

#include "dag/events.hpp"

namespace monodon::dag {

enum class SyncKind : std::uint8_t { certificates, round, range, missing, batches, highest };
[[nodiscard]] SyncKind kind_of(const SyncRequest& request);
[[nodiscard]] std::string_view name(SyncKind kind);

/// What requests have brought.
struct SyncStats {
    std::uint64_t requests = 0;
    std::uint64_t requests_failed = 0;
    std::uint64_t certificates_synced = 0;
    /// Asked for by digest and not in the answer.
    std::uint64_t certificates_failed = 0;
    /// They were here already, are not wanted any more, or found no room.
    std::uint64_t certificates_duplicate = 0;
    /// Of certificates by the numbers of both kinds, of batches those that are stored.
    std::uint64_t bytes_useful = 0;
    /// Besides duplicates what was refused or dropped.
    std::uint64_t bytes_wasted = 0;

    SyncStats& operator+=(const SyncStats& other);
    friend bool operator==(const SyncStats&, const SyncStats&) = default;
};

/// Statistics by member and kind of request: at most as many entries as there are members times kinds.
class SyncLedger {
 public:
    /// The requests among the effects from position `begin` on leave.
    void sent(const Effects& effects, std::size_t begin);
    /// `duplicates` of the certificates of the reply were of no use.
    void answered(RequestId id, const ReplyBody& reply, std::uint64_t duplicates);

    using Key = std::pair<ValidatorIndex, SyncKind>;
    [[nodiscard]] const std::map<Key, SyncStats>& all() const { return stats_; }
    [[nodiscard]] SyncStats total() const;

 private:
    struct Open {
        Key key;
        std::uint64_t wanted = 0;
    };
    std::map<RequestId, Open> open_;
    std::map<Key, SyncStats> stats_;
};

}  // namespace monodon::dag
