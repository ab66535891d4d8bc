#include "node/claimed_ranges.hpp"

#include <catch2/catch.hpp>

#include "tests/node/chain.hpp"

using namespace monodon;
using namespace std::chrono_literals;

TEST_CASE("who gives nothing of rounds that it said it holds withholds them") {
    const dag::Committee committee = node::test::committee_of({1, 1, 1, 1});
    const dag::ValidatorIndex peer{2};
    const Time begin = Time{} + 1s;
    node::ClaimedRanges claimed(4);
    const auto withholds = [&](const dag::SyncRequest& request, const dag::CertificatesReply& reply = {},
                               Duration since = 0s) {
        return claimed.withholds(peer, committee, request, reply, begin + since);
    };
    const dag::SyncRequest range = dag::GetCertificatesInRange{dag::Round{5000}, dag::Round{5031}};
    CHECK_FALSE(withholds(range));
    claimed.note(peer, {dag::Round{10}, dag::Round{6000}, {}, {}}, begin);
    CHECK(withholds(range));

    SECTION("what came, or goes on, is an answer") {
        dag::CertificatesReply reply;
        reply.next = dag::Continuation{{dag::Round{5001}, {}}, 0};
        CHECK_FALSE(withholds(range, reply));
    }
    SECTION("a claim grows old") {
        CHECK(withholds(range, {}, 59s));
        CHECK_FALSE(withholds(range, {}, 61s));
    }
    SECTION("rounds near its floor may be gone, those at its end incomplete") {
        CHECK_FALSE(withholds(dag::GetCertificatesInRange{dag::Round{900}, dag::Round{1009}}));
        CHECK(withholds(dag::GetCertificatesInRange{dag::Round{900}, dag::Round{1010}}));
        CHECK_FALSE(withholds(dag::GetCertificatesInRange{dag::Round{6000}, dag::Round{6031}}));
    }
    SECTION("of the end of a round there may be nothing") {
        const dag::ValidatorIndex last{3};
        CHECK_FALSE(withholds(dag::GetCertificatesInRound{dag::Round{5000}, last}));
        CHECK(withholds(dag::GetCertificatesInRound{dag::Round{5000}}));
    }
    SECTION("beyond a quorum there may be nothing that is missing") {
        dag::AuthorSet two;
        two.insert(dag::ValidatorIndex{0});
        two.insert(dag::ValidatorIndex{3});
        dag::AuthorSet three = two;
        three.insert(dag::ValidatorIndex{1});
        const auto missing = [](const dag::AuthorSet& second) {
            const dag::AuthorSet first(7, 0);
            return dag::GetMissingCertificates{
                {dag::Round{4999}, {first, second}}, dag::Round{5000}, dag::Round{5001}};
        };
        CHECK_FALSE(withholds(missing(three)));
        CHECK(withholds(missing(two)));
    }
    SECTION("by digest nothing is claimed") { CHECK_FALSE(withholds(dag::GetCertificates{{Digest{}}})); }
}
