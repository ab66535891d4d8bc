#include <functional>
#include <set>

#include <catch2/catch.hpp>

#include "dag/model/commit.hpp"
#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

namespace {

const BatchHead kHead{Epoch{0}, ValidatorIndex{1}, WorkerId{0}, 9, Round{4}, 1234};

BatchBuilder::Sealed seal(const Committee& committee, const std::vector<std::string>& transactions,
                          const BatchHead& head = kHead) {
    BatchBuilder builder;
    for (const std::string& transaction : transactions) REQUIRE(builder.add(as_bytes(transaction)));
    return builder.seal(committee, head);
}

Commit some_commit() {
    Commit commit;
    commit.index = CommitIndex{7};
    commit.previous = sha256({});
    commit.anchor = {Round{5}, ValidatorIndex{1}, sha256(as_bytes("anchor"))};
    commit.certificates = {{Round{4}, ValidatorIndex{0}, sha256(as_bytes("other"))}, commit.anchor};
    commit.failed = {slot("C3")};
    commit.voters = members("ABD");
    commit.payload = {batch(1, 2)};
    commit.transactions = commit.payload[0].transactions;
    commit.bytes = commit.payload[0].bytes;
    return commit;
}

}  // namespace

TEST_CASE("a batch comes back from its bytes, and the header's entry says the same of it") {
    const Committee committee = committee_of({1, 1, 1, 1});
    const auto sealed = seal(committee, {"one", "", "three"});
    const auto view = parse_batch(committee, *sealed.bytes);
    REQUIRE(view);
    CHECK(payload_entry(committee, *view, *sealed.bytes) == sealed.entry);
    CHECK(view->head.sequence == 9);
    CHECK(view->head.created_at == 1234);
    std::vector<std::string> transactions;
    view->for_each([&](ByteView transaction) { transactions.emplace_back(as_text(transaction)); });
    CHECK(transactions == std::vector<std::string>{"one", "", "three"});
    CHECK(sealed.entry.transactions == 3);
    CHECK(sealed.entry.bytes == sealed.bytes->size());
    CHECK(sealed.entry.sealed_round == Round{4});
}

TEST_CASE("two different batches never have one digest") {
    const Committee committee = committee_of({1, 1, 1, 1});
    std::set<Digest> digests;
    const auto add = [&](const std::vector<std::string>& transactions, const BatchHead& head) {
        digests.insert(seal(committee, transactions, head).entry.batch);
    };
    add({"ab", "c"}, kHead);
    add({"a", "bc"}, kHead);
    add({"abc"}, kHead);
    add({"abc", ""}, kHead);
    const std::vector<std::function<void(BatchHead&)>> changes{
        [](BatchHead& h) { h.epoch = Epoch{1}; },        [](BatchHead& h) { h.author = ValidatorIndex{2}; },
        [](BatchHead& h) { h.worker = WorkerId{1}; },    [](BatchHead& h) { h.sequence = 10; },
        [](BatchHead& h) { h.sealed_round = Round{5}; }, [](BatchHead& h) { h.created_at = 1235; },
    };
    for (const auto& change : changes) {
        BatchHead head = kHead;
        change(head);
        add({"abc"}, head);
    }
    CHECK(digests.size() == 4 + changes.size());
    CHECK_FALSE(digests.contains(seal(committee_of({1, 1, 1, 1}, "other"), {"abc"}).entry.batch));
}

TEST_CASE("bytes that are not exactly one batch of this committee are no batch") {
    const Committee committee = committee_of({1, 1, 1, 1});
    const Bytes good = *seal(committee, {"one", "two"}).bytes;
    for (std::size_t size = 0; size < good.size(); ++size) {
        REQUIRE_FALSE(parse_batch(committee, ByteView(good).first(size)));
    }
    Bytes longer = good;
    longer.push_back(0);
    CHECK_FALSE(parse_batch(committee, longer));
    CHECK_FALSE(parse_batch(committee, *seal(committee, {}).bytes));
    CHECK_FALSE(parse_batch(committee, Bytes(kBatchBytesMax + 1)));
    BatchHead head = kHead;
    head.author = ValidatorIndex{4};
    CHECK_FALSE(parse_batch(committee, *seal(committee, {"x"}, head).bytes));
    head = kHead;
    head.epoch = Epoch{1};
    CHECK_FALSE(parse_batch(committee, *seal(committee, {"x"}, head).bytes));
}

TEST_CASE("a batch builder keeps to the limits and starts anew after sealing") {
    const Committee committee = committee_of({1, 1});
    BatchBuilder builder;
    CHECK_FALSE(builder.add(Bytes(kTransactionBytesMax + 1)));
    CHECK(builder.empty());
    CHECK(builder.add(Bytes(kTransactionBytesMax)));
    CHECK_FALSE(builder.add(Bytes(kTransactionBytesMax)));
    const std::size_t left = kBatchBytesMax - builder.bytes() - BatchBuilder::kTransactionOverhead;
    CHECK_FALSE(builder.add(Bytes(left + 1)));
    CHECK(builder.add(Bytes(left)));
    CHECK(builder.transactions() == 2);
    const auto sealed = builder.seal(committee, kHead);
    CHECK(sealed.bytes->size() == kBatchBytesMax);
    CHECK(parse_batch(committee, *sealed.bytes));
    CHECK(builder.empty());
    CHECK(builder.bytes() == BatchBuilder::kHeadBytes);
}

TEST_CASE("a commit comes back from its encoding, and only with the digest that it has") {
    const Committee committee = committee_of({1, 1, 1, 1});
    Commit commit = some_commit();
    commit.digest = commit_digest(committee, commit);
    const Bytes good = encode(commit);
    const auto decoded = decode_commit(committee, good);
    REQUIRE(decoded);
    CHECK(encode(*decoded) == good);
    CHECK(decoded->payload == commit.payload);
    CHECK(decoded->voters == commit.voters);
    for (std::size_t size = 0; size < good.size(); ++size) {
        REQUIRE_FALSE(decode_commit(committee, ByteView(good).first(size)));
    }
    Bytes longer = good;
    longer.push_back(0);
    CHECK_FALSE(decode_commit(committee, longer));
    commit.digest = sha256({});
    CHECK_FALSE(decode_commit(committee, encode(commit)));
    CHECK_FALSE(decode_commit(committee_of({1, 1, 1, 1}, "other"), good));
}

TEST_CASE("everything that commits must agree on enters the commit digest") {
    const Committee committee = committee_of({1, 1, 1, 1});
    std::set<Digest> digests{commit_digest(committee, some_commit())};
    const std::vector<std::function<void(Commit&)>> changes{
        [](Commit& c) { c.index = CommitIndex{8}; },
        [](Commit& c) { c.previous = Digest{}; },
        [](Commit& c) { c.anchor.round = Round{6}; },
        [](Commit& c) { c.anchor.author = ValidatorIndex{2}; },
        [](Commit& c) { c.anchor.digest = Digest{}; },
        [](Commit& c) { c.certificates.pop_back(); },
        [](Commit& c) { c.certificates[0].digest = Digest{}; },
        [](Commit& c) { c.failed.clear(); },
        [](Commit& c) { c.failed[0] = slot("C1"); },
        [](Commit& c) { c.failed[0] = slot("D3"); },
        [](Commit& c) { ++c.transactions; },
        [](Commit& c) { ++c.bytes; },
    };
    for (const auto& change : changes) {
        Commit commit = some_commit();
        change(commit);
        digests.insert(commit_digest(committee, commit));
    }
    CHECK(digests.size() == changes.size() + 1);
}
