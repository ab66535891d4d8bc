#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dag/engine.hpp"
#include "tools/simulate/packet.hpp"
#include "tools/simulate/random.hpp"

namespace monodon::sim {

struct Violation {
    /// The invariant, as README.md names them.
    std::string invariant;
    std::string what;
};

/// Sees all members from outside and holds what they do against the invariants. Members that were told to
/// misbehave are not held to anything. The first violation stays.
class Judge {
 public:
    /// Keeps a reference to the committee. `honest(node)` does not change during a run.
    Judge(const dag::Committee& committee, dag::OrderingConfig ordering, std::uint64_t ahead,
          std::function<bool(NodeId)> honest);

    [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }
    void report(std::string invariant, std::string what);

    // ---- what happens at a member
    /// A batch exists.
    void sealed(const dag::PayloadEntry& entry) { known_.emplace(entry.batch, entry); }
    /// A new own header or a vote leaves a member; `durable` says whether its record is.
    void header_left(NodeId node, const dag::HeaderRef& header, bool durable);
    void vote_left(NodeId node, const dag::Vote& vote, bool durable);
    /// A certificate entered a member's graph.
    void inserted(NodeId node, const std::shared_ptr<const dag::Certificate>& certificate);
    /// A member has decided a commit.
    void decided(NodeId node, const dag::CommitPtr& commit);
    /// A commit was handed to execution; `after` is the index that this member had executed before, `durable`
    /// the last one on its disk.
    void delivered(NodeId node, dag::CommitIndex after, dag::CommitIndex durable, const dag::Commit& commit);
    /// The application of a member is in this state after a commit.
    void applied(NodeId node, dag::CommitIndex index, std::uint64_t state);
    /// What a member sent over a session breaks its rules.
    void session_broken(dag::ValidatorIndex by, NodeId at, const std::string& how);
    void status(NodeId node, const dag::EngineStatus& status);
    void halted(NodeId node, const std::string& reason);

    // ---- at the end
    /// The certificates of all members, inserted in other orders into a graph of their own, are ordered in
    /// the same way.
    void replay(Random& random);

    /// The one sequence so far.
    [[nodiscard]] const std::vector<dag::CommitPtr>& commits() const { return canonical_; }
    /// With which commit the batch was executed; nothing if it was not.
    [[nodiscard]] std::optional<dag::CommitIndex> executed_by(const Digest& batch) const;
    /// No commit came in the rounds in which another member may name the batch in its author's place, from
    /// adoption (A9) to half its life (8.9): then it has expired, and only its author could seal it again.
    [[nodiscard]] bool outlived(const Digest& batch) const;
    [[nodiscard]] const dag::Certificate* certificate(dag::Slot slot) const;
    [[nodiscard]] dag::Round highest_round() const;
    /// How many certificates honest members took by their hash.
    [[nodiscard]] std::uint64_t by_hash_count() const { return by_hash_; }
    [[nodiscard]] std::size_t certificate_count() const { return certificates_.size(); }
    /// Of those, how many another member's certificate of the next round names: one that only its author
    /// names, and all that is built on it, is never ordered.
    [[nodiscard]] std::size_t referenced_count() const;

 private:
    void extend(NodeId node, const dag::CommitPtr& commit);
    /// A member took this certificate without its signatures.
    void by_hash(NodeId node, const dag::HeaderRef& ref);
    [[nodiscard]] bool is_closed(const dag::Commit& commit, const dag::HeaderRef& ref);

    const dag::Committee& committee_;
    dag::OrderingConfig ordering_;
    std::uint64_t ahead_;
    std::function<bool(NodeId)> honest_;
    std::optional<Violation> violation_;

    std::map<Digest, dag::PayloadEntry> known_;
    std::map<dag::Slot, Digest> headers_;
    /// By voter, then slot.
    std::map<std::pair<NodeId, dag::Slot>, Digest> votes_;
    std::map<dag::Slot, std::shared_ptr<const dag::Certificate>> certificates_;
    std::vector<dag::CommitPtr> canonical_;
    std::map<dag::Slot, Digest> ordered_;
    std::map<Digest, dag::CommitIndex> executed_;
    std::map<dag::CommitIndex, std::uint64_t> states_;
    std::uint64_t by_hash_ = 0;
};

}  // namespace monodon::sim
