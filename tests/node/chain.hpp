#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "dag/events.hpp"
#include "dag/model/batch.hpp"
#include "dag/model/committee.hpp"
#include "node/application.hpp"
#include "node/kv_format.hpp"
#include "tests/temporary_directory.hpp"

/// What the tests of worker and execution stand on.
namespace monodon::node::test {

/// Members with these stakes, whose keys are stand-ins.
[[nodiscard]] dag::Committee committee_of(const std::vector<dag::Stake>& stakes);
[[nodiscard]] inline dag::ValidatorIndex member(std::uint16_t index) { return dag::ValidatorIndex{index}; }

[[nodiscard]] inline SharedBytes share(Bytes bytes) {
    return std::make_shared<const Bytes>(std::move(bytes));
}
[[nodiscard]] SharedBytes share(std::string_view text);

[[nodiscard]] Bytes put(std::string_view key, std::string_view value);
[[nodiscard]] Bytes erase(std::string_view key);
[[nodiscard]] Bytes get(std::string_view key);
/// Null `expected`: the key must be absent.
[[nodiscard]] Bytes compare_and_set(std::string_view key, const char* expected, std::string_view value);
[[nodiscard]] Bytes opaque(std::string_view text);

/// A batch of this author with these transactions; each call gives another.
[[nodiscard]] dag::BatchBuilder::Sealed seal(const dag::Committee& committee, dag::ValidatorIndex author,
                                             const std::vector<Bytes>& transactions,
                                             dag::Round round = dag::Round{1});

/// Batches and the commits that execute them, as ordering would give them to execution.
class Chain {
 public:
    explicit Chain(const dag::Committee& committee) : committee_(committee) {}

    /// The next commit, of one batch by `author`.
    dag::CommitPtr commit(const std::vector<Bytes>& transactions, std::uint16_t author = 0);
    /// The next commit, of these batches.
    dag::CommitPtr commit(const std::vector<dag::BatchBuilder::Sealed>& batches);
    /// The next commit, without payload.
    dag::CommitPtr commit() { return commit(std::vector<dag::BatchBuilder::Sealed>{}); }
    /// Without payload, until the next index is this one.
    std::vector<dag::CommitPtr> empty_until(std::uint64_t next);

    [[nodiscard]] std::uint64_t next_index() const { return next_index_; }
    [[nodiscard]] SharedBytes bytes(const dag::PayloadEntry& entry) const { return batches_.at(entry.batch); }
    void lose(const Digest& batch) { batches_.at(batch) = nullptr; }
    void replace(const Digest& batch, SharedBytes bytes) { batches_.at(batch) = std::move(bytes); }
    /// Reports every batch.
    [[nodiscard]] BatchReader reader() const;

 private:
    const dag::Committee& committee_;
    std::uint64_t next_index_ = 1;
    std::map<Digest, SharedBytes> batches_;
};

using monodon::test::TemporaryDirectory;

/// What threads tell the test, which waits until it has heard enough.
class Heard {
 public:
    template <class Change>
    void change(Change change) {
        const std::lock_guard lock(mutex_);
        change();
        // With the lock: who waits may destroy us as soon as it sees the change.
        changed_.notify_all();
    }
    /// False if it does not come true within the deadline.
    template <class Predicate>
    [[nodiscard]] bool wait(Predicate predicate) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), predicate);
    }
    template <class Read>
    auto read(Read read) {
        const std::lock_guard lock(mutex_);
        return read();
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
};

}  // namespace monodon::node::test
