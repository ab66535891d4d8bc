#include "node/executor.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "net/core/check.hpp"
#include "net/core/log.hpp"

namespace monodon::node {

class Executor::Impl {
 public:
    Impl(Application& application, const dag::Committee& committee, std::optional<dag::ValidatorIndex> self,
         ExecutorPorts ports, ExecutorConfig config, StateRoot last_root)
        : application_(application),
          committee_(committee),
          self_(self),
          ports_(std::move(ports)),
          config_(config) {
        status_.applied = dag::CommitIndex{application.next_index().value() - 1};
        status_.root = last_root;
    }

    void start() {
        MONODON_CHECK(!thread_.joinable());
        thread_ = std::thread([this] { run(); });
    }

    void deliver(dag::CommitPtr commit) {
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return;
            const bool first = last_delivered_.value() == 0;
            MONODON_CHECK(first ? commit->index <= dag::next(status_.applied)
                                : commit->index == dag::next(last_delivered_));
            last_delivered_ = commit->index;
            status_.queued_bytes += commit->bytes;
            queue_.push_back(std::move(commit));
        }
        wake_.notify_one();
    }

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        if (thread_.joinable()) thread_.join();
    }

    ExecutionStatus status() const {
        const std::lock_guard lock(mutex_);
        ExecutionStatus status = status_;
        status.queued_commits = queue_.size() + group_.size();
        return status;
    }

 private:
    void run() {
        while (take_group()) {
            const auto begun = std::chrono::steady_clock::now();
            auto applied = application_.apply(group_, reader_);
            if (!applied && lost_) {
                if (!wait_for_batch()) return;
                continue;
            }
            if (!applied) {
                if (!wait_out(applied.error())) return;
                continue;
            }
            publish(*applied, std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun));
        }
    }

    /// Waits for commits and moves as many into the group as it may hold, unless it still holds those of a
    /// failed attempt. False when there is to be no more.
    bool take_group() {
        std::unique_lock lock(mutex_);
        if (group_.empty()) wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (stopping_) return false;
        if (!group_.empty()) return true;
        std::uint64_t bytes = 0;
        std::uint64_t transactions = 0;
        while (!queue_.empty() && group_.size() < config_.group_commits && bytes < config_.group_bytes &&
               transactions < config_.group_transactions) {
            bytes += queue_.front()->bytes;
            transactions += queue_.front()->transactions;
            group_.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
        return true;
    }

    /// Until a batch that could not be read was fetched again; no transaction is open meanwhile. False if
    /// execution has to end.
    bool wait_for_batch() {
        const dag::PayloadEntry entry = *std::exchange(lost_, std::nullopt);
        log::warn(log::Category::execution, "a batch is not in the store or is damaged: fetching it again",
                  {{"digest", entry.batch.hex()}});
        for (;;) {
            ports_.lost(entry);
            {
                std::unique_lock lock(mutex_);
                status_.trouble = fmt::format("batch {} is being fetched again", entry.batch.hex());
                wake_.wait_for(lock, config_.look_again, [this] { return stopping_; });
                if (stopping_) return false;
            }
            if (const auto bytes = ports_.load(entry); bytes && *bytes != nullptr) return true;
        }
    }

    /// False if execution has to end.
    bool wait_out(const ApplyFailure& failure) {
        std::unique_lock lock(mutex_);
        const bool told = !std::exchange(status_.trouble, failure.text).empty();
        if (failure.try_again) {
            if (!told) {
                log::error(log::Category::execution, "cannot write the state; trying again",
                           {{"error", failure.text}});
            }
            wake_.wait_for(lock, config_.retry, [this] { return stopping_; });
            return true;
        }
        lock.unlock();
        log::error(log::Category::execution, "execution has ended", {{"error", failure.text}});
        ports_.fatal(failure.text);
        return false;
    }

    void publish(Applied& applied, Duration took) {
        dag::CommitIndex index = group_.back()->index;
        {
            const std::lock_guard lock(mutex_);
            for (const dag::CommitPtr& commit : group_) {
                status_.queued_bytes -= commit->bytes;
                if (commit->index <= status_.applied) continue;
                status_.transactions += commit->transactions;
                status_.bytes += commit->bytes;
            }
            index = status_.applied = std::max(status_.applied, index);
            if (!applied.roots.empty()) status_.root = applied.roots.back();
            ++status_.groups;
            status_.last_group = took;
            status_.trouble.clear();
            group_.clear();
        }
        if (!applied.reported.empty()) ports_.results(std::move(applied.reported));
        for (const StateRoot& root : applied.roots) ports_.root(root);
        ports_.executed(index);
    }

    /// The engine delivers a commit only when all its batches are stored, and the store checks what it reads:
    /// a batch that cannot be read was damaged on the disk, and others have it. One that can be read and is
    /// wrong is beyond repair.
    Expected<BatchBody, std::string> read(const dag::PayloadEntry& entry) {
        auto bytes = ports_.load(entry);
        if (!bytes || *bytes == nullptr) {
            lost_ = entry;
            return Unexpected{fmt::format("batch {}: {}", entry.batch.hex(),
                                          bytes ? std::string("not in the store") : bytes.error())};
        }
        const auto view = dag::parse_batch(committee_, **bytes);
        const bool right = view && view->head.author == entry.author && view->head.worker == entry.worker &&
                           view->head.sealed_round == entry.sealed_round &&
                           view->transactions == entry.transactions && (*bytes)->size() == entry.bytes;
        if (!right) {
            return Unexpected{
                fmt::format("batch {} in the store is not what its certificate names", entry.batch.hex())};
        }
        return BatchBody{*std::move(bytes), *view, entry.author == self_};
    }

    Application& application_;
    const dag::Committee& committee_;
    const std::optional<dag::ValidatorIndex> self_;
    const ExecutorPorts ports_;
    const ExecutorConfig config_;
    const BatchReader reader_ = [this](const dag::PayloadEntry& entry) { return read(entry); };
    /// What the last attempt could not read. Of the thread.
    std::optional<dag::PayloadEntry> lost_;

    std::thread thread_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::deque<dag::CommitPtr> queue_;
    dag::CommitIndex last_delivered_;
    ExecutionStatus status_;
    /// Changed only by the thread, with the mutex; read by it without.
    std::vector<dag::CommitPtr> group_;
};

Executor::Executor(Application& application, const dag::Committee& committee,
                   std::optional<dag::ValidatorIndex> self, ExecutorPorts ports, ExecutorConfig config,
                   StateRoot last_root)
    : impl_(std::make_unique<Impl>(application, committee, self, std::move(ports), config, last_root)) {}

Executor::~Executor() { impl_->stop(); }

void Executor::start() { impl_->start(); }
void Executor::deliver(dag::CommitPtr commit) { impl_->deliver(std::move(commit)); }
void Executor::stop() { impl_->stop(); }
ExecutionStatus Executor::status() const { return impl_->status(); }

}  // namespace monodon::node
