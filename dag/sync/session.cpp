#include "dag/sync/session.hpp"

#include <algorithm>

namespace monodon::dag {

namespace {

/// How far above the graph missing parents are asked for by digest: further up more than one round is
/// missing.
constexpr std::uint64_t kRoundsByDigest = 2;

AuthorSet holders_of(const Certificate& certificate) {
    AuthorSet holders = certificate.signers;
    holders.insert(certificate.header.author);
    return holders;
}

}  // namespace

SyncSession::SyncSession(const Committee& committee, ValidatorIndex self, Round floor, Limits limits)
    : self_(self),
      limits_(limits),
      graph_(committee, floor),
      suspended_(limits.ahead, limits.suspended_bytes),
      preference_(committee.size()),
      fetcher_(self, limits.timeout, preference_) {}

void SyncSession::connect(ValidatorIndex peer, bool connected, Time now) {
    if (peer == self_) return;
    if (connected) {
        connected_.insert(peer);
    } else {
        connected_.erase(peer);
    }
    fetcher_.set_connected(peer, connected, now);
}

RoundSync SyncSession::rounds_of(const AuthorSet& peers, Round first, Round last) {
    return RoundSync({peers, first, last}, self_, limits_.timeout, preference_,
                     proof_spacing(graph_.committee()));
}

void SyncSession::sync_with_peer(ValidatorIndex peer) {
    AuthorSet only;
    only.insert(peer);
    with_peer_.push_back({peer, graph_.highest(),
                          rounds_of(only, next(graph_.floor()), above(graph_.highest(), limits_.ahead))});
}

void SyncSession::request_certificates(const std::vector<HeaderRef>& wanted, const AuthorSet& holders) {
    for (const HeaderRef& each : wanted) {
        const bool here = graph_.contains(each) || suspended_.contains(each.slot());
        if (!here) fetcher_.want_certificate(each.digest, each.round, holders, each.author);
    }
}

void SyncSession::sync_missing_parents(const VerifiedCertificate& certificate) {
    const Header& header = certificate->header;
    if (graph_.has_all_parents(header)) return;
    (void)suspended_.add(certificate, graph_.highest());
    if (header.round <= above(graph_.highest(), kRoundsByDigest)) return want_parents();
    // The highest round here may have holes.
    const Round first = std::max(next(graph_.floor()), graph_.highest());
    rounds_.push_back(
        {rounds_of(holders_of(*certificate) & connected_, first, below(header.round, 1)), certificate});
}

void SyncSession::sync_gaps(Round up_to) {
    rounds_.push_back({rounds_of(connected_, next(graph_.floor()), up_to)});
}

bool SyncSession::sync_and_process_certificate(const VerifiedCertificate& certificate) {
    insert(certificate);
    if (!graph_.contains(certificate->ref())) sync_missing_parents(certificate);
    return graph_.contains(certificate->ref());
}

void SyncSession::insert(const VerifiedCertificate& certificate) {
    std::vector<VerifiedCertificate> ready{certificate};
    while (!ready.empty() && !conflict_) {
        const VerifiedCertificate each = ready.back();
        ready.pop_back();
        const HeaderRef ref = each->ref();
        switch (graph_.insert(each)) {
            case Insertion::inserted:
                fetcher_.found(ref.digest);
                for (VerifiedCertificate& released : suspended_.release(next(ref.round), graph_)) {
                    ready.push_back(std::move(released));
                }
                break;
            case Insertion::missing_parents:
                if (suspended_.add(each, graph_.highest())) fetcher_.found(ref.digest);
                break;
            case Insertion::duplicate:
            case Insertion::below_floor:
                fetcher_.found(ref.digest);
                break;
            case Insertion::conflict:
                conflict_ = true;
                break;
        }
    }
}

void SyncSession::end_rounds() {
    std::vector<VerifiedCertificate> tops;
    const auto ended = std::erase_if(rounds_, [&](const Rounds& job) {
        if (job.rounds.finished() && job.top) tops.push_back(*job.top);
        return job.rounds.finished();
    });
    for (const VerifiedCertificate& each : tops) insert(each);
    if (ended > 0) want_parents();
}

void SyncSession::want_parents() {
    // What is asked for by rounds would come twice.
    if (!rounds_.empty() || !with_peer_.empty()) return;
    const Round limit = above(graph_.highest(), kRoundsByDigest);
    for (const auto& [slot, certificate] : suspended_.all()) {
        if (slot.round > limit) break;
        for (const HeaderRef& parent : graph_.missing_parents(certificate->header)) {
            if (suspended_.contains(parent.slot())) continue;
            const AuthorSet holders = suspended_.holders_below(certificate, graph_.committee().everybody());
            fetcher_.want_certificate(parent.digest, parent.round, holders, slot.author, true);
        }
    }
}

std::vector<SendRequest> SyncSession::requests(Time now) {
    Effects out;
    fetcher_.poll(now, ids_, out);
    for (WithPeer& job : with_peer_) job.rounds.poll(now, graph_, suspended_, ids_, out);
    for (Rounds& job : rounds_) job.rounds.poll(now, graph_, suspended_, ids_, out);
    end_rounds();
    // An operation ends; it does not wait for members that may never have it.
    for (const Digest& digest : fetcher_.asked_of_all()) fetcher_.found(digest);
    ledger_.sent(out, 0);
    std::vector<SendRequest> sent;
    for (Effect& effect : out) sent.push_back(std::move(std::get<SendRequest>(effect)));
    return sent;
}

void SyncSession::replied(const ReplyReceived& reply, Time now) {
    const auto* found = std::get_if<CertificatesReply>(&reply.reply);
    const bool by_rounds = !rounds_.empty() || !with_peer_.empty();
    std::uint64_t duplicates = 0;
    bool grown = false;
    if (found != nullptr) {
        for (const VerifiedCertificate& each : found->certificates) {
            const Slot slot = each->ref().slot();
            const auto present = [&] { return graph_.find(slot) != nullptr || suspended_.contains(slot); };
            const bool wanted = slot.round > graph_.floor() && !present();
            insert(each);
            const bool taken = wanted && present();
            duplicates += taken ? 0 : 1;
            grown = grown || taken;
        }
    }
    ledger_.answered(reply.id, reply.reply, duplicates);
    const auto* failed = std::get_if<RequestFailed>(&reply.reply);
    (void)fetcher_.answered(reply.id, failed == nullptr ? std::nullopt : std::optional(failed->why), now);
    for (Rounds& job : rounds_) (void)job.rounds.answered(reply.id, reply.reply, now);
    end_rounds();
    std::vector<WithPeer> again;
    for (WithPeer& job : with_peer_) {
        (void)job.rounds.answered(reply.id, reply.reply, now);
        if (!job.rounds.finished()) {
            again.push_back(std::move(job));
            continue;
        }
        // It may hold more than what could be kept here at a time.
        if (!job.rounds.complete() || graph_.highest() <= job.begun_at) continue;
        AuthorSet only;
        only.insert(job.peer);
        again.push_back({job.peer, graph_.highest(),
                         rounds_of(only, std::max(next(graph_.floor()), graph_.highest()),
                                   above(graph_.highest(), limits_.ahead))});
    }
    with_peer_ = std::move(again);
    if (grown || by_rounds) want_parents();
}

bool SyncSession::idle() const {
    return with_peer_.empty() && rounds_.empty() && fetcher_.wanted() == 0 && fetcher_.in_flight() == 0;
}

}  // namespace monodon::dag
