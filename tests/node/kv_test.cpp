#include <algorithm>
#include <random>

#include <catch2/catch.hpp>

#include "node/kv_store.hpp"
#include "tests/node/chain.hpp"
#include "tests/node/naive_root.hpp"

namespace kv_test {

using namespace monodon;
using namespace monodon::node;
using namespace monodon::node::test;

namespace {

using Outcomes = std::vector<Outcome>;

/// A store in a directory that outlives it, and the chain it applies.
struct Fixture {
    const dag::Committee committee = committee_of({1, 1, 1, 1});
    Chain chain{committee};
    TemporaryDirectory directory;
    std::unique_ptr<KvStore> store = open();

    std::unique_ptr<KvStore> open(storage::lmdb::FaultHook faults = {},
                                  std::uint64_t recent_segment = RecentOperations::kSegmentSize) {
        storage::lmdb::EnvironmentOptions options;
        options.directory = directory.path() / "state";
        options.create = true;
        options.map_size = 1 << 20;
        options.faults = std::move(faults);
        auto opened = KvStore::open(options, recent_segment);
        REQUIRE(opened);
        return *std::move(opened);
    }
    void restart() {
        store.reset();
        store = open();
    }
    Applied apply(const std::vector<dag::CommitPtr>& commits) {
        auto applied = store->apply(commits, chain.reader());
        REQUIRE(applied);
        return *std::move(applied);
    }
    Outcomes execute(const std::vector<Bytes>& transactions) {
        const Applied applied = apply({chain.commit(transactions)});
        REQUIRE(applied.reported.size() == 1);
        return applied.reported[0].outcomes;
    }
    /// Empty commits until a root is due; that root.
    StateRoot next_root() {
        const std::uint64_t due = (chain.next_index() + 63) / 64 * 64;
        const Applied applied = apply(chain.empty_until(due + 1));
        REQUIRE(!applied.roots.empty());
        return applied.roots.back();
    }
    /// The root of this content beside the operations that the store remembers.
    Digest root_of(Content content) {
        content[""] = read("").value();
        return naive_root(content);
    }
    std::optional<std::string> read(std::string_view key) {
        const auto found = store->get(as_bytes(key));
        REQUIRE(found);
        if (!found->value) return std::nullopt;
        return std::string(as_text(*found->value));
    }
};

const Digest kEmptyRoot = naive_root({});

}  // namespace

TEST_CASE("each operation has one encoding, and it comes back") {
    const Bytes transaction = compare_and_set("k", "old", "new");
    const auto operation = parse_kv(transaction);
    REQUIRE(operation);
    CHECK(operation->op == KvOp::compare_and_set);
    CHECK(as_text(operation->key) == "k");
    CHECK(as_text(*operation->expected) == "old");
    CHECK(as_text(operation->value) == "new");
    CHECK(!parse_kv(compare_and_set("k", nullptr, "new"))->expected);
    CHECK(parse_kv(put("k", ""))->value.empty());
    CHECK(parse_kv(erase("k"))->op == KvOp::erase);
    CHECK(parse_kv(get("k"))->op == KvOp::get);
    const Bytes numbered = encode_kv({KvOp::put, as_bytes("k"), as_bytes("v"), std::nullopt, {1, 2}});
    CHECK(parse_kv(numbered)->nonce == KvNonce{1, 2});
    CHECK(numbered != encode_kv({KvOp::put, as_bytes("k"), as_bytes("v"), std::nullopt, {1, 3}}));
}

TEST_CASE("what begins like an operation and is none is malformed, anything else is opaque") {
    Fixture fixture;
    const auto verdict = [&](const Bytes& bytes) { return fixture.store->check({bytes}); };
    CHECK(verdict(put("k", "v")) == Verdict::ok);
    CHECK(verdict(opaque("anything")) == Verdict::ok);
    CHECK(verdict(opaque("mkv")) == Verdict::ok);
    CHECK(verdict(opaque("mkv1")) == Verdict::malformed);
    CHECK(verdict(opaque("mkv1 hello")) == Verdict::malformed);

    Bytes trailing = put("k", "v");
    trailing.push_back(0);
    CHECK(verdict(trailing) == Verdict::malformed);
    Bytes cut = put("k", "v");
    cut.pop_back();
    CHECK(verdict(cut) == Verdict::malformed);
    Bytes unknown = put("k", "v");
    unknown[4] = 5;
    CHECK(verdict(unknown) == Verdict::malformed);
    unknown[4] = 0;
    CHECK(verdict(unknown) == Verdict::malformed);
    // Prefix, op, nonce, 4 + 1 bytes of key, then the flag of compare-and-set.
    Bytes two_encodings = compare_and_set("k", "old", "new");
    two_encodings[4 + 1 + 16 + 4 + 1] = 0;
    CHECK(verdict(two_encodings) == Verdict::malformed);
    two_encodings[4 + 1 + 16 + 4 + 1] = 2;
    CHECK(verdict(two_encodings) == Verdict::malformed);
}

TEST_CASE("a key has 1 to 1024 bytes") {
    Fixture fixture;
    CHECK(fixture.store->check({put(std::string(1024, 'k'), "v")}) == Verdict::ok);
    Bytes empty_key = put("k", "v");
    empty_key.erase(empty_key.begin() + 25);
    empty_key[21] = 0;
    CHECK(fixture.store->check({empty_key}) == Verdict::malformed);
    Bytes long_key = put(std::string(1024, 'k'), "v");
    long_key.insert(long_key.begin() + 25, 'k');
    ++long_key[21];
    CHECK(fixture.store->check({long_key}) == Verdict::malformed);
}

TEST_CASE("operations do what they say, also within one batch") {
    Fixture fixture;
    CHECK(fixture.execute({put("a", "1"), get("a"), erase("a"), get("a"), erase("a")}) ==
          Outcomes{Outcome::ok, Outcome::value, Outcome::ok, Outcome::absent, Outcome::absent});
    CHECK(fixture.execute({compare_and_set("b", "1", "2"), compare_and_set("b", nullptr, "1"),
                           compare_and_set("b", nullptr, "9"), compare_and_set("b", "2", "9"),
                           compare_and_set("b", "1", "2")}) ==
          Outcomes{Outcome::mismatch, Outcome::ok, Outcome::mismatch, Outcome::mismatch, Outcome::ok});
    CHECK(fixture.read("b") == "2");
    CHECK(fixture.execute({get("b"), compare_and_set("b", "2", ""), erase("nothing"), opaque("noise")}) ==
          Outcomes{Outcome::value, Outcome::ok, Outcome::absent, Outcome::ok});
    CHECK(fixture.read("b") == "");
    CHECK(!fixture.read("a"));
    CHECK(fixture.store->summary().keys == 1);
    CHECK(fixture.store->summary().transactions == 14);
}

TEST_CASE("the same operation ordered again is executed once, also after a restart") {
    Fixture fixture;
    const Bytes one = put("a", "1");
    const Bytes absent = erase("b");
    CHECK(fixture.execute({one, absent, one}) == Outcomes{Outcome::ok, Outcome::absent, Outcome::duplicate});
    CHECK(
        fixture.execute({put("a", "2"), put("b", "2"), one, absent, opaque("x"), opaque("x")}) ==
        Outcomes{Outcome::ok, Outcome::ok, Outcome::duplicate, Outcome::duplicate, Outcome::ok, Outcome::ok});
    fixture.restart();
    CHECK(fixture.execute({one, absent}) == Outcomes(2, Outcome::duplicate));
    CHECK(fixture.read("a") == "2");
    CHECK(fixture.read("b") == "2");
    const Bytes read = get("a");
    CHECK(fixture.execute({read, read}) == Outcomes(2, Outcome::value));
    CHECK(fixture.store->summary().keys == 2);
}

TEST_CASE("of two segments of operations the older is forgotten, on every node alike") {
    const std::vector<Bytes> puts{put("a", "1"), put("b", "1"), put("c", "1"), put("d", "1"), put("e", "1")};
    std::vector<StateRoot> roots;
    for (const bool restarts : {false, true}) {
        Fixture fixture;
        const auto reopen = [&] {
            fixture.store.reset();
            fixture.store = fixture.open({}, 2);
        };
        reopen();
        for (const Bytes& each : puts) {
            CHECK(fixture.execute({each, each}) == Outcomes{Outcome::ok, Outcome::duplicate});
            if (restarts) reopen();
        }
        // Two full segments of two: the first is forgotten as the second fills.
        CHECK(fixture.execute({puts[2], puts[3], puts[4]}) == Outcomes(3, Outcome::duplicate));
        CHECK(fixture.execute({puts[0], puts[1]}) == Outcomes(2, Outcome::ok));
        CHECK(fixture.execute({puts[2]}) == Outcomes{Outcome::ok});
        roots.push_back(fixture.next_root());
    }
    CHECK(roots[0] == roots[1]);
}

TEST_CASE("operations that are not those of the root are refused at start") {
    Fixture fixture;
    fixture.execute({put("a", "1")});
    fixture.store.reset();
    storage::lmdb::EnvironmentOptions options;
    options.directory = fixture.directory.path() / "state";
    {
        auto environment = storage::lmdb::Environment::open(options);
        REQUIRE(environment);
        auto tables = (*environment)->tables({"recent"});
        REQUIRE(tables);
        auto emptied = storage::lmdb::write_growing(
            **environment, 0, [&](storage::lmdb::WriteTransaction& transaction) -> storage::Result<void> {
                auto cursor = transaction.cursor(tables->at(0));
                REQUIRE(cursor);
                auto row = cursor->first();
                REQUIRE((row && *row));
                return cursor->erase();
            });
        REQUIRE(emptied);
    }
    auto opened = KvStore::open(options);
    REQUIRE(!opened);
    CHECK(opened.error().error == storage::StoreError::damaged);
}

TEST_CASE("what another validator admitted wrongly changes nothing") {
    Fixture fixture;
    CHECK(fixture.execute({opaque("mkv1?"), put("a", "1")}) == Outcomes{Outcome::malformed, Outcome::ok});
    CHECK(fixture.store->summary().keys == 1);
}

TEST_CASE("a get through the order reads what was there at its place, up to a limit in a batch") {
    Fixture fixture;
    const std::string large(200 * 1024, 'x');
    const Applied applied = fixture.apply(
        {fixture.chain.commit({put("a", "before"), get("a"), put("a", "after"), put("large", large)})});
    REQUIRE(applied.reported[0].values.size() == 1);
    CHECK(applied.reported[0].values[0].first == 1);
    CHECK(as_text(*applied.reported[0].values[0].second) == "before");
    const Applied many = fixture.apply({fixture.chain.commit(std::vector<Bytes>(8, get("large")))});
    CHECK(many.reported[0].outcomes == Outcomes(8, Outcome::value));
    CHECK(many.reported[0].values.size() == AppliedBatch::kReadBytesMax / large.size());
}

TEST_CASE("batches of one commit are executed in the order of its payload") {
    Fixture fixture;
    const auto first = seal(fixture.committee, member(1), {put("k", "first"), opaque("x")});
    const auto second = seal(fixture.committee, member(0), {put("k", "second")});
    const Applied applied = fixture.apply({fixture.chain.commit({first, second})});
    CHECK(fixture.read("k") == "second");
    CHECK(applied.reported[0].position == 0);
    CHECK(applied.reported[1].position == 2);
    CHECK(applied.reported[1].commit == dag::CommitIndex{1});
    CHECK(applied.reported[1].round == dag::Round{2});
}

TEST_CASE("the root falls due at multiples of 64 and is that of the content at that index") {
    Fixture fixture;
    CHECK(fixture.store->root() == StateRoot{dag::CommitIndex{0}, kEmptyRoot});
    const std::vector<Bytes> puts{put("a", "1"), put("b", "2")};
    fixture.execute(puts);
    const StateRoot first = fixture.next_root();
    const Content content{{"", naive_recent({puts})}, {"a", "1"}, {"b", "2"}};
    CHECK(first == StateRoot{dag::CommitIndex{64}, naive_root(content)});
    CHECK(fixture.store->root() == first);
    fixture.execute({put("c", "3")});
    CHECK(fixture.store->root() == first);
}

TEST_CASE("a group that crosses several due indices gives the root of each") {
    Fixture fixture;
    std::vector<dag::CommitPtr> commits = fixture.chain.empty_until(64);
    const std::vector<std::vector<Bytes>> operations{
        {put("a", "1")}, {put("a", "2"), put("b", "1")}, {erase("b")}};
    commits.push_back(fixture.chain.commit(operations[0]));
    commits.push_back(fixture.chain.commit(operations[1]));
    const auto more = fixture.chain.empty_until(128);
    commits.insert(commits.end(), more.begin(), more.end());
    commits.push_back(fixture.chain.commit(operations[2]));
    commits.push_back(fixture.chain.commit({put("c", "1")}));
    const Applied applied = fixture.apply(commits);
    const Content first{{"", naive_recent({operations[0]})}, {"a", "1"}};
    const Content second{{"", naive_recent(operations)}, {"a", "2"}};
    CHECK(applied.roots == std::vector<StateRoot>{{dag::CommitIndex{64}, naive_root(first)},
                                                  {dag::CommitIndex{128}, naive_root(second)}});
}

TEST_CASE(
    "the root depends on content and remembered operations alone, not on order, grouping or what was there "
    "in between") {
    std::mt19937_64 random(3);
    Content content;
    std::vector<Bytes> puts;
    for (int at = 0; at < 300; ++at) {
        const std::string key = "key" + std::to_string(at);
        content[key] = std::to_string(random());
        puts.push_back(put(key, content[key]));
    }
    for (int round = 0; round < 3; ++round) {
        Fixture fixture;
        std::shuffle(puts.begin(), puts.end(), random);
        std::vector<dag::CommitPtr> commits;
        for (std::size_t at = 0; at < puts.size(); at += 30) {
            const auto first = puts.begin() + static_cast<std::ptrdiff_t>(at);
            commits.push_back(fixture.chain.commit(std::vector<Bytes>(first, first + 30)));
            if (round == 1) fixture.apply({commits.back()});
        }
        if (round != 1) fixture.apply(commits);
        if (round == 2) {
            fixture.execute({put("passing", "by"), put("key7", "other")});
            fixture.next_root();
            fixture.execute({erase("passing"), put("key7", content["key7"])});
        }
        const Digest root = fixture.next_root().root;
        CHECK(root == fixture.root_of(content));
    }
}

TEST_CASE("deletes lead back to the content before") {
    Fixture fixture;
    fixture.execute({put("stays", "1")});
    fixture.execute({put("goes", "2"), put("stays", "3")});
    const Digest both = fixture.next_root().root;
    CHECK(both == fixture.root_of({{"goes", "2"}, {"stays", "3"}}));
    fixture.execute({erase("goes"), put("stays", "1")});
    const Digest before = fixture.next_root().root;
    CHECK(before == fixture.root_of({{"stays", "1"}}));
    fixture.execute({erase("stays")});
    const Digest none = fixture.next_root().root;
    CHECK(none == fixture.root_of({}));
    CHECK(fixture.store->summary().keys == 0);
}

TEST_CASE("a restart keeps state, index and root, also what changed since the last root") {
    Fixture fixture;
    fixture.execute({put("a", "1")});
    const StateRoot root = fixture.next_root();
    fixture.execute({put("b", "2")});
    fixture.restart();
    CHECK(fixture.store->applied_index() == dag::CommitIndex{65});
    CHECK(fixture.store->next_index() == dag::CommitIndex{66});
    CHECK(fixture.store->root() == root);
    CHECK(fixture.store->summary().keys == 2);
    CHECK(fixture.store->summary().transactions == 2);
    CHECK(fixture.read("b") == "2");
    fixture.execute({put("c", "3")});
    const Digest next = fixture.next_root().root;
    CHECK(next == fixture.root_of({{"a", "1"}, {"b", "2"}, {"c", "3"}}));
}

TEST_CASE("commits that were applied are skipped when they come again after a crash") {
    Fixture fixture;
    std::vector<dag::CommitPtr> commits{fixture.chain.commit({compare_and_set("n", nullptr, "1")}),
                                        fixture.chain.commit({compare_and_set("n", "1", "2")})};
    fixture.apply({commits[0]});
    fixture.restart();
    const Applied again = fixture.apply(commits);
    REQUIRE(again.reported.size() == 1);
    CHECK(again.reported[0].outcomes == Outcomes{Outcome::ok});
    CHECK(fixture.read("n") == "2");
    CHECK(fixture.apply(commits).reported.empty());
}

TEST_CASE("commits that write nothing cost no write, and are applied again after a restart") {
    Fixture fixture;
    fixture.execute({put("a", "1")});
    int writes = 0;
    fixture.store.reset();
    fixture.store = fixture.open([&](storage::lmdb::DiskStep step) {
        writes += step == storage::lmdb::DiskStep::put ? 1 : 0;
        return 0;
    });
    writes = 0;
    const std::vector<dag::CommitPtr> idle{fixture.chain.commit(),
                                           fixture.chain.commit({opaque("x"), get("a")})};
    fixture.apply(idle);
    CHECK(writes == 0);
    CHECK(fixture.store->applied_index() == dag::CommitIndex{3});
    CHECK(fixture.store->durable_index() == dag::CommitIndex{1});
    fixture.restart();
    CHECK(fixture.store->next_index() == dag::CommitIndex{2});
    fixture.apply(idle);
    CHECK(fixture.store->summary().transactions == 3);
    CHECK(fixture.next_root().index == dag::CommitIndex{64});
    CHECK(fixture.store->durable_index() == dag::CommitIndex{64});
}

TEST_CASE("a full disk changes nothing and may be tried again, a failing disk may not") {
    Fixture fixture;
    fixture.execute({put("a", "1")});
    int error = 0;
    fixture.store.reset();
    fixture.store = fixture.open([&](storage::lmdb::DiskStep step) {
        return step == storage::lmdb::DiskStep::reserve || error == EIO ? error : 0;
    });
    const std::vector<dag::CommitPtr> commits{fixture.chain.commit({put("a", "2")})};
    error = ENOSPC;
    auto full = fixture.store->apply(commits, fixture.chain.reader());
    REQUIRE(!full);
    CHECK(full.error().try_again);
    CHECK(fixture.read("a") == "1");
    CHECK(fixture.store->applied_index() == dag::CommitIndex{1});
    error = 0;
    CHECK(fixture.store->apply(commits, fixture.chain.reader()));
    CHECK(fixture.read("a") == "2");
    error = EIO;
    auto failing =
        fixture.store->apply(std::vector{fixture.chain.commit({put("a", "3")})}, fixture.chain.reader());
    REQUIRE(!failing);
    CHECK(!failing.error().try_again);
    CHECK(fixture.read("a") == "2");
}

TEST_CASE("the map grows under a commit that is larger than it, and the root is right all the same") {
    Fixture fixture;
    Content content;
    std::vector<dag::CommitPtr> commits = fixture.chain.empty_until(62);
    for (int commit = 0; commit < 3; ++commit) {
        std::vector<dag::BatchBuilder::Sealed> batches;
        for (int at = 0; at < 16; ++at) {
            const std::string key = std::to_string(commit) + "/" + std::to_string(at);
            content[key] = std::string(200 * 1024, static_cast<char>('a' + at));
            batches.push_back(seal(fixture.committee, member(0), {put(key, content[key])}));
        }
        commits.push_back(fixture.chain.commit(batches));
    }
    const Applied applied = fixture.apply(commits);
    CHECK(applied.roots.size() == 1);
    CHECK(applied.reported.size() == 48);
    const Digest root = fixture.next_root().root;
    CHECK(root == fixture.root_of(content));
    CHECK(fixture.store->stats().map_bytes > std::size_t{1} << 20);
    CHECK(fixture.read("2/15") == content["2/15"]);
}

TEST_CASE("a batch that cannot be read leaves the state as it was") {
    Fixture fixture;
    const auto good = seal(fixture.committee, member(0), {put("a", "1")});
    const auto bad = seal(fixture.committee, member(0), {put("a", "2")});
    const dag::CommitPtr commit = fixture.chain.commit({good, bad});
    fixture.chain.lose(bad.entry.batch);
    auto applied = fixture.store->apply(std::vector{commit}, fixture.chain.reader());
    REQUIRE(!applied);
    CHECK(!applied.error().try_again);
    CHECK(!fixture.read("a"));
    CHECK(fixture.store->applied_index() == dag::CommitIndex{0});
}

TEST_CASE("a state whose bucket hashes do not give its root is refused at start") {
    Fixture fixture;
    fixture.execute({put("a", "1")});
    fixture.next_root();
    fixture.store.reset();
    {
        storage::lmdb::EnvironmentOptions options;
        options.directory = fixture.directory.path() / "state";
        auto environment = storage::lmdb::Environment::open(options);
        REQUIRE(environment);
        auto tables = (*environment)->tables({"buckets"});
        REQUIRE(tables);
        auto emptied = storage::lmdb::write_growing(
            **environment, 0, [&](storage::lmdb::WriteTransaction& transaction) -> storage::Result<void> {
                const auto row = bucket_row_key(bucket_of(sha256(as_bytes("a"))) / kBucketsPerRow);
                auto erased = transaction.erase(tables->at(0), row);
                REQUIRE((erased && *erased));
                return {};
            });
        REQUIRE(emptied);
    }
    storage::lmdb::EnvironmentOptions options;
    options.directory = fixture.directory.path() / "state";
    auto opened = KvStore::open(options);
    REQUIRE(!opened);
    CHECK(opened.error().error == storage::StoreError::damaged);
}

}  // namespace kv_test
