#include <random>

#include <catch2/catch.hpp>

#include "node/receipt_book.hpp"

namespace receipts_test {

using namespace monodon;
using namespace monodon::node;
using namespace std::chrono_literals;

namespace {

Digest id(std::uint64_t number) { return sha256(as_bytes(std::to_string(number))); }
Time at(Duration since_start) { return Time{} + 1000s + since_start; }

/// A book, and what its waiters were told.
struct Fixture {
    explicit Fixture(ReceiptLimits limits = {}) : book(limits, 42) {}

    ReceiptBook book;
    std::vector<StageReport> reports;
    std::uint64_t next_waiter = 1;

    BatchHandle batch(std::uint64_t first, std::uint64_t count, Time accepted = at(0ms)) {
        REQUIRE(book.make_room(count, 1));
        const BatchHandle handle = book.open();
        for (std::uint64_t number = first; number < first + count; ++number)
            book.add(handle, id(number), accepted);
        return handle;
    }
    std::uint64_t wait(std::vector<BatchHandle> batches, Stage want, Duration timeout = 10s) {
        book.wait(next_waiter, std::move(batches), want, at(0ms), at(timeout),
                  [this](const StageReport& report) { reports.push_back(report); });
        return next_waiter++;
    }
    void execute(BatchHandle batch, std::uint64_t commit, std::vector<Outcome> outcomes = {},
                 Duration when = 9ms) {
        AppliedBatch applied;
        applied.commit = dag::CommitIndex{commit};
        applied.round = dag::Round{2 * commit};
        applied.position = 100;
        applied.outcomes = std::move(outcomes);
        book.executed(batch, at(when), std::move(applied));
    }
    [[nodiscard]] std::vector<Stage> stages() const {
        std::vector<Stage> stages;
        for (const StageReport& report : reports) stages.push_back(report.stage);
        return stages;
    }
};

}  // namespace

TEST_CASE("a receipt follows its batch through the stages") {
    Fixture fixture;
    const BatchHandle batch = fixture.batch(0, 3, at(1ms));
    CHECK(!fixture.book.find(id(3)));
    CHECK(fixture.book.find(id(1))->status() == "accepted");
    fixture.book.reach(batch, Stage::durable, at(4ms));
    CHECK(fixture.book.find(id(1))->status() == "durable");
    fixture.book.reach(batch, Stage::certified, at(5ms));
    fixture.book.committed(batch, at(7ms), dag::CommitIndex{9}, dag::Round{20}, 100);
    const Receipt committed = *fixture.book.find(id(1));
    CHECK(committed.status() == "committed");
    CHECK(committed.commit == dag::CommitIndex{9});
    CHECK(committed.round == dag::Round{20});
    CHECK(committed.position == 101);
    CHECK(!committed.outcome);
    fixture.execute(batch, 9, {Outcome::ok, Outcome::mismatch, Outcome::absent});
    const Receipt executed = *fixture.book.find(id(1));
    CHECK(executed.status() == "executed");
    CHECK(executed.outcome == Outcome::mismatch);
    CHECK(executed.latency[1] == 3ms);
    CHECK(executed.latency[2] == 4ms);
    CHECK(executed.latency[3] == 6ms);
    CHECK(executed.latency[4] == 8ms);
    CHECK(!executed.latency[0]);
}

TEST_CASE("a later stage includes those before it, and no stage is lost again") {
    Fixture fixture;
    const BatchHandle batch = fixture.batch(0, 1);
    fixture.book.reach(batch, Stage::certified, at(5ms));
    CHECK(fixture.book.find(id(0))->latency[1] == 5ms);
    fixture.book.reach(batch, Stage::durable, at(6ms));
    CHECK(fixture.book.find(id(0))->stage == Stage::certified);
    CHECK(fixture.book.find(id(0))->latency[1] == 5ms);
}

TEST_CASE("a batch that was committed in an earlier life gets its place from execution") {
    Fixture fixture;
    const BatchHandle batch = fixture.batch(0, 2);
    fixture.execute(batch, 5, {Outcome::ok, Outcome::ok});
    const Receipt receipt = *fixture.book.find(id(1));
    CHECK(receipt.commit == dag::CommitIndex{5});
    CHECK(receipt.round == dag::Round{10});
    CHECK(receipt.position == 101);
}

TEST_CASE("what a get read comes with its receipt, as long as there is room for values") {
    ReceiptLimits limits;
    limits.value_bytes = 10;
    Fixture fixture(limits);
    const auto execute_with_value = [&](BatchHandle batch, std::uint32_t position) {
        AppliedBatch applied;
        applied.outcomes = {Outcome::ok, Outcome::value, Outcome::value};
        applied.values.emplace_back(position, std::make_shared<const Bytes>(6, Byte{7}));
        fixture.book.executed(batch, at(1ms), std::move(applied));
    };
    execute_with_value(fixture.batch(0, 3), 1);
    execute_with_value(fixture.batch(10, 3), 2);
    REQUIRE(fixture.book.find(id(1))->value);
    CHECK(fixture.book.find(id(1))->value->size() == 6);
    CHECK(!fixture.book.find(id(0))->value);
    CHECK(!fixture.book.find(id(2))->value);
    CHECK(fixture.book.find(id(12))->outcome == Outcome::value);
    CHECK(!fixture.book.find(id(12))->value);
}

TEST_CASE("a waiter is told each stage once, up to the one it wants") {
    Fixture fixture;
    const BatchHandle batch = fixture.batch(0, 1);
    fixture.wait({batch}, Stage::committed);
    fixture.book.reach(batch, Stage::durable, at(2ms));
    fixture.book.reach(batch, Stage::durable, at(3ms));
    CHECK(fixture.book.waiters() == 1);
    fixture.book.committed(batch, at(5ms), dag::CommitIndex{4}, dag::Round{8}, 0);
    CHECK(fixture.stages() == std::vector<Stage>{Stage::durable, Stage::certified, Stage::committed});
    CHECK(!fixture.reports[1].last);
    CHECK(fixture.reports[2].last);
    CHECK(fixture.reports[0].commit == dag::CommitIndex{0});
    CHECK(fixture.reports[2].commit == dag::CommitIndex{4});
    CHECK(fixture.reports[0].since_arrival == 2ms);
    CHECK(fixture.book.waiters() == 0);
    fixture.execute(batch, 4);
    CHECK(fixture.reports.size() == 3);
}

TEST_CASE("a submission that lies in several batches has reached what all of them have") {
    Fixture fixture;
    const BatchHandle first = fixture.batch(0, 2);
    const BatchHandle second = fixture.batch(2, 2);
    fixture.wait({first, second, first}, Stage::executed);
    fixture.execute(first, 7);
    CHECK(fixture.reports.empty());
    fixture.book.reach(second, Stage::certified, at(10ms));
    CHECK(fixture.stages() == std::vector<Stage>{Stage::durable, Stage::certified});
    fixture.book.committed(second, at(11ms), dag::CommitIndex{6}, dag::Round{12}, 0);
    CHECK(fixture.reports.back().commit == dag::CommitIndex{7});
    fixture.execute(second, 6);
    CHECK(fixture.reports.back().last);
    CHECK(fixture.reports.back().stage == Stage::executed);
}

TEST_CASE("who waits for what has been reached is told at once") {
    Fixture fixture;
    const BatchHandle batch = fixture.batch(0, 1);
    fixture.execute(batch, 3);
    fixture.wait({batch}, Stage::executed);
    CHECK(fixture.stages() ==
          std::vector<Stage>{Stage::durable, Stage::certified, Stage::committed, Stage::executed});
    CHECK(fixture.reports.back().commit == dag::CommitIndex{3});
    CHECK(fixture.book.waiters() == 0);
}

TEST_CASE("a wait ends with its deadline, with forget, or when the node stops") {
    Fixture fixture;
    const BatchHandle batch = fixture.batch(0, 1);
    fixture.wait({batch}, Stage::executed, 2s);
    const auto forgotten = fixture.wait({batch}, Stage::executed, 1s);
    fixture.wait({batch}, Stage::executed, 5s);
    fixture.book.reach(batch, Stage::durable, at(1ms));
    fixture.reports.clear();
    fixture.book.forget(forgotten);
    fixture.book.forget(forgotten);
    fixture.book.forget(999);
    fixture.book.expire(at(1999ms));
    CHECK(fixture.reports.empty());
    fixture.book.expire(at(2s));
    REQUIRE(fixture.reports.size() == 1);
    CHECK(fixture.reports[0].kind == StageReport::Kind::timed_out);
    CHECK(fixture.reports[0].stage == Stage::durable);
    CHECK(fixture.reports[0].last);
    fixture.book.stop(at(3s));
    REQUIRE(fixture.reports.size() == 2);
    CHECK(fixture.reports[1].kind == StageReport::Kind::stopped);
    CHECK(fixture.book.waiters() == 0);
    fixture.execute(batch, 1);
    CHECK(fixture.reports.size() == 2);
}

TEST_CASE("the number of waiters is bounded") {
    ReceiptLimits limits;
    limits.waiters = 2;
    Fixture fixture(limits);
    const BatchHandle batch = fixture.batch(0, 1);
    fixture.wait({batch}, Stage::executed);
    CHECK(fixture.book.may_wait());
    fixture.wait({batch}, Stage::executed);
    CHECK(!fixture.book.may_wait());
    fixture.execute(batch, 1);
    CHECK(fixture.book.may_wait());
}

TEST_CASE(
    "an expired batch begins again: the receipt says so, waiters go on waiting, no report is repeated") {
    Fixture fixture;
    const BatchHandle batch = fixture.batch(0, 2);
    fixture.wait({batch}, Stage::committed);
    fixture.book.reach(batch, Stage::certified, at(1ms));
    fixture.book.requeue(batch);
    CHECK(fixture.book.find(id(1))->status() == "requeued");
    CHECK(fixture.book.find(id(1))->requeued);
    fixture.book.reach(batch, Stage::durable, at(4ms));
    CHECK(fixture.book.find(id(1))->status() == "requeued");
    fixture.book.reach(batch, Stage::certified, at(5ms));
    CHECK(fixture.book.find(id(1))->status() == "certified");
    CHECK(fixture.book.find(id(1))->latency[2] == 5ms);
    fixture.book.committed(batch, at(6ms), dag::CommitIndex{2}, dag::Round{4}, 0);
    CHECK(fixture.stages() == std::vector<Stage>{Stage::durable, Stage::certified, Stage::committed});
    CHECK(fixture.book.find(id(1))->requeued);
}

TEST_CASE("the book is bounded: what was executed first is forgotten first, what was not never") {
    ReceiptLimits limits;
    limits.transactions = 10;
    Fixture fixture(limits);
    const BatchHandle first = fixture.batch(0, 4);
    const BatchHandle second = fixture.batch(4, 4);
    CHECK(!fixture.book.make_room(4, 1));
    fixture.execute(second, 1);
    fixture.batch(8, 4);
    CHECK(!fixture.book.find(id(4)));
    CHECK(fixture.book.find(id(0)));
    CHECK(fixture.book.find(id(8)));
    CHECK(!fixture.book.batch_of(id(4)));
    fixture.execute(first, 2);
    fixture.batch(12, 4);
    CHECK(!fixture.book.find(id(0)));
    CHECK(fixture.book.find(id(15)));
    CHECK(fixture.book.size() == 8);
    CHECK(!fixture.book.make_room(11, 1));
}

TEST_CASE("the number of batches is bounded as well") {
    ReceiptLimits limits;
    limits.batches = 2;
    Fixture fixture(limits);
    fixture.execute(fixture.batch(0, 1), 1);
    fixture.batch(1, 1);
    CHECK(fixture.book.find(id(0)));
    fixture.batch(2, 1);
    CHECK(!fixture.book.find(id(0)));
    CHECK(!fixture.book.make_room(1, 1));
}

TEST_CASE("who waits for several batches is told the right commit though one was forgotten meanwhile") {
    ReceiptLimits limits;
    limits.transactions = 2;
    Fixture fixture(limits);
    const BatchHandle first = fixture.batch(0, 1);
    const BatchHandle second = fixture.batch(1, 1);
    fixture.wait({first, second}, Stage::executed);
    fixture.execute(first, 9);
    const BatchHandle third = fixture.batch(2, 1);
    CHECK(third == first);
    fixture.execute(second, 8);
    REQUIRE(!fixture.reports.empty());
    CHECK(fixture.reports.back().stage == Stage::executed);
    CHECK(fixture.reports.back().commit == dag::CommitIndex{9});
    CHECK(fixture.book.waiters() == 0);
}

TEST_CASE("the index finds what was put in and nothing else, through growth and removal") {
    std::mt19937_64 random(11);
    TransactionIndex index(random());
    std::vector<Digest> ids;
    for (std::uint32_t number = 0; number < 5000; ++number) ids.push_back(id(number));
    const auto id_of = [&](TransactionPlace place) -> const Digest& { return ids[place.position]; };
    std::vector<bool> there(ids.size());
    for (int step = 0; step < 40000; ++step) {
        const auto number = static_cast<std::uint32_t>(random() % ids.size());
        if (there[number]) {
            index.erase(ids[number], {1, number}, id_of);
        } else {
            index.insert(ids[number], {1, number}, id_of);
        }
        there[number] = !there[number];
    }
    std::size_t found = 0;
    for (std::uint32_t number = 0; number < ids.size(); ++number) {
        const auto place = index.find(ids[number], id_of);
        CHECK(place.has_value() == there[number]);
        if (place) CHECK(place->position == number);
        found += there[number] ? 1 : 0;
    }
    CHECK(index.size() == found);
    index.erase(ids[0], {2, 0}, id_of);
    CHECK(index.size() == found);
}

TEST_CASE("quantiles are those of the last ten seconds, count and sum those of all time") {
    LatencyWindow window;
    for (int micros = 1; micros <= 1000; ++micros) window.add(at(0s), Duration(micros));
    const LatencySummary now = window.summary(at(9s));
    CHECK(now.recent == 1000);
    CHECK(now.p50 >= 500us);
    CHECK(now.p50 <= 532us);
    CHECK(now.p99 >= 990us);
    CHECK(now.p99 <= 1055us);
    CHECK(now.sum == Duration(500500));
    window.add(at(9s), 7s, 3);
    CHECK(window.summary(at(10s)).recent == 3);
    CHECK(window.summary(at(10s)).p50 >= 7s);
    CHECK(window.summary(at(10s)).p50 <= 7000ms * 107 / 100);
    CHECK(window.summary(at(10s)).count == 1003);
    CHECK(window.summary(at(30s)).recent == 0);
    CHECK(window.summary(at(30s)).p99 == 0us);
    window.add(at(31s), 5us);
    window.add(at(31s), Duration(-3));
    CHECK(window.summary(at(31s)).p99 == 5us);
    CHECK(window.summary(at(31s)).p50 == 0us);
}

TEST_CASE("a rate is over full seconds, at most ten, and not diluted by those before the first") {
    RateWindow window;
    CHECK(window.per_second(at(0s)) == 0);
    window.add(at(0s), 100);
    window.add(at(1s), 300);
    window.add(at(2s), 999);
    CHECK(window.per_second(at(2s)) == 200);
    CHECK(window.per_second(at(12s)) == Approx(99.9));
    CHECK(window.per_second(at(13s)) == 0);
}

}  // namespace receipts_test
