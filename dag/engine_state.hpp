#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "dag/engine.hpp"
#include "dag/graph/suspended.hpp"
#include "dag/ordering/orderer.hpp"
#include "dag/production/pacemaker.hpp"
#include "dag/production/payload_queue.hpp"
#include "dag/production/vote_book.hpp"
#include "dag/production/vote_collector.hpp"
#include "dag/sync/batch_index.hpp"
#include "dag/sync/claims.hpp"
#include "dag/sync/delivery.hpp"
#include "dag/sync/ledger.hpp"
#include "dag/sync/range_fetcher.hpp"
#include "dag/sync/rejoin.hpp"
#include "dag/sync/round_sync.hpp"
#include "dag/sync/unsynced.hpp"
#include "dag/sync/waits.hpp"

namespace monodon::dag {

/// The engine's inside, private to dag/engine*.cpp: engine.cpp takes events in, engine_graph.cpp inserts and
/// orders, engine_production.cpp votes and proposes, engine_signing.cpp says whether it may.
class Engine::State {
 public:
    /// Commits on their way to execution above which no more history is fetched: execution is the bottleneck
    /// then, or at an observer the batches.
    static constexpr std::uint64_t kUnexecutedMax = 1024;

    State(EngineConfig config, const Committee& committee, std::optional<Seat> seat, const DagReader& reader,
          RecoveredState recovered);

    void step(const Event& event, Time now, Effects& out);
    [[nodiscard]] EngineStatus status() const;
    [[nodiscard]] std::vector<VertexView> window(Round first, Round last) const;
    [[nodiscard]] Blockers blockers() const;
    [[nodiscard]] bool behind() const { return unsynced_.bytes() > config_.unsynced_bytes_max; }

 private:
    // What a durable write releases.
    struct HeaderDurable {
        HeaderRef header;
    };
    struct VoteDurable {
        Vote vote;
    };
    struct CommitDurable {
        CommitPtr commit;
        Round floor;
    };
    struct BoundDurable {
        Round above;
    };
    using Release = std::variant<HeaderDurable, VoteDurable, CommitDurable, BoundDurable>;

    /// A header that waits for parents or batches before it gets our vote; one per author, the highest.
    struct PendingHeader {
        VerifiedHeader header;
        std::set<Digest> missing;
    };
    struct OwnHeader {
        VoteCollector votes;
        bool durable = false;
    };

    // ---- events: engine.cpp
    void on(const Started& event);
    void on(const HeaderReceived& event);
    void on(const VoteReceived& event);
    void on(const CertificateReceived& event);
    void on(const BatchStored& event);
    void on(const PayloadReady& event);
    void on(const WriteDone& event);
    void on(const ReplyReceived& event);
    void on(const PeerChanged& event);
    void on(const Executed& event);
    void on(const BatchLost& event);
    void on(const ProposalsPaused& event);
    void on(const PeersRated& event);
    void on(const Tick& event);
    void settle();
    /// Since when rounds are fetched as ranges, and how it went when they are here and durable.
    void note_catch_up();
    void write(Record record);
    void write(Record record, Release release);
    void flush();
    void set_wake();
    [[nodiscard]] std::uint64_t commits_waiting() const {
        return last_commit_.index.value() - executed_.value();
    }
    /// Members make no payload while they execute too little (A8). Nobody waits for an observer: it takes no
    /// more certificates then, and fetches them when it has caught up.
    [[nodiscard]] bool swamped() const { return !self_ && commits_waiting() >= kUnexecutedMax; }
    void halt(std::string reason);

    // ---- graph and order: engine_graph.cpp
    void accept(const VerifiedCertificate& certificate);
    /// How many of them were here already, are not wanted, or found no room.
    std::uint64_t accept_fetched(const CertificatesReply& reply);
    /// False if the graph did not take it.
    bool insert(const VerifiedCertificate& certificate, std::vector<VerifiedCertificate>& released);
    void inserted(const VerifiedCertificate& certificate);
    void want_parents();
    void order();
    void ordered(const CommitPtr& commit);
    void note_anchors(const Commit& commit);
    void reinject_payload(Round anchor);
    void abandon_payload(Round anchor);
    void release(const CommitDurable& durable);
    void hand_over();
    void execute_when_stored(const CommitPtr& commit);
    void collect(Round floor);
    void restore(RecoveredState& recovered);
    [[nodiscard]] std::vector<PayloadEntry> unexecuted(const Header& header) const;

