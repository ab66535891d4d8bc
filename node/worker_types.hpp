#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "dag/model/batch.hpp"
#include "dag/model/committee.hpp"
#include "node/latency.hpp"
#include "node/receipts.hpp"
#include "storage/batch_store.hpp"

namespace monodon::node {

/// Sizes in bytes.
struct WorkerConfig {
    /// A batch is sealed when it has this size, or this age, or at once when nothing of ours is on its way.
    std::size_t batch_bytes = 128 * 1024;
    Duration batch_delay = std::chrono::milliseconds(5);
    /// Accepted and not yet executed; beyond it clients are told to come back.
    std::size_t accepted_bytes_max = 64 * 1024 * 1024;
    /// Sent to one peer and not acknowledged by it (network.md 3).
    std::size_t inflight_bytes_max = 4 * 1024 * 1024;
    /// Waiting in our queue to one peer: with more the peer has no room.
    std::size_t peer_queue_max = 4 * 1024 * 1024;
    /// Transaction ids remembered: duplicates and receipts are known that long.
    std::size_t duplicate_window = 512 * 1024;
    /// Submissions that wait for a stage beyond `accepted`. About 300 bytes each: 5 MiB.
    std::size_t waiters_max = 16 * 1024;
    Duration resend = std::chrono::milliseconds(100);
    Duration resend_max = std::chrono::seconds(2);
    /// A batch that is durable here is proposed after this time even if too few have acknowledged it: voters
    /// fetch what they miss (consensus.md V5a).
    Duration propose_unacknowledged = std::chrono::seconds(1);
    /// Batches of one author that are being hashed or written. A connection carries at most 4 MiB of them;
    /// twice that because a new connection may begin while those of the old one are being written.
    std::size_t incoming_bytes_max = 8 * 1024 * 1024;
    /// What an observer's clients are told: who takes transactions, in words.
    std::string elsewhere = {};
};

/// What the worker needs of the rest of the node. All are thread-safe, quick and never call back from within.
struct WorkerPorts {
    /// Sends an encoded batch to these members; the members whose queue took it.
    std::function<dag::AuthorSet(const dag::AuthorSet&, const SharedBytes&)> send_batch;
    /// Acknowledges batches to their author. A lost one is repaired by the author's resend.
    std::function<void(dag::ValidatorIndex, const std::vector<Digest>&)> send_ack;
    /// Bytes that wait for a member in the data class.
    std::function<std::size_t(dag::ValidatorIndex)> queued_bytes;
    /// BatchStore::put(): calls back once, on any thread, when the batch is durable, unless it is refused. A
    /// write that fails ends the process elsewhere.
    std::function<Expected<void, storage::PutError>(const dag::PayloadEntry&, SharedBytes, storage::Standing,
                                                    std::function<void()>)>
        store;
    /// The bytes of a stored batch, or null. Reads the store.
    std::function<SharedBytes(const dag::PayloadEntry&)> load;
    /// To the engine: an own batch can be proposed.
    std::function<void(const dag::PayloadEntry&)> payload_ready;
    /// To the engine: a batch is durable here.
    std::function<void(const dag::PayloadEntry&)> batch_stored;
    /// Of our last header, as the engine last published it.
    std::function<dag::Round()> round;
    std::function<Time()> now;
    /// Why no transactions can be taken now (the disk is nearly full), in words; null while they can.
    std::function<std::shared_ptr<const std::string>()> refusal;
    /// Runs a function on the crypto pool.
    std::function<void(std::function<void()>)> post_crypto;
    /// A member sent what no honest member sends.
    std::function<void(dag::ValidatorIndex, std::string_view)> fault;
};

/// Numbers for status, readiness and metrics. Counters are since the start of the process.
struct WorkerStatus {
    std::uint64_t accepted_bytes = 0;
    std::uint64_t unexecuted_transactions = 0;
    std::uint64_t unsealed_bytes = 0;
    /// Own batches that are sealed and not executed, and among them those that wait to be acknowledged.
    std::uint64_t own_batches = 0;
    std::uint64_t own_batches_in_flight = 0;
    /// Sealing waits: fewer than a quorum of stake have room.
    bool held_back = false;
    std::uint64_t waiters = 0;
    std::uint64_t receipts = 0;

    std::uint64_t transactions_accepted = 0;
    /// Of the whole committee.
    std::uint64_t transactions_committed = 0;
    /// By Refusal.
    std::array<std::uint64_t, kRefusals> transactions_refused{};
    std::uint64_t batches_sealed = 0;
    std::uint64_t batch_bytes_sealed = 0;
    std::uint64_t batches_resent = 0;
    std::uint64_t batches_requeued = 0;
    /// Of other members; refused ones were malformed, too many at once, or refused by the store.
    std::uint64_t batches_stored = 0;
    std::uint64_t batches_refused = 0;
    /// Being hashed or written.
    std::uint64_t incoming_bytes = 0;

    /// Of the transactions given to this node, from acceptance to each stage.
    std::array<LatencySummary, kStages> latency;
    /// Of the whole committee, over the last 10 s.
    double committed_per_second = 0;
};

}  // namespace monodon::node
