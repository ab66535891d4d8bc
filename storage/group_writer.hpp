#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

#include "net/core/log.hpp"
#include "storage/error.hpp"
#include "storage/writer_stats.hpp"

namespace monodon::storage {

/// The thread that writes one kind of environment: takes all that waits, first in, first out, makes it
/// durable as one group and then runs the callbacks in order. Nothing waits for a timer. An Item has
/// `std::size_t bytes` and `std::function<void()> durable`.
///
/// A full disk (no_space: nothing was synced) stalls the writer, and the same group is tried again; any other
/// error ends it, since a sync that failed must not be tried again.
template <class Item>
class GroupWriter {
 public:
    struct Hooks {
        /// Makes a group durable. Called again with the same group after no_space.
        std::function<Result<void>(std::span<Item>)> write;
        /// A bounded piece of work for when nothing waits; true if there is more. Also called once a minute.
        std::function<Result<bool>()> idle;
        std::function<void(std::string)> fatal;
    };
    struct Options {
        /// At most 15 characters, as thread names are.
        const char* name;
        std::chrono::milliseconds retry_after;
        /// LMDB keeps the pages of a transaction in memory until it commits.
        std::size_t group_bytes_max;
        std::size_t group_items_max = 4096;
    };

    GroupWriter(Options options, Hooks hooks)
        : options_(options), hooks_(std::move(hooks)), thread_([this] { run(); }) {}

    ~GroupWriter() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
    GroupWriter(const GroupWriter&) = delete;
    GroupWriter& operator=(const GroupWriter&) = delete;

    /// False, and nothing is queued, if that would be more than `bytes_max`. After the end of the writer the
    /// item is dropped.
    bool push(Item item, std::size_t bytes_max) {
        {
            const std::lock_guard lock(mutex_);
            if (stats_.queued_bytes + item.bytes > bytes_max) return false;
            if (stats_.stopped) return true;
            stats_.queued_bytes += item.bytes;
            ++stats_.queued_writes;
            queue_.push_back(std::move(item));
        }
        changed_.notify_all();
        return true;
    }

    /// There is work for `idle`.
    void wake() {
        {
            const std::lock_guard lock(mutex_);
            idle_wanted_ = true;
        }
        changed_.notify_all();
    }

    [[nodiscard]] WriterStats stats() const {
        const std::lock_guard lock(mutex_);
        return stats_;
    }

 private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::seconds kHousekeeping{60};

    void run() {
        pthread_setname_np(pthread_self(), options_.name);
        std::vector<Item> group;
        while (take(group)) {
            if (!(group.empty() ? work_idle() : write(group))) return;
            for (Item& item : group) {
                if (item.durable) item.durable();
            }
            group.clear();
        }
    }

    /// An empty group means that it is time for idle work; false that the writer is to end.
    bool take(std::vector<Item>& group) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, kHousekeeping,
                          [this] { return stopping_ || idle_wanted_ || !queue_.empty(); });
        if (queue_.empty()) {
            idle_wanted_ = false;
            return !stopping_;
        }
        std::size_t bytes = 0;
        while (!queue_.empty() && group.size() < options_.group_items_max) {
            bytes += queue_.front().bytes;
            if (!group.empty() && bytes > options_.group_bytes_max) break;
            group.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
        return true;
    }

    bool write(std::vector<Item>& group) {
        for (;;) {
            const auto begin = Clock::now();
            set_busy(begin);
            const auto written = hooks_.write(group);
            set_busy({});
            if (written) {
                note_written(group, std::chrono::duration<double>(Clock::now() - begin).count());
                return true;
            }
            if (!survives(written.error(), stalled_writing_)) return false;
            std::unique_lock lock(mutex_);
            if (changed_.wait_for(lock, options_.retry_after, [this] { return stopping_; })) return false;
        }
    }

    bool work_idle() {
        set_busy(Clock::now());
        const auto more = hooks_.idle();
        set_busy({});
        if (!more && !survives(more.error(), stalled_idle_)) return false;
        std::unique_lock lock(mutex_);
        idle_wanted_ = idle_wanted_ || !more || *more;
        if (more) {
            const bool resumed = stalled_idle_;
            go_on(stalled_idle_);
            lock.unlock();
            if (resumed) say_resumed();
            return true;
        }
        changed_.wait_for(lock, options_.retry_after, [this] { return stopping_ || !queue_.empty(); });
        return true;
    }

    void set_busy(std::optional<Clock::time_point> since) {
        const std::lock_guard lock(mutex_);
        stats_.busy_since = since;
    }

    /// False ends the writer. `stalled` is which of its two works met a full disk: small writes may find room
    /// where pruning does not, and until both do the disk counts as full.
    bool survives(const Failure& failure, bool& stalled) {
        const bool stall = failure.error == StoreError::no_space;
        {
            const std::lock_guard lock(mutex_);
            ++stats_.errors;
            if (stall) {
                const bool known = stats_.stalled.has_value();
                stalled = true;
                stats_.stalled = failure.text;
                if (known) return true;
            } else {
                stats_.stopped = true;
                stats_.stalled.reset();
                queue_.clear();
            }
        }
        if (stall) {
            log::warn(log::Category::storage, "disk full: writes wait", {{"error", failure.text}});
            return true;
        }
        log::error(log::Category::storage, "cannot write any more", {{"error", failure.text}});
        if (hooks_.fatal) hooks_.fatal(failure.text);
        return false;
    }

    void note_written(const std::vector<Item>& group, double seconds) {
        std::size_t bytes = 0;
        for (const Item& item : group) bytes += item.bytes;
        bool resumed = false;
        {
            const std::lock_guard lock(mutex_);
            stats_.queued_writes -= group.size();
            stats_.queued_bytes -= bytes;
            stats_.written += group.size();
            stats_.written_bytes += bytes;
            stats_.group_size.observe(static_cast<double>(group.size()));
            stats_.commit_seconds.observe(seconds);
            resumed = stalled_writing_ && !stalled_idle_;
            go_on(stalled_writing_);
        }
        if (resumed) say_resumed();
    }

    /// With the mutex.
    void go_on(bool& stalled) {
        stalled = false;
        if (!stalled_writing_ && !stalled_idle_) stats_.stalled.reset();
    }

    static void say_resumed() { log::info(log::Category::storage, "the disk has room again: writes go on"); }

    const Options options_;
    const Hooks hooks_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Item> queue_;
    WriterStats stats_;
    bool idle_wanted_ = false;
    /// With the mutex, as `stats_`.
    bool stalled_writing_ = false;
    bool stalled_idle_ = false;
    bool stopping_ = false;
    /// Last: it uses all of the above.
    std::thread thread_;
};

}  // namespace monodon::storage
