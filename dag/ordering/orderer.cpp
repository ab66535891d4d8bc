#include "dag/ordering/orderer.hpp"

#include <algorithm>

#include "dag/planted.hpp"
#include "net/core/check.hpp"

namespace monodon::dag {

namespace {

/// Callers may ask for the anchors of any rounds between two commits.
constexpr std::size_t kAnchorsKept = 4096;

}  // namespace

Orderer::Orderer(const OrderingConfig& config, const Committee& committee)
    : committee_(committee),
      mode_(config.mode),
      window_(config.window),
      schedule_(config, committee),
      executed_(config.batch_life),
      base_(config.mode == OrderingMode::shoal ? std::max(config.first_instance_round, Round{1}) : Round{1}) {
}

void Orderer::restore(const std::vector<CommitPtr>& commits, Graph& graph) {
    MONODON_CHECK(last_ == nullptr);
    for (const CommitPtr& commit : commits) {
        MONODON_CHECK(last_ == nullptr ||
                      (commit->index == next(last_->index) && commit->previous == last_->digest));
        if (!planted(Planted::executed_forgotten)) executed_.replay(*commit);
        follow(commit);
    }
    if (planted(Planted::ordered_forgotten)) ordered_.clear();
    for (const auto& [round, authors] : ordered_) {
        (authors & graph.authors(round)).for_each([&](ValidatorIndex author) {
            graph.mark_ordered({round, author});
        });
    }
}

std::vector<CommitPtr> Orderer::evaluate(Graph& graph) {
    MONODON_CHECK(graph.floor() < base_);
    const std::vector<Slot> supported = graph.take_supported();
    std::vector<CommitPtr> commits;
    if (std::none_of(supported.begin(), supported.end(), [&](Slot slot) { return is_candidate(slot); }))
        return commits;
    while (const std::optional<Slot> slot = lowest_supported(graph)) {
        commits.push_back(order(graph, first_anchor(graph, *slot)));
        const bool chain = planted(Planted::whole_chain) && slot->round >= base_;
        if (chain) commits.push_back(order(graph, *slot));
    }
    return commits;
}

bool Orderer::is_ordered(Slot slot) const {
    const auto authors = ordered_.find(slot.round);
    return authors != ordered_.end() && authors->second.contains(slot.author);
}

std::optional<ValidatorIndex> Orderer::expected_anchor(Round round) const {
    const bool has_anchor = mode_ == OrderingMode::shoal || round.value() % 2 == 0;
    if (round < base_ || !has_anchor) return std::nullopt;
    return anchor(round);
}

ConsensusState Orderer::state() const {
    ConsensusState state;
    if (last_ != nullptr) {
        state.last = last_->claim();
        state.anchor = last_->anchor;
    }
    state.events.assign(schedule_.events().begin(), schedule_.events().end());
    // The rounds that would lie below round 1 come first, as empty sets.
    const std::uint64_t rounds = std::min(window_, state.anchor.round.value());
    state.ordered.resize(window_ - rounds);
    for (std::uint64_t left = rounds + 1; left > 0; --left) {
        const auto authors = ordered_.find(below(state.anchor.round, left - 1));
        state.ordered.push_back(authors == ordered_.end() ? AuthorSet{} : authors->second);
    }
    state.executed = executed_.entries();
    return state;
}

Round Orderer::first_candidate(Round round) const {
    const bool even = mode_ == OrderingMode::bullshark || planted(Planted::parity_by_round);
    if (even) return above(round, round.value() % 2);
    if (round <= base_) return base_;
    return above(round, distance(base_, round) % 2);
}

bool Orderer::is_candidate(Slot slot) const {
    return slot.round >= base_ && first_candidate(slot.round) == slot.round &&
           anchor(slot.round) == slot.author;
}

ValidatorIndex Orderer::anchor(Round round) const {
    if (const auto known = anchors_.find(round); known != anchors_.end()) return known->second;
    if (anchors_.size() >= kAnchorsKept) anchors_.clear();
    return anchors_.emplace(round, schedule_.anchor(round)).first->second;
}

std::optional<Slot> Orderer::lowest_supported(const Graph& graph) const {
    const Stake support = committee_.support() - (planted(Planted::support_of_f) ? 1 : 0);
    for (Round round = first_candidate(base_); round < graph.highest(); round = above(round, 2)) {
        const Vertex* vertex = graph.find(candidate(round));
        if (vertex != nullptr && vertex->support >= support) return candidate(round);
    }
    return std::nullopt;
}

/// The walk back of 8.3 in one sweep: each candidate that the present one reaches takes its place, nearest
/// first. Ends at the same anchor from every supported candidate of the instance (I1).
Slot Orderer::first_anchor(const Graph& graph, Slot supported) const {
    if (planted(Planted::no_walk_back)) return supported;
    const Round lowest = first_candidate(base_);
    Slot first = supported;
    AuthorSet reached;
    reached.insert(supported.author);
    for (Round round = supported.round; round > lowest;) {
        AuthorSet parents;
        reached.for_each([&](ValidatorIndex author) { parents |= graph.find({round, author})->parents; });
        round = below(round, 1);
        reached = parents;
        if (first_candidate(round) == round && reached.contains(anchor(round))) {
            first = candidate(round);
            reached = {};
            reached.insert(first.author);
        }
    }
    return first;
}

CommitPtr Orderer::order(Graph& graph, Slot slot) {
    const Vertex& vertex = *graph.find(slot);
    Commit commit;
    commit.index = last_ == nullptr ? CommitIndex{1} : next(last_->index);
    if (last_ != nullptr) commit.previous = last_->digest;
    commit.anchor = vertex.ref();
    commit.voters = planted(Planted::reputation_from_arrival) ? vertex.children : vertex.parents;
    collect_history(graph, slot, commit);
    const Round lowest = std::max(base_, history_floor(slot.round));
    for (Round round = first_candidate(lowest); round < slot.round; round = above(round, 2)) {
        commit.failed.push_back(candidate(round));
    }
    commit.digest = commit_digest(committee_, commit);
    auto shared = std::make_shared<const Commit>(std::move(commit));
    executed_.expire(slot.round);
    follow(shared);
    return shared;
}

/// Certificates and payload. `ordered_` decides, not the marks in the graph: it knows also of certificates
/// that came into the graph after a restart.
void Orderer::collect_history(Graph& graph, Slot slot, Commit& commit) {
    Round round = history_floor(slot.round);
    if (planted(Planted::history_from_floor)) round = next(graph.floor());
    if (planted(Planted::history_one_short)) round = std::min(next(round), slot.round);
    for (const AuthorSet& reached : graph.history(slot, round)) {
        const auto known = ordered_.find(round);
        AuthorSet fresh = known == ordered_.end() ? reached : reached.without(known->second);
        if (planted(Planted::per_author_pruning)) {
            for (auto each = ordered_.lower_bound(round); each != ordered_.end(); ++each) {
                fresh = fresh.without(each->second);
            }
        }
        fresh.for_each([&](ValidatorIndex author) {
            if (planted(Planted::history_from_floor) && graph.find({round, author})->ordered) return;
            const Header& header = graph.find({round, author})->certificate->header;
            commit.certificates.push_back(header.ref());
            for (const PayloadEntry& entry : header.payload) {
                if (!executed_.admit(slot.round, entry)) continue;
                commit.payload.push_back(entry);
                commit.transactions += entry.transactions;
                commit.bytes += entry.bytes;
            }
            graph.mark_ordered({round, author});
        });
        round = next(round);
    }
}

/// What a commit, new or stored, changes beside the executed set.
void Orderer::follow(const CommitPtr& commit) {
    const Round anchor = commit->anchor.round;
    for (const HeaderRef& certificate : commit->certificates)
        ordered_[certificate.round].insert(certificate.author);
    ordered_.erase(ordered_.begin(), ordered_.lower_bound(history_floor(anchor)));
    schedule_.record({commit->index, commit->anchor.slot(), commit->voters, commit->failed});
    if (!planted(Planted::stale_anchors)) anchors_.clear();
    base_ = next(anchor);
    last_ = commit;
}

Round Orderer::history_floor(Round anchor) const { return std::max(below(anchor, window_), Round{1}); }

}  // namespace monodon::dag
