#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "dag/events.hpp"
#include "net/peers/network.hpp"
#include "node/claimed_ranges.hpp"
#include "node/engine_driver.hpp"
#include "node/genesis.hpp"
#include "node/lanes.hpp"
#include "node/responder.hpp"
#include "node/submit_service.hpp"

namespace monodon::node {

/// Remembers the newest digests of certificates that were verified and handed on, so that a certificate that
/// is sent again costs no signature check. Thread-safe.
class SeenCertificates {
 public:
    [[nodiscard]] bool contains(const Digest& header) const;
    void insert(const Digest& header);

 private:
    /// About 90 bytes each.
    static constexpr std::size_t kMost = 8192;
    mutable std::mutex mutex_;
    std::set<Digest> seen_;
    std::vector<Digest> order_;
    std::size_t oldest_ = 0;
};

struct VerificationCounters {
    std::uint64_t verified = 0;
    std::uint64_t refused = 0;
    Duration time{0};
};

/// Joins the network with engine, worker and responder: decodes and verifies what members send before it
/// becomes an event, and carries the engine's messages and requests. All methods are thread-safe and return
/// at once; signatures are checked on the compute pool.
class Router {
 public:
    struct Parts {
        const Genesis& genesis;
        const dag::Verification& verification;
        EngineDriver& engine;
        Worker& worker;
        const Responder& responder;
        SubmitService& submit;
        Lanes compute;
        /// A certificate of this round verifies: batches sealed near it may be stored.
        std::function<void(dag::Round)> verified_round;
    };
    /// An observer has no `self`.
    Router(Parts parts, std::optional<dag::ValidatorIndex> self);

    /// Before the network starts. The network must outlive every call that follows.
    void attach(net::Network& network) { network_ = &network; }
    [[nodiscard]] net::Handlers handlers();

    void send(const dag::AuthorSet& to, const dag::Message& message);
    /// To the observers that want certificates.
    void publish(const dag::VerifiedCertificate& certificate);
    void request(dag::SendRequest request);
    /// Asks a member for the certificates of a round; `done`, on the compute pool, gets those that came and
    /// verify, and is not called if the member does not answer.
    void fetch_round(dag::ValidatorIndex from, dag::Round round,
                     std::function<void(const std::vector<dag::VerifiedCertificate>&)> done);
    /// The members whose queue took it.
    [[nodiscard]] dag::AuthorSet send_batch(const dag::AuthorSet& to, const SharedBytes& batch);
    void send_ack(dag::ValidatorIndex to, const std::vector<Digest>& batches);
    [[nodiscard]] std::size_t queued_batch_bytes(dag::ValidatorIndex member) const;
    /// A member sent what no honest member sends: the connection ends, the log says why, and the member is
    /// charged with it.
    void fault(dag::ValidatorIndex member, std::string_view why, net::Fault kind = net::Fault::wrong_data);

    [[nodiscard]] VerificationCounters counters() const;

 private:
    void on_notice(const PeerId& peer, net::Method method, SharedBytes payload);
    void on_request(const PeerId& peer, net::Role role, net::Method method, SharedBytes payload,
                    net::Replier replier);
    void on_peer(const PeerId& peer, net::Role role, bool connected);
    void consensus_notice(dag::ValidatorIndex from, net::Method method, const SharedBytes& payload);
    /// Nothing for what was handed on before.
    [[nodiscard]] Expected<std::optional<dag::Event>, dag::ObjectError> verified(net::Method method,
                                                                                 ByteView object);
    void hand_over(std::optional<dag::Event> event);
    void replied(const dag::SendRequest& request, std::uint64_t nonce,
                 Expected<SharedBytes, net::RpcFailure> reply);
    void note_header(const dag::VerifiedHeader& header);
    [[nodiscard]] Responder::Asker asker(const PeerId& peer) const;
    /// What the engine is told of a member's reply that is not one of batches. What it is worth is noted.
    [[nodiscard]] dag::ReplyBody read_reply(dag::ValidatorIndex from, const dag::SyncRequest& request,
                                            std::uint64_t nonce, const SharedBytes& payload);
    void observe(dag::ValidatorIndex member, const net::Observation& observation);
    /// A good reply.
    void note_reply(dag::ValidatorIndex from, const dag::ReplyBody& body);
    void batches_replied(const dag::SendRequest& request, const SharedBytes& payload);
    void fail(const dag::SendRequest& request, const dag::RequestFailed& failed);
    [[nodiscard]] const PeerId& peer_of(dag::ValidatorIndex member) const;

    Parts parts_;
    std::optional<dag::ValidatorIndex> self_;
    net::Network* network_ = nullptr;
    SeenCertificates seen_;
    ClaimedRanges claimed_;
    /// The newest of each member that verified: at most 128 of 32 KiB, 4 MiB.
    mutable std::mutex headers_mutex_;
    std::vector<std::optional<dag::VerifiedHeader>> headers_;
    /// Of the next question for a highest round.
    std::atomic<std::uint64_t> nonce_;
    /// Consensus messages of each member that wait for a signature check.
    std::vector<std::atomic<std::uint32_t>> checking_;
    std::atomic<std::uint64_t> verified_ = 0;
    std::atomic<std::uint64_t> refused_ = 0;
    std::atomic<Duration::rep> verify_time_ = 0;
};

}  // namespace monodon::node
