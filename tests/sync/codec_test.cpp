#include <catch2/catch.hpp>

#include "net/wire/pack.hpp"
#include "node/sync_codec.hpp"
#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;
using node::decode_request;
using node::encode_request;

namespace {

Digest digest(std::uint8_t name) {
    Digest made;
    made.bytes.fill(name);
    return made;
}

template <class Decode>
void refuses_other_lengths(const SharedBytes& encoded, Decode decode) {
    Bytes longer = *encoded;
    longer.push_back(0);
    CHECK_FALSE(decode(longer));
    for (std::size_t size = 0; size < encoded->size(); ++size) {
        CHECK_FALSE(decode(Bytes(encoded->begin(), encoded->begin() + static_cast<std::ptrdiff_t>(size))));
    }
}

}  // namespace

TEST_CASE("requests come back from the wire as they were") {
    const KnownRounds known{Round{4}, {members("AC"), {}, members("ABCD")}};
    for (const SyncRequest& request :
         {SyncRequest(GetCertificates{{digest(1), digest(2)}}),
          SyncRequest(GetCertificatesInRound{Round{3}, member('B')}),
          SyncRequest(GetCertificatesInRange{Round{3}, Round{9}, member('C')}),
          SyncRequest(GetBatches{{{digest(1), Round{7}}, {digest(2), Round{0}}}}),
          SyncRequest(GetHighestRound{}),
          SyncRequest(GetMissingCertificates{known, Round{5}, Round{9}, member('D')})}) {
        const auto encoded = encode_request(request, 4, 77);
        const auto decoded = decode_request(encoded.method, *encoded.payload, 4);
        REQUIRE(decoded);
        CHECK(decoded->request == request);
        if (std::holds_alternative<GetHighestRound>(request)) CHECK(decoded->nonce == 77);
        refuses_other_lengths(encoded.payload, [&](const Bytes& bytes) {
            return decode_request(encoded.method, bytes, 4).has_value();
        });
    }
    const auto one = encode_request(GetBatch{{digest(3), Round{1}}}, 4, 0);
    CHECK(decode_request(one.method, *one.payload, 4)->request ==
          SyncRequest(GetBatches{{{digest(3), Round{1}}}}));
}

TEST_CASE("what is known takes a bit a member and a round, and no bit beyond the committee") {
    GetMissingCertificates request{
        {Round{0}, std::vector<AuthorSet>(1000, members("ABCD"))}, Round{1}, Round{1000}};
    const auto four = encode_request(request, 4, 0);
    CHECK(four.payload->size() < 1040);
    CHECK(decode_request(four.method, *four.payload, 4));
    CHECK_FALSE(decode_request(four.method, *four.payload, 3));
    for (std::size_t size = 9; size <= kCommitteeMax; size += 7) {
        AuthorSet last;
        last.insert(ValidatorIndex{static_cast<std::uint16_t>(size - 1)});
        request.known.authors = {last, last};
        const auto encoded = encode_request(request, size, 0);
        CHECK(decode_request(encoded.method, *encoded.payload, size)->request == SyncRequest(request));
    }
}

TEST_CASE("requests that are not well-formed do not get through the wire") {
    const auto range = [](std::uint64_t first, std::uint64_t last) {
        return net::PackWriter().array(3).u64(first).u64(last).u64(0).take();
    };
    CHECK(decode_request(net::Method::get_certificates_in_range, range(3, 9), 4));
    CHECK_FALSE(decode_request(net::Method::get_certificates_in_range, range(9, 3), 4));
    CHECK_FALSE(decode_request(net::Method::get_certificates_in_range, range(0, 3), 4));
    CHECK_FALSE(decode_request(net::Method::get_certificates, net::PackWriter().array(1).array(0).take(), 4));
    net::PackWriter many;
    many.array(1).array(kDigestsPerRequestMax + 1);
    for (std::size_t at = 0; at <= kDigestsPerRequestMax; ++at) many.digest(digest(1));
    CHECK_FALSE(decode_request(net::Method::get_certificates, many.view(), 4));
}

TEST_CASE("responses come back from the wire as they were") {
    DagBuilder dag(4);
    dag.rounds(1, 3, "ABCD");
    const Held held{Round{1}, Round{3}, CommitIndex{1}, CommitIndex{8}};
    const SyncRequest range = GetCertificatesInRange{Round{1}, Round{3}};
    const Certificates some{
        held, {dag.at("A1").shared(), dag.at("B2").shared()}, Continuation{slot("C2"), 0}};
    const SharedBytes encoded = node::encode_response(range, some, 0);
    const auto decoded = node::decode_response(dag.committee(), range, *encoded, 0);
    REQUIRE(decoded);
    const auto& back = std::get<Certificates>(*decoded);
    CHECK(back.held == held);
    CHECK(back.next == some.next);
    REQUIRE(back.certificates.size() == 2);
    CHECK(back.certificates[1]->ref() == dag.ref("B2"));
    refuses_other_lengths(encoded, [&](const Bytes& bytes) {
        return node::decode_response(dag.committee(), range, bytes, 0).has_value();
    });

    const SharedBytes nothing = node::encode_response(range, Empty{held}, 0);
    const auto empty = node::decode_response(dag.committee(), range, *nothing, 0);
    REQUIRE(empty);
    CHECK(std::get<Empty>(*empty).held == held);

    const HighestRound highest{held, dag.at("D3").shared(),
                               std::make_shared<const Header>(dag.at("A3")->header)};
    const SharedBytes answer = node::encode_response(GetHighestRound{}, highest, 5);
    const auto where = node::decode_response(dag.committee(), GetHighestRound{}, *answer, 5);
    REQUIRE(where);
    CHECK(std::get<HighestRound>(*where).certificate->ref() == dag.ref("D3"));
    CHECK(std::get<HighestRound>(*where).yours->ref() == dag.ref("A3"));
    // An answer to another question.
    CHECK_FALSE(node::decode_response(dag.committee(), GetHighestRound{}, *answer, 6));
}

TEST_CASE("batches of a reply share its bytes") {
    const auto share = [](Bytes bytes) { return std::make_shared<const Bytes>(std::move(bytes)); };
    const Batches found{{}, {share({1, 2}), share({3})}, Continuation{{}, 5}};
    const SharedBytes encoded = node::encode_response(GetBatches{}, found, 0);
    const auto decoded = node::decode_batches(encoded);
    REQUIRE(decoded);
    REQUIRE(decoded->batches.size() == 2);
    CHECK(decoded->batches.at(1).bytes.front() == 3);
    CHECK(decoded->batches.at(1).owner == encoded);
    CHECK(decoded->next == found.next);
}
