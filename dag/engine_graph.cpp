#include <algorithm>

#include "dag/engine_state.hpp"
#include "dag/planted.hpp"
#include "net/core/check.hpp"

namespace monodon::dag {

void Engine::State::accept(const VerifiedCertificate& certificate) {
    if (halted_) return;
    if (certificate->has_proof()) {
        AuthorSet holders = certificate->signers;
        holders.insert(certificate->header.author);
        range_.hint(certificate->header.round, holders);
    }
    look_for_forgotten(*certificate);
    std::vector<VerifiedCertificate> ready{certificate};
    bool grown = false;
    while (!ready.empty() && !halted_) {
        std::vector<VerifiedCertificate> released;
        for (const VerifiedCertificate& each : ready) {
            grown = insert(each, released) || grown;
        }
        ready = std::move(released);
    }
    if (grown && !halted_) order();
}

bool Engine::State::insert(const VerifiedCertificate& certificate,
                           std::vector<VerifiedCertificate>& released) {
    const HeaderRef ref = certificate->ref();
    switch (graph_.insert(certificate)) {
        case Insertion::inserted: {
            inserted(certificate);
            for (VerifiedCertificate& each : suspended_.release(next(ref.round), graph_)) {
                released.push_back(std::move(each));
            }
            return true;
        }
        case Insertion::missing_parents:
            if (suspended_.add(certificate, graph_.highest(), taking_reply_)) fetcher_.found(ref.digest);
            break;
        case Insertion::conflict:
            halt("two certificates for round " + std::to_string(ref.round.value()) + " of validator " +
                 std::to_string(ref.author.value()) + ": " + graph_.find(ref.slot())->ref().digest.hex() +
                 " and " + ref.digest.hex());
            break;
        case Insertion::duplicate:
            if (graph_.prove(certificate)) write(CertificateRecord{certificate});
            fetcher_.found(ref.digest);
            break;
        case Insertion::below_floor:
            fetcher_.found(ref.digest);
            break;
    }
    return false;
}

void Engine::State::inserted(const VerifiedCertificate& certificate) {
    const Header& header = certificate->header;
    ++counters_.certificates_inserted;
    grown_ = now_;
    write(CertificateRecord{certificate});
    if (const auto since = fetcher_.asked_since(header.digest)) parents_waited_.add(now_ - *since);
    fetcher_.found(header.digest);
    ValidatorStatus& author = members_.at(header.author.value());
    author.last_certificate = std::max(author.last_certificate, header.round);
    claims_.heard(header.author, header.committed);
    if (!header.payload.empty()) loaded_[header.round].insert(header.author);
    if (header.round > out_of_reach_) {
        for (const PayloadEntry& entry : header.payload) batches_.referenced(entry.batch);
    }
    if (graph_.has_quorum(header.round)) pacemaker_.quorum_reached(header.round, now_);
    // What is here by its hash shows nobody anything: our votes make it a certificate once more.
    const bool own = own_ && own_->votes.header()->ref() == header.ref() && !own_->votes.certified();
    if (own && certificate->has_proof()) {
        own_->votes.complete(certificate);
    }
    resolved(header.digest);
    if (planted(Planted::observer_relays) && !self_) out_->emplace_back(Broadcast{certificate});
    if (planted(Planted::collected_by_round)) collect(below(graph_.highest(), config_.retention));
}

void Engine::State::want_parents() {
    if (suspended_.empty()) return;
    const Round limit = above(graph_.highest(), 1 + RangeFetcher::kRoundsByDigest);
    for (const auto& [slot, certificate] : suspended_.all()) {
        if (slot.round > limit) break;
        const AuthorSet holders = suspended_.holders_below(certificate, committee_.everybody());
        for (const HeaderRef& parent : graph_.missing_parents(certificate->header)) {
            if (suspended_.contains(parent.slot())) continue;
            fetcher_.want_certificate(parent.digest, parent.round, holders, slot.author,
                                      parent.author != self_);
        }
    }
}

void Engine::State::order() {
    for (const CommitPtr& commit : orderer_.evaluate(graph_)) {
        if (halted_) return;
        ordered(commit);
    }
}

void Engine::State::ordered(const CommitPtr& commit) {
    const Round anchor = commit->anchor.round;
    last_commit_ = commit->claim();
    counters_.last_anchor = commit->anchor;
    ++counters_.anchors_committed;
    counters_.anchors_skipped += commit->failed.size();
    pacemaker_.committed();
    note_anchors(*commit);
    claims_.committed(commit->claim());
    if (const auto index = claims_.divergence()) {
        halt("members with a supporting share of stake report another digest for commit " +
             std::to_string(index->value()));
        return;
    }
    for (const PayloadEntry& entry : commit->payload) {
        payload_.executed(entry.batch);
        batches_.referenced(entry.batch);
    }
    for (const HeaderRef& each : commit->certificates) {
        const auto at = loaded_.find(each.round);
        if (at != loaded_.end()) at->second.erase(each.author);
    }
    std::erase_if(loaded_, [&](const auto& each) {
        return each.second.empty() || each.first <= below(anchor, config_.ordering.window);
    });
    reinject_payload(anchor);
    abandon_payload(anchor);
    const Round floor = std::max(graph_.floor(), below(anchor, config_.retention));
    if (planted(Planted::commit_before_durable)) {
        write(CommitRecord{commit});
        return release(CommitDurable{commit, floor});
    }
    write(CommitRecord{commit}, CommitDurable{commit, floor});
    write(GraphFloorRecord{floor});
}

void Engine::State::note_anchors(const Commit& commit) {
    for (const Slot& failed : commit.failed) anchors_[failed.round] = failed.author;
    anchors_[commit.anchor.round] = commit.anchor.author;
}

void Engine::State::reinject_payload(Round anchor) {
    payload_.reinject([&](Round round) {
        if (planted(Planted::not_reinjected)) return false;
        if (above(round, config_.ordering.window) < anchor) return true;
        if (above(round, 2) >= anchor) return false;
        const Vertex* vertex = graph_.find({round, *self_});
        // Votes are taken for the newest own header only, and parents reach back one round only.
        if (vertex == nullptr) return own_ && own_->votes.header()->round > round;
        return vertex->children.empty();
    });
    for (const Digest& batch : payload_.expire(anchor)) out_->emplace_back(Requeue{batch});
}

/// A certificate that was not ordered and lies below the reach of all later anchors brings its batches
/// nowhere. If their author is gone as well, somebody must adopt them (A9).
void Engine::State::abandon_payload(Round anchor) {
    const Round last = below(anchor, config_.ordering.window + 1);
    for (Round round = next(std::max(out_of_reach_, graph_.floor())); round <= last; round = next(round)) {
        graph_.for_each(round, [&](const Vertex& vertex) {
            if (vertex.ordered) return;
            for (const PayloadEntry& entry : unexecuted(vertex.certificate->header)) {
                batches_.abandoned(entry.batch);
            }
        });
    }
    out_of_reach_ = std::max(out_of_reach_, last);
}

void Engine::State::release(const CommitDurable& durable) {
    durable_commit_ = durable.commit->claim();
    out_->emplace_back(Committed{durable.commit});
    undelivered_.push_back(durable.commit);
    // What an application that does not get on leaves here is in the store as well.
    if (undelivered_.size() > kUnexecutedMax) undelivered_.pop_front();
    hand_over();
    collect(durable.floor);
    // A batch lives LIFE rounds, but one that nobody brought into the order for so long is found through the
    // reader.
    batches_.collect(below(durable.commit->anchor.round, 16 * config_.ordering.window));
}

/// Gives delivery what is durable, in order, and at most so much ahead of execution: a state that is far
/// behind, or an application that stands still, would need more commits than memory should hold. The rest
/// comes from the store as execution gets on.
void Engine::State::hand_over() {
    while (!halted_ && handed_ < durable_commit_.index) {
        if (handed_.value() - std::min(handed_, executed_).value() >= kUnexecutedMax) return;
        CommitPtr commit;
        if (!undelivered_.empty() && undelivered_.front()->index == next(handed_)) {
            commit = std::move(undelivered_.front());
            undelivered_.pop_front();
        } else {
            commit = reader_.commit(next(handed_));
            // It was whole when the state was recovered, or when we wrote it.
            if (commit == nullptr) {
                return halt("commit " + std::to_string(next(handed_).value()) +
                            " is durable and cannot be read any more: see `monodon db check`");
            }
        }
        handed_ = commit->index;
        execute_when_stored(commit);
    }
}

void Engine::State::execute_when_stored(const CommitPtr& commit) {
    const std::vector<PayloadEntry> missing = delivery_.push(commit, batches_);
    if (missing.empty()) return;
    std::map<Digest, AuthorSet> holders;
    for (const HeaderRef& ref : commit->certificates) {
        const Vertex* vertex = graph_.find(ref.slot());
        if (vertex == nullptr || !vertex->certificate->has_proof()) continue;
        for (const PayloadEntry& entry : vertex->certificate->header.payload) {
            holders[entry.batch] |= vertex->certificate->signers;
        }
    }
    for (const PayloadEntry& entry : missing) {
        if (planted(Planted::batch_not_fetched)) break;
        const auto signers = holders.find(entry.batch);
        fetcher_.want_for_execution({entry.batch, entry.sealed_round}, commit->anchor.round,
                                    signers == holders.end() ? committee_.everybody() : signers->second,
                                    entry.author);
    }
}

void Engine::State::collect(Round floor) {
    if (floor <= graph_.floor()) return;
    graph_.collect(floor);
    anchors_.erase(anchors_.begin(), anchors_.upper_bound(floor));
    suspended_.collect(floor);
    fetcher_.collect(floor);
    for (std::size_t at = 0; at < committee_.size(); ++at) {
        const ValidatorIndex author{static_cast<std::uint16_t>(at)};
        const auto pending = pending_.find(author);
        if (pending != pending_.end() && pending->second.header->round <= floor) drop_pending(author);
    }
    // Of the lowest round the parents are not looked at any more.
    for (const VerifiedCertificate& each : suspended_.release(next(floor), graph_)) accept(each);
}

void Engine::State::restore(RecoveredState& recovered) {
    for (const VerifiedCertificate& certificate : recovered.certificates) {
        const Header& header = certificate->header;
        if (certificate->has_proof()) {
            AuthorSet holders = certificate->signers;
            holders.insert(header.author);
            range_.hint(header.round, holders);
        }
        switch (graph_.insert(certificate)) {
            case Insertion::inserted:
                break;
            case Insertion::missing_parents:
                (void)suspended_.add(certificate, graph_.highest());
                continue;
            case Insertion::duplicate:
            case Insertion::below_floor:
                continue;
            case Insertion::conflict:
                MONODON_CHECK(false);
        }
        ValidatorStatus& author = members_.at(header.author.value());
        author.last_certificate = std::max(author.last_certificate, header.round);
        for (const PayloadEntry& entry : header.payload) batches_.referenced(entry.batch);
    }
    orderer_.restore(recovered.commits, graph_);
    for (const CommitPtr& commit : recovered.commits) {
        claims_.committed(commit->claim());
        last_commit_ = durable_commit_ = commit->claim();
        counters_.last_anchor = commit->anchor;
        note_anchors(*commit);
    }
    MONODON_CHECK(executed_ <= last_commit_.index);
    for (const CommitPtr& commit : recovered.commits) {
        if (commit->index > executed_) undelivered_.push_back(commit);
    }
    anchors_.erase(anchors_.begin(), anchors_.upper_bound(graph_.floor()));
    for (Round round = next(graph_.floor()); round <= graph_.highest(); round = next(round)) {
        graph_.for_each(round, [&](const Vertex& vertex) {
            const Header& header = vertex.certificate->header;
            if (vertex.ordered || header.payload.empty()) return;
            loaded_[round].insert(header.author);
            if (header.author == self_) payload_.restore(round, unexecuted(header));
        });
    }
    for (const Vote& vote : recovered.votes) {
        if (planted(Planted::votes_forgotten)) break;
        if (planted(Planted::own_header_forgotten) && vote.author == self_) continue;
        votes_.record(vote);
        vote_durable_.insert(vote.author);
    }
    if (!recovered.own_header || planted(Planted::own_header_forgotten)) return;
    const VerifiedHeader& header = *recovered.own_header;
    own_.emplace(OwnHeader{VoteCollector(committee_, header), true});
    const Vertex* vertex = graph_.find(header->ref().slot());
    if (vertex != nullptr && vertex->ref() == header->ref() && vertex->certificate->has_proof()) {
        own_->votes.complete(vertex->certificate);
    }
    if (vertex == nullptr || !vertex->ordered) payload_.restore(header->round, unexecuted(*header));
}

std::vector<PayloadEntry> Engine::State::unexecuted(const Header& header) const {
    std::vector<PayloadEntry> open;
    for (const PayloadEntry& entry : header.payload) {
        if (!orderer_.has_executed(entry)) open.push_back(entry);
    }
    return open;
}

}  // namespace monodon::dag
