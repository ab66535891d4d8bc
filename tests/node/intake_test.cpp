#include "tests/node/worker_fixture.hpp"

namespace intake_test {

using namespace monodon;
using namespace monodon::node;
using namespace monodon::node::test;

using Fixture = WorkerFixture;

TEST_CASE("another's batch is stored as it came, then acknowledged to its author, many in one notice") {
    Fixture fixture;
    fixture.hold_writes = true;
    fixture.start_connected();
    std::vector<dag::BatchBuilder::Sealed> batches;
    for (int at = 0; at < 3; ++at) {
        batches.push_back(seal(fixture.committee, member(2), {opaque(std::to_string(at))}));
        Bytes message(3);
        message.insert(message.end(), batches.back().bytes->begin(), batches.back().bytes->end());
        const SharedBytes owner = share(message);
        fixture.worker->on_batch(member(2), {owner, ByteView(*owner).subspan(3)});
    }
    REQUIRE(fixture.until([&] { return fixture.held.size() == 3; }));
    CHECK(*fixture.writes[0].bytes == *batches[0].bytes);
    CHECK(fixture.writes[0].entry == batches[0].entry);
    CHECK(fixture.writes[0].standing == storage::Standing::offered);
    CHECK(fixture.acks.empty());
    CHECK(fixture.told_stored.empty());
    CHECK(fixture.worker->status().incoming_bytes > 0);
    for (const auto& durable : fixture.held) durable();
    fixture.settle();
    CHECK(fixture.told_stored.size() == 3);
    REQUIRE(fixture.acks.size() == 1);
    CHECK(fixture.acks[0].to == 2);
    CHECK(fixture.acks[0].batches ==
          std::vector{batches[0].entry.batch, batches[1].entry.batch, batches[2].entry.batch});
    CHECK(fixture.worker->status().batches_stored == 3);
    CHECK(fixture.worker->status().incoming_bytes == 0);
}

TEST_CASE("a batch that fills its message is stored without a copy") {
    Fixture fixture;
    fixture.start_connected();
    const auto batch = seal(fixture.committee, member(1), {opaque("a")});
    fixture.worker->on_batch(member(1), Slice::whole(batch.bytes));
    REQUIRE(fixture.until([&] { return fixture.writes.size() == 1; }));
    CHECK(fixture.writes[0].bytes == batch.bytes);
}

TEST_CASE("a malformed batch, or one in another's name, is the sender's fault and is not stored") {
    Fixture fixture;
    fixture.start_connected();
    const auto batch = seal(fixture.committee, member(2), {opaque("a")});
    fixture.worker->on_batch(member(1), Slice::whole(batch.bytes));
    Bytes cut(*batch.bytes);
    cut.pop_back();
    fixture.worker->on_batch(member(2), Slice::whole(share(cut)));
    fixture.worker->on_batch(member(2), Slice::whole(share("")));
    REQUIRE(fixture.until([&] { return fixture.faults.size() == 3; }));
    CHECK(fixture.writes.empty());
    CHECK(fixture.acks.empty());
    CHECK(fixture.worker->status().batches_refused == 3);
    CHECK(fixture.worker->status().incoming_bytes == 0);
}

TEST_CASE("what the store refuses is not acknowledged") {
    Fixture fixture;
    fixture.start_connected();
    fixture.refuse = storage::PutError::too_far_ahead;
    const auto batch = seal(fixture.committee, member(2), {opaque("a")});
    fixture.worker->on_batch(member(2), Slice::whole(batch.bytes));
    REQUIRE(fixture.until([&] { return fixture.worker->status().batches_refused == 1; }));
    fixture.settle();
    CHECK(fixture.acks.empty());
    CHECK(fixture.worker->status().incoming_bytes == 0);
}

TEST_CASE("one author's batches that wait for disk or processor are bounded, another's are not affected") {
    Fixture fixture;
    fixture.config.incoming_bytes_max = 2500;
    fixture.hold_writes = true;
    fixture.start_connected();
    for (int at = 0; at < 5; ++at) {
        const auto batch = seal(fixture.committee, member(2), {Bytes(1000, Byte{1})});
        fixture.worker->on_batch(member(2), Slice::whole(batch.bytes));
    }
    const auto other = seal(fixture.committee, member(3), {Bytes(1000, Byte{1})});
    fixture.worker->on_batch(member(3), Slice::whole(other.bytes));
    REQUIRE(fixture.until([&] { return fixture.writes.size() == 3; }));
    CHECK(fixture.worker->status().batches_refused == 3);
    for (const auto& durable : std::exchange(fixture.held, {})) durable();
    fixture.settle();
    const auto again = seal(fixture.committee, member(2), {Bytes(1000, Byte{1})});
    fixture.worker->on_batch(member(2), Slice::whole(again.bytes));
    CHECK(fixture.until([&] { return fixture.writes.size() == 4; }));
}

TEST_CASE("of a reply only the batches that were asked for are stored, each once, whoever made them") {
    Fixture fixture;
    fixture.start_connected();
    const auto ours = seal(fixture.committee, member(0), {opaque("ours")});
    const auto theirs = seal(fixture.committee, member(3), {opaque("theirs")});
    const auto other = seal(fixture.committee, member(3), {opaque("unasked")});
    std::optional<Worker::Fetched> fetched;
    const auto done = [&](Worker::Fetched result) {
        CHECK(fixture.told_stored.size() == result.stored);
        fetched = result;
    };
    SECTION("all right") {
        fixture.worker->store_fetched({Slice::whole(ours.bytes), Slice::whole(theirs.bytes)},
                                      {theirs.entry.batch, ours.entry.batch}, done);
        REQUIRE(fixture.until([&] { return fetched.has_value(); }));
        CHECK(fetched->stored == 2);
        CHECK(!fetched->bad);
        CHECK(fixture.writes[0].standing == storage::Standing::named);
        CHECK(fixture.acks.empty());
    }
    SECTION("less than asked for is no fault") {
        fixture.worker->store_fetched({Slice::whole(ours.bytes)}, {theirs.entry.batch, ours.entry.batch},
                                      done);
        REQUIRE(fixture.until([&] { return fetched.has_value(); }));
        CHECK(fetched->stored == 1);
        CHECK(!fetched->bad);
    }
    SECTION("something else, twice the same, garbage") {
        const auto extra = GENERATE(0, 1, 2);
        const Slice wrong = extra == 0   ? Slice::whole(other.bytes)
                            : extra == 1 ? Slice::whole(theirs.bytes)
                                         : Slice::whole(share("garbage"));
        fixture.worker->store_fetched({Slice::whole(theirs.bytes), wrong},
                                      {theirs.entry.batch, ours.entry.batch}, done);
        REQUIRE(fixture.until([&] { return fetched.has_value(); }));
        CHECK(fetched->stored == 1);
        CHECK(fetched->bad);
    }
    SECTION("nothing") {
        fixture.worker->store_fetched({}, {theirs.entry.batch}, done);
        REQUIRE(fixture.until([&] { return fetched.has_value(); }));
        CHECK(fetched->stored == 0);
        CHECK(!fetched->bad);
    }
}

}  // namespace intake_test
