#include <atomic>
#include <set>
#include <thread>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <catch2/catch.hpp>

#include "node/executor.hpp"
#include "node/kv_store.hpp"
#include "node/worker.hpp"
#include "tests/node/chain.hpp"

namespace four_workers_test {

using namespace monodon;
using namespace monodon::node;
using namespace monodon::node::test;
using namespace std::chrono_literals;

namespace {

class Four;

/// One validator without network and engine.
class Validator {
 public:
    Validator(Four& four, dag::ValidatorIndex self, const dag::Committee& committee);

    void start();
    void stop();
    [[nodiscard]] SharedBytes load(const dag::PayloadEntry& entry) {
        return heard_.read([&]() -> SharedBytes {
            const auto found = store_.find(entry.batch);
            return found == store_.end() ? nullptr : found->second;
        });
    }
    [[nodiscard]] bool wait_executed(std::uint64_t index) {
        return heard_.wait([&] { return executed_ >= index; });
    }
    Worker& worker() { return *worker_; }
    Executor& executor() { return *executor_; }
    KvStore& state() { return *state_; }

 private:
    WorkerPorts worker_ports();
    ExecutorPorts executor_ports();

    Four& four_;
    const dag::ValidatorIndex self_;
    const dag::Committee& committee_;
    TemporaryDirectory directory_;
    Heard heard_;
    std::map<Digest, SharedBytes> store_;
    std::uint64_t executed_ = 0;
    std::unique_ptr<KvStore> state_;
    std::unique_ptr<Executor> executor_;
    std::unique_ptr<Worker> worker_;
};

/// Four of them on one pool. What one of them would propose is ordered as it comes.
class Four {
 public:
    Four() {
        for (std::uint16_t at = 0; at < 4; ++at) {
            validators_.push_back(std::make_unique<Validator>(*this, member(at), committee_));
        }
        for (auto& each : validators_) each->start();
        for (std::uint16_t at = 0; at < 4; ++at) {
            for (std::uint16_t peer = 0; peer < 4; ++peer) {
                if (peer != at) validators_[at]->worker().on_peer(member(peer), true);
            }
        }
    }
    ~Four() {
        for (auto& each : validators_) each->stop();
        pool_.stop();
        pool_.join();
        validators_.clear();
    }

    Validator& at(std::size_t index) { return *validators_.at(index); }
    boost::asio::thread_pool& pool() { return pool_; }

    /// Every third batch notice to the last member is lost.
    [[nodiscard]] bool loses(dag::ValidatorIndex to) { return to == member(3) && ++notices_ % 3 == 0; }
    void propose(const dag::PayloadEntry& entry) {
        heard_.change([&] { proposed_.push_back(entry); });
    }

    /// Commits what has been proposed, until `done`; gives the index of the last commit.
    template <class Done>
    std::uint64_t order(Done done) {
        std::set<Digest> executed;
        std::uint64_t index = 0;
        while (!done()) {
            auto commit = std::make_shared<dag::Commit>();
            commit->index = dag::CommitIndex{++index};
            commit->anchor.round = dag::Round{index};
            const auto proposed = heard_.read([&] { return std::exchange(proposed_, {}); });
            for (const dag::PayloadEntry& entry : proposed) {
                if (!executed.insert(entry.batch).second) continue;
                commit->payload.push_back(entry);
                commit->transactions += entry.transactions;
                commit->bytes += entry.bytes;
            }
            for (auto& each : validators_) {
                REQUIRE(fetch_missing(*each, commit->payload));
                each->worker().on_certified(commit->payload);
                each->worker().on_committed(commit);
                each->executor().deliver(commit);
            }
            for (auto& each : validators_) REQUIRE(each->wait_executed(index));
        }
        return index;
    }

 private:
    bool fetch_missing(Validator& validator, const std::vector<dag::PayloadEntry>& payload) {
        std::vector<Slice> batches;
        std::vector<Digest> wanted;
        for (const dag::PayloadEntry& entry : payload) {
            if (validator.load(entry)) continue;
            batches.push_back(Slice::whole(at(entry.author.value()).load(entry)));
            wanted.push_back(entry.batch);
        }
        if (wanted.empty()) return true;
        bool fetched = false;
        validator.worker().store_fetched(batches, wanted, [this, &fetched](Worker::Fetched result) {
            heard_.change([&] { fetched = !result.bad; });
        });
        return heard_.wait([&] { return fetched; });
    }

