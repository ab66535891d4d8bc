#include <catch2/catch.hpp>

#include "dag/sync/unsynced.hpp"
#include "tests/engine/fixtures.hpp"

namespace disk_test {

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kLimit = 256 * 1024;

TestCommittee::Options limited() {
    TestCommittee::Options options;
    options.engine.unsynced_bytes_max = kLimit;
    return options;
}

void load(TestCommittee& committee, Duration time, std::size_t without) {
    const Time end = committee.now() + time;
    for (int at = 0; committee.now() < end; ++at) {
        for (std::size_t each = 0; each < committee.size(); ++each) {
            if (each != without) (void)committee.submit(each, std::to_string(at));
        }
        committee.run_for(5ms);
    }
}

}  // namespace

TEST_CASE(
    "with a full disk a member takes nothing new beyond its limit, loses nothing, and goes on by itself") {
    TestCommittee committee(limited());
    load(committee, 200ms, 3);
    committee.fill_disk(3);
    load(committee, 6s, 3);
    const EngineStatus full = committee.status(3);
    CHECK(full.behind);
    // What came before the limit was noticed, and one reply on top.
    CHECK(full.unsynced_bytes < kLimit + 64 * 1024);
    load(committee, 6s, 3);
    CHECK(committee.status(3).unsynced_bytes == full.unsynced_bytes);
    CHECK(committee.status(3).highest == full.highest);
    CHECK(committee.status(3).suspended <= full.suspended);
    CHECK(committee.status(3).requests_in_flight == 0);
    const CommitIndex others = committee.status(0).last_commit.index;
    CHECK(others.value() > full.last_commit.index.value() + 100);

    committee.free_disk(3);
    CHECK(committee.run_until([&] { return committee.status(3).executed >= others; }, 10s));
    CHECK_FALSE(committee.status(3).behind);
    const auto own = committee.submit(3, "after");
    CHECK(committee.run_until([&] { return committee.has_executed(0, own.batch); }, 5s));
    committee.check_safety();
}

TEST_CASE("a committee whose disks are all full for a while goes on where it was") {
    TestCommittee committee(limited());
    load(committee, 200ms, 9);
    for (std::size_t each = 0; each < 4; ++each) committee.fill_disk(each);
    load(committee, 2s, 9);
    const auto stuck = committee.status(0).durable_commit.index;
    for (std::size_t each = 0; each < 4; ++each) committee.free_disk(each);
    load(committee, 1s, 9);
    CHECK(committee.status(0).durable_commit.index > stuck);
    committee.check_safety();
}

TEST_CASE("bytes count as durable from the word of a later write, and are told of at least each megabyte") {
    Unsynced unsynced;
    CHECK_FALSE(unsynced.wrote(WriteId{1}, 1000, false));
    CHECK(unsynced.wrote(WriteId{2}, 1000, true));
    CHECK(unsynced.bytes() == 2000);
    CHECK(unsynced.wrote(WriteId{3}, std::size_t{1} << 20, false));
    CHECK_FALSE(unsynced.wrote(WriteId{4}, 1000, false));
    unsynced.durable(WriteId{2});
    CHECK(unsynced.bytes() == (std::size_t{1} << 20) + 1000);
    unsynced.durable(WriteId{3});
    CHECK(unsynced.bytes() == 1000);
}

TEST_CASE("while proposals are paused a member votes and follows, and proposes nothing") {
    TestCommittee committee({});
    load(committee, 200ms, 9);
    committee.give(1, ProposalsPaused{true});
    committee.run_for(10ms);
    const EngineStatus paused = committee.status(1);
    load(committee, 1s, 1);
    CHECK(committee.status(1).headers_proposed == paused.headers_proposed);
    CHECK(committee.status(1).votes_given > paused.votes_given + 10);
    CHECK(committee.status(1).last_commit.index > paused.last_commit.index);
    committee.give(1, ProposalsPaused{false});
    const auto own = committee.submit(1, "after");
    CHECK(committee.run_until([&] { return committee.has_executed(0, own.batch); }, 3s));
    committee.check_safety();
}

TEST_CASE("a batch that does not verify any more is fetched again") {
    TestCommittee committee({});
    const auto entry = committee.submit(0, "text");
    CHECK(committee.run_until([&] { return committee.has_executed(1, entry.batch); }, 2s));
    const WantedBatch wanted{entry.batch, entry.sealed_round};
    std::size_t asked = 0;
    committee.drop = [&](std::size_t from, std::size_t, const Effect& effect) {
        const auto* request = std::get_if<SendRequest>(&effect);
        const auto* batches = request != nullptr ? std::get_if<GetBatches>(&request->body) : nullptr;
        if (from == 1 && batches != nullptr && batches->batches == std::vector{wanted}) ++asked;
        return false;
    };
    committee.give(1, BatchLost{wanted});
    CHECK(committee.run_until([&] { return asked > 0; }, 1s));
    committee.run_for(5s);
    CHECK(asked == 1);
    committee.check_safety();
}

}  // namespace disk_test
