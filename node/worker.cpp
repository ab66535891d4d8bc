#include "node/worker.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <random>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include "net/core/check.hpp"
#include "node/batch_intake.hpp"
#include "node/gate.hpp"
#include "node/mempool.hpp"

namespace asio = boost::asio;

namespace monodon::node {

namespace {

/// Of resends, late proposals and the deadlines of waiters.
constexpr Duration kTick = std::chrono::milliseconds(50);
/// Larger submissions are hashed on the crypto pool: this much takes about 10 us.
constexpr std::size_t kInlineBytes = 16 * 1024;
/// A notice of acknowledgements holds at most 1,000.
constexpr std::size_t kAcksPerNotice = 512;

std::uint64_t random_seed() {
    std::random_device source;
    return std::uint64_t{source()} << 32 | source();
}

}  // namespace

/// Strand, timers and acknowledgements around Mempool and BatchIntake.
class Worker::Impl : public std::enable_shared_from_this<Impl> {
 public:
    Impl(const asio::any_io_executor& executor, WorkerConfig config, const dag::Committee& committee,
         std::optional<dag::ValidatorIndex> self, const Application& application, WorkerPorts ports,
         std::vector<dag::PayloadEntry> recovered)
        : config_(std::move(config)),
          committee_(committee),
          self_(self),
          application_(application),
          ports_(std::move(ports)),
          recovered_(std::move(recovered)),
          strand_(asio::make_strand(executor)),
          batch_timer_(strand_),
          tick_timer_(strand_),
          acks_(committee.size()) {}

    /// Once, before anything else. Callbacks of the store hold us weakly: they may come when we are gone.
    void initialise() {
        if (self_) {
            mempool_ = std::make_unique<Mempool>(
                config_, committee_, *self_, ports_,
                [weak = weak_from_this()](const dag::PayloadEntry& entry) {
                    if (const auto self = weak.lock()) self->stored_own(entry);
                },
                random_seed());
        }
        intake_ = std::make_shared<BatchIntake>(
            committee_, config_.incoming_bytes_max,
            IntakePorts{ports_.post_crypto, ports_.store, ports_.fault,
                        [weak = weak_from_this()](const dag::PayloadEntry& entry) {
                            if (const auto self = weak.lock()) self->stored_offer(entry);
                        }},
            gate_);
    }

    void start() {
        with_mempool(
            [recovered = std::exchange(recovered_, {})](Mempool& mempool) { mempool.recover(recovered); });
    }

    void stop(std::function<void()> done) {
        gate_->close([self = shared_from_this(), done = std::move(done)]() mutable {
            // What was let in before is on the strand before this.
            asio::post(self->strand_, [self, done = std::move(done)] {
                if (self->mempool_) {
                    self->mempool_->stop();
                    self->mempool_->publish();
                }
                self->stopped_ = true;
                self->batch_timer_.cancel();
                self->tick_timer_.cancel();
                done();
            });
        });
    }

    /// Runs `action(Impl&)` on the strand. False, and nothing happens, once the worker is being stopped.
    template <class Action>
    bool run(Action action) {
        if (!gate_->enter()) return false;
        asio::post(strand_, [self = shared_from_this(), action = std::move(action)]() mutable {
            action(*self);
            self->arm();
        });
        gate_->leave();
        return true;
    }

    /// The same with the mempool, if there is one.
    template <class Action>
    bool with_mempool(Action action) {
        return run([action = std::move(action)](Impl& impl) mutable {
            if (impl.mempool_) action(*impl.mempool_);
        });
    }

    void on_committed(const dag::Commit& commit) {
        {
            const std::lock_guard lock(committed_mutex_);
            committed_rate_.add(ports_.now(), commit.transactions);
            committed_ += commit.transactions;
        }
        if (mempool_) mempool_->on_committed(commit);
    }

