#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dag/model/commit.hpp"
#include "dag/model/signing.hpp"
#include "dag/model/verification.hpp"
#include "dag/sync/messages.hpp"
#include "net/core/time.hpp"

/// What goes into the engine and what comes out: values only, so that nothing re-enters.
namespace monodon::dag {

/// Of a Persist; rises by one with each.
using WriteId = Strong<std::uint64_t, struct WriteIdTag>;
/// Of a SendRequest; rises by one with each, never reused within a process.
using RequestId = Strong<std::uint64_t, struct RequestIdTag>;

// ---- events
// -------------------------------------------------------------------------------------------------

/// The first event of a life.
struct Started {};
struct HeaderReceived {
    VerifiedHeader header;
};
struct VoteReceived {
    VerifiedVote vote;
};
struct CertificateReceived {
    VerifiedCertificate certificate;
};
/// A batch, our own or another's, is durable in our store.
struct BatchStored {
    PayloadEntry entry;
};
/// An own batch is durable here and acknowledged by a quorum of stake: it can be proposed.
struct PayloadReady {
    PayloadEntry entry;
};
/// The write is durable. A write that fails ends the process: there is no event for it.
struct WriteDone {
    WriteId id;
};
struct CertificatesReply {
    std::vector<VerifiedCertificate> certificates;
    /// The server stopped at a limit; here the rest begins.
    std::optional<Continuation> next;
    /// What the server holds.
    Held held;
    /// Of the certificates, encoded.
    std::size_t bytes = 0;
    /// Of those that came without signatures while nothing that came names them: as good as not sent.
    std::size_t bytes_dropped = 0;
};
/// The requested batches that came are durable; a BatchStored for each was given before.
struct BatchesReply {
    /// The server stopped at a limit; here the rest begins.
    std::optional<Continuation> next{};
    /// Of the batches that are stored.
    std::size_t bytes = 0;
};
/// Where a member is, and where it last saw us.
struct HighestRoundReply {
    /// Of the highest round that it has a certificate of; nothing before its first.
    std::optional<VerifiedCertificate> highest;
    /// The newest header of ours that it holds.
    std::optional<VerifiedHeader> ours;
    /// What it holds.
    Held held{};
};
enum class RequestFailure : std::uint8_t {
    unreachable,  ///< not connected, or the connection ended
    timeout,
    not_found,  ///< the peer does not have it
    busy,       ///< the peer or our window to it is full; try later
    bad_reply,  ///< what came is not what was asked for
    pruned,     ///< the peer's store begins above what was asked for
};
struct RequestFailed {
    RequestFailure why;
    /// Of `pruned`: the lowest round that it holds.
    Round lowest{};
    /// Of `bad_reply`: what came all the same.
    std::size_t bytes = 0;
};
using ReplyBody = std::variant<CertificatesReply, BatchesReply, HighestRoundReply, RequestFailed>;
/// Exactly one for each SendRequest.
struct ReplyReceived {
    RequestId id;
    ReplyBody reply;
};
/// A connection to a member came up or went down.
struct PeerChanged {
    ValidatorIndex peer;
    bool connected = false;
};
/// The application has applied all commits up to this one.
struct Executed {
    CommitIndex index;
};
/// A batch that was stored does not verify any more: it is fetched like one that never came.
struct BatchLost {
    WantedBatch batch;
};
/// No headers are made while the disk is nearly full; votes, order and execution go on.
struct ProposalsPaused {
    bool paused = false;
};
/// How well each member answers, one weight per validator: 100 for one of whom nothing is known, 0 for one
/// that is asked only to see whether it has become better. Decides who is asked first, nothing else.
struct PeersRated {
    std::vector<std::uint32_t> weights;
};
/// The time of the last WakeAt has come.
struct Tick {};

using Event = std::variant<Started, HeaderReceived, VoteReceived, CertificateReceived, BatchStored,
                           PayloadReady, WriteDone, ReplyReceived, PeerChanged, Executed, BatchLost,
                           ProposalsPaused, PeersRated, Tick>;

// ---- effects
// ------------------------------------------------------------------------------------------------

struct CertificateRecord {
    VerifiedCertificate certificate;
};
struct VoteRecord {
    Vote vote;
};
struct OwnHeaderRecord {
    VerifiedHeader header;
};
struct CommitRecord {
    CommitPtr commit;
};
/// Rounds up to and including this one have left the graph (gc_round). They stay in the store.
struct GraphFloorRecord {
    Round floor;
};
/// Replaces the bound before it.
struct SigningRecord {
    SigningBound bound;
};
using Record = std::variant<CertificateRecord, VoteRecord, OwnHeaderRecord, CommitRecord, GraphFloorRecord,
                            SigningRecord>;

/// Writes the records in one transaction, after all earlier Persists: the write queue is first in, first out,
/// so that nothing becomes durable before what it depends on.
struct Persist {
    WriteId id;
    std::vector<Record> records;
    /// Answer with WriteDone when durable. Otherwise nothing waits for this write.
    bool notify = false;
};

using Message = std::variant<VerifiedHeader, VerifiedVote, VerifiedCertificate>;
struct Send {
    ValidatorIndex to;
    Message message;
};
/// To every other member; a certificate to the observers as well.
struct Broadcast {
    Message message;
};

using RequestBody = SyncRequest;
struct SendRequest {
    RequestId id;
    ValidatorIndex to;
    RequestBody body;
    Duration deadline;
};
/// Give a Tick at this time. Replaces the WakeAt before it.
struct WakeAt {
    Time at;
};
/// An own header has its certificate.
struct OwnCertified {
    std::vector<PayloadEntry> payload;
};
/// The commit is durable. In index order, each once in a life.
struct Committed {
    CommitPtr commit;
};
/// The commit is durable and all its batches are in the store: execute it. In index order without gaps,
/// beginning above the executed index given at start.
struct Deliver {
    CommitPtr commit;
};
/// An own batch can no longer be executed (8.9): its transactions belong into a new batch.
struct Requeue {
    Digest batch;
};
/// A member signed two headers for one slot.
struct Equivocation {
    HeaderRef first;
    HeaderRef second;
};
/// Two certificates for one slot, or members with stake >= V claim another history: more than f stake is
/// faulty, or there is a bug. The engine has stopped ordering; nothing binding leaves any more.
struct Halt {
    std::string reason;
};

/// This member has stopped signing, or signs again above a round (consensus.md 9.3).
struct SigningChanged {
    SigningBound bound;
    /// In words.
    std::string why;
};

using Effect = std::variant<Persist, Send, Broadcast, SendRequest, WakeAt, OwnCertified, Committed, Deliver,
                            Requeue, Equivocation, Halt, SigningChanged>;
using Effects = std::vector<Effect>;

}  // namespace monodon::dag
