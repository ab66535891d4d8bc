#pragma once

#include <vector>

#include "dag/sync/ledger.hpp"
#include "dag/sync/round_sync.hpp"

namespace monodon::dag {

/// A DAG that is completed from others, without a vote: graph, certificates that wait for parents, and the
/// operations that fetch what is missing. Knows no transport: requests() gives what is to be sent, replied()
/// takes what came. The engine is made of the same parts; this is for everything that only wants to have the
/// DAG. Operations run side by side and share requests in flight; idle() says when all have ended.
class SyncSession {
 public:
    struct Limits {
        Duration timeout = std::chrono::seconds(1);
        std::uint64_t ahead = 128;
        std::size_t suspended_bytes = std::size_t{8} << 20;
    };
    /// Keeps a reference to the committee. The rounds up to `floor` are not wanted.
    SyncSession(const Committee& committee, ValidatorIndex self, Round floor, Limits limits);

    void connect(ValidatorIndex peer, bool connected, Time now);

    // ---- operations
    /// Everything that the peer has above our floor and we have not.
    void sync_with_peer(ValidatorIndex peer);
    /// These certificates, of members of whom each may have them. What none of them has counts as failed.
    void request_certificates(const std::vector<HeaderRef>& wanted, const AuthorSet& holders);
    /// The parents of a certificate that is not in the graph yet, theirs, and so on: by digest while one
    /// round is missing, by rounds beyond. It is inserted when they have come, however far up it is.
    void sync_missing_parents(const VerifiedCertificate& certificate);
    /// What is missing in the rounds up to this one, of all members that are connected.
    void sync_gaps(Round up_to);
    /// Inserts it, or keeps it and fetches its parents first. True if it is in the graph when this returns.
    bool sync_and_process_certificate(const VerifiedCertificate& certificate);

    // ---- transport
    [[nodiscard]] std::vector<SendRequest> requests(Time now);
    void replied(const ReplyReceived& reply, Time now);
    [[nodiscard]] std::optional<Time> next_attempt() const { return fetcher_.next_attempt(); }
    [[nodiscard]] bool idle() const;

    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] const Suspended& suspended() const { return suspended_; }
    [[nodiscard]] SyncStats stats() const { return ledger_.total(); }
    [[nodiscard]] const SyncLedger& ledger() const { return ledger_; }
    /// A second certificate for a slot was seen: nothing of this DAG can be believed.
    [[nodiscard]] bool conflict() const { return conflict_; }
    void rate(std::vector<std::uint32_t> weights) { preference_.rate(std::move(weights)); }

 private:
    void insert(const VerifiedCertificate& certificate);
    void want_parents();
    /// Those that have finished leave; what waited for one is inserted.
    void end_rounds();
    [[nodiscard]] RoundSync rounds_of(const AuthorSet& peers, Round first, Round last);
    struct Rounds {
        RoundSync rounds;
        /// Inserted at the end: too far up to wait among the suspended.
        std::optional<VerifiedCertificate> top = {};
    };
    struct WithPeer {
        ValidatorIndex peer;
        /// The highest round when this part of it began.
        Round begun_at;
        RoundSync rounds;
    };

    ValidatorIndex self_;
    Limits limits_;
    Graph graph_;
    Suspended suspended_;
    Preference preference_;
    Fetcher fetcher_;
    SyncLedger ledger_;
    RequestIds ids_;
    AuthorSet connected_;
    std::vector<WithPeer> with_peer_;
    std::vector<Rounds> rounds_;
    bool conflict_ = false;
};

}  // namespace monodon::dag
