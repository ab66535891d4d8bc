#include "dag/graph/suspended.hpp"

#include <algorithm>
#include <iterator>

namespace monodon::dag {

namespace {

/// What a certificate takes in memory, near enough for a bound.
std::size_t size_of(const Certificate& certificate) {
    return sizeof(Certificate) + certificate.header.payload.size() * sizeof(PayloadEntry) +
           certificate.header.parents.size() * sizeof(Parent) +
           certificate.signatures.size() * sizeof(Signature);
}

}  // namespace

void Suspended::erase(std::map<Slot, VerifiedCertificate>::iterator at) {
    bytes_ -= size_of(*at->second);
    waiting_.erase(at);
}

bool Suspended::add(const VerifiedCertificate& certificate, Round highest_in_graph, bool fetched) {
    const Slot slot = certificate->ref().slot();
    if (const auto present = waiting_.find(slot); present != waiting_.end()) {
        // What is here by its hash gets its signatures; if they find room, they are evidence.
        const std::size_t size = bytes_ - size_of(*present->second) + size_of(*certificate);
        if (certificate->has_proof() && !present->second->has_proof() && size <= bytes_max_ + reserve_) {
            present->second = certificate;
            bytes_ = size;
        }
        return true;
    }
    if (distance(highest_in_graph, slot.round) > ahead_) return false;
    const std::size_t size = size_of(*certificate);
    const bool reserved = fetched || waiting_.empty() || slot.round <= waiting_.begin()->first.round;
    const std::size_t most = bytes_max_ + (reserved ? reserve_ : 0);
    while (bytes_ + size > most && !waiting_.empty()) {
        const auto last = std::prev(waiting_.end());
        if (last->first.round <= slot.round) return false;
        erase(last);
    }
    bytes_ += size;
    waiting_.emplace(slot, certificate);
    return true;
}

AuthorSet Suspended::holders_below(const VerifiedCertificate& certificate, const AuthorSet& members) const {
    AuthorSet holders = certificate->signers;
    holders.insert(certificate->header.author);
    if (certificate->has_proof()) return holders;
    const Parent self{certificate->header.author, certificate->header.digest};
    const Round above = next(certificate->header.round);
    const auto end = waiting_.upper_bound({above, ValidatorIndex{kCommitteeMax}});
    for (auto each = waiting_.lower_bound({above, ValidatorIndex{0}}); each != end; ++each) {
        const Certificate& child = *each->second;
        if (!child.has_proof()) continue;
        const auto& parents = child.header.parents;
        if (std::find(parents.begin(), parents.end(), self) != parents.end()) return holders | child.signers;
    }
    return members;
}

std::vector<VerifiedCertificate> Suspended::release(Round round, const Graph& graph) {
    std::vector<VerifiedCertificate> released;
    const auto end = waiting_.upper_bound({round, ValidatorIndex{kCommitteeMax}});
    for (auto each = waiting_.lower_bound({round, ValidatorIndex{0}}); each != end;) {
        const auto here = each++;
        if (!graph.has_all_parents(here->second->header)) continue;
        released.push_back(here->second);
        erase(here);
    }
    return released;
}

void Suspended::collect(Round floor) {
    while (!waiting_.empty() && waiting_.begin()->first.round <= floor) erase(waiting_.begin());
}

}  // namespace monodon::dag
