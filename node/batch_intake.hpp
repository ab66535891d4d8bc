#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "dag/model/batch.hpp"
#include "dag/model/committee.hpp"
#include "node/gate.hpp"
#include "node/slice.hpp"
#include "storage/batch_store.hpp"

namespace monodon::node {

/// See WorkerPorts; all thread-safe.
struct IntakePorts {
    std::function<void(std::function<void()>)> post_crypto;
    std::function<Expected<void, storage::PutError>(const dag::PayloadEntry&, SharedBytes, storage::Standing,
                                                    std::function<void()>)>
        store;
    std::function<void(dag::ValidatorIndex, std::string_view)> fault;
    /// An offered batch is durable. On any thread.
    std::function<void(const dag::PayloadEntry&)> stored;
};

/// Takes the batches of other members: checks bounds and author, hashes once, stores the very bytes. A batch
/// costs one task on the crypto pool and nothing per transaction but the check of its bounds. Thread-safe.
class BatchIntake : public std::enable_shared_from_this<BatchIntake> {
 public:
    /// `bytes_max`: of one author, being hashed or written; what comes beyond is dropped, and its author
    /// sends it again. Keeps a reference to the committee.
    /// While the gate is closed nothing is taken and no port is called.
    BatchIntake(const dag::Committee& committee, std::size_t bytes_max, IntakePorts ports,
                std::shared_ptr<Gate> gate);

    /// A batch that its author sent.
    void offer(dag::ValidatorIndex from, Slice batch);
    struct Fetched {
        std::vector<dag::PayloadEntry> stored;
        /// The reply held something else than batches that were asked for, each once.
        bool bad = false;
    };
    /// Batches that came in reply to a request for `expected`. `done` runs on any thread when all that were
    /// right are durable.
    void fetched(std::vector<Slice> batches, std::vector<Digest> expected, std::function<void(Fetched)> done);

    [[nodiscard]] std::uint64_t stored() const { return stored_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
    /// Being hashed or written.
    [[nodiscard]] std::size_t pending_bytes() const;

 private:
    struct Collection;

    void take_offer(dag::ValidatorIndex from, const Slice& batch);
    void take_fetched(const std::vector<Slice>& batches, std::vector<Digest> expected,
                      std::function<void(Fetched)> done);

    const dag::Committee& committee_;
    const std::size_t bytes_max_;
    const IntakePorts ports_;
    const std::shared_ptr<Gate> gate_;
    /// By author.
    std::vector<std::atomic<std::size_t>> pending_;
    std::atomic<std::uint64_t> stored_{0};
    std::atomic<std::uint64_t> refused_{0};
};

}  // namespace monodon::node