    const dag::Committee committee_ = committee_of({1, 1, 1, 1});
    boost::asio::thread_pool pool_{3};
    Heard heard_;
    std::vector<dag::PayloadEntry> proposed_;
    std::atomic<int> notices_{0};
    std::vector<std::unique_ptr<Validator>> validators_;
};

Validator::Validator(Four& four, dag::ValidatorIndex self, const dag::Committee& committee)
    : four_(four), self_(self), committee_(committee) {
    storage::lmdb::EnvironmentOptions options;
    options.directory = directory_.path();
    options.create = true;
    auto state = KvStore::open(options);
    REQUIRE(state);
    state_ = *std::move(state);
    executor_ = std::make_unique<Executor>(*state_, committee_, self_, executor_ports(), ExecutorConfig{},
                                           state_->root());
    WorkerConfig config;
    config.batch_bytes = 8000;
    config.accepted_bytes_max = 64 * 1024;
    config.resend = 20ms;
    worker_ = std::make_unique<Worker>(four_.pool().get_executor(), config, committee_, self_, *state_,
                                       worker_ports(), std::vector<dag::PayloadEntry>{});
}

void Validator::start() {
    executor_->start();
    worker_->start();
}

void Validator::stop() {
    std::atomic<bool> stopped{false};
    Heard heard;
    worker_->stop([&] { heard.change([&] { stopped = true; }); });
    CHECK(heard.wait([&] { return stopped.load(); }));
    executor_->stop();
}

WorkerPorts Validator::worker_ports() {
    WorkerPorts ports;
    ports.send_batch = [this](const dag::AuthorSet& to, const SharedBytes& bytes) {
        to.for_each([&](dag::ValidatorIndex peer) {
            if (!four_.loses(peer)) four_.at(peer.value()).worker().on_batch(self_, Slice::whole(bytes));
        });
        return to;
    };
    ports.send_ack = [this](dag::ValidatorIndex to, const std::vector<Digest>& batches) {
        four_.at(to.value()).worker().on_ack(self_, batches);
    };
    ports.queued_bytes = [](dag::ValidatorIndex) { return 0; };
    ports.store = [this](const dag::PayloadEntry& entry, SharedBytes bytes, storage::Standing,
                         std::function<void()> durable) -> Expected<void, storage::PutError> {
        boost::asio::post(four_.pool(),
                          [this, entry, bytes = std::move(bytes), durable = std::move(durable)] {
                              heard_.change([&] { store_[entry.batch] = bytes; });
                              durable();
                          });
        return {};
    };
    ports.load = [this](const dag::PayloadEntry& entry) { return load(entry); };
    ports.payload_ready = [this](const dag::PayloadEntry& entry) { four_.propose(entry); };
    ports.batch_stored = [](const dag::PayloadEntry&) {};
    ports.round = [] { return dag::Round{1}; };
    ports.refusal = [] { return nullptr; };
    ports.now = [] { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); };
    ports.post_crypto = [this](std::function<void()> work) {
        boost::asio::post(four_.pool(), std::move(work));
    };
    ports.fault = [](dag::ValidatorIndex, std::string_view why) { FAIL(why); };
    return ports;
}

ExecutorPorts Validator::executor_ports() {
    ExecutorPorts ports;
    ports.load = [this](const dag::PayloadEntry& entry) -> Expected<SharedBytes, std::string> {
        return load(entry);
    };
    ports.lost = [](const dag::PayloadEntry& entry) { FAIL(entry.batch.hex()); };
    ports.executed = [this](dag::CommitIndex index) { heard_.change([&] { executed_ = index.value(); }); };
    ports.results = [this](std::vector<AppliedBatch> batches) { worker_->on_executed(std::move(batches)); };
    ports.root = [](const StateRoot&) {};
    ports.fatal = [](const std::string& why) { FAIL(why); };
    return ports;
}

/// Hands in puts, 25 at a time, again when the worker is busy, until all have been executed.
class Client {
 public:
    Client(Worker& worker, int number) : worker_(worker), number_(number) {}

    void hand_in(int first) {
        Submission submission;
        for (int at = first; at < first + 25; ++at) {
            submission.transactions.push_back(Slice::whole(share(put(key(at), std::string(200, 'v')))));
        }
        if (first == 0) seventh = sha256(submission.transactions[7].bytes);
        submission.want = Stage::executed;
        submission.report = [this, first](const StageReport& report) {
            if (report.kind == StageReport::Kind::busy) return hand_in(first);
            if (report.last && report.stage == Stage::executed) ++executed;
        };
        (void)worker_.submit(std::move(submission));
    }
    [[nodiscard]] std::string key(int at) const { return std::to_string(number_) + "/" + std::to_string(at); }

    std::atomic<int> executed{0};
    /// The id of one of the puts, for when all are executed.
    Digest seventh;

 private:
    Worker& worker_;
    int number_;
};

}  // namespace

TEST_CASE("four workers on several threads bring every transaction through, once, to the same state") {
    constexpr int kSubmissions = 40;
    Four four;
    std::vector<std::unique_ptr<Client>> clients;
    for (int at = 0; at < 4; ++at) {
        clients.push_back(std::make_unique<Client>(four.at(static_cast<std::size_t>(at)).worker(), at));
    }
    std::vector<std::thread> threads;
    for (auto& client : clients) {
        threads.emplace_back([&client] {
            for (int first = 0; first < 25 * kSubmissions; first += 25) client->hand_in(first);
        });
    }
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    const auto all_executed = [&] {
        int executed = 0;
        for (const auto& client : clients) executed += client->executed;
        return executed == 4 * kSubmissions || std::chrono::steady_clock::now() > deadline;
    };
    const std::uint64_t last = four.order(all_executed);
    for (std::thread& thread : threads) thread.join();
    for (const auto& client : clients) CHECK(client->executed == kSubmissions);

    for (std::size_t at = 0; at < 4; ++at) {
        KvStore& state = four.at(at).state();
        CHECK(state.summary().applied == dag::CommitIndex{last});
        CHECK(state.summary().keys == 4 * 25 * kSubmissions);
        CHECK(state.summary().transactions == 4 * 25 * kSubmissions);
        CHECK(state.root() == four.at(0).state().root());
        const WorkerStatus status = four.at(at).worker().status();
        CHECK(status.transactions_accepted == 25 * kSubmissions);
        CHECK(status.transactions_committed == 4 * 25 * kSubmissions);
        CHECK(status.latency[static_cast<std::size_t>(Stage::executed)].count == 25 * kSubmissions);
        const auto receipt = four.at(at).worker().find(clients[at]->seventh);
        REQUIRE(receipt);
        CHECK(receipt->outcome == Outcome::ok);
    }
}

}  // namespace four_workers_test
