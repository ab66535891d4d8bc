#pragma once

#include <map>
#include <optional>
#include <vector>

#include "dag/graph/graph.hpp"

namespace monodon::dag {

/// Verified certificates that wait for their parents (C4), bounded in rounds and bytes. When full, the
/// highest round goes first: the lowest is what everything above waits for. Beyond the bound there is a
/// reserve for the lowest round and for what was fetched, or others could fill the room with what is never
/// released.
class Suspended {
 public:
    static constexpr std::size_t kReserveBytes = std::size_t{4} << 20;

    Suspended(std::uint64_t ahead, std::size_t bytes_max, std::size_t reserve = kReserveBytes)
        : ahead_(ahead), bytes_max_(bytes_max), reserve_(reserve) {}

    /// False if it is too far above the graph or there is no room: only its round is worth remembering then.
    /// `fetched`: it was asked for.
    bool add(const VerifiedCertificate& certificate, Round highest_in_graph, bool fetched = false);
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// Who has what stands below a certificate that waits: its signers and author; of one that is here by its
    /// hash those of what names it, everybody of `members` if that is not known.
    [[nodiscard]] AuthorSet holders_below(const VerifiedCertificate& certificate,
                                          const AuthorSet& members) const;
    /// The certificates of this round whose parents are all in the graph; they leave.
    [[nodiscard]] std::vector<VerifiedCertificate> release(Round round, const Graph& graph);
    /// Those of this round and below leave.
    void collect(Round floor);

    [[nodiscard]] bool contains(Slot slot) const { return waiting_.contains(slot); }
    [[nodiscard]] std::size_t size() const { return waiting_.size(); }
    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    /// Ascending by round and author.
    [[nodiscard]] const std::map<Slot, VerifiedCertificate>& all() const { return waiting_; }

 private:
    void erase(std::map<Slot, VerifiedCertificate>::iterator at);

    std::uint64_t ahead_;
    std::size_t bytes_max_;
    std::size_t reserve_;
    std::size_t bytes_ = 0;
    std::map<Slot, VerifiedCertificate> waiting_;
};

}  // namespace monodon::dag
