#include "dag/sync/ledger.hpp"

namespace monodon::dag {

SyncKind kind_of(const SyncRequest& request) {
    struct Kind {
        SyncKind operator()(const GetCertificates&) const { return SyncKind::certificates; }
        SyncKind operator()(const GetCertificatesInRound&) const { return SyncKind::round; }
        SyncKind operator()(const GetCertificatesInRange&) const { return SyncKind::range; }
        SyncKind operator()(const GetBatch&) const { return SyncKind::batches; }
        SyncKind operator()(const GetBatches&) const { return SyncKind::batches; }
        SyncKind operator()(const GetHighestRound&) const { return SyncKind::highest; }
        SyncKind operator()(const GetMissingCertificates&) const { return SyncKind::missing; }
    };
    return std::visit(Kind{}, request);
}

std::string_view name(SyncKind kind) {
    switch (kind) {
        case SyncKind::certificates:
            return "certificates";
        case SyncKind::round:
            return "round";
        case SyncKind::range:
            return "range";
        case SyncKind::missing:
            return "missing";
        case SyncKind::batches:
            return "batches";
        case SyncKind::highest:
            return "highest";
    }
    return "unknown";
}

SyncStats& SyncStats::operator+=(const SyncStats& other) {
    requests += other.requests;
    requests_failed += other.requests_failed;
    certificates_synced += other.certificates_synced;
    certificates_failed += other.certificates_failed;
    certificates_duplicate += other.certificates_duplicate;
    bytes_useful += other.bytes_useful;
    bytes_wasted += other.bytes_wasted;
    return *this;
}

void SyncLedger::sent(const Effects& effects, std::size_t begin) {
    for (std::size_t at = begin; at < effects.size(); ++at) {
        const auto* request = std::get_if<SendRequest>(&effects[at]);
        if (request == nullptr) continue;
        const auto* digests = std::get_if<GetCertificates>(&request->body);
        const Key key{request->to, kind_of(request->body)};
        open_[request->id] = Open{key, digests == nullptr ? 0 : digests->headers.size()};
        ++stats_[key].requests;
    }
}

void SyncLedger::answered(RequestId id, const ReplyBody& reply, std::uint64_t duplicates) {
    const auto at = open_.find(id);
    if (at == open_.end()) return;
    const Open open = at->second;
    open_.erase(at);
    SyncStats& stats = stats_[open.key];
    if (const auto* failed = std::get_if<RequestFailed>(&reply)) {
        stats.bytes_wasted += failed->bytes;
        ++stats.requests_failed;
        stats.certificates_failed += open.wanted;
        return;
    }
    if (const auto* batches = std::get_if<BatchesReply>(&reply)) stats.bytes_useful += batches->bytes;
    const auto* certificates = std::get_if<CertificatesReply>(&reply);
    if (certificates == nullptr) return;
    stats.bytes_wasted += certificates->bytes_dropped;
    const std::uint64_t came = certificates->certificates.size();
    if (open.wanted > came && !certificates->next) stats.certificates_failed += open.wanted - came;
    if (came == 0) return;
    stats.certificates_duplicate += duplicates;
    stats.certificates_synced += came - duplicates;
    const std::uint64_t wasted = certificates->bytes * duplicates / came;
    stats.bytes_wasted += wasted;
    stats.bytes_useful += certificates->bytes - wasted;
}

SyncStats SyncLedger::total() const {
    SyncStats sum;
    for (const auto& [key, stats] : stats_) sum += stats;
    return sum;
}

}  // namespace monodon::dag
