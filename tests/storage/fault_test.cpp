#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>

#include <catch2/catch.hpp>

#include "storage/store_reader.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;
using dag::Round, dag::ValidatorIndex;

namespace {

/// What LMDB returns when its map is full.
constexpr int kMapFull = -30792;

/// Lets the n-th step of the disk fail, counted from 1, so often in a row.
struct NthFault {
    std::uint64_t nth = 0;
    int error = 0;
    std::uint64_t times = 1;
    std::atomic<std::uint64_t> steps = 0;
    std::atomic<bool> commit_failed = false;
    /// Not before the store is open.
    std::atomic<bool> armed = false;

    int operator()(lmdb::DiskStep step) {
        if (!armed) return 0;
        const std::uint64_t at = ++steps;
        if (at < nth || at >= nth + times) return 0;
        // LMDB reserves nothing itself: the map is found full by a row or by a commit.
        const bool ours = step == lmdb::DiskStep::reserve || step == lmdb::DiskStep::make;
        if (ours && error == kMapFull) return 0;
        if (step == lmdb::DiskStep::commit) commit_failed = true;
        return error;
    }
};

/// One write in flight: the next goes when this one is durable, none when the writer has ended.
class OneInFlight {
 public:
    std::size_t acknowledged = 0;
    std::optional<std::string> fatal;

 protected:
    [[nodiscard]] auto on_fatal() {
        return [this](const std::string& reason) {
            const std::lock_guard lock(mutex_);
            fatal = reason;
            changed_.notify_all();
        };
    }
    /// `write` is given what to call when it is durable. False if the writer has ended.
    template <class Write>
    [[nodiscard]] bool one(Write write) {
        write([this] {
            const std::lock_guard lock(mutex_);
            ++done_;
            changed_.notify_all();
        });
        std::unique_lock lock(mutex_);
        const std::size_t wanted = acknowledged + 1;
        REQUIRE(changed_.wait_for(lock, std::chrono::seconds(30), [&] { return fatal || done_ == wanted; }));
        acknowledged = done_;
        return !fatal;
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t done_ = 0;
};

/// Rounds of votes, certificates and commits, until all are durable or the writer ends.
struct Scenario : OneInFlight {
    static constexpr int kRounds = 4;
    TemporaryDirectory directory;
    std::shared_ptr<NthFault> fault = std::make_shared<NthFault>();
    std::vector<std::vector<dag::Record>> writes;

    Scenario() {
        // Made without faults: the store itself is not what is tried here.
        open_consensus(consensus_options(directory.path())).reset();
        DagMaker maker;
        for (int round = 0; round < kRounds; ++round) {
            const auto made = maker.add_round();
            writes.push_back({dag::VoteRecord{vote_for(made.certificates[0]->ref())}});
            writes.push_back(made.records());
        }
    }
    void run() {
        auto options = consensus_options(directory.path());
        options.environment.create = false;
        options.environment.faults = [state = fault](lmdb::DiskStep step) { return (*state)(step); };
        options.retry_after = std::chrono::milliseconds(1);
        options.fatal = on_fatal();
        auto opened = ConsensusStore::open(options, four_members());
        REQUIRE(opened);
        fault->armed = true;
        for (const auto& records : writes) {
            if (!one([&](auto durable) { (*opened)->write(records, durable); })) break;
        }
        // The writer ends before what its callbacks use.
        opened->reset();
    }
    /// All that was acknowledged is there, and what follows it is there as a whole or not at all.
    void check() const {
        const auto store = open_consensus(consensus_options(directory.path()));
        const auto recovered = recover(*store, four_members(), {});
        if (!recovered) FAIL(recovered.error().text);
        CHECK(verify_store(*store, four_members()).faults.empty());
        const std::size_t votes = (acknowledged + 1) / 2;
        const std::size_t commits = acknowledged / 2;
        CHECK(recovered->state.commits.size() >= commits);
        CHECK(recovered->state.commits.size() <= commits + 1);
        CHECK(recovered->state.certificates.size() == recovered->state.commits.size() * 4);
        if (votes > 0) {
            REQUIRE(recovered->state.votes.size() == 1);
            CHECK(recovered->state.votes[0].round >= Round{votes});
        }
    }
};

/// Batches of three generations, which are made meanwhile, until all are durable or the writer ends.
struct BatchScenario : OneInFlight {
    TemporaryDirectory directory;
    std::shared_ptr<NthFault> fault = std::make_shared<NthFault>();
    std::vector<SealedBatch> writes;

