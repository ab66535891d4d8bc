#include "node/batch_intake.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace monodon::node {

namespace {

/// The bytes of the slice alone, for the store: without a copy if the owner holds nothing else.
SharedBytes exactly(const Slice& slice) {
    if (slice.owner && slice.owner->size() == slice.bytes.size()) return slice.owner;
    return std::make_shared<const Bytes>(slice.bytes.begin(), slice.bytes.end());
}

}  // namespace

BatchIntake::BatchIntake(const dag::Committee& committee, std::size_t bytes_max, IntakePorts ports,
                         std::shared_ptr<Gate> gate)
    : committee_(committee),
      bytes_max_(bytes_max),
      ports_(std::move(ports)),
      gate_(std::move(gate)),
      pending_(committee.size()) {}

void BatchIntake::offer(dag::ValidatorIndex from, Slice batch) {
    const std::size_t bytes = batch.bytes.size();
    if (pending_[from.value()].fetch_add(bytes) + bytes > bytes_max_ || !gate_->enter()) {
        pending_[from.value()] -= bytes;
        ++refused_;
        return;
    }
    ports_.post_crypto([self = shared_from_this(), from, batch = std::move(batch)] {
        self->take_offer(from, batch);
        self->gate_->leave();
    });
}

void BatchIntake::take_offer(dag::ValidatorIndex from, const Slice& batch) {
    const auto refuse = [&] {
        pending_[from.value()] -= batch.bytes.size();
        ++refused_;
    };
    const auto view = dag::parse_batch(committee_, batch.bytes);
    if (!view || view->head.author != from) {
        refuse();
        return ports_.fault(from, view ? "a batch in another's name" : "a malformed batch");
    }
    const dag::PayloadEntry entry = dag::payload_entry(committee_, *view, batch.bytes);
    // The message is held until its bytes are durable, so that its sender's window covers what waits here.
    auto durable = [self = shared_from_this(), entry, held = batch.owner] {
        self->pending_[entry.author.value()] -= entry.bytes;
        if (!self->gate_->enter()) return;
        ++self->stored_;
        self->ports_.stored(entry);
        self->gate_->leave();
    };
    // What is refused here is not acknowledged: its author offers it again while it is of use.
    if (!ports_.store(entry, exactly(batch), storage::Standing::offered, std::move(durable))) refuse();
}

/// Collects the durable callbacks of one reply.
struct BatchIntake::Collection {
    std::mutex mutex;
    std::size_t missing = 0;
    Fetched fetched;
    std::function<void(Fetched)> done;

    void settle(const dag::PayloadEntry* stored) {
        {
            const std::lock_guard lock(mutex);
            if (stored != nullptr) fetched.stored.push_back(*stored);
            if (--missing > 0) return;
        }
        done(std::move(fetched));
    }
};

void BatchIntake::fetched(std::vector<Slice> batches, std::vector<Digest> expected,
                          std::function<void(Fetched)> done) {
    if (!gate_->enter()) return;
    ports_.post_crypto([self = shared_from_this(), batches = std::move(batches),
                        expected = std::move(expected), done = std::move(done)]() mutable {
        self->take_fetched(batches, std::move(expected), std::move(done));
        self->gate_->leave();
    });
}

void BatchIntake::take_fetched(const std::vector<Slice>& batches, std::vector<Digest> expected,
                               std::function<void(Fetched)> done) {
    auto collection = std::make_shared<Collection>();
    collection->done = std::move(done);
    // One more, so that nobody is done before all were handed over.
    collection->missing = 1;
    for (const Slice& batch : batches) {
        const auto view = dag::parse_batch(committee_, batch.bytes);
        if (!view) {
            collection->fetched.bad = true;
            continue;
        }
        const dag::PayloadEntry entry = dag::payload_entry(committee_, *view, batch.bytes);
        const auto wanted = std::find(expected.begin(), expected.end(), entry.batch);
        if (wanted == expected.end()) {
            collection->fetched.bad = true;
            continue;
        }
        expected.erase(wanted);
        {
            const std::lock_guard lock(collection->mutex);
            ++collection->missing;
        }
        auto durable = [self = shared_from_this(), collection, entry] {
            if (!self->gate_->enter()) return;
            ++self->stored_;
            collection->settle(&entry);
            self->gate_->leave();
        };
        if (!ports_.store(entry, exactly(batch), storage::Standing::named, std::move(durable))) {
            ++refused_;
            collection->settle(nullptr);
        }
    }
    collection->settle(nullptr);
}

std::size_t BatchIntake::pending_bytes() const {
    std::size_t bytes = 0;
    for (const auto& author : pending_) bytes += author.load(std::memory_order_relaxed);
    return bytes;
}

}  // namespace monodon::node
