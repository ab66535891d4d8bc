#include <algorithm>

#include "dag/engine_state.hpp"
#include "dag/planted.hpp"
#include "net/core/check.hpp"

namespace monodon::dag {

namespace {

/// How many rounds back a member must have been certified for the next header to wait for it a little (A3).
constexpr std::uint64_t kRecentRounds = 8;

}  // namespace

void Engine::State::consider(const VerifiedHeader& header) {
    const HeaderRef ref = header->ref();
    if (ref.author == self_) return look_for_forgotten(*header);
    note_heard(*header);
    if (halted_ || !within_bound(ref.round)) return;
    // V2. A round far ahead is not believed: its author sends it again.
    if (ref.round <= graph_.floor() || distance(graph_.highest(), ref.round) > config_.ahead) return;
    // V4. Parents at the floor are gone and cannot be looked at, and a vote is what proves them: who takes an
    // ancestor by its hash alone relies on it (C3). Only the first round has none.
    if (ref.round > Round{1} && ref.round <= next(graph_.floor())) return;
    switch (votes_.ask(ref)) {
        case VoteBook::Answer::grant:
            break;
        case VoteBook::Answer::repeat:
            if (planted(Planted::vote_not_repeated)) return;
            if (vote_durable_.contains(ref.author)) release(VoteDurable{*votes_.last(ref.author)});
            return;
        case VoteBook::Answer::equivocation:
            note_equivocation(votes_.last(ref.author)->ref(), ref);
            return;
        case VoteBook::Answer::too_old:
            return;
    }
    const auto waiting = pending_.find(ref.author);
    if (waiting != pending_.end()) {
        const HeaderRef present = waiting->second.header->ref();
        if (present.round > ref.round) return;
        if (present.round == ref.round && present != ref) note_equivocation(present, ref);
        if (present.round == ref.round) {
            if (present == ref) want_missing(waiting->second);
            return;
        }
        drop_pending(ref.author);
    }
    if (!payload_is_possible(*header)) return;
    const Round anchor = counters_.last_anchor ? counters_.last_anchor->round : Round{0};
    if (!header->payload.empty() && above(ref.round, config_.ordering.window) > anchor) {
        loaded_[ref.round].insert(ref.author);
    }
    PendingHeader& pending = pending_.emplace(ref.author, PendingHeader{header, {}}).first->second;
    want_missing(pending);
    vote_if_complete(ref.author);
}

/// Its author was there, and says where it stands.
void Engine::State::note_heard(const Header& header) {
    ValidatorStatus& author = members_.at(header.author.value());
    author.last_header = std::max(author.last_header, header.round);
    author.heard = true;
    claims_.heard(header.author, header.committed);
    if (const auto index = claims_.divergence()) {
        halt("members with a supporting share of stake report another digest for commit " +
             std::to_string(index->value()));
    }
}

void Engine::State::note_equivocation(const HeaderRef& first, const HeaderRef& second) {
    // One report a slot, in rising rounds: an author can sign as many as it likes.
    Round& newest = equivocated_[second.author];
    if (second.round <= newest) return;
    newest = second.round;
    ++counters_.equivocations;
    out_->emplace_back(Equivocation{first, second});
}

/// The part of V5 that needs no batch: a batch must be young enough to be executed.
bool Engine::State::payload_is_possible(const Header& header) const {
    const std::uint64_t half_life = config_.ordering.batch_life / 2;
    return std::all_of(header.payload.begin(), header.payload.end(), [&](const PayloadEntry& entry) {
        if (header.round.value() >= entry.sealed_round.value() + half_life) return false;
        const auto stored = batches_.find(entry);
        return !stored || *stored == entry;
    });
}

void Engine::State::want_missing(PendingHeader& pending) {
    const Header& header = *pending.header;
    pending.missing.clear();
    AuthorSet author_only;
    author_only.insert(header.author);
    for (const HeaderRef& parent : graph_.missing_parents(header)) {
        if (planted(Planted::parents_unchecked)) break;
        pending.missing.insert(parent.digest);
        if (suspended_.contains(parent.slot())) continue;
        fetcher_.want_certificate(parent.digest, parent.round, author_only, header.author);
    }
    for (const PayloadEntry& entry : header.payload) {
        if (batches_.find(entry)) continue;
        pending.missing.insert(entry.batch);
        if (planted(Planted::batch_not_fetched)) continue;
        fetcher_.want_batch({entry.batch, entry.sealed_round}, header.round, committee_.everybody(),
                            header.author);
    }
}

void Engine::State::resolved(const Digest& digest) {
    std::vector<ValidatorIndex> complete;
    for (auto& [author, pending] : pending_) {
        if (pending.missing.erase(digest) > 0 && pending.missing.empty()) complete.push_back(author);
    }
    for (const ValidatorIndex author : complete) vote_if_complete(author);
}

void Engine::State::vote_if_complete(ValidatorIndex author) {
    const auto at = pending_.find(author);
    if (at == pending_.end() || !at->second.missing.empty() || looking_) return;
    const VerifiedHeader header = at->second.header;
    pending_.erase(at);
    if (!may_sign(header->round)) return;
    const bool rooted = graph_.has_all_parents(*header) || planted(Planted::parents_unchecked);
    if (!rooted || !payload_is_possible(*header)) return;
    if (votes_.ask(header->ref()) != VoteBook::Answer::grant) return;
    const Vote vote = sign_vote(committee_, *signer_, *self_, header->ref());
    votes_.record(vote);
    vote_durable_.erase(author);
    ++counters_.votes_given;
    if (planted(Planted::vote_before_durable)) release(VoteDurable{vote});
    write(VoteRecord{vote}, VoteDurable{vote});
}

void Engine::State::drop_pending(ValidatorIndex author) {
    const auto at = pending_.find(author);
    for (const Digest& digest : at->second.missing) fetcher_.drop(digest);
    pending_.erase(at);
}

void Engine::State::release(const VoteDurable& durable) {
    const Vote& vote = durable.vote;
    if (!may_sign(vote.round)) return;
    // A later vote for this author may be on its way to the disk already: it is not released by this write.
    if (votes_.last(vote.author)->ref() == vote.ref()) vote_durable_.insert(vote.author);
    if (vote.author == self_) {
        count_vote(vote);
    } else {
        out_->emplace_back(Send{vote.author, Verification::trusted(vote)});
    }
}

void Engine::State::release(const HeaderDurable& durable) {
    if (!may_sign(durable.header.round)) return;
    // The committee may have gone on without it: then a newer header is on its way to the disk.
    if (own_->votes.header()->ref() != durable.header) return;
    own_->durable = true;
    out_->emplace_back(Broadcast{own_->votes.header()});
    resend_pause_ = config_.resend;
    resend_at_ = now_ + resend_pause_;
}

void Engine::State::count_vote(const Vote& vote) {
    if (!own_ || !own_->votes.add(vote)) return;
    const VerifiedCertificate certificate = *own_->votes.certificate();
    out_->emplace_back(Broadcast{certificate});
    if (!certificate->header.payload.empty()) out_->emplace_back(OwnCertified{certificate->header.payload});
    accept(certificate);
}

std::optional<Pacemaker::RoundState> Engine::State::round_state() const {
    const Round round = graph_.highest_quorum();
    if (proposals_paused_ || scan_until_ || !may_sign(next(round))) return std::nullopt;
    if (own_ && own_->votes.header()->round > round) return std::nullopt;
    // A verified certificate two rounds up proves a quorum that we do not have: fetch first (A1).
    if (range_.target() > next(round)) return std::nullopt;
    if (round <= graph_.floor() && graph_.floor() > Round{0}) return std::nullopt;
    Pacemaker::RoundState state;
    state.round = round;
    state.has_work = payload_.has_waiting() || !loaded_.empty();
    state.jumped = !own_ || own_->votes.header()->round < round;
    if (round == Round{0}) return state;
    const AuthorSet here = graph_.authors(round);
    state.complete = here == committee_.everybody();
    AuthorSet recent;
    for (std::uint64_t back = 1; back <= kRecentRounds; ++back) recent |= graph_.authors(below(round, back));
    state.recent_complete = recent.without(here).empty();
    const auto expected = orderer_.expected_anchor(round);
    state.anchors_settled = !expected || here.contains(*expected);
    const Round before = below(round, 1);
    const auto earlier = orderer_.expected_anchor(before);
    const Vertex* anchor = earlier ? graph_.find({before, *earlier}) : nullptr;
    if (anchor != nullptr && anchor->support < committee_.support()) {
        const AuthorSet against = here.without(anchor->children);
        state.anchors_settled = state.anchors_settled && committee_.is_quorum(against);
    }
    return state;
}

void Engine::State::propose_if_due() {
    propose_at_.reset();
    const auto state = round_state();
    if (!state) return;
    const Time at = pacemaker_.propose_at(*state);
    if (at > now_) {
        propose_at_ = at;
        return;
    }
    pacemaker_.count_timeout(*state, now_);
    propose(next(state->round));
}

void Engine::State::propose(Round round) {
    Header header;
    header.epoch = committee_.epoch();
    header.round = round;
    header.author = *self_;
    header.created_at = static_cast<std::uint64_t>(now_.time_since_epoch().count());
    header.committed = durable_commit_;
    graph_.for_each(below(round, 1), [&](const Vertex& vertex) {
        header.parents.push_back({vertex.ref().author, vertex.ref().digest});
    });
    // A8: rounds go on without payload while execution is behind.
    if (commits_waiting() <= config_.unexecuted_commits_max) {
        for (const PayloadEntry& entry : batches_.adoptable(
                 *self_, committee_.size(), round, config_.ordering.window, kPayloadEntriesMax / 4)) {
            if (!orderer_.has_executed(entry)) payload_.add(entry);
        }
        // Commits may be further apart than a history reaches (A7): what lies below the reach of an anchor of
        // this round is named again. It is executed once, whichever header is ordered.
        payload_.reinject([&](Round named) {
            return above(named, config_.ordering.window) < round && !planted(Planted::not_reinjected);
        });
        header.payload = payload_.take(round, kPayloadEntriesMax);
    }
    if (!header.payload.empty()) loaded_[round].insert(*self_);
    sign_header(committee_, *signer_, header);

    const Vote vote = sign_vote(committee_, *signer_, *self_, header.ref());
    const VerifiedHeader verified = Verification::trusted(std::move(header));
    votes_.record(vote);
    vote_durable_.erase(*self_);
    own_.emplace(OwnHeader{VoteCollector(committee_, verified), false});
    resend_at_.reset();
    pacemaker_.proposed(now_);
    ++counters_.headers_proposed;
    if (planted(Planted::header_before_durable)) out_->emplace_back(Broadcast{verified});
    // One write for both: the vote binds us no more than the header does.
    write(OwnHeaderRecord{verified}, HeaderDurable{verified->ref()});
    write(VoteRecord{vote}, VoteDurable{vote});
}

void Engine::State::resend_if_due() {
    if (!resend_at_ || now_ < *resend_at_) return;
    for (std::size_t at = 0; at < committee_.size(); ++at)
        send_own(ValidatorIndex{static_cast<std::uint16_t>(at)});
    resend_pause_ = std::min(resend_pause_ * 2, config_.resend_max);
    resend_at_ = now_ + resend_pause_;
}

/// Until a member has voted it is sent our header; from the certificate on it is sent that, until a header of
/// the next round shows that it has got on (4.4).
void Engine::State::send_own(ValidatorIndex peer) {
    if (planted(Planted::nothing_resent)) return;
    if (!own_ || !own_->durable || peer == self_ || !members_.at(peer.value()).connected) return;
    const VerifiedHeader& header = own_->votes.header();
    if (!own_->votes.certified()) {
        if (!own_->votes.voters().contains(peer)) out_->emplace_back(Send{peer, header});
    } else if (members_.at(peer.value()).last_header <= header->round) {
        out_->emplace_back(Send{peer, *own_->votes.certificate()});
    }
}

}  // namespace monodon::dag
