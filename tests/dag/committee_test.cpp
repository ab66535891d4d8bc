#include <catch2/catch.hpp>

#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

TEST_CASE("quorums meet in honest stake, and support meets every quorum, for every total stake") {
    for (Stake total = 1; total <= 1000; ++total) {
        const Committee committee = committee_of({total});
        const Stake f = committee.faulty();
        const Stake quorum = committee.quorum();
        const Stake support = committee.support();
        INFO("total stake " << total);
        REQUIRE(f == (total - 1) / 3);
        REQUIRE(quorum == 2 * total / 3 + 1);
        REQUIRE(support == (total + 2) / 3);
        REQUIRE(2 * quorum - total > f);
        REQUIRE(support + quorum > total);
        REQUIRE(quorum + (quorum - f) > total);
        REQUIRE(support > f);
        REQUIRE(quorum <= total - f);
    }
}

TEST_CASE("thresholds do not overflow at the largest total stake") {
    const Stake most = (Stake{1} << 62U) - 1;
    const Committee committee = committee_of({most});
    CHECK(committee.quorum() == most / 3 * 2 + 1);
    CHECK(committee.quorum() + committee.support() == most + 1);
}

TEST_CASE("a committee refuses what cannot agree") {
    const auto error_of = [](const std::vector<Stake>& stakes, bool check_keys = false) {
        std::vector<Member> members;
        for (const Stake stake : stakes) {
            members.push_back({PublicKey{}, stake});
            members.back().key.bytes[0] = static_cast<Byte>(members.size());
        }
        const auto made = Committee::make("c", Epoch{0}, members, check_keys);
        return made ? std::optional<CommitteeError>{} : made.error();
    };
    CHECK(error_of({}) == CommitteeError::empty);
    CHECK(error_of(std::vector<Stake>(129, 1)) == CommitteeError::too_many_members);
    CHECK_FALSE(error_of(std::vector<Stake>(128, 1)));
    CHECK(error_of({1, 0}) == CommitteeError::no_stake);
    CHECK(error_of({Stake{1} << 62U}) == CommitteeError::too_much_stake);
    CHECK(error_of({Stake{1} << 61U, Stake{1} << 61U}) == CommitteeError::too_much_stake);
    CHECK(error_of({~Stake{0}, 2}) == CommitteeError::too_much_stake);
    // The key 01 00 .. 00 is a point of small order.
    CHECK(error_of({1}, true) == CommitteeError::bad_key);
    const auto twice = Committee::make("c", Epoch{0}, {{PublicKey{}, 1}, {PublicKey{}, 1}}, false);
    REQUIRE_FALSE(twice);
    CHECK(twice.error() == CommitteeError::duplicate_key);
}

TEST_CASE("stake is summed over distinct members of the committee only") {
    const Committee committee = committee_of({1, 2, 4});
    CHECK(committee.total() == 7);
    CHECK(committee.stake(members("AC")) == 5);
    AuthorSet beyond = members("C");
    beyond.insert(ValidatorIndex{3});
    beyond.insert(ValidatorIndex{127});
    CHECK(committee.stake(beyond) == 4);
    CHECK(committee.is_quorum(members("AC")));
    CHECK_FALSE(committee.is_quorum(members("C")));
    CHECK(committee.everybody() == members("ABC"));
}

TEST_CASE("a committee's digest and domains depend on chain, epoch, keys and stakes") {
    const auto digest = [](std::string chain, std::uint64_t epoch, Byte key, Stake stake) {
        PublicKey public_key;
        public_key.bytes[0] = key;
        return Committee::make(std::move(chain), Epoch{epoch}, {{public_key, stake}}, false).value().digest();
    };
    const Digest base = digest("c", 1, 1, 1);
    CHECK(base == digest("c", 1, 1, 1));
    CHECK(base != digest("d", 1, 1, 1));
    CHECK(base != digest("c", 2, 1, 1));
    CHECK(base != digest("c", 1, 2, 1));
    CHECK(base != digest("c", 1, 1, 2));
    CHECK(committee_of({1}, "c").domain("x").view() != committee_of({1}, "c").domain("y").view());
}

TEST_CASE("subtraction on rounds stops at round 0") {
    CHECK(below(Round{5}, 2) == Round{3});
    CHECK(below(Round{1}, 2) == Round{0});
    CHECK(below(Round{0}, 1) == Round{0});
    CHECK(distance(Round{3}, Round{5}) == 2);
    CHECK(distance(Round{5}, Round{3}) == 0);
    CHECK(next(Round{0}) == Round{1});
}

TEST_CASE("a set of authors is a bit per member, ascending") {
    AuthorSet set;
    CHECK(set.empty());
    for (const int at : {127, 0, 64, 63}) set.insert(ValidatorIndex{static_cast<std::uint16_t>(at)});
    CHECK(set.size() == 4);
    std::vector<std::uint16_t> visited;
    set.for_each([&](ValidatorIndex author) { visited.push_back(author.value()); });
    CHECK(visited == std::vector<std::uint16_t>{0, 63, 64, 127});
    CHECK(set.first() == ValidatorIndex{0});
    set.erase(ValidatorIndex{0});
    CHECK(set.first() == ValidatorIndex{63});
    CHECK(set.contains(ValidatorIndex{127}));
    CHECK_FALSE(set.contains(ValidatorIndex{128}));
    CHECK((set & members("AB")).empty());
    CHECK((members("AB") | members("BC")) == members("ABC"));
    CHECK(members("ABC").without(members("B")) == members("AC"));
}
