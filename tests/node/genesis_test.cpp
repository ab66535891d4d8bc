#include "node/genesis.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "node/home.hpp"
#include "tests/node/support.hpp"

namespace monodon::node::genesis_test {
namespace {

using test::contains;
using test::TemporaryDirectory;

PublicKey key(Byte number) {
    std::array<Byte, 32> seed{};
    seed[0] = number;
    return KeyPair::from_seed(seed).public_key();
}

std::vector<GenesisMember> four_members() {
    std::vector<GenesisMember> members;
    for (Byte at = 0; at < 4; ++at) {
        members.push_back(
            {"v" + std::to_string(at), PeerId(key(at)), 1, {"127.0.0.1:" + std::to_string(7100 + at)}});
    }
    return members;
}

Genesis genesis(std::vector<GenesisMember> members = four_members(), dag::OrderingConfig ordering = {}) {
    auto made = Genesis::make("local-1", dag::Epoch{0}, std::move(ordering), std::move(members));
    REQUIRE(made);
    return std::move(*made);
}

std::string error_of(const std::string& json) {
    const auto parsed = Genesis::parse(json);
    return parsed ? "" : parsed.error();
}

/// A correct text in which one part is replaced.
std::string with(const std::string& part, const std::string& instead) {
    std::string text = genesis().to_json();
    const std::size_t at = text.find(part);
    REQUIRE(at != std::string::npos);
    return text.replace(at, part.size(), instead);
}

TEST_CASE("a genesis survives its file") {
    const TemporaryDirectory directory;
    const Genesis made = genesis();
    REQUIRE(made.save(directory / "genesis.json"));
    const auto loaded = Genesis::load(directory / "genesis.json");
    REQUIRE(loaded);
    CHECK(loaded->digest() == made.digest());
    CHECK(loaded->to_json() == made.to_json());
    CHECK(loaded->committee().size() == 4);
    CHECK(loaded->member(dag::ValidatorIndex{2}).name == "v2");
    CHECK(loaded->index_of("v3") == dag::ValidatorIndex{3});
    CHECK(loaded->index_of(PeerId(key(1))) == dag::ValidatorIndex{1});
    CHECK_FALSE(loaded->index_of("v4"));
    // An existing file is replaced.
    REQUIRE(made.save(directory / "genesis.json"));
}

TEST_CASE("the digest binds what consensus depends on, and nothing else") {
    const Digest digest = genesis().digest();
    auto members = four_members();
    members[0].name = "other";
    members[0].addresses = {"10.0.0.1:1", "[::1]:2"};
    CHECK(genesis(members).digest() == digest);

    members = four_members();
    members[1].stake = 2;
    CHECK(genesis(members).digest() != digest);
    members = four_members();
    std::swap(members[0], members[1]);
    CHECK(genesis(members).digest() != digest);
    const auto other_chain = Genesis::make("local-2", dag::Epoch{0}, {}, four_members());
    REQUIRE(other_chain);
    CHECK(other_chain->digest() != digest);
    const auto other_epoch = Genesis::make("local-1", dag::Epoch{1}, {}, four_members());
    REQUIRE(other_epoch);
    CHECK(other_epoch->digest() != digest);

    dag::OrderingConfig ordering;
    ordering.window = 21;
    CHECK(genesis(four_members(), ordering).digest() != digest);
    ordering = {};
    ordering.mode = dag::OrderingMode::bullshark;
    CHECK(genesis(four_members(), ordering).digest() != digest);
    ordering = {};
    ordering.leaders = dag::ReputationRule{.active_weight = 999};
    CHECK(genesis(four_members(), ordering).digest() != digest);
}

TEST_CASE("what may be left out of a genesis has defaults") {
    std::string text = genesis().to_json();
    const std::size_t begin = text.find("  \"ordering\"");
    text.erase(begin, text.find("  \"members\"") - begin);
    const auto parsed = Genesis::parse(text);
    REQUIRE(parsed);
    CHECK(parsed->digest() == genesis().digest());
}

TEST_CASE("a genesis that is not exactly one is refused in words") {
    CHECK(contains(error_of(""), "not JSON"));
    CHECK(contains(error_of("[]"), "must be an object"));
    CHECK(contains(error_of(genesis().to_json() + "x"), "something follows the value"));
    CHECK(contains(error_of(std::string(kGenesisBytesMax + 1, ' ')), "more than"));
    CHECK(contains(error_of(std::string(200, '[')), "not JSON"));

    struct Case {
        const char* part;
        const char* instead;
        const char* error;
    };
    const Case cases[] = {
        {"\"epoch\": 0", "\"epoch\": 0, \"colour\": 1", "colour is unknown"},
        {"\"epoch\": 0", "\"epoch\": 0, \"epoch\": 0", "\"epoch\" comes twice"},
        {"\"epoch\": 0", "\"epoch\": -1", "epoch must be a whole number"},
        {"\"epoch\": 0", "\"epoch\": 0.5", "epoch must be a whole number"},
        {"\"epoch\": 0", "\"epoch\": \"0\"", "epoch must be a whole number"},
        {"\"epoch\": 0,", "", "epoch is missing"},
        {"\"local-1\"", "\"\"", "chain_id must be"},
        {"\"local-1\"", "\"a b\"", "chain_id must be"},
        {"\"local-1\"", "17", "chain_id must be"},
        {"\"window\":20", "\"window\":0", "ordering.window must be"},
        {"\"window\":20", "\"windows\":20", "ordering.windows is unknown"},
        {"\"batch_life\":4096", "\"batch_life\":2", "ordering.batch_life must be"},
        {"\"shoal\"", "\"shark\"", "ordering.mode must be"},
        {"\"failed_weight\":1", "\"failed_weight\":0", "weights must be"},
        {"\"active_weight\":1000", "\"active_weight\":5", "weights must be"},
        {"\"active_weight\":1000", "\"active_weight\":1000000000000", "at most 1000000"},
        {"\"failure_threshold_percent\":10", "\"failure_threshold_percent\":101", "from 0 to 100"},
        {"\"proposer_window\":0", "\"proposers\":0", "ordering.reputation.proposers is unknown"},
        {"\"name\":\"v1\"", "\"name\":\"v0\"", "members[1].name v0 comes twice"},
        {"\"name\":\"v1\"", "\"name\":\"\"", "members[1].name must be"},
        {"\"name\":\"v1\"", "\"name\":\"v 1\"", "members[1].name must be"},
        {"\"name\":\"v1\"", "\"nom\":\"v1\"", "members[1].name is missing"},
        {"\"peer_id\":\"12D3", "\"peer_id\":\"12D4", "members[0].peer_id is not"},
        {"\"stake\":1", "\"stake\":0", "a member has no stake"},
        {"\"stake\":1", "\"stake\":9223372036854775807", "total stake"},
        {"\"stake\":1", "\"stake\":1e3", "members[0].stake must be"},
        {"\"127.0.0.1:7102\"", "\"127.0.0.1\"", "members[2].addresses"},
        {"\"127.0.0.1:7102\"", "\"127.0.0.1:0\"", "members[2].addresses"},
        {"\"127.0.0.1:7102\"", "\"[v2]:7102\"", "members[2].addresses"},
        {"\"127.0.0.1:7102\"", "7102", "members[2].addresses must be texts"},
        {"[\"127.0.0.1:7102\"]", "[\"a:1\",\"a:1\",\"a:1\",\"a:1\",\"a:1\"]", "must be a list of at most 4"},
        {"[\"127.0.0.1:7102\"]", "\"127.0.0.1:7102\"", "must be a list of at most 4"},
    };
    for (const Case& wrong : cases) {
        INFO(wrong.part << " -> " << wrong.instead << ": " << error_of(with(wrong.part, wrong.instead)));
        CHECK(contains(error_of(with(wrong.part, wrong.instead)), wrong.error));
    }
}

TEST_CASE("a committee that could not agree is refused") {
    CHECK_FALSE(Genesis::make("c", dag::Epoch{0}, {}, {}));
    auto members = four_members();
    members[3].peer = members[0].peer;
    CHECK(contains(Genesis::make("c", dag::Epoch{0}, {}, members).error(), "same key"));
    dag::OrderingConfig ordering;
    ordering.leaders = dag::RoundRobin{};
    CHECK_FALSE(Genesis::make("c", dag::Epoch{0}, ordering, four_members()));
    ordering = {};
    ordering.first_instance_round = dag::Round{2};
    CHECK_FALSE(Genesis::make("c", dag::Epoch{0}, ordering, four_members()));
}

TEST_CASE("an error in a genesis file names the file") {
    const TemporaryDirectory directory;
    CHECK(contains(Genesis::load(directory / "genesis.json").error(), "genesis.json"));
    test::write_text(directory / "genesis.json", "{}");
    CHECK(contains(Genesis::load(directory / "genesis.json").error(), "genesis.json: "));
}

TEST_CASE("a key file is for its owner alone and is never overwritten") {
    const TemporaryDirectory directory;
    const auto path = directory / "key";
    const auto made = create_key(path);
    REQUIRE(made);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    const auto loaded = load_key(path);
    REQUIRE(loaded);
    CHECK(loaded->public_key() == made->public_key());
    CHECK_FALSE(create_key(path));
    CHECK(load_key(path)->public_key() == made->public_key());

    for (const mode_t mode : {0640, 0604, 0620}) {
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        CHECK(contains(load_key(path).error(), "others can use this key"));
    }
}

TEST_CASE("a key file that holds anything but a key is refused") {
    const TemporaryDirectory directory;
    const auto path = directory / "key";
    const std::string digits(64, 'a');
    for (const std::string& text :
         {std::string(), digits, digits + "\n\n", digits.substr(1) + "\n", "g" + digits.substr(1) + "\n",
          " " + digits.substr(1) + "\n", digits + " "}) {
        test::write_text(path, text);
        REQUIRE(::chmod(path.c_str(), 0600) == 0);
        CHECK_FALSE(load_key(path));
    }
    test::write_text(path, digits + "\n");
    CHECK(load_key(path));
    CHECK_FALSE(load_key(directory / "none"));
    std::filesystem::create_directory(directory / "directory");
    CHECK_FALSE(load_key(directory / "directory"));
    std::filesystem::create_symlink(path, directory / "link");
    CHECK_FALSE(load_key(directory / "link"));
}

TEST_CASE("a home can be made twice and stays the same") {
    const TemporaryDirectory directory;
    const auto first = init_home(directory / "v0");
    REQUIRE(first);
    CHECK(first->made_key);
    CHECK(first->made_config);
    const auto second = init_home(directory / "v0");
    REQUIRE(second);
    CHECK_FALSE(second->made_key);
    CHECK_FALSE(second->made_config);
    CHECK(second->peer == first->peer);
    struct stat status {};
    REQUIRE(::stat((directory / "v0").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("a home that is not new misses its store, a new one does not") {
    const TemporaryDirectory directory;
    const HomePaths home(directory / "v0");
    REQUIRE(init_home(home.root));
    CHECK_FALSE(missing_store(home, NodeRole::validator));
    std::filesystem::remove(home.root / "fresh");
    const auto store = missing_store(home, NodeRole::validator);
    CHECK_THAT(*missing_store(home, NodeRole::observer), Catch::Contains("init --observer"));
    REQUIRE(store);
    CHECK(contains(*store, "--rejoin"));
    std::filesystem::create_directory(home.consensus());
    CHECK(missing_store(home, NodeRole::validator));
    test::write_text(home.consensus() / "data.mdb", "any");
    const auto batches = missing_store(home, NodeRole::validator);
    REQUIRE(batches);
    CHECK(contains(*batches, home.batches().string()));
    std::filesystem::create_directory(home.batches());
    CHECK_FALSE(missing_store(home, NodeRole::validator));
}

TEST_CASE("an admin socket lies in the home, or at a short path that the home records") {
    const TemporaryDirectory directory;
    const HomePaths home(directory / "v0");
    REQUIRE(init_home(home.root));
    CHECK(*place_admin_socket(home, "") == home.admin_socket());
    CHECK(find_admin_socket(home) == home.admin_socket());

    CHECK(*place_admin_socket(home, "run/a.sock") == home.root / "run" / "a.sock");
    CHECK(find_admin_socket(home) == home.root / "run" / "a.sock");
    CHECK(*place_admin_socket(home, "") == home.admin_socket());
    CHECK_FALSE(std::filesystem::exists(home.admin_path()));

    const HomePaths deep(directory / std::string(100, 'd'));
    REQUIRE(init_home(deep.root));
    const auto place = place_admin_socket(deep, "");
    REQUIRE(place);
    CHECK(place->string().size() <= kSocketPathMax);
    CHECK(find_admin_socket(deep) == *place);
    CHECK(place_admin_socket(deep, "").value() == *place);
    struct stat status {};
    REQUIRE(::stat(place->parent_path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
    CHECK(status.st_uid == ::geteuid());
}

}  // namespace
}  // namespace monodon::node::genesis_test
