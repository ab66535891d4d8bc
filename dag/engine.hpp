#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "dag/config.hpp"
#include "dag/events.hpp"
#include "dag/sync/blockers.hpp"
#include "dag/sync/ledger.hpp"

namespace monodon::dag {

/// What the engine reads of the store beyond what it holds. Short reads, on the engine's executor; memory in
/// the simulator.
class DagReader {
 public:
    virtual ~DagReader() = default;
    /// What a header may say of the durable batch `named.batch`, which may be something else than `named`
    /// says.
    [[nodiscard]] virtual std::optional<PayloadEntry> batch(const PayloadEntry& named) const = 0;
    [[nodiscard]] virtual CommitPtr commit(CommitIndex index) const = 0;
};

/// What a life begins with; empty for the first.
struct RecoveredState {
    /// Ascending, without gaps, up to the newest: all whose anchor lies within LIFE rounds below the newest
    /// anchor (the executed set), and at least OrderingConfig::history_events() of them (reputation), if
    /// there are so many.
    std::vector<CommitPtr> commits;
    /// All with a round above the graph floor, ascending by round.
    std::vector<VerifiedCertificate> certificates;
    /// The last vote given for each author.
    std::vector<Vote> votes;
    std::optional<VerifiedHeader> own_header;
    SigningBound signing;
    Round graph_floor;
    /// The last commit that the application has applied.
    CommitIndex executed;
};

struct ValidatorStatus {
    Round last_header;
    Round last_certificate;
    /// Present reputation weight times stake.
    std::uint64_t weight = 0;
    CommitClaim claim;
    bool connected = false;
    /// A header of its own, or a certificate, has come since it was connected last: `claim` is where it is.
    bool heard = false;
};

/// A stretch of rounds that was fetched as ranges, from its first request until everything was durable.
struct CatchUp {
    Round from;
    Round to;
    std::uint64_t certificates = 0;
    std::uint64_t bytes = 0;
    Duration taken{0};
};

/// What was fetched in this life, and how a catch-up goes.
struct SyncStatus {
    std::uint64_t certificates_useful = 0;
    /// As in SyncStats.
    std::uint64_t certificates_duplicate = 0;
    std::uint64_t bytes_useful = 0;
    std::uint64_t bytes_wasted = 0;
    std::uint64_t requests_failed = 0;
    /// Certificates that were fetched by digest, and how long each took from the first request until it was
    /// in the graph.
    std::uint64_t parents_fetched = 0;
    Duration parents_p50{0};
    Duration parents_p99{0};
    /// Of each member by kind of request.
    std::vector<std::pair<SyncLedger::Key, SyncStats>> by_peer{};
    /// While rounds are fetched as ranges or are not durable yet: since when, and the highest round at that
    /// time.
    std::optional<Time> since;
    Round from;
    /// The last one that has ended.
    std::optional<CatchUp> last;
};

/// A consistent picture of the engine for people; cheap to copy.
struct EngineStatus {
    /// Of our last header; of an observer the highest in the graph.
    Round round;
    /// Highest round in the graph.
    Round highest;
    /// Highest verified round seen anywhere: how far we are behind.
    Round target;
    Round graph_floor;
    std::optional<HeaderRef> last_anchor;
    CommitClaim last_commit;
    CommitClaim durable_commit;
    /// The highest commit that stake >= V claims; above ours by the lag.
    CommitIndex supported_claim;
    /// When a certificate last entered the graph; zero before the first of this life.
    Time grown{};
    CommitIndex delivered;
    CommitIndex executed;
    std::size_t suspended = 0;
    std::size_t pending_headers = 0;
    std::size_t requests_in_flight = 0;
    std::size_t missing_batches = 0;
    std::size_t pending_payload = 0;
    std::uint64_t anchors_committed = 0;
    std::uint64_t anchors_skipped = 0;
    std::uint64_t equivocations = 0;
    std::uint64_t certificates_inserted = 0;
    std::uint64_t headers_proposed = 0;
    std::uint64_t votes_given = 0;
    /// Conflicting commit claims heard; one alone is a liar's or a broken member's.
    std::uint64_t claim_conflicts = 0;
    /// While `ask`, nothing is signed: the others are asked where they last saw us.
    SigningBound signing;
    /// This life has not signed yet: first enough others are to show that they saw no later signature of
    /// ours.
    bool looking = false;
    /// Of the members that have answered so far.
    Stake answered_stake = 0;
    /// Of records that are not durable yet, near enough; and whether they are so many that nothing new is
    /// taken from others.
    std::size_t unsynced_bytes = 0;
    bool behind = false;
    /// Why ordering has stopped for good; nothing while all is well.
    std::optional<std::string> halted;
    SyncStatus sync;
    std::vector<ValidatorStatus> validators;
};

struct VertexView {
    HeaderRef ref;
    AuthorSet parents;
    Stake support = 0;
    std::uint32_t batches = 0;
    bool ordered = false;
    /// By the schedule in force: anchors of the future are expectations.
    bool anchor = false;
};

/// Our seat in the committee.
struct Seat {
    ValidatorIndex index;
    const Signer& signer;
};

/// The one deterministic state machine that joins graph, production, ordering and sync (architecture.md).
/// Performs no I/O: the same events at the same times give the same effects. One executor at a time.
class Engine {
 public:
    /// Without a seat it is an observer's: it follows, verifies and orders like a member, and signs nothing.
    /// Keeps references to committee, signer and reader.
    Engine(EngineConfig config, const Committee& committee, std::optional<Seat> seat, const DagReader& reader,
           RecoveredState recovered);
    ~Engine();
    Engine(Engine&&) noexcept;

    /// Appends to `out` what is to be done, in order. `now` never goes back. The first event is Started.
    void step(const Event& event, Time now, Effects& out);

    [[nodiscard]] EngineStatus status() const;
    /// So much is not durable yet that headers, certificates and replies are ignored: they will be sent or
    /// fetched again.
    [[nodiscard]] bool behind() const;
    /// The certificates of these rounds that are in the graph, ascending.
    [[nodiscard]] std::vector<VertexView> window(Round first, Round last) const;
    [[nodiscard]] Blockers blockers() const;

 private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace monodon::dag
