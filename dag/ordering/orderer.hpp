#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "dag/graph/graph.hpp"
#include "dag/ordering/consensus_state.hpp"

namespace monodon::dag {

/// Turns the graph into the one sequence of commits (consensus.md 7 and 8). What comes out, and when the
/// schedule changes, is a function of the committed prefix and of the certificates present: neither arrival
/// order nor the graph's floor nor a clock enters.
///
/// Both modes run the same loop: order the first anchor of the instance only, then begin an instance above
/// it. They differ in the rounds that have an anchor: base, base + 2, .. in Shoal; the even rounds in
/// Bullshark.
///
/// Exactly one orderer belongs to a graph: nobody else takes its supported slots. One executor at a time.
class Orderer {
 public:
    /// Keeps a reference to the committee.
    Orderer(const OrderingConfig& config, const Committee& committee);

    /// Continues after stored commits, ascending and without gaps up to the newest: those that RecoveredState
    /// asks for. Call once, before the first evaluate(). The graph may be filled before or after; what is in
    /// it and ordered is marked.
    void restore(const std::vector<CommitPtr>& commits, Graph& graph);

    /// The commits that have become decidable, in order; call it after every insertion. Marks what they
    /// order. When nothing can be decided it costs as much as looking at the new children's parents.
    [[nodiscard]] std::vector<CommitPtr> evaluate(Graph& graph);

    /// The instance in progress begins here: the round above the last anchor.
    [[nodiscard]] Round base() const { return base_; }
    /// Null before the first.
    [[nodiscard]] const CommitPtr& last() const { return last_; }
    /// Whether a commit has ordered it; false for rounds that no later anchor's history can reach.
    [[nodiscard]] bool is_ordered(Slot slot) const;
    /// The anchor of a round by the present schedule, also if the present instance does not use the round.
    /// May turn out wrong once another anchor is ordered. Nothing where no anchor can be expected: below
    /// base(), and in odd rounds in Bullshark mode.
    [[nodiscard]] std::optional<ValidatorIndex> expected_anchor(Round round) const;

    /// Whether a commit so far has executed it (8.9), as far back as LIFE.
    [[nodiscard]] bool has_executed(const PayloadEntry& entry) const { return executed_.contains(entry); }
    [[nodiscard]] const LeaderSchedule& schedule() const { return schedule_; }
    [[nodiscard]] ConsensusState state() const;

 private:
    /// The lowest round >= `round` in which this instance has an anchor.
    [[nodiscard]] Round first_candidate(Round round) const;
    [[nodiscard]] Slot candidate(Round round) const { return {round, anchor(round)}; }
    [[nodiscard]] bool is_candidate(Slot slot) const;
    [[nodiscard]] ValidatorIndex anchor(Round round) const;
    [[nodiscard]] std::optional<Slot> lowest_supported(const Graph& graph) const;
    [[nodiscard]] Slot first_anchor(const Graph& graph, Slot supported) const;
    [[nodiscard]] CommitPtr order(Graph& graph, Slot slot);
    void collect_history(Graph& graph, Slot slot, Commit& commit);
    void follow(const CommitPtr& commit);
    [[nodiscard]] Round history_floor(Round anchor) const;

    const Committee& committee_;
    OrderingMode mode_;
    std::uint64_t window_;
    LeaderSchedule schedule_;
    ExecutedSet executed_;
    /// Ordered certificates of the rounds that the next anchor's history can reach.
    std::map<Round, AuthorSet> ordered_;
    CommitPtr last_;
    Round base_;
    /// Anchors by the present schedule; void after each commit.
    mutable std::map<Round, ValidatorIndex> anchors_;
};

}  // namespace monodon::dag
