#include "tests/node/worker_fixture.hpp"

namespace worker_test {

using namespace monodon;
using namespace monodon::node;
using namespace monodon::node::test;
using namespace std::chrono_literals;

using Fixture = WorkerFixture;

TEST_CASE("a transaction goes from acceptance to execution, and its submitter hears of each stage") {
    Fixture fixture;
    fixture.start_connected();
    const Bytes transaction = put("k", "v");
    fixture.submit({transaction}, Stage::executed);
    REQUIRE(fixture.reports.size() == 1);
    CHECK(fixture.reports[0].stage == Stage::accepted);
    CHECK(fixture.reports[0].accepted == 1);
    CHECK(!fixture.reports[0].last);

    // With nothing in flight it is sealed, sent and written at once.
    REQUIRE(fixture.broadcast.size() == 1);
    REQUIRE(fixture.writes.size() == 1);
    const dag::PayloadEntry entry = fixture.writes[0].entry;
    CHECK(entry.author == member(0));
    CHECK(entry.sealed_round == dag::Round{7});
    CHECK(fixture.writes[0].standing == storage::Standing::named);
    CHECK(fixture.told_stored == std::vector{entry});
    CHECK(fixture.ready.empty());
    CHECK(fixture.find(transaction)->stage == Stage::accepted);

    fixture.acknowledge(entry);
    CHECK(fixture.ready == std::vector{entry});
    CHECK(fixture.find(transaction)->stage == Stage::durable);
    fixture.worker->on_certified({entry});
    dag::PayloadEntry other = entry;
    other.batch = sha256({});
    other.author = member(3);
    other.transactions = 10;
    fixture.commit({other, entry}, 5);
    const Receipt receipt = *fixture.find(transaction);
    CHECK(receipt.stage == Stage::committed);
    CHECK(receipt.position == 10);
    CHECK(receipt.round == dag::Round{10});
    fixture.execute(entry, {Outcome::ok}, 5);
    CHECK(fixture.find(transaction)->outcome == Outcome::ok);
    REQUIRE(fixture.reports.size() == 5);
    for (std::size_t at = 0; at < 5; ++at) CHECK(fixture.reports[at].stage == static_cast<Stage>(at));
    CHECK(fixture.reports[4].last);
    CHECK(fixture.reports[4].commit == dag::CommitIndex{5});

    const WorkerStatus status = fixture.worker->status();
    CHECK(status.accepted_bytes == 0);
    CHECK(status.unexecuted_transactions == 0);
    CHECK(status.own_batches == 0);
    CHECK(status.transactions_accepted == 1);
    CHECK(status.transactions_committed == 11);
    CHECK(status.latency[static_cast<std::size_t>(Stage::committed)].count == 1);
}

TEST_CASE("what cannot be a transaction is refused by position, the rest is accepted") {
    Fixture fixture;
    fixture.start_connected();
    fixture.submit({opaque("good"), Bytes(dag::kTransactionBytesMax + 1), opaque("mkv1 bad"), Bytes{},
                    Bytes(dag::kTransactionBytesMax)});
    REQUIRE(fixture.until([&] { return fixture.reports.size() == 1; }));
    const StageReport& report = fixture.reports[0];
    CHECK(report.accepted == 2);
    REQUIRE(report.refused.size() == 3);
    CHECK(report.refused[0].position == 1);
    CHECK(report.refused[0].why == Refusal::too_large);
    CHECK(report.refused[1].position == 2);
    CHECK(report.refused[1].why == Refusal::malformed);
    CHECK(report.refused[2].position == 3);
    CHECK(report.refused[2].why == Refusal::malformed);
    CHECK(report.last);
    CHECK(fixture.worker->status().transactions_refused[1] == 1);
    CHECK(fixture.worker->status().transactions_refused[4] == 2);
}

TEST_CASE("a submission of which nothing is accepted ends at once, whatever it wants") {
    Fixture fixture;
    fixture.start_connected();
    fixture.submit({opaque("mkv1 bad")}, Stage::executed);
    REQUIRE(fixture.reports.size() == 1);
    CHECK(fixture.reports[0].last);
    CHECK(fixture.reports[0].kind == StageReport::Kind::reached);
}

TEST_CASE("a transaction given again is not ordered again, and who gave it waits for the first") {
    Fixture fixture;
    fixture.start_connected();
    fixture.submit({opaque("once")});
    fixture.submit({opaque("once"), opaque("more"), opaque("more")}, Stage::durable);
    REQUIRE(fixture.reports.size() == 2);
    CHECK(fixture.reports[1].accepted == 1);
    REQUIRE(fixture.reports[1].refused.size() == 2);
    CHECK(fixture.reports[1].refused[0].position == 0);
    CHECK(fixture.reports[1].refused[0].why == Refusal::duplicate);
    CHECK(fixture.reports[1].refused[1].position == 2);
    REQUIRE(fixture.until([&] { return fixture.writes.size() == 2; }));
    CHECK(fixture.transactions_of(fixture.writes[1].bytes) == std::vector<std::string>{"more"});
    fixture.acknowledge(fixture.writes[1].entry);
    CHECK(fixture.reports.size() == 2);
    fixture.acknowledge(fixture.writes[0].entry);
    REQUIRE(fixture.reports.size() == 3);
    CHECK(fixture.reports[2].stage == Stage::durable);

    // Also long after, when all is over.
    fixture.execute(fixture.writes[0].entry);
    fixture.submit({opaque("once")}, Stage::executed);
    CHECK(fixture.reports.back().stage == Stage::executed);
    CHECK(fixture.reports.back().last);
}

TEST_CASE("while a batch is in flight transactions gather, until the delay or the size of a batch") {
    Fixture fixture;
    fixture.config.batch_bytes = 4000;
    fixture.config.batch_delay = 3h;
    fixture.start_connected();
    fixture.submit({opaque("first")});
    REQUIRE(fixture.broadcast.size() == 1);
    fixture.submit({opaque("second")});
    fixture.submit({opaque("third")});
    CHECK(fixture.broadcast.size() == 1);
    CHECK(fixture.worker->status().unsealed_bytes > 0);
    SECTION("the first is acknowledged: nothing is in flight any more") {
        fixture.acknowledge(fixture.writes[0].entry);
        REQUIRE(fixture.broadcast.size() == 2);
        CHECK(fixture.transactions_of(fixture.broadcast[1]) == std::vector<std::string>{"second", "third"});
    }
    SECTION("a batch is full") {
        fixture.submit({Bytes(3000, Byte{1}), Bytes(3000, Byte{2}), Bytes(3000, Byte{3})});
        REQUIRE(fixture.broadcast.size() == 3);
        CHECK(fixture.transactions_of(fixture.broadcast[1]).size() == 3);
        CHECK(fixture.transactions_of(fixture.broadcast[2]).size() == 1);
    }
}

TEST_CASE("a batch in the making leaves after the delay") {
    Fixture fixture;
    fixture.start_connected();
    fixture.submit({opaque("first")});
    fixture.submit({opaque("second")});
    CHECK(fixture.until([&] { return fixture.broadcast.size() == 2; }));
}

TEST_CASE("a transaction larger than a batch has one of its own") {
    Fixture fixture;
    fixture.config.batch_bytes = 1000;
    fixture.start_connected();
    fixture.submit({opaque("small"), Bytes(5000, Byte{1}), opaque("other")});
    REQUIRE(fixture.until([&] { return fixture.broadcast.size() == 3; }));
    CHECK(fixture.broadcast[1]->size() > 5000);
}

TEST_CASE("sequence numbers rise, and begin above those of an earlier life") {
    Fixture fixture;
    const auto earlier = seal(fixture.committee, member(0), {opaque("earlier")});
    fixture.store[earlier.entry.batch] = earlier.bytes;
    fixture.start({earlier.entry});
    for (std::uint16_t peer = 1; peer < 4; ++peer) fixture.worker->on_peer(member(peer), true);
    fixture.submit({opaque("a")});
    REQUIRE(fixture.until([&] { return fixture.writes.size() == 1; }));
    fixture.submit({opaque("b")});
    REQUIRE(fixture.until([&] { return fixture.writes.size() == 2; }));
    const auto sequence = [&](const SharedBytes& bytes) {
        return dag::parse_batch(fixture.committee, *bytes)->head.sequence;
    };
    CHECK(sequence(fixture.writes[0].bytes) > sequence(earlier.bytes));
    CHECK(sequence(fixture.writes[1].bytes) == sequence(fixture.writes[0].bytes) + 1);
}

TEST_CASE("beyond the limit on accepted bytes clients come back later, until execution makes room") {
    Fixture fixture;
    fixture.config.accepted_bytes_max = 10000;
    fixture.start_connected();
    fixture.submit({Bytes(6000, Byte{1})});
    fixture.submit({Bytes(5000, Byte{2}), opaque("small")}, Stage::durable);
    REQUIRE(fixture.reports.size() == 2);
    CHECK(fixture.reports[1].kind == StageReport::Kind::busy);
    CHECK(fixture.reports[1].last);
    CHECK(fixture.reports[1].retry_after > Duration{0});
    CHECK(!fixture.find(opaque("small")));
    CHECK(fixture.worker->status().transactions_refused[3] == 2);
    const dag::PayloadEntry entry = fixture.writes[0].entry;
    fixture.acknowledge(entry);
    fixture.commit({entry});
    fixture.submit({Bytes(5000, Byte{2})});
    CHECK(fixture.reports[2].kind == StageReport::Kind::busy);
    fixture.execute(entry);
    fixture.submit({Bytes(5000, Byte{2})});
    CHECK(fixture.reports[3].accepted == 1);
}

TEST_CASE("while there is no room on the disk nothing is taken, and the reason is told") {
    Fixture fixture;
    fixture.start_connected();
    fixture.refusal = std::make_shared<const std::string>("1 MiB are free");
    fixture.submit({opaque("a")}, Stage::durable);
    REQUIRE(fixture.reports.size() == 1);
    CHECK(fixture.reports[0].kind == StageReport::Kind::busy);
    CHECK(fixture.reports[0].reason.find("1 MiB are free") != std::string::npos);
    CHECK(fixture.reports[0].retry_after >= std::chrono::seconds(1));
    CHECK(fixture.writes.empty());
    fixture.refusal = nullptr;
    fixture.submit({opaque("a")});
    CHECK(fixture.reports[1].accepted == 1);
}

TEST_CASE("tiny transactions are bounded by number") {
    Fixture fixture;
    fixture.config.duplicate_window = 2000;
    fixture.start_connected();
    std::vector<Bytes> many;
    for (int at = 0; at < 1500; ++at) many.push_back(opaque(std::to_string(at)));
    fixture.submit(many);
    REQUIRE(fixture.until([&] { return fixture.reports.size() == 1; }));
    CHECK(fixture.reports[0].accepted == 1500);
    for (Bytes& each : many) each.push_back('x');
    fixture.submit(many);
    REQUIRE(fixture.until([&] { return fixture.reports.size() == 2; }));
    CHECK(fixture.reports[1].kind == StageReport::Kind::busy);
}

TEST_CASE("waiters are bounded; who does not wait is served all the same") {
    Fixture fixture;
    fixture.config.waiters_max = 1;
    fixture.start_connected();
    fixture.submit({opaque("a")}, Stage::executed);
    const auto second = fixture.submit({opaque("b")}, Stage::executed);
    CHECK(fixture.reports.back().kind == StageReport::Kind::busy);
    fixture.submit({opaque("c")}, Stage::accepted);
    CHECK(fixture.reports.back().accepted == 1);
    CHECK(fixture.worker->status().waiters == 1);
    fixture.worker->forget(second - 1);
    fixture.settle();
    CHECK(fixture.worker->status().waiters == 0);
    fixture.submit({opaque("d")}, Stage::executed);
    CHECK(fixture.reports.back().accepted == 1);
}

TEST_CASE("a wait that takes too long ends, its transaction does not") {
    Fixture fixture;
    fixture.start_connected();
    fixture.submit({opaque("slow")}, Stage::executed, 1ms);
    REQUIRE(fixture.until([&] { return fixture.reports.size() == 2; }));
    CHECK(fixture.reports[1].kind == StageReport::Kind::timed_out);
    CHECK(fixture.find(opaque("slow")));
    fixture.acknowledge(fixture.writes[0].entry);
    CHECK(fixture.ready.size() == 1);
}

TEST_CASE("without a quorum with room nothing is sealed, and all of it is when there is room again") {
    Fixture fixture;
    fixture.config.batch_bytes = 3000;
    fixture.start();
    fixture.worker->on_peer(member(1), true);
    fixture.submit({Bytes(2000, Byte{1}), Bytes(2000, Byte{2})}, Stage::durable);
    CHECK(fixture.broadcast.empty());
    CHECK(fixture.worker->status().held_back);
    fixture.worker->on_peer(member(2), true);
    fixture.settle();
    CHECK(fixture.broadcast.size() >= 1);
    REQUIRE(fixture.until([&] { return fixture.broadcast.size() == 2; }));
    CHECK(!fixture.worker->status().held_back);
    // Room in the queues is looked at again without any event.
    fixture.queued = fixture.config.peer_queue_max;
    for (const auto& write : fixture.writes) fixture.acknowledge(write.entry);
    fixture.submit({opaque("later")});
    CHECK(fixture.worker->status().held_back);
    fixture.queued = 0;
    CHECK(fixture.until([&] { return fixture.broadcast.size() == 3; }));
}

TEST_CASE("durable needs our own sync as well as the quorum's") {
    Fixture fixture;
    fixture.hold_writes = true;
    fixture.start_connected();
    fixture.submit({opaque("a")}, Stage::durable);
    REQUIRE(fixture.writes.size() == 1);
    fixture.acknowledge(fixture.writes[0].entry, {1, 2, 3});
    CHECK(fixture.ready.empty());
    CHECK(fixture.reports.size() == 1);
    fixture.held[0]();
    REQUIRE(fixture.until([&] { return fixture.reports.size() == 2; }));
    CHECK(fixture.reports[1].stage == Stage::durable);
    CHECK(fixture.ready.size() == 1);
}

TEST_CASE("an own batch that the store is too busy for is offered to it again") {
    Fixture fixture;
    fixture.refuse = storage::PutError::busy;
    fixture.start_connected();
    fixture.submit({opaque("a")});
    CHECK(fixture.broadcast.size() == 1);
    CHECK(fixture.writes.empty());
    fixture.refuse.reset();
    CHECK(fixture.until([&] { return fixture.told_stored.size() == 1; }));
}

TEST_CASE("a batch without enough acknowledgements is sent again, and proposed after a while") {
    Fixture fixture;
    fixture.config.resend = 10ms;
    fixture.config.propose_unacknowledged = 100ms;
    fixture.start_connected();
    fixture.submit({opaque("a")});
    CHECK(fixture.until([&] { return fixture.broadcast.size() >= 2; }));
    CHECK(fixture.until([&] { return fixture.ready.size() == 1; }));
    CHECK(fixture.find(opaque("a"))->stage == Stage::accepted);
}

TEST_CASE("own batches of an earlier life are offered again, and their transactions have receipts") {
    Fixture fixture;
    const auto earlier = seal(fixture.committee, member(0), {opaque("one"), opaque("two")});
    const auto lost = seal(fixture.committee, member(0), {opaque("lost")});
    fixture.store[earlier.entry.batch] = earlier.bytes;
    fixture.start({earlier.entry, lost.entry});
    fixture.settle();
    CHECK(fixture.find(opaque("two"))->stage == Stage::accepted);
    CHECK(!fixture.find(opaque("lost")));
    CHECK(fixture.worker->status().accepted_bytes > 0);
    fixture.worker->on_peer(member(1), true);
    fixture.worker->on_peer(member(2), true);
    fixture.settle();
    REQUIRE(fixture.broadcast.size() == 2);
    CHECK(*fixture.broadcast[0] == *earlier.bytes);
    CHECK(fixture.writes.empty());
    fixture.acknowledge(earlier.entry);
    CHECK(fixture.ready == std::vector{earlier.entry});
    CHECK(fixture.find(opaque("two"))->stage == Stage::durable);
    // A client that gives it again waits for it.
    fixture.submit({opaque("two")}, Stage::executed);
    fixture.execute(earlier.entry, {Outcome::ok, Outcome::ok});
    CHECK(fixture.reports.back().stage == Stage::executed);
    CHECK(fixture.worker->status().accepted_bytes == 0);
}

TEST_CASE("an expired batch leaves again with the same transactions in a new one") {
    Fixture fixture;
    fixture.start_connected();
    const Bytes second = put("b", "2");
    fixture.submit({put("a", "1"), second}, Stage::committed);
    const dag::PayloadEntry old = fixture.writes.at(0).entry;
    fixture.acknowledge(old);
    fixture.round = dag::Round{9000};
    fixture.worker->requeue(old.batch);
    fixture.worker->requeue(sha256({}));
    REQUIRE(fixture.until([&] { return fixture.writes.size() == 2; }));
    const dag::PayloadEntry entry = fixture.writes[1].entry;
    CHECK(entry.sealed_round == dag::Round{9000});
    CHECK(fixture.transactions_of(fixture.writes[1].bytes) ==
          fixture.transactions_of(fixture.writes[0].bytes));
    CHECK(fixture.find(second)->status() == "requeued");
    fixture.acknowledge(entry);
    CHECK(fixture.ready.back() == entry);
    fixture.commit({entry}, 3);
    CHECK(fixture.reports.back().stage == Stage::committed);
    CHECK(fixture.find(second)->position == 1);
    fixture.execute(entry, {Outcome::ok, Outcome::ok}, 3);
    CHECK(fixture.worker->status().accepted_bytes == 0);
    CHECK(fixture.worker->status().batches_requeued == 1);
}

TEST_CASE("stopping tells who waits, and calls nobody afterwards") {
    Fixture fixture;
    fixture.hold_writes = true;
    fixture.start_connected();
    fixture.submit({opaque("a")}, Stage::executed);
    const auto theirs = seal(fixture.committee, member(1), {opaque("theirs")});
    fixture.worker->on_batch(member(1), Slice::whole(theirs.bytes));
    REQUIRE(fixture.until([&] { return fixture.held.size() == 2; }));
    bool stopped = false;
    fixture.worker->stop([&] { stopped = true; });
    REQUIRE(fixture.until([&] { return stopped; }));
    CHECK(fixture.reports.back().kind == StageReport::Kind::stopped);
    CHECK(fixture.reports.back().last);
    const std::size_t sent = fixture.broadcast.size();
    for (const auto& durable : fixture.held) durable();
    fixture.worker->on_batch(member(1), Slice::whole(theirs.bytes));
    fixture.submit({opaque("late")}, Stage::executed);
    fixture.settle();
    CHECK(fixture.reports.back().kind == StageReport::Kind::stopped);
    CHECK(fixture.told_stored.empty());
    CHECK(fixture.acks.empty());
    CHECK(fixture.broadcast.size() == sent);
    CHECK(fixture.held.size() == 2);
    CHECK(!fixture.find(opaque("late")));
}

TEST_CASE(
    "an observer's worker stores what is fetched, counts what is committed, and takes no transactions") {
    Fixture fixture;
    fixture.seat.reset();
    fixture.config.elsewhere = "submit to v0";
    fixture.start();
    fixture.submit({put("k", "v")}, Stage::executed);
    REQUIRE(fixture.reports.size() == 1);
    CHECK(fixture.reports[0].kind == StageReport::Kind::elsewhere);
    CHECK(fixture.reports[0].reason == "submit to v0");
    CHECK(fixture.reports[0].last);
    CHECK_FALSE(fixture.find(put("k", "v")));

    const auto [entry, bytes] = seal(fixture.committee, member(2), {opaque("theirs")});
    std::optional<Worker::Fetched> fetched;
    fixture.worker->store_fetched({Slice::whole(bytes)}, {entry.batch},
                                  [&](Worker::Fetched found) { fetched = found; });
    REQUIRE(fixture.until([&] { return fetched.has_value(); }));
    CHECK(fetched->stored == 1);
    CHECK(fixture.told_stored == std::vector{entry});
    CHECK(fixture.acks.empty());

    fixture.commit({entry}, 1);
    fixture.execute(entry, {Outcome::ok}, 1);
    fixture.worker->on_peer(member(1), true);
    fixture.settle();
    const WorkerStatus status = fixture.worker->status();
    CHECK(status.transactions_committed == entry.transactions);
    CHECK(status.batches_stored == 1);
    CHECK(fixture.broadcast.empty());
    bool stopped = false;
    fixture.worker->stop([&] { stopped = true; });
    fixture.settle();
    CHECK(stopped);
}

}  // namespace worker_test