    std::uint64_t submit(Submission submission) {
        MONODON_CHECK(!submission.transactions.empty());
        MONODON_CHECK(submission.transactions.size() <= kSubmissionTransactionsMax);
        auto prepared = std::make_shared<PreparedSubmission>();
        prepared->submission = std::move(submission);
        prepared->number = next_submission_++;
        prepared->arrival = ports_.now();
        const std::uint64_t number = prepared->number;
        if (!self_) {
            refuse(*prepared, StageReport::Kind::elsewhere, config_.elsewhere);
            return number;
        }
        std::size_t bytes = 0;
        for (const Slice& transaction : prepared->submission.transactions) bytes += transaction.bytes.size();
        auto hand_in = [self = shared_from_this(), prepared] {
            prepare(self->application_, *prepared);
            const bool taken = self->with_mempool([prepared](Mempool& mempool) { mempool.admit(*prepared); });
            if (!taken) refuse(*prepared, StageReport::Kind::stopped);
        };
        if (bytes <= kInlineBytes) {
            hand_in();
        } else if (gate_->enter()) {
            ports_.post_crypto(std::move(hand_in));
            gate_->leave();
        } else {
            refuse(*prepared, StageReport::Kind::stopped);
        }
        return number;
    }

    void told_of_fetched(const BatchIntake::Fetched& fetched, const std::function<void(Fetched)>& done) {
        std::size_t bytes = 0;
        for (const dag::PayloadEntry& entry : fetched.stored) {
            ports_.batch_stored(entry);
            bytes += entry.bytes;
        }
        done({fetched.stored.size(), bytes, fetched.bad});
    }

    [[nodiscard]] WorkerStatus status() const {
        WorkerStatus status;
        if (mempool_) mempool_->fill(status);
        {
            const std::lock_guard lock(committed_mutex_);
            status.transactions_committed = committed_;
            status.committed_per_second = committed_rate_.per_second(ports_.now());
        }
        status.batches_stored = intake_->stored();
        status.batches_refused = intake_->refused();
        status.incoming_bytes = intake_->pending_bytes();
        return status;
    }

    [[nodiscard]] std::optional<Receipt> find(const Digest& id) const {
        return mempool_ ? mempool_->find(id) : std::nullopt;
    }
    BatchIntake& intake() { return *intake_; }

 private:
    static void refuse(const PreparedSubmission& prepared, StageReport::Kind kind, std::string reason = {}) {
        StageReport report;
        report.kind = kind;
        report.reason = std::move(reason);
        report.last = true;
        prepared.submission.report(report);
    }

    // On a thread of the store.
    void stored_own(const dag::PayloadEntry& entry) {
        with_mempool([entry](Mempool& mempool) { mempool.on_stored(entry); });
    }
    void stored_offer(const dag::PayloadEntry& entry) {
        ports_.batch_stored(entry);
        run([entry](Impl& impl) { impl.acknowledge(entry); });
    }

    /// Acknowledgements wait for whatever is on the strand already, so that one notice carries those of a
    /// whole group commit.
    void acknowledge(const dag::PayloadEntry& entry) {
        acks_[entry.author.value()].push_back(entry.batch);
        if (std::exchange(flushing_, true)) return;
        run([](Impl& impl) { impl.flush_acks(); });
    }

    void flush_acks() {
        flushing_ = false;
        for (std::size_t author = 0; author < acks_.size(); ++author) {
            const std::vector<Digest>& all = acks_[author];
            for (std::size_t at = 0; at < all.size(); at += kAcksPerNotice) {
                const auto first = all.begin() + static_cast<std::ptrdiff_t>(at);
                const auto count = static_cast<std::ptrdiff_t>(std::min(all.size() - at, kAcksPerNotice));
                ports_.send_ack(dag::ValidatorIndex{static_cast<std::uint16_t>(author)},
                                {first, first + count});
            }
            acks_[author].clear();
        }
    }

    template <class Action>
    auto when_due(Action action) {
        return [weak = weak_from_this(), action](const boost::system::error_code& error) {
            const auto self = weak.lock();
            if (!self || error || self->stopped_) return;
            action(*self);
            self->arm();
        };
    }

    /// Sets the timers that the mempool needs. After everything that touched it.
    void arm() {
        if (!mempool_) return;
        mempool_->publish();
        if (const auto at = mempool_->dispatch_at(); at && !std::exchange(batch_timer_armed_, true)) {
            batch_timer_.expires_after(std::max(Duration{0}, *at - ports_.now()));
            batch_timer_.async_wait(when_due([](Impl& impl) {
                impl.batch_timer_armed_ = false;
                impl.mempool_->dispatch();
            }));
        }
        if (mempool_->needs_tick() && !std::exchange(tick_timer_armed_, true)) {
            tick_timer_.expires_after(kTick);
            tick_timer_.async_wait(when_due([](Impl& impl) {
                impl.tick_timer_armed_ = false;
                impl.mempool_->tick();
            }));
        }
    }

