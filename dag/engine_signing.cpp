#include <algorithm>

#include "dag/engine_state.hpp"

namespace monodon::dag {

void Engine::State::begin_signing() {
    if (!self_) return;
    if (signing_.ask) {
        out_->emplace_back(SigningChanged{
            signing_,
            "this store may not know all that was signed with this key: it was lost, or it is a restored "
            "backup"});
    }
    // What came in the life before this one and was stored, but not noticed in time.
    for (Round round = next(graph_.floor()); round <= graph_.highest(); round = next(round)) {
        graph_.for_each(round, [&](const Vertex& vertex) { look_for_forgotten(*vertex.certificate); });
    }
    looking_ = config_.notice_forgotten;
    if (looking_ || signing_.ask) rejoin_.begin();
    end_looking_if_known();
}

/// An old copy of a store does not know that it is one. Before the first signature of a life members that
/// make a quorum with us show the newest header of ours that they hold. That costs a round trip and no
/// liveness: without so many members nothing is certified.
void Engine::State::end_looking_if_known() {
    if (!looking_ || rejoin_.stake() + committee_.stake(*self_) < committee_.quorum()) return;
    looking_ = false;
    if (signing_.ask) return;
    rejoin_.end();
    std::vector<ValidatorIndex> complete;
    for (const auto& [author, pending] : pending_) {
        if (pending.missing.empty()) complete.push_back(author);
    }
    for (const ValidatorIndex author : complete) vote_if_complete(author);
}

/// Nobody but us makes our signatures: one that the own records do not know of was made in a life that this
/// store has forgotten, or by another process with our key.
void Engine::State::look_for_forgotten(const Certificate& certificate) {
    const HeaderRef ref = certificate.ref();
    if (ref.author == self_) return look_for_forgotten(certificate.header);
    if (!self_ || !certificate.signers.contains(*self_)) return;
    const auto& last = votes_.last(ref.author);
    const bool known = last && (last->round > ref.round || last->ref() == ref);
    if (!known) forgot(ref);
}

void Engine::State::look_for_forgotten(const Header& header) {
    const HeaderRef ref = header.ref();
    if (ref.author != self_) return;
    const bool known =
        own_ && (own_->votes.header()->round > ref.round || own_->votes.header()->ref() == ref);
    if (!known) forgot(ref);
}

void Engine::State::forgot(const HeaderRef& signed_by_us) {
    if (!config_.notice_forgotten || !within_bound(signed_by_us.round)) return;
    signing_ = {signed_by_us.round, true};
    new_bound_.reset();
    if (!rejoin_.asking()) rejoin_.begin();
    while (!pending_.empty()) drop_pending(pending_.begin()->first);
    write(SigningRecord{signing_});
    out_->emplace_back(SigningChanged{
        signing_, "this key has signed the header of round " + std::to_string(signed_by_us.round.value()) +
                      " of validator " + std::to_string(signed_by_us.author.value()) +
                      ", which this store does not know: an old copy of the home was put back, or another "
                      "process runs with this key"});
}

void Engine::State::bound_if_known() {
    const auto shown = rejoin_.bound();
    if (!signing_.ask || !shown || new_bound_) return;
    Round above = std::max(*shown, signing_.above);
    if (own_) above = std::max(above, own_->votes.header()->round);
    new_bound_ = above;
    write(SigningRecord{{above, false}}, BoundDurable{above});
}

void Engine::State::release(const BoundDurable& durable) {
    if (new_bound_ != durable.above) return;
    new_bound_.reset();
    rejoin_.end();
    signing_ = {durable.above, false};
    out_->emplace_back(SigningChanged{signing_, "members with a quorum of stake have answered"});
}

}  // namespace monodon::dag
