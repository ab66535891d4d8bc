#pragma once

#include <map>
#include <utility>
#include <vector>

#include "dag/production/vote_collector.hpp"
#include "tools/simulate/crypto.hpp"
#include "tools/simulate/faults.hpp"
#include "tools/simulate/packet.hpp"
#include "tools/simulate/random.hpp"

namespace monodon::sim {

/// Makes a Byzantine member out of an honest one: stands between its engine and the network, with its key.
class Mischief {
 public:
    /// Keeps references to keys and counts.
    Mischief(FaultSet faults, dag::ValidatorIndex self, Keyring& keys, FaultCounts& injected, Random random);

    /// What really leaves instead of this packet.
    [[nodiscard]] std::vector<Packet> outgoing(dag::ValidatorIndex to, Packet packet);
    /// How much later than that.
    [[nodiscard]] Duration delay(const Packet& packet);
    /// What is sent because of a packet that came, before the engine sees it.
    [[nodiscard]] std::vector<std::pair<dag::ValidatorIndex, Packet>> incoming(dag::ValidatorIndex from,
                                                                               const Packet& packet);
    /// A certificate for a header that the engine did not make, for the engine; once.
    [[nodiscard]] std::optional<dag::VerifiedCertificate> take_certificate();

 private:
    using HeaderPtr = std::shared_ptr<const dag::Header>;

    [[nodiscard]] bool does(Fault fault) const { return faults_.contains(fault); }
    void count(Fault fault) { ++injected_[static_cast<std::size_t>(fault)]; }
    [[nodiscard]] bool is_shunned(dag::ValidatorIndex to, dag::Round round);
    void headers(dag::ValidatorIndex to, const HeaderPtr& header, std::vector<Packet>& out);
    [[nodiscard]] HeaderPtr variant(const HeaderPtr& header);
    [[nodiscard]] HeaderPtr far_future(const dag::Header& header);
    /// Null for most headers.
    [[nodiscard]] HeaderPtr bad_parents(const HeaderPtr& header);
    void collect_votes(const HeaderPtr& made);
    void certificates(std::shared_ptr<const dag::Certificate> certificate, std::vector<Packet>& out);
    void replies(Reply reply, std::vector<Packet>& out);
    /// Another header than a quorum has signed; `with_digest` one that is consistent in itself.
    [[nodiscard]] std::shared_ptr<const dag::Certificate> forged(const dag::Certificate& certificate,
                                                                 bool with_digest) const;
    /// The header that a quorum has signed, with other signatures.
    [[nodiscard]] static std::shared_ptr<const dag::Certificate> with_signatures_of_nobody(
        const dag::Certificate& certificate);
    [[nodiscard]] HeaderPtr sign(dag::Header header) const;

    FaultSet faults_;
    dag::ValidatorIndex self_;
    Keyring& keys_;
    FaultCounts& injected_;
    Random random_;
    /// Second headers by the digest of the first, with the votes for them.
    std::map<Digest, HeaderPtr> variants_;
    std::map<Digest, HeaderPtr> bad_;
    std::map<Digest, dag::VoteCollector> collectors_;
    std::optional<dag::VerifiedCertificate> certificate_;
    dag::Round round_;
    dag::AuthorSet shunned_;
};

}  // namespace monodon::sim
