#include "node/codec.hpp"

#include <catch2/catch.hpp>

#include "net/wire/pack.hpp"
#include "node/worker.hpp"

namespace codec_test {

using namespace monodon;
using namespace monodon::node;
using net::PackWriter;

namespace {

Digest digest(std::uint8_t name) {
    Digest made;
    made.bytes.fill(name);
    return made;
}

/// `bytes` with one more at the end, and all its shorter beginnings, must be refused.
template <class Decode>
void refuses_other_lengths(const Bytes& bytes, Decode decode) {
    Bytes longer = bytes;
    longer.push_back(0);
    CHECK_FALSE(decode(longer));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const Bytes shorter(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK_FALSE(decode(shorter));
    }
}

SharedBytes share(Bytes bytes) { return std::make_shared<const Bytes>(std::move(bytes)); }

}  // namespace

TEST_CASE("an object travels as one binary of bounded size") {
    const SharedBytes encoded = encode_object(as_bytes("object"));
    CHECK(as_text(*decode_object(*encoded, 6)) == "object");
    CHECK_FALSE(decode_object(*encoded, 5));
    refuses_other_lengths(*encoded, [](const Bytes& bytes) { return decode_object(bytes, 100); });
    CHECK_FALSE(decode_object(PackWriter().array(1).text("object").take(), 100));
}

TEST_CASE("lists of digests hold 1 to 1,000") {
    const SharedBytes encoded = encode_digests({digest(1), digest(2)});
    CHECK(decode_digests(*encoded) == std::vector{digest(1), digest(2)});
    refuses_other_lengths(*encoded, [](const Bytes& bytes) { return decode_digests(bytes); });
    CHECK_FALSE(decode_digests(PackWriter().array(1).array(0).take()));
    PackWriter many;
    many.array(1).array(kDigestsMax + 1);
    for (std::uint32_t at = 0; at <= kDigestsMax; ++at) many.digest(digest(1));
    CHECK_FALSE(decode_digests(many.view()));
    CHECK_FALSE(decode_digests(PackWriter().array(1).array(1).bin(as_bytes("short")).take()));
}

TEST_CASE("a submission names its stage and 1 to 4,096 transactions") {
    const SharedBytes encoded = encode_submit(Stage::executed, {as_bytes("a"), as_bytes("bc")});
    const auto request = decode_submit(encoded);
    REQUIRE(request);
    CHECK(request->want == Stage::executed);
    REQUIRE(request->transactions.size() == 2);
    CHECK(as_text(request->transactions[1].bytes) == "bc");
    CHECK_FALSE(decode_submit(share(PackWriter().array(2).u64(5).array(1).bin(as_bytes("a")).take())));
    CHECK_FALSE(decode_submit(share(PackWriter().array(2).u64(0).array(0).take())));
    PackWriter many;
    many.array(2).u64(0).array(kSubmissionTransactionsMax + 1);
    for (std::size_t at = 0; at <= kSubmissionTransactionsMax; ++at) many.bin(as_bytes("a"));
    CHECK_FALSE(decode_submit(many.share()));
}

TEST_CASE("the answer to a submission comes back as it was") {
    SubmitReply reply;
    reply.accepted = 3;
    reply.refused = {{1, Refusal::too_large}};
    reply.reached = {{Stage::accepted, dag::CommitIndex{0}, Duration(10)},
                     {Stage::committed, dag::CommitIndex{8}, Duration(2000)}};
    const SharedBytes encoded = encode_submit_reply(reply);
    const auto decoded = decode_submit_reply(*encoded);
    REQUIRE(decoded);
    CHECK(decoded->accepted == 3);
    REQUIRE(decoded->refused.size() == 1);
    CHECK(decoded->refused[0].why == Refusal::too_large);
    REQUIRE(decoded->reached.size() == 2);
    CHECK(decoded->reached[1].commit == dag::CommitIndex{8});
    CHECK(decoded->reached[1].since_arrival == Duration(2000));
    refuses_other_lengths(*encoded, [](const Bytes& bytes) { return decode_submit_reply(bytes); });
    // The reasons that there are, and no other number.
    for (std::uint64_t why = 0; why <= kRefusals; ++why) {
        PackWriter writer;
        writer.array(3).u64(1).array(1).array(2).u64(0).u64(why).array(0);
        CHECK(decode_submit_reply(writer.view()).has_value() == (why >= 1 && why < kRefusals));
    }
}

}  // namespace codec_test
