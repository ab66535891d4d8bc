#pragma once

#include <mutex>
#include <vector>

#include "dag/events.hpp"
#include "net/core/time.hpp"

namespace monodon::node {

/// Which rounds each member has said lately that it holds, to tell who withholds from who has pruned.
/// Thread-safe.
class ClaimedRanges {
 public:
    explicit ClaimedRanges(std::size_t members) : claims_(members) {}

    void note(dag::ValidatorIndex member, const dag::Held& held, Time now);
    /// Nothing came, and the member has something: of a round well within what it said not long ago, which
    /// was asked for as a whole, the request knows no quorum, and whoever is further has one.
    [[nodiscard]] bool withholds(dag::ValidatorIndex member, const dag::Committee& committee,
                                 const dag::SyncRequest& request, const dag::CertificatesReply& reply,
                                 Time now) const;

 private:
    struct Claim {
        dag::Round lowest;
        dag::Round highest;
        Time at{};
    };
    mutable std::mutex mutex_;
    std::vector<Claim> claims_;
};

}  // namespace monodon::node
