#include <algorithm>

#include "dag/engine_state.hpp"
#include "dag/planted.hpp"

namespace monodon::dag {

void Engine::State::on_reply(const ReplyReceived& event) {
    const auto* highest = std::get_if<HighestRoundReply>(&event.reply);
    if (highest != nullptr && highest->highest && !behind()) accept(*highest->highest);
    if (rejoin_.answered(event.id, highest, now_)) {
        ledger_.answered(event.id, event.reply, 0);
        if (highest != nullptr && highest->ours) look_for_forgotten(**highest->ours);
        end_looking_if_known();
        return bound_if_known();
    }
    const auto* certificates = std::get_if<CertificatesReply>(&event.reply);
    std::uint64_t useless = 0;
    if (certificates != nullptr) {
        useless = behind() ? certificates->certificates.size() : accept_fetched(*certificates);
    }
    ledger_.answered(event.id, event.reply, useless);
    for (std::optional<RoundSync>* job : {&scan_, &background_}) {
        if (*job && (*job)->answered(event.id, event.reply, now_)) {
            if ((*job)->finished()) job->reset();
            return;
        }
    }
    const auto* failed = std::get_if<RequestFailed>(&event.reply);
    const auto failure = failed == nullptr ? std::nullopt : std::optional(failed->why);
    if (!range_.answered(event.id, certificates, failure, graph_.highest(), now_)) {
        (void)fetcher_.answered(event.id, failure, now_, Fetcher::stopped(event.reply));
    }
}

std::uint64_t Engine::State::accept_fetched(const CertificatesReply& reply) {
    std::uint64_t useless = 0;
    taking_reply_ = true;
    for (const VerifiedCertificate& certificate : reply.certificates) {
        const Slot slot = certificate->ref().slot();
        const auto present = [&] { return graph_.find(slot) != nullptr || suspended_.contains(slot); };
        const bool wanted = slot.round > graph_.floor() && !present();
        accept(certificate);
        if (!wanted || !present()) ++useless;
    }
    taking_reply_ = false;
    return useless;
}

AuthorSet Engine::State::connected() const {
    AuthorSet others;
    for (std::size_t at = 0; at < members_.size(); ++at) {
        if (members_[at].connected) others.insert(ValidatorIndex{static_cast<std::uint16_t>(at)});
    }
    if (self_) others.erase(*self_);
    return others;
}

void Engine::State::sync_rounds() {
    if (scan_until_ && (!scan_ || now_ >= *scan_until_)) scan_until_.reset();
    if (behind() || swamped()) return;
    AuthorSet quorum = connected();
    if (self_) quorum.insert(*self_);
    // By then others have shown how far they are, and ranges do what lies above the graph.
    if (scan_wanted_ && !looking_ && committee_.is_quorum(quorum)) {
        scan_wanted_ = false;
        scan_.emplace(RoundSync::Goal{connected(), next(graph_.floor()), graph_.highest()}, self_,
                      config_.request_timeout, preference_, proof_spacing(committee_));
        scan_until_ = now_ + config_.request_timeout;
    }
    if (now_ >= background_at_) {
        background_at_ = now_ + config_.background_sync;
        const auto peer = preference_.choose(connected());
        // A member far behind asks for ranges instead.
        if (peer && !background_ && !range_.active(graph_.highest()) && !planted(Planted::never_catches_up)) {
            AuthorSet only;
            only.insert(*peer);
            // While the graph grows, what lies at its end is on its way to us.
            const bool grows = now_ - grown_ < config_.idle_round + config_.resend_max;
            const Round last = grows ? below(graph_.highest(), 2) : above(graph_.highest(), config_.ahead);
            background_.emplace(RoundSync::Goal{only, next(graph_.floor()), last}, self_,
                                config_.request_timeout, preference_, proof_spacing(committee_));
        }
    }
    for (std::optional<RoundSync>* job : {&scan_, &background_}) {
        if (!*job) continue;
        (*job)->poll(now_, graph_, suspended_, request_ids_, *out_);
        if ((*job)->finished()) job->reset();
    }
    if (!scan_) scan_until_.reset();
}

std::optional<Time> Engine::State::next_sync() const {
    return scan_until_ ? std::min(*scan_until_, background_at_) : background_at_;
}

}  // namespace monodon::dag