    const WorkerConfig config_;
    const dag::Committee& committee_;
    const std::optional<dag::ValidatorIndex> self_;
    const Application& application_;
    const WorkerPorts ports_;
    std::vector<dag::PayloadEntry> recovered_;

    asio::strand<asio::any_io_executor> strand_;
    asio::steady_timer batch_timer_;
    asio::steady_timer tick_timer_;
    bool batch_timer_armed_ = false;
    bool tick_timer_armed_ = false;
    bool stopped_ = false;
    const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();

    /// Null at an observer. Of the strand, but for its thread-safe methods.
    std::unique_ptr<Mempool> mempool_;
    std::shared_ptr<BatchIntake> intake_;
    std::atomic<std::uint64_t> next_submission_{1};
    /// By author, until the next flush.
    std::vector<std::vector<Digest>> acks_;
    bool flushing_ = false;

    mutable std::mutex committed_mutex_;
    // With the mutex, of the whole committee:
    RateWindow committed_rate_;
    std::uint64_t committed_ = 0;
};

Worker::Worker(asio::any_io_executor executor, WorkerConfig config, const dag::Committee& committee,
               std::optional<dag::ValidatorIndex> self, const Application& application, WorkerPorts ports,
               std::vector<dag::PayloadEntry> recovered)
    : impl_(std::make_shared<Impl>(executor, std::move(config), committee, self, application,
                                   std::move(ports), std::move(recovered))) {
    impl_->initialise();
}

Worker::~Worker() = default;

void Worker::start() { impl_->start(); }
void Worker::stop(std::function<void()> done) { impl_->stop(std::move(done)); }

std::uint64_t Worker::submit(Submission submission) { return impl_->submit(std::move(submission)); }
void Worker::forget(std::uint64_t submission) {
    impl_->with_mempool([submission](Mempool& mempool) { mempool.forget(submission); });
}
std::optional<Receipt> Worker::find(const Digest& id) const { return impl_->find(id); }
WorkerStatus Worker::status() const { return impl_->status(); }

void Worker::on_peer(dag::ValidatorIndex peer, bool connected) {
    impl_->with_mempool([peer, connected](Mempool& mempool) { mempool.on_peer(peer, connected); });
}
void Worker::on_batch(dag::ValidatorIndex from, Slice batch) {
    impl_->intake().offer(from, std::move(batch));
}
void Worker::on_ack(dag::ValidatorIndex from, std::vector<Digest> batches) {
    impl_->with_mempool(
        [from, batches = std::move(batches)](Mempool& mempool) { mempool.on_acks(from, batches); });
}
void Worker::store_fetched(std::vector<Slice> batches, std::vector<Digest> expected,
                           std::function<void(Fetched)> done) {
    auto told = [impl = impl_, done = std::move(done)](BatchIntake::Fetched fetched) {
        impl->run([fetched = std::move(fetched), done](Impl& on_strand) {
            on_strand.told_of_fetched(fetched, done);
        });
    };
    impl_->intake().fetched(std::move(batches), std::move(expected), std::move(told));
}

void Worker::on_certified(std::vector<dag::PayloadEntry> payload) {
    impl_->with_mempool([payload = std::move(payload)](Mempool& mempool) { mempool.on_certified(payload); });
}
void Worker::on_committed(dag::CommitPtr commit) {
    impl_->run([commit = std::move(commit)](Impl& impl) { impl.on_committed(*commit); });
}
void Worker::on_executed(std::vector<AppliedBatch> batches) {
    impl_->with_mempool([batches = std::move(batches)](Mempool& mempool) mutable {
        mempool.on_executed(std::move(batches));
    });
}
void Worker::requeue(const Digest& batch) {
    impl_->with_mempool([batch](Mempool& mempool) { mempool.requeue(batch); });
}

}  // namespace monodon::node
