#pragma once

#include <functional>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "dag/model/batch.hpp"
#include "dag/model/committee.hpp"
#include "net/core/time.hpp"
#include "node/receipt_book.hpp"

namespace monodon::node {

/// See WorkerConfig.
struct DisseminationConfig {
    std::size_t inflight_bytes_max = 4 * 1024 * 1024;
    std::size_t peer_queue_max = 4 * 1024 * 1024;
    Duration resend = std::chrono::milliseconds(100);
    Duration resend_max = std::chrono::seconds(2);
    Duration propose_unacknowledged = std::chrono::seconds(1);
};

/// See WorkerPorts.
struct DisseminationPorts {
    std::function<dag::AuthorSet(const dag::AuthorSet&, const SharedBytes&)> send;
    std::function<std::size_t(dag::ValidatorIndex)> queued_bytes;
    std::function<SharedBytes(const dag::PayloadEntry&)> load;
};

/// Our own sealed batches until they are committed: who has been sent them, who has acknowledged them, when
/// to send them again. Never waits for one slow peer, and keeps at most a window of unacknowledged bytes to
/// each. Performs no I/O of its own; of one strand.
///
/// The number of batches is bounded by the bytes that the worker accepts, for the callers removes each when
/// it is committed.
class Dissemination {
 public:
    Dissemination(const dag::Committee& committee, dag::ValidatorIndex self, DisseminationConfig config,
                  DisseminationPorts ports);

    struct News {
        /// Durable here and acknowledged by stake >= Q.
        std::vector<BatchHandle> acknowledged;
        /// To be proposed: the same, or durable here and too long without a quorum. Each once.
        std::vector<dag::PayloadEntry> proposable;
    };

    /// Would a batch of this size go out at once? Fewer than Q stake with room, ourselves included, hold us
    /// back.
    [[nodiscard]] bool has_room(std::size_t bytes) const;
    /// Sends the batch to whoever has room. Null `bytes`: it is durable already and is loaded when it is
    /// sent.
    void add(const dag::PayloadEntry& entry, SharedBytes bytes, BatchHandle handle, Time now);
    void on_stored(const Digest& batch, News& news);
    void on_acks(dag::ValidatorIndex from, std::span<const Digest> batches, Time now, News& news);
    /// A new connection: what the peer has not acknowledged is sent to it at once.
    void on_peer(dag::ValidatorIndex peer, bool connected, Time now);
    /// Sends again what is due. About every 50 ms while there are batches.
    void tick(Time now, News& news);
    /// Nobody needs this batch from us any more.
    void remove(const Digest& batch);

    [[nodiscard]] std::size_t size() const { return batches_.size(); }
    /// Batches that are neither acknowledged by a quorum nor proposed without.
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
    [[nodiscard]] std::uint64_t resent() const { return resent_; }
    [[nodiscard]] std::size_t unacknowledged_bytes(dag::ValidatorIndex peer) const {
        return peers_[peer.value()].unacknowledged;
    }

 private:
    struct Own {
        dag::PayloadEntry entry;
        SharedBytes bytes;
        BatchHandle handle = 0;
        dag::AuthorSet sent;
        dag::AuthorSet acknowledged;
        bool stored = false;
        bool quorum = false;
        bool proposed = false;
        Time sealed;
        Time last_sent;
        Duration interval;
        bool resent = false;
    };
    struct Peer {
        bool connected = false;
        /// Of batches that were sent and not acknowledged.
        std::size_t unacknowledged = 0;
        /// Smoothed; a loaded peer is not sent everything twice.
        Duration answer_time{0};
    };

    [[nodiscard]] bool has_room(dag::ValidatorIndex peer, std::size_t bytes) const;
    [[nodiscard]] dag::AuthorSet connected() const;
    void send(Own& own, const dag::AuthorSet& to, Time now);
    void send_unsent(Own& own, Time now);
    void resend_due(Own& own, Time now);
    void judge(Own& own, News& news);
    void propose(Own& own, News& news);

    const dag::Committee& committee_;
    const dag::ValidatorIndex self_;
    const DisseminationConfig config_;
    const DisseminationPorts ports_;

    std::vector<Peer> peers_;
    /// By order of adding.
    std::map<std::uint64_t, Own> batches_;
    std::unordered_map<Digest, std::uint64_t> by_digest_;
    std::uint64_t next_ = 0;
    std::size_t unstored_bytes_ = 0;
    std::size_t in_flight_ = 0;
    std::uint64_t resent_ = 0;
};

}  // namespace monodon::node