    // ---- votes and proposals: engine_production.cpp
    void consider(const VerifiedHeader& header);
    void note_heard(const Header& header);
    void note_equivocation(const HeaderRef& first, const HeaderRef& second);
    [[nodiscard]] bool payload_is_possible(const Header& header) const;
    void want_missing(PendingHeader& pending);
    void resolved(const Digest& digest);
    void vote_if_complete(ValidatorIndex author);
    void drop_pending(ValidatorIndex author);
    void release(const VoteDurable& durable);
    void release(const HeaderDurable& durable);
    void count_vote(const Vote& vote);
    [[nodiscard]] std::optional<Pacemaker::RoundState> round_state() const;
    void propose_if_due();
    void propose(Round round);
    void resend_if_due();
    void send_own(ValidatorIndex peer);

    // ---- what others have: engine_sync.cpp
    void on_reply(const ReplyReceived& event);
    void sync_rounds();
    [[nodiscard]] AuthorSet connected() const;
    [[nodiscard]] std::optional<Time> next_sync() const;

    // ---- what was forgotten (consensus.md 9.3): engine_signing.cpp
    /// Never for an observer: with this it neither votes nor proposes.
    [[nodiscard]] bool within_bound(Round round) const {
        return self_ && !signing_.ask && round > signing_.above;
    }
    [[nodiscard]] bool may_sign(Round round) const { return within_bound(round) && !looking_; }
    void begin_signing();
    void look_for_forgotten(const Certificate& certificate);
    void look_for_forgotten(const Header& header);
    void forgot(const HeaderRef& signed_by_us);
    void end_looking_if_known();
    void bound_if_known();
    void release(const BoundDurable& durable);

    EngineConfig config_;
    const Committee& committee_;
    /// Nothing for an observer.
    std::optional<ValidatorIndex> self_;
    const Signer* signer_;
    const DagReader& reader_;

    Graph graph_;
    Suspended suspended_;
    Orderer orderer_;
    VoteBook votes_;
    Pacemaker pacemaker_;
    PayloadQueue payload_;
    BatchIndex batches_;
    Preference preference_;
    Fetcher fetcher_;
    RangeFetcher range_;
    SyncLedger ledger_;
    /// From the first request for a missing certificate until it was in the graph.
    Waits parents_waited_;
    /// What had been fetched when the present catch-up began; the commit that must be durable for its end.
    SyncStats fetched_before_;
    std::optional<CommitIndex> catch_up_ends_;
    /// One member is asked every few seconds what it has.
    std::optional<RoundSync> background_;
    Time background_at_{};
    /// After a restart the holes of the graph are filled before a header is made: until then, or until the
    /// time.
    bool scan_wanted_ = false;
    std::optional<RoundSync> scan_;
    std::optional<Time> scan_until_;
    /// Certificates of a reply are being taken.
    bool taking_reply_ = false;
    Delivery delivery_;
    Claims claims_;
    Rejoin rejoin_;
    Unsynced unsynced_;
    RequestIds request_ids_;

    bool started_ = false;
    bool proposals_paused_ = false;
    SigningBound signing_;
    /// Nothing is signed in this life before enough others have shown where they last saw us.
    bool looking_ = false;
    /// On its way to the disk.
    std::optional<Round> new_bound_;
    std::optional<std::string> halted_;
    std::optional<OwnHeader> own_;
    std::map<ValidatorIndex, PendingHeader> pending_;
    /// Authors per round whose header or certificate carries payload that is not ordered: there is work (A3).
    std::map<Round, AuthorSet> loaded_;
    /// No later anchor's history reaches this round or one below.
    Round out_of_reach_;
    /// The newest round in which each author was seen to sign two headers: one report per slot.
    std::map<ValidatorIndex, Round> equivocated_;
    /// Votes whose record is durable.
    AuthorSet vote_durable_;
    std::vector<ValidatorStatus> members_;
    /// Ordered and skipped anchors of the rounds in the graph, for people.
    std::map<Round, ValidatorIndex> anchors_;
    /// Durable commits that delivery does not have yet, the newest of them; those below are in the store.
    std::deque<CommitPtr> undelivered_;
    /// The last commit that delivery was given.
    CommitIndex handed_;
    CommitClaim last_commit_;
    CommitClaim durable_commit_;
    CommitIndex executed_;
    /// When the graph took its last certificate.
    Time grown_{};
    std::optional<Time> resend_at_;
    Duration resend_pause_{};
    std::optional<Time> propose_at_;
    EngineStatus counters_;

    // Of the present step.
    Time now_{};
    Effects* out_ = nullptr;
    std::vector<Record> records_;
    std::vector<Release> releases_;
    // Of writes that are not durable yet.
    std::map<WriteId, std::vector<Release>> waiting_;
    std::uint64_t last_write_ = 0;
    std::optional<Time> wake_at_;
};

}  // namespace monodon::dag
