#include <algorithm>

#include <catch2/catch.hpp>

#include "tests/engine/fixtures.hpp"

namespace backlog_test {

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kCommits = 5000;
constexpr std::uint64_t kRecovered = 20;

/// A store with a chain of commits that order nothing but their anchors, and how much of it was read.
struct Store final : DagReader {
    std::vector<CommitPtr> commits;
    mutable std::size_t reads = 0;

    explicit Store(const Committee& committee) {
        CommitClaim before;
        for (std::uint64_t at = 1; at <= kCommits; ++at) {
            Commit commit;
            commit.index = CommitIndex{at};
            commit.previous = before.digest;
            commit.anchor = {Round{at}, ValidatorIndex{static_cast<std::uint16_t>(at % 4)},
                             sha256(as_bytes(std::to_string(at)))};
            commit.certificates = {commit.anchor};
            commit.digest = commit_digest(committee, commit);
            before = commit.claim();
            commits.push_back(std::make_shared<const Commit>(std::move(commit)));
        }
    }
    [[nodiscard]] std::optional<PayloadEntry> batch(const PayloadEntry&) const override { return {}; }
    [[nodiscard]] CommitPtr commit(CommitIndex index) const override {
        ++reads;
        return commits.at(index.value() - 1);
    }
};

}  // namespace

TEST_CASE("a state that is far behind is given what it lacks as it gets on, in order and once") {
    const Committee committee = committee_of(4);
    const Store store(committee);
    RecoveredState recovered;
    recovered.commits.assign(store.commits.end() - static_cast<std::ptrdiff_t>(kRecovered),
                             store.commits.end());
    recovered.graph_floor = Round{kCommits};
    Engine engine({}, committee, std::nullopt, store, std::move(recovered));
    CHECK(store.reads == 0);
    Effects out;
    engine.step(Started{}, Time{}, out);
    CHECK(store.reads > 0);
    CHECK(store.reads < kCommits / 3);
    std::uint64_t delivered = 0;
    for (std::size_t at = 0; at < out.size(); ++at) {
        const auto* deliver = std::get_if<Deliver>(&out[at]);
        if (deliver == nullptr) continue;
        const CommitIndex index = deliver->commit->index;
        REQUIRE(index == CommitIndex{++delivered});
        CHECK(store.reads < delivered + kCommits / 3);
        Effects more;
        engine.step(Executed{index}, Time{}, more);
        for (Effect& each : more) out.push_back(std::move(each));
    }
    CHECK(delivered == kCommits);
    CHECK(store.reads == kCommits - kRecovered);
}

TEST_CASE("an application that stands still is given no more than so much, and the rest when it gets on") {
    constexpr std::uint64_t kAhead = 1024;
    TestCommittee members({});
    members.stand_still.insert(0);
    for (std::uint64_t number = 0; members.commits(0).size() < kAhead + 200; ++number) {
        REQUIRE(number < 10 * kAhead);
        (void)members.submit(1 + number % 3, std::to_string(number));
        members.run_for(2ms);
    }
    CHECK(members.executed(0).size() == kAhead);
    members.stand_still.clear();
    members.give(0, Executed{members.executed(0).back()->index});
    const CommitIndex last = members.commits(0).rbegin()->first;
    CHECK(members.run_until([&] { return members.executed(0).back()->index >= last; }, 10s));
    std::uint64_t next_one = 0;
    for (const CommitPtr& each : members.executed(0)) REQUIRE(each->index == CommitIndex{++next_one});
    members.check_safety();
}

TEST_CASE("a durable commit that cannot be read any more stops the engine with what to do") {
    const Committee committee = committee_of(4);
    Store store(committee);
    store.commits.at(9) = nullptr;
    RecoveredState recovered;
    recovered.commits.assign(store.commits.end() - static_cast<std::ptrdiff_t>(kRecovered),
                             store.commits.end());
    recovered.graph_floor = Round{kCommits};
    Engine engine({}, committee, std::nullopt, store, std::move(recovered));
    Effects out;
    engine.step(Started{}, Time{}, out);
    const auto halt = std::find_if(out.begin(), out.end(),
                                   [](const Effect& effect) { return std::holds_alternative<Halt>(effect); });
    REQUIRE(halt != out.end());
    CHECK(std::get<Halt>(*halt).reason.find("commit 10 ") == 0);
    CHECK(std::get<Halt>(*halt).reason.find("monodon db check") != std::string::npos);
}

}  // namespace backlog_test
