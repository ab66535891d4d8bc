#include "tools/simulate/judge.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "dag/ordering/orderer.hpp"
#include "dag/sync/range_fetcher.hpp"
#include "dag/sync/round_sync.hpp"

namespace monodon::sim {

namespace {

std::string text(const dag::HeaderRef& ref) {
    return fmt::format("({}, {}, {})", ref.round.value(), ref.author.value(), ref.digest.short_hex());
}

}  // namespace

Judge::Judge(const dag::Committee& committee, dag::OrderingConfig ordering, std::uint64_t ahead,
             std::function<bool(NodeId)> honest)
    : committee_(committee), ordering_(std::move(ordering)), ahead_(ahead), honest_(std::move(honest)) {}

void Judge::report(std::string invariant, std::string what) {
    if (!violation_) violation_ = Violation{std::move(invariant), std::move(what)};
}

void Judge::header_left(NodeId node, const dag::HeaderRef& header, bool durable) {
    if (!honest_(node)) return;
    if (!durable) {
        report("4 durable before sent",
               fmt::format("node {} sent its header {} before it was durable", node, text(header)));
    }
    const auto [first, fresh] = headers_.try_emplace(header.slot(), header.digest);
    if (first->second != header.digest) {
        report("4 one own header per round",
               fmt::format("node {} made {} after another header of that round", node, text(header)));
    }
}

void Judge::vote_left(NodeId node, const dag::Vote& vote, bool durable) {
    if (!honest_(node)) return;
    if (!durable) {
        report("4 durable before sent",
               fmt::format("node {} sent its vote for {} before it was durable", node, text(vote.ref())));
    }
    const auto [first, fresh] = votes_.try_emplace({node, vote.ref().slot()}, vote.header);
    if (first->second != vote.header) {
        report("4 one vote per slot",
               fmt::format("node {} voted for {} and for another header of that slot, {}", node,
                           text(vote.ref()), first->second.short_hex()));
    }
}

void Judge::inserted(NodeId node, const std::shared_ptr<const dag::Certificate>& certificate) {
    if (!honest_(node)) return;
    const dag::HeaderRef ref = certificate->ref();
    const auto [first, fresh] = certificates_.try_emplace(ref.slot(), certificate);
    if (first->second->header.digest != ref.digest) {
        report("4 one certificate per slot",
               fmt::format("node {} holds {}, another node {}", node, text(ref), text(first->second->ref())));
    }
    if (!certificate->has_proof()) by_hash(node, ref);
    if (!fresh) return;
    certificate->signers.for_each([&](dag::ValidatorIndex signer) {
        const NodeId voter = signer.value();
        if (!honest_(voter) || signer == ref.author) return;
        const auto vote = votes_.find({voter, ref.slot()});
        if (vote == votes_.end() || vote->second != ref.digest) {
            report(
                "2 none invented",
                fmt::format("the certificate {} names node {}, which did not vote for it", text(ref), voter));
        }
    });
    for (const dag::PayloadEntry& entry : certificate->header.payload) {
        const auto known = known_.find(entry.batch);
        if (known == known_.end() || known->second != entry) {
            report("2 none invented", fmt::format("the certificate {} names a batch that nobody made or "
                                                  "that is another",
                                                  text(ref)));
        }
    }
}

void Judge::by_hash(NodeId node, const dag::HeaderRef& ref) {
    ++by_hash_;
    // The author votes for its own header without sending it; of a quorum the rest but f is honest.
    dag::Stake stake = committee_.stake(ref.author);
    for (NodeId voter = 0; voter < committee_.size(); ++voter) {
        const auto vote = votes_.find({voter, ref.slot()});
        const bool voted = vote != votes_.end() && vote->second == ref.digest;
        if (voted && voter != ref.author.value())
            stake += committee_.stake(dag::ValidatorIndex{static_cast<std::uint16_t>(voter)});
    }
    if (stake < committee_.support()) {
        report("2 none invented",
               fmt::format("node {} took {} by its hash, which no quorum has voted for", node, text(ref)));
    }
}

void Judge::decided(NodeId node, const dag::CommitPtr& commit) {
    if (!honest_(node) || violation_) return;
    const std::uint64_t index = commit->index.value();
    if (index == canonical_.size() + 1) return extend(node, commit);
    if (index == 0 || index > canonical_.size()) {
        return report("9 no gap", fmt::format("node {} decided commit {}, nobody has decided {}", node, index,
                                              canonical_.size() + 1));
    }
    if (canonical_[index - 1]->digest != commit->digest) {
        report("1 agreement", fmt::format("commit {} of node {} has the anchor {}, of another node {}", index,
                                          node, text(commit->anchor), text(canonical_[index - 1]->anchor)));
    }
}

void Judge::extend(NodeId node, const dag::CommitPtr& commit) {
    const std::uint64_t index = commit->index.value();
    const dag::Round before = canonical_.empty() ? dag::Round{0} : canonical_.back()->anchor.round;
    const Digest previous = canonical_.empty() ? Digest{} : canonical_.back()->digest;
    if (commit->anchor.round <= before || commit->previous != previous ||
        commit->digest != commit_digest(committee_, *commit)) {
        report("9 one chain", fmt::format("commit {} of node {} does not continue the chain", index, node));
    }
    canonical_.push_back(commit);
    for (const dag::HeaderRef& ref : commit->certificates) {
        if (!ordered_.emplace(ref.slot(), ref.digest).second) {
            report("2 nothing ordered twice",
                   fmt::format("commit {} of node {} orders {} again", index, node, text(ref)));
        }
    }
    for (const dag::HeaderRef& ref : commit->certificates) {
        if (is_closed(*commit, ref)) continue;
        report("3 causal completeness",
               fmt::format("commit {} of node {} orders {} without all its parents", index, node, text(ref)));
    }
    for (const dag::PayloadEntry& entry : commit->payload) {
        const bool alive = commit->anchor.round <= above(entry.sealed_round, ordering_.batch_life);
        if (!executed_.emplace(entry.batch, commit->index).second || !alive) {
            report("2 nothing executed twice",
                   fmt::format("commit {} of node {} executes batch {} again or too late", index, node,
                               entry.batch.short_hex()));
        }
    }
}

bool Judge::is_closed(const dag::Commit& commit, const dag::HeaderRef& ref) {
    const auto known = certificates_.find(ref.slot());
    if (known == certificates_.end() || known->second->header.digest != ref.digest) return false;
    const dag::Round low = std::max(dag::Round{1}, below(commit.anchor.round, ordering_.window));
    if (ref.round < low) return false;
    if (below(ref.round, 1) < low) return true;
    return std::all_of(known->second->header.parents.begin(), known->second->header.parents.end(),
                       [&](const dag::Parent& parent) {
                           const auto at = ordered_.find({below(ref.round, 1), parent.author});
                           return at != ordered_.end() && at->second == parent.header;
                       });
}

void Judge::delivered(NodeId node, dag::CommitIndex after, dag::CommitIndex durable,
                      const dag::Commit& commit) {
    if (!honest_(node)) return;
    if (commit.index > durable) {
        report("4 durable before executed",
               fmt::format("node {} was given commit {} before it was durable", node, commit.index.value()));
    }
    if (commit.index != next(after)) {
        report("9 no gap and no duplicate", fmt::format("node {} was given commit {} after {}", node,
                                                        commit.index.value(), after.value()));
    }
    const bool same = commit.index.value() >= 1 && commit.index.value() <= canonical_.size() &&
                      canonical_[commit.index.value() - 1]->digest == commit.digest;
    if (!same) {
        report("1 agreement", fmt::format("node {} executes another commit {}", node, commit.index.value()));
    }
}

void Judge::applied(NodeId node, dag::CommitIndex index, std::uint64_t state) {
    if (!honest_(node)) return;
    if (states_.try_emplace(index, state).first->second == state) return;
    report("1 agreement", fmt::format("node {} is in another state after commit {}", node, index.value()));
}

void Judge::session_broken(dag::ValidatorIndex by, NodeId at, const std::string& how) {
    if (!honest_(by.value())) return;
    report("8 bounds",
           fmt::format("what node {} asks of node {} breaks the session: {}", by.value(), at, how));
}

void Judge::status(NodeId node, const dag::EngineStatus& status) {
    if (!honest_(node)) return;
    const std::size_t members = committee_.size();
    const std::size_t requests =
        4 * members + dag::RangeFetcher::kRequestsMax + 2 * dag::RoundSync::kRequestsMax;
    const bool bounded = status.suspended <= members * (ahead_ + 1) && status.pending_headers <= members &&
                         status.requests_in_flight <= requests && status.pending_payload <= known_.size() &&
                         status.missing_batches <= known_.size();
    if (!bounded) {
        report("8 bounds",
               fmt::format("node {} holds {} suspended, {} pending headers, {} requests, {} batches to "
                           "propose, {} missing",
                           node, status.suspended, status.pending_headers, status.requests_in_flight,
                           status.pending_payload, status.missing_batches));
    }
    const bool ordered = status.executed <= status.delivered &&
                         status.delivered <= status.last_commit.index &&
                         status.durable_commit.index <= status.last_commit.index;
    if (!ordered) report("9 stages in order", fmt::format("node {} runs ahead of what is durable", node));
}

void Judge::halted(NodeId node, const std::string& reason) {
    if (honest_(node)) report("1 agreement", fmt::format("node {} stopped: {}", node, reason));
}

void Judge::replay(Random& random) {
    if (violation_) return;
    dag::Graph graph(committee_, dag::Round{0});
    dag::Orderer orderer(ordering_, committee_);
    std::vector<dag::CommitPtr> commits;
    std::map<dag::Slot, std::shared_ptr<const dag::Certificate>> waiting = certificates_;
    // Each author's certificates lag behind the lowest round by a random distance.
    while (!waiting.empty()) {
        std::vector<std::map<dag::Slot, std::shared_ptr<const dag::Certificate>>::iterator> ready;
        const dag::Round lowest = waiting.begin()->first.round;
        for (auto each = waiting.begin(); each != waiting.end(); ++each) {
            if (each->first.round > above(lowest, 3) || ready.size() > 12) break;
            if (graph.has_all_parents(each->second->header)) ready.push_back(each);
        }
        if (ready.empty()) {
            return report("3 causal completeness", "certificates that nobody holds are named as parents");
        }
        const auto chosen = ready[random.below(ready.size())];
        (void)graph.insert(dag::Verification::trusted(dag::Certificate(*chosen->second)));
        waiting.erase(chosen);
        for (dag::CommitPtr& commit : orderer.evaluate(graph)) commits.push_back(std::move(commit));
    }
    if (commits.size() < canonical_.size()) {
        return report("5 order independent of insertion",
                      fmt::format("a replay of all certificates gives {} commits, the members {}",
                                  commits.size(), canonical_.size()));
    }
    for (std::size_t at = 0; at < canonical_.size(); ++at) {
        if (commits[at]->digest == canonical_[at]->digest) continue;
        return report(
            "5 order independent of insertion",
            fmt::format("commit {} is another when the certificates come in another order", at + 1));
    }
}

std::optional<dag::CommitIndex> Judge::executed_by(const Digest& batch) const {
    const auto at = executed_.find(batch);
    if (at == executed_.end()) return std::nullopt;
    return at->second;
}

bool Judge::outlived(const Digest& batch) const {
    const auto known = known_.find(batch);
    if (known == known_.end()) return false;
    const dag::Round sealed = known->second.sealed_round;
    const dag::Round adopted = above(sealed, 2 * ordering_.window + 8 * committee_.size());
    const dag::Round last = above(sealed, ordering_.batch_life / 2);
    return highest_round() > above(sealed, ordering_.batch_life) &&
           std::none_of(canonical_.begin(), canonical_.end(), [&](const dag::CommitPtr& commit) {
               return commit->anchor.round > adopted && commit->anchor.round <= last;
           });
}

const dag::Certificate* Judge::certificate(dag::Slot slot) const {
    const auto at = certificates_.find(slot);
    return at == certificates_.end() ? nullptr : at->second.get();
}

std::size_t Judge::referenced_count() const {
    std::set<std::pair<dag::Slot, Digest>> named;
    for (const auto& [slot, certificate] : certificates_) {
        for (const dag::Parent& parent : certificate->header.parents) {
            if (parent.author == slot.author) continue;
            named.insert({{below(slot.round, 1), parent.author}, parent.header});
        }
    }
    return named.size();
}

dag::Round Judge::highest_round() const {
    return certificates_.empty() ? dag::Round{0} : certificates_.rbegin()->first.round;
}

}  // namespace monodon::sim
