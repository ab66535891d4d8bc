#include "node/executor.hpp"

#include <thread>

#include <catch2/catch.hpp>

#include "node/kv_store.hpp"
#include "tests/node/chain.hpp"

namespace executor_test {

using namespace monodon;
using namespace monodon::node;
using namespace monodon::node::test;

namespace {

/// Records the groups it is given; holds them up, or refuses them, when told to.
class Recorder final : public Application {
 public:
    dag::CommitIndex next_index() override { return next; }
    Verdict check(TransactionView) const override { return Verdict::ok; }
    Expected<Applied, ApplyFailure> apply(std::span<const dag::CommitPtr> commits,
                                          const BatchReader& read) override {
        heard.change([&] { ++begun; });
        MONODON_CHECK(heard.wait([&] { return open; }));
        if (const auto failing = heard.read([&] { return failure; })) return Unexpected{*failing};
        Applied applied;
        std::vector<std::uint64_t> indices;
        for (const dag::CommitPtr& commit : commits) {
            indices.push_back(commit->index.value());
            for (const dag::PayloadEntry& entry : commit->payload) {
                auto body = read(entry);
                if (!body) return Unexpected{ApplyFailure{body.error()}};
                if (!body->report) continue;
                AppliedBatch batch;
                batch.batch = entry.batch;
                applied.reported.push_back(batch);
            }
            if (commit->index.value() % 64 == 0) applied.roots.push_back({commit->index, sha256({})});
        }
        heard.change([&] { groups.push_back(indices); });
        return applied;
    }

    Heard heard;
    dag::CommitIndex next{1};
    bool open = true;
    int begun = 0;
    std::optional<ApplyFailure> failure;
    std::vector<std::vector<std::uint64_t>> groups;
};

struct Fixture {
    const dag::Committee committee = committee_of({1, 1, 1, 1});
    Chain chain{committee};
    Recorder application;
    Heard heard;
    std::uint64_t executed = 0;
    std::vector<Digest> results;
    std::vector<std::uint64_t> roots;
    std::vector<Digest> lost;
    std::string fatal;
    ExecutorConfig config;
    std::unique_ptr<Executor> executor;