    BatchScenario() {
        for (std::uint64_t at = 0; at < 9; ++at)
            writes.push_back(
                batch(ValidatorIndex{1}, at, Round{at / 3 * kGenerationRounds}, 100 + at * 3000));
    }
    void run() {
        auto options = batch_options(directory.path());
        options.ahead = 10 * kGenerationRounds;
        options.environment.faults = [state = fault](lmdb::DiskStep step) { return (*state)(step); };
        options.retry_after = std::chrono::milliseconds(1);
        options.fatal = on_fatal();
        auto store = open_batches(options);
        fault->armed = true;
        for (const SealedBatch& each : writes) {
            const auto put = [&](auto durable) {
                REQUIRE(store->put(each.entry, each.bytes, Standing::named, durable));
            };
            if (!one(put)) break;
        }
        // The writer ends before what its callbacks use.
        store.reset();
    }
    void check() const {
        auto options = batch_options(directory.path());
        options.cache_bytes = 0;
        const auto store = open_batches(options);
        for (std::size_t at = 0; at < acknowledged; ++at) {
            const SharedBytes found = store->get(writes[at].entry.batch, writes[at].entry.sealed_round);
            REQUIRE(found);
            CHECK(*found == *writes[at].bytes);
        }
        CHECK(store->usage().damaged == 0);
    }
};

template <class Scenario>
std::uint64_t steps_of_a_whole_run() {
    Scenario scenario;
    scenario.run();
    REQUIRE_FALSE(scenario.fatal);
    REQUIRE(scenario.acknowledged == scenario.writes.size());
    scenario.check();
    return scenario.fault->steps;
}

}  // namespace

TEMPLATE_TEST_CASE("a full disk, a broken one and a full map at any step lose nothing that was acknowledged",
                   "", Scenario, BatchScenario) {
    const std::uint64_t steps = steps_of_a_whole_run<TestType>();
    REQUIRE(steps > 30);
    for (const int error : {ENOSPC, EIO, kMapFull}) {
        for (std::uint64_t nth = 1; nth <= steps; ++nth) {
            TestType scenario;
            scenario.fault->nth = nth;
            scenario.fault->error = error;
            scenario.fault->times = error == ENOSPC ? 3 : 1;
            scenario.run();
            INFO("error " << error << " at step " << nth << " of " << steps);
            // A commit that failed may have reached the disk, and is never tried again.
            const bool hopeless = error == EIO || (error == ENOSPC && scenario.fault->commit_failed);
            CHECK(scenario.fatal.has_value() == hopeless);
            if (!hopeless) CHECK(scenario.acknowledged == scenario.writes.size());
            scenario.check();
        }
    }
}

TEST_CASE("a writer whose disk neither writes nor refuses is found to hang, one that waits for room is not") {
    struct Disk {
        std::atomic<bool> hangs = false;
        std::atomic<int> error = 0;
    };
    const auto disk = std::make_shared<Disk>();
    const lmdb::FaultHook ask = [disk](lmdb::DiskStep) {
        (void)eventually([&] { return !disk->hangs; });
        return disk->error.load();
    };
    const auto after = [](const WriterStats& stats, auto time) {
        return writer_fault(stats, std::chrono::steady_clock::now() + time);
    };
    TemporaryDirectory directory;
    DagMaker maker;
    auto consensus = consensus_options(directory.path() / "c");
    consensus.environment.faults = ask;
    auto bodies = batch_options(directory.path() / "b");
    bodies.environment.faults = ask;
    const auto store = open_consensus(consensus);
    const auto batches = open_batches(bodies);
    const auto hang = [&](const auto& writer, const auto& write) {
        Signal durable;
        disk->hangs = true;
        write([&] { durable.raise(); });
        CHECK(eventually([&] { return writer.stats().busy_since.has_value(); }));
        CHECK(after(writer.stats(), std::chrono::seconds(0)).empty());
        CHECK_THAT(after(writer.stats(), 2 * kWriterHangs), Catch::Contains("has not answered"));
        disk->error = ENOSPC;
        disk->hangs = false;
        CHECK(eventually([&] {
            const WriterStats stats = writer.stats();
            return stats.stalled && after(stats, 2 * kWriterHangs).empty();
        }));
        disk->error = 0;
        CHECK(durable.wait());
        CHECK(eventually([&] { return after(writer.stats(), 2 * kWriterHangs).empty(); }));
    };
    hang(*store, [&](auto durable) { store->write(maker.add_round().records(), durable); });
    const SealedBatch sealed = batch(ValidatorIndex{1}, 1, Round{1});
    hang(*batches,
         [&](auto durable) { (void)batches->put(sealed.entry, sealed.bytes, Standing::named, durable); });
}
