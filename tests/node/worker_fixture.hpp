#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>

#include "node/worker.hpp"
#include "tests/node/chain.hpp"

namespace monodon::node::test {

class Checker final : public Application {
 public:
    dag::CommitIndex next_index() override { return dag::CommitIndex{1}; }
    Verdict check(TransactionView transaction) const override {
        return is_kv(transaction.bytes) && !parse_kv(transaction.bytes) ? Verdict::malformed : Verdict::ok;
    }
    Expected<Applied, ApplyFailure> apply(std::span<const dag::CommitPtr>, const BatchReader&) override {
        return Applied{};
    }
};

/// The worker of member 0 of a committee, in one thread that runs while the test waits. The rest of the node
/// records.
struct WorkerFixture {
    struct Ack {
        std::uint16_t to = 0;
        std::vector<Digest> batches;
    };
    struct Stored {
        dag::PayloadEntry entry;
        SharedBytes bytes;
        storage::Standing standing = storage::Standing::offered;
    };

    explicit WorkerFixture(const std::vector<dag::Stake>& stakes = {1, 1, 1, 1})
        : committee(committee_of(stakes)) {}
    ~WorkerFixture() {
        worker.reset();
        context.restart();
        context.poll();
    }

    boost::asio::io_context context;
    dag::Committee committee;
    Checker application;
    WorkerConfig config;
    std::unique_ptr<Worker> worker;

    std::vector<SharedBytes> broadcast;
    std::vector<Ack> acks;
    std::vector<Stored> writes;
    std::map<Digest, SharedBytes> store;
    /// The store takes nothing.
    std::optional<storage::PutError> refuse;
    /// Durable callbacks that wait until the test calls them.
    bool hold_writes = false;
    std::vector<std::function<void()>> held;
    std::vector<dag::PayloadEntry> ready;
    std::vector<dag::PayloadEntry> told_stored;
    std::vector<std::string> faults;
    std::size_t queued = 0;
    std::shared_ptr<const std::string> refusal;
    dag::Round round{7};
    std::vector<StageReport> reports;

    /// Nothing at an observer.
    std::optional<dag::ValidatorIndex> seat = member(0);

    void start(std::vector<dag::PayloadEntry> recovered = {}) {
        worker = std::make_unique<Worker>(context.get_executor(), config, committee, seat, application,
                                          ports(), std::move(recovered));
        worker->start();
    }
    void start_connected() {
        start();
        for (std::uint16_t peer = 1; peer < committee.size(); ++peer) worker->on_peer(member(peer), true);
        settle();
    }

    WorkerPorts ports() {
        WorkerPorts ports;
        ports.send_batch = [this](const dag::AuthorSet& to, const SharedBytes& bytes) {
            broadcast.push_back(bytes);
            return to;
        };
        ports.send_ack = [this](dag::ValidatorIndex to, const std::vector<Digest>& batches) {
            acks.push_back({to.value(), batches});
        };
        ports.queued_bytes = [this](dag::ValidatorIndex) { return queued; };
        ports.store = [this](const dag::PayloadEntry& entry, SharedBytes bytes, storage::Standing standing,
                             std::function<void()> durable) -> Expected<void, storage::PutError> {
            if (refuse) return Unexpected{*refuse};
            writes.push_back({entry, bytes, standing});
            store[entry.batch] = std::move(bytes);
            if (hold_writes) {
                held.push_back(std::move(durable));
            } else {
                boost::asio::post(context, std::move(durable));
            }
            return {};
        };
        ports.load = [this](const dag::PayloadEntry& entry) {
            const auto found = store.find(entry.batch);
            return found == store.end() ? nullptr : found->second;
        };
        ports.payload_ready = [this](const dag::PayloadEntry& entry) { ready.push_back(entry); };
        ports.batch_stored = [this](const dag::PayloadEntry& entry) { told_stored.push_back(entry); };
        ports.round = [this] { return round; };
        ports.refusal = [this] { return refusal; };
        ports.now = [] { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); };
        ports.post_crypto = [this](std::function<void()> work) {
            boost::asio::post(context, std::move(work));
        };
        ports.fault = [this](dag::ValidatorIndex, std::string_view why) { faults.emplace_back(why); };
        return ports;
    }

    /// Runs the worker until it comes true; false after a generous deadline.
    template <class Predicate>
    [[nodiscard]] bool until(Predicate predicate) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!predicate()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            context.restart();
            context.run_one_for(std::chrono::milliseconds(10));
        }
        return true;
    }
    /// Runs all that is ready to run.
    void settle() {
        context.restart();
        context.poll();
    }

    std::uint64_t submit(const std::vector<Bytes>& transactions, Stage want = Stage::accepted,
                         Duration timeout = std::chrono::seconds(20)) {
        Submission submission;
        for (const Bytes& bytes : transactions) submission.transactions.push_back(Slice::whole(share(bytes)));
        submission.want = want;
        submission.timeout = timeout;
        submission.report = [this](const StageReport& report) { reports.push_back(report); };
        const std::uint64_t number = worker->submit(std::move(submission));
        settle();
        return number;
    }
    void acknowledge(const dag::PayloadEntry& entry, std::vector<std::uint16_t> from = {1, 2}) {
        for (const std::uint16_t peer : from) worker->on_ack(member(peer), {entry.batch});
        settle();
    }
    dag::CommitPtr commit(const std::vector<dag::PayloadEntry>& payload, std::uint64_t index = 1) {
        auto made = std::make_shared<dag::Commit>();
        made->index = dag::CommitIndex{index};
        made->anchor.round = dag::Round{2 * index};
        made->payload = payload;
        for (const dag::PayloadEntry& entry : payload) made->transactions += entry.transactions;
        worker->on_committed(made);
        settle();
        return made;
    }
    void execute(const dag::PayloadEntry& entry, std::vector<Outcome> outcomes = {},
                 std::uint64_t index = 1) {
        AppliedBatch applied;
        applied.batch = entry.batch;
        applied.commit = dag::CommitIndex{index};
        applied.outcomes = std::move(outcomes);
        worker->on_executed({applied});
        settle();
    }
    [[nodiscard]] std::vector<std::string> transactions_of(const SharedBytes& batch) const {
        std::vector<std::string> all;
        const auto view = dag::parse_batch(committee, *batch);
        REQUIRE(view);
        view->for_each([&](ByteView bytes) { all.emplace_back(as_text(bytes)); });
        return all;
    }
    [[nodiscard]] std::optional<Receipt> find(const Bytes& transaction) const {
        return worker->find(sha256(transaction));
    }
};

}  // namespace monodon::node::test