    void start() {
        ExecutorPorts ports;
        ports.load = [this](const dag::PayloadEntry& entry) -> Expected<SharedBytes, std::string> {
            return heard.read([&] { return chain.bytes(entry); });
        };
        ports.lost = [this](const dag::PayloadEntry& entry) {
            heard.change([&] { lost.push_back(entry.batch); });
        };
        ports.executed = [this](dag::CommitIndex index) { heard.change([&] { executed = index.value(); }); };
        ports.results = [this](std::vector<AppliedBatch> batches) {
            heard.change([&] {
                for (const AppliedBatch& batch : batches) results.push_back(batch.batch);
            });
        };
        ports.root = [this](const StateRoot& root) {
            heard.change([&] { roots.push_back(root.index.value()); });
        };
        ports.fatal = [this](std::string why) { heard.change([&] { fatal = std::move(why); }); };
        executor = std::make_unique<Executor>(application, committee, member(1), ports, config, StateRoot{});
        executor->start();
    }
    void close() {
        application.heard.change([&] { application.open = false; });
    }
    void open() {
        application.heard.change([&] { application.open = true; });
    }
    [[nodiscard]] bool wait_executed(std::uint64_t index) {
        return heard.wait([&] { return executed >= index; });
    }
    [[nodiscard]] bool wait_begun(int groups) {
        return application.heard.wait([&] { return application.begun >= groups; });
    }
};

}  // namespace

TEST_CASE("commits are applied in order, and each group is reported") {
    Fixture fixture;
    fixture.start();
    for (int at = 0; at < 70; ++at) fixture.executor->deliver(fixture.chain.commit());
    REQUIRE(fixture.wait_executed(70));
    CHECK(fixture.roots == std::vector<std::uint64_t>{64});
    std::vector<std::uint64_t> all;
    for (const auto& group : fixture.application.groups) all.insert(all.end(), group.begin(), group.end());
    REQUIRE(all.size() == 70);
    CHECK(std::is_sorted(all.begin(), all.end()));
    CHECK(all.back() == 70);
    const ExecutionStatus status = fixture.executor->status();
    CHECK(status.applied == dag::CommitIndex{70});
    CHECK(status.root.index == dag::CommitIndex{64});
    CHECK(status.queued_commits == 0);
    CHECK(status.queued_bytes == 0);
}

TEST_CASE("what waits while a group is applied becomes the next group, within its bounds") {
    Fixture fixture;
    fixture.config.group_commits = 4;
    fixture.config.group_transactions = 3;
    fixture.close();
    fixture.start();
    fixture.executor->deliver(fixture.chain.commit());
    REQUIRE(fixture.wait_begun(1));
    for (int at = 0; at < 5; ++at) fixture.executor->deliver(fixture.chain.commit());
    for (int at = 0; at < 3; ++at) {
        fixture.executor->deliver(fixture.chain.commit({opaque("a"), opaque(std::to_string(at))}));
    }
    CHECK(fixture.executor->status().queued_commits == 9);
    CHECK(fixture.executor->status().queued_bytes > 0);
    fixture.open();
    REQUIRE(fixture.wait_executed(9));
    CHECK(fixture.application.groups ==
          std::vector<std::vector<std::uint64_t>>{{1}, {2, 3, 4, 5}, {6, 7, 8}, {9}});
    CHECK(fixture.executor->status().transactions == 6);
}

TEST_CASE("the bytes of batches bound a group") {
    Fixture fixture;
    fixture.config.group_bytes = 1000;
    fixture.close();
    fixture.start();
    fixture.executor->deliver(fixture.chain.commit());
    REQUIRE(fixture.wait_begun(1));
    for (int at = 0; at < 4; ++at) {
        fixture.executor->deliver(fixture.chain.commit({Bytes(600, static_cast<Byte>(at))}));
    }
    fixture.open();
    REQUIRE(fixture.wait_executed(5));
    CHECK(fixture.application.groups == std::vector<std::vector<std::uint64_t>>{{1}, {2, 3}, {4, 5}});
}

TEST_CASE("outcomes are asked for our own batches only") {
    Fixture fixture;
    fixture.start();
    const auto ours = seal(fixture.committee, member(1), {opaque("ours")});
    const auto theirs = seal(fixture.committee, member(2), {opaque("theirs")});
    fixture.executor->deliver(fixture.chain.commit({theirs, ours}));
    REQUIRE(fixture.wait_executed(1));
    CHECK(fixture.results == std::vector<Digest>{ours.entry.batch});
}

TEST_CASE("a batch that cannot be read is fetched again, and execution goes on when it is back") {
    Fixture fixture;
    fixture.config.look_again = std::chrono::milliseconds(1);
    const auto batch = seal(fixture.committee, member(1), {opaque("one"), opaque("two")});
    const dag::CommitPtr commit = fixture.chain.commit({batch});
    fixture.chain.lose(batch.entry.batch);
    fixture.start();
    fixture.executor->deliver(commit);
    REQUIRE(fixture.heard.wait([&] { return fixture.lost.size() >= 2; }));
    CHECK(fixture.lost.front() == batch.entry.batch);
    CHECK(fixture.executor->status().trouble.find(batch.entry.batch.hex()) != std::string::npos);
    CHECK(fixture.executed == 0);
    fixture.heard.change([&] { fixture.chain.replace(batch.entry.batch, batch.bytes); });
    REQUIRE(fixture.wait_executed(1));
    CHECK(fixture.executor->status().trouble.empty());
    CHECK(fixture.fatal.empty());
}

TEST_CASE("execution that waits for a batch can be stopped") {
    Fixture fixture;
    const auto batch = seal(fixture.committee, member(1), {opaque("one")});
    const dag::CommitPtr commit = fixture.chain.commit({batch});
    fixture.chain.lose(batch.entry.batch);
    fixture.start();
    fixture.executor->deliver(commit);
    REQUIRE(fixture.heard.wait([&] { return !fixture.lost.empty(); }));
    fixture.executor->stop();
    CHECK(fixture.fatal.empty());
}

TEST_CASE("a batch that is not what its certificate names ends execution with a reason") {
    Fixture fixture;
    const auto batch = seal(fixture.committee, member(1), {opaque("one"), opaque("two")});
    const dag::CommitPtr commit = fixture.chain.commit({batch});
    SECTION("cut off") {
        fixture.chain.replace(batch.entry.batch, share(Bytes(batch.bytes->begin(), batch.bytes->end() - 1)));
    }
    SECTION("another batch") {
        fixture.chain.replace(batch.entry.batch, seal(fixture.committee, member(1), {opaque("other")}).bytes);
    }
    SECTION("of another author") {
        fixture.chain.replace(batch.entry.batch,
                              seal(fixture.committee, member(2), {opaque("one"), opaque("two")}).bytes);
    }
    SECTION("garbage") { fixture.chain.replace(batch.entry.batch, share("garbage")); }
    fixture.start();
    fixture.executor->deliver(commit);
    REQUIRE(fixture.heard.wait([&] { return !fixture.fatal.empty(); }));
    CHECK(fixture.fatal.find(batch.entry.batch.hex()) != std::string::npos);
    CHECK(fixture.executed == 0);
    CHECK(fixture.executor->status().trouble == fixture.fatal);
}

TEST_CASE("while the disk is full the same group is tried again") {
    Fixture fixture;
    fixture.config.retry = std::chrono::milliseconds(1);
    fixture.application.failure = ApplyFailure{"full", true};
    fixture.start();
    fixture.executor->deliver(fixture.chain.commit());
    REQUIRE(fixture.wait_begun(3));
    CHECK(fixture.executor->status().trouble == "full");
    CHECK(fixture.executor->status().queued_commits == 1);
    fixture.application.heard.change([&] { fixture.application.failure.reset(); });
    REQUIRE(fixture.wait_executed(1));
    CHECK(fixture.executor->status().trouble.empty());
    CHECK(fixture.fatal.empty());
}

TEST_CASE("stopping finishes the group at hand, forgets the rest, and tells nobody afterwards") {
    Fixture fixture;
    fixture.close();
    fixture.start();
    fixture.executor->deliver(fixture.chain.commit());
    REQUIRE(fixture.wait_begun(1));
    fixture.executor->deliver(fixture.chain.commit());
    std::thread opener([&] { fixture.open(); });
    fixture.executor->stop();
    opener.join();
    CHECK(fixture.executed <= 2);
    const std::uint64_t executed = fixture.executed;
    fixture.executor->deliver(fixture.chain.commit());
    fixture.executor->stop();
    CHECK(fixture.executed == executed);
}

TEST_CASE("execution begins where the application stands and skips what it has") {
    const dag::Committee committee = committee_of({1, 1, 1, 1});
    Chain chain(committee);
    TemporaryDirectory directory;
    storage::lmdb::EnvironmentOptions options;
    options.directory = directory.path();
    options.create = true;
    auto store = KvStore::open(options);
    REQUIRE(store);
    std::vector<dag::CommitPtr> commits;
    for (int at = 0; at < 3; ++at) commits.push_back(chain.commit({put("n", std::to_string(at))}));
    REQUIRE((*store)->apply(std::vector{commits[0], commits[1]}, chain.reader()));

    Heard heard;
    std::uint64_t executed = 0;
    ExecutorPorts ports;
    ports.load = [&](const dag::PayloadEntry& entry) -> Expected<SharedBytes, std::string> {
        return chain.bytes(entry);
    };
    ports.executed = [&](dag::CommitIndex index) { heard.change([&] { executed = index.value(); }); };
    ports.lost = [](const dag::PayloadEntry&) {};
    ports.results = [](std::vector<AppliedBatch>) {};
    ports.root = [](const StateRoot&) {};
    ports.fatal = [](std::string) {};
    Executor executor(**store, committee, member(0), ports, {}, (*store)->root());
    CHECK(executor.status().applied == dag::CommitIndex{2});
    executor.start();
    for (const dag::CommitPtr& commit : commits) executor.deliver(commit);
    REQUIRE(heard.wait([&] { return executed == 3; }));
    CHECK(executor.status().transactions == 1);
    CHECK(as_text(*(*store)->get(as_bytes("n"))->value) == "2");
}

}  // namespace executor_test
