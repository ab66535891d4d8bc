#include <functional>
#include <set>

#include <catch2/catch.hpp>

#include "dag/model/verification.hpp"
#include "tests/dag/dag_builder.hpp"

using namespace monodon;
using namespace monodon::dag;
using namespace monodon::dag::test;

namespace {

KeyPair key(Byte number) { return KeyPair::from_seed({number}); }

/// Four members with real keys, stake 1 each.
Committee real_committee() {
    std::vector<Member> members;
    for (Byte at = 0; at < 4; ++at) members.push_back({key(at).public_key(), 1});
    return Committee::make("chain", Epoch{3}, members).value();
}

class Fixture {
 public:
    [[nodiscard]] Header header(const std::function<void(Header&)>& change = [](Header&) {}) const {
        Header header;
        header.epoch = Epoch{3};
        header.round = Round{2};
        header.author = ValidatorIndex{1};
        header.created_at = 77;
        header.payload = {batch(1, 1), batch(2, 2)};
        for (std::uint16_t at = 0; at < 3; ++at) header.parents.push_back({ValidatorIndex{at}, sha256({})});
        header.committed = {CommitIndex{5}, sha256(as_bytes("commit"))};
        change(header);
        const Byte author = static_cast<Byte>(header.author.value() % 4);
        sign_header(committee, key(author), header);
        return header;
    }

    /// Signed by A, B and C.
    [[nodiscard]] Certificate certificate(Header header) const {
        Certificate certificate{std::move(header), {}, {}};
        for (Byte at = 0; at < 3; ++at) {
            const auto voter = ValidatorIndex{at};
            certificate.signers.insert(voter);
            certificate.signatures.push_back(
                sign_vote(committee, key(at), voter, certificate.ref()).signature);
        }
        return certificate;
    }

    [[nodiscard]] std::optional<ObjectError> error_of(const std::function<void(Header&)>& change) const {
        const auto verified = verification.header(header(change));
        const auto certified = verification.certificate(certificate(header(change)));
        const auto error = verified ? std::optional<ObjectError>{} : verified.error();
        CHECK(error == (certified ? std::optional<ObjectError>{} : certified.error()));
        return error;
    }

    Committee committee = real_committee();
    Ed25519Verifier signatures;
    Verification verification{committee, signatures};
};

}  // namespace

TEST_CASE_METHOD(Fixture,
                 "headers, votes and certificates come back from their encodings with their digest") {
    const Header header = this->header();
    const auto decoded = decode_header(committee, encode(header));
    REQUIRE(decoded);
    CHECK(encode(*decoded) == encode(header));
    CHECK(decoded->digest == header.digest);
    CHECK(verification.header(*decoded));

    const Vote vote = sign_vote(committee, key(2), ValidatorIndex{2}, header.ref());
    const auto decoded_vote = decode_vote(encode(vote));
    REQUIRE(decoded_vote);
    CHECK(encode(*decoded_vote) == encode(vote));
    CHECK(verification.vote(*decoded_vote));

    const Certificate certificate = this->certificate(header);
    const auto decoded_certificate = decode_certificate(committee, encode(certificate));
    REQUIRE(decoded_certificate);
    CHECK(encode(*decoded_certificate) == encode(certificate));
    CHECK(verification.certificate(*decoded_certificate));
}

TEST_CASE_METHOD(Fixture, "no other bytes are the encoding of the same object") {
    const Certificate certificate = this->certificate(header());
    const Bytes good = encode(certificate);
    for (std::size_t size = 0; size < good.size(); ++size) {
        REQUIRE_FALSE(decode_certificate(committee, ByteView(good).first(size)));
    }
    Bytes longer = good;
    longer.push_back(0);
    CHECK_FALSE(decode_certificate(committee, longer));
    for (std::size_t at = 0; at < good.size(); ++at) {
        Bytes changed = good;
        changed[at] ^= 1;
        const auto decoded = decode_certificate(committee, changed);
        if (!decoded) continue;
        REQUIRE(encode(*decoded) == changed);
        REQUIRE(decoded->ref().digest.bytes.size() == 32);
        // Only the author's own signature is not needed: a quorum has seen it.
        const bool same_header = decoded->ref() == certificate.ref();
        const bool accepted = verification.certificate(*decoded).has_value();
        REQUIRE(accepted == (same_header && decoded->signers == certificate.signers &&
                             decoded->signatures == certificate.signatures));
    }
}

TEST_CASE_METHOD(Fixture, "every field of a header but the signature enters its digest") {
    std::set<Digest> digests{header().digest};
    const std::vector<std::function<void(Header&)>> changes{
        [](Header& h) { h.epoch = Epoch{4}; },
        [](Header& h) { h.round = Round{3}; },
        [](Header& h) { h.author = ValidatorIndex{2}; },
        [](Header& h) { h.created_at = 78; },
        [](Header& h) { std::swap(h.payload[0], h.payload[1]); },
        [](Header& h) { h.payload.pop_back(); },
        [](Header& h) { h.payload.clear(); },
        [](Header& h) { h.payload[0].batch = sha256({}); },
        [](Header& h) { h.payload[0].author = ValidatorIndex{3}; },
        [](Header& h) { h.payload[0].worker = WorkerId{1}; },
        [](Header& h) { h.payload[0].sealed_round = Round{2}; },
        [](Header& h) { ++h.payload[0].bytes; },
        [](Header& h) { ++h.payload[0].transactions; },
        [](Header& h) { h.parents.pop_back(); },
        [](Header& h) { h.parents[0].header = sha256(as_bytes("x")); },
        [](Header& h) { h.parents[2].author = ValidatorIndex{3}; },
        [](Header& h) { h.committed.index = CommitIndex{6}; },
        [](Header& h) { h.committed.digest = sha256({}); },
    };
    for (const auto& change : changes) digests.insert(header(change).digest);
    CHECK(digests.size() == changes.size() + 1);

    Header resigned = header();
    sign_header(committee, key(3), resigned);
    CHECK(resigned.digest == header().digest);
    Header elsewhere = header();
    sign_header(committee_of({1, 1, 1, 1}), NoSignatures{}, elsewhere);
    CHECK(elsewhere.digest != header().digest);
}

TEST_CASE_METHOD(Fixture,
                 "a header that breaks a rule is refused with that rule, as header and as certificate") {
    CHECK_FALSE(error_of([](Header&) {}));
    CHECK(error_of([](Header& h) { h.epoch = Epoch{2}; }) == ObjectError::wrong_epoch);
    CHECK(error_of([](Header& h) { h.author = ValidatorIndex{4}; }) == ObjectError::unknown_author);
    CHECK(error_of([](Header& h) { h.parents[2].author = ValidatorIndex{4}; }) ==
          ObjectError::unknown_author);
    CHECK(error_of([](Header& h) { h.round = Round{0}; }) == ObjectError::bad_round);
    CHECK(error_of([](Header& h) { std::swap(h.parents[0], h.parents[1]); }) == ObjectError::bad_parents);
    CHECK(error_of([](Header& h) { h.parents[1] = h.parents[0]; }) == ObjectError::bad_parents);
    CHECK(error_of([](Header& h) { h.parents.pop_back(); }) == ObjectError::bad_parents);
    CHECK(error_of([](Header& h) { h.parents.clear(); }) == ObjectError::bad_parents);
    const auto round_one = [](Header& h) {
        h.round = Round{1};
        h.payload.clear();
    };
    CHECK(error_of(round_one) == ObjectError::bad_parents);
    CHECK_FALSE(error_of([&](Header& h) {
        round_one(h);
        h.parents.clear();
    }));
    CHECK(error_of([](Header& h) { h.payload[1] = h.payload[0]; }) == ObjectError::bad_payload);
    CHECK(error_of([](Header& h) { h.payload[0].author = ValidatorIndex{4}; }) == ObjectError::bad_payload);
    CHECK(error_of([](Header& h) { h.payload[0].worker = WorkerId{1}; }) == ObjectError::bad_payload);
    CHECK(error_of([](Header& h) { h.payload[0].sealed_round = Round{3}; }) == ObjectError::bad_payload);
    CHECK(error_of([](Header& h) { h.payload[0].transactions = 0; }) == ObjectError::bad_payload);
    CHECK(error_of([](Header& h) { h.payload[0].bytes = kBatchBytesMax + 1; }) == ObjectError::bad_payload);
    const auto fill = [](Header& h, std::uint32_t entries) {
        h.payload.clear();
        for (std::uint32_t at = 0; at < entries; ++at) h.payload.push_back(batch(at, 1));
    };
    CHECK_FALSE(error_of([&](Header& h) { fill(h, kPayloadEntriesMax); }));
    CHECK(error_of([&](Header& h) { fill(h, kPayloadEntriesMax + 1); }) == ObjectError::bad_payload);
}

TEST_CASE_METHOD(Fixture,
                 "signatures count only over the right bytes and from a quorum of distinct members") {
    Header forged = header();
    sign_header(committee, key(2), forged);
    CHECK(verification.header(forged).error() == ObjectError::bad_signature);

    const auto error_of = [&](const std::function<void(Certificate&)>& change) {
        Certificate certificate = this->certificate(header());
        change(certificate);
        return verification.certificate(certificate).error();
    };
    const ValidatorIndex c{2};
    CHECK(error_of([&](Certificate& x) {
              x.signers.erase(c);
              x.signatures.pop_back();
          }) == ObjectError::bad_signers);
    CHECK(error_of([&](Certificate& x) { x.signatures.pop_back(); }) == ObjectError::bad_signers);
    CHECK(error_of([&](Certificate& x) { x.signatures.push_back(x.signatures.back()); }) ==
          ObjectError::bad_signers);
    CHECK(error_of([&](Certificate& x) {
              x.signers.insert(ValidatorIndex{4});
              x.signatures.push_back(x.signatures.back());
          }) == ObjectError::bad_signers);
    CHECK(error_of([&](Certificate& x) { std::swap(x.signatures[0], x.signatures[1]); }) ==
          ObjectError::bad_signature);
    CHECK(error_of([&](Certificate& x) {
              x.signers.erase(c);
              x.signers.insert(ValidatorIndex{3});
          }) == ObjectError::bad_signature);
}

TEST_CASE_METHOD(Fixture, "a vote is a member's, for this epoch, and signed by its voter") {
    const HeaderRef ref = header().ref();
    const Vote good = sign_vote(committee, key(2), ValidatorIndex{2}, ref);
    const auto error_of = [&](const std::function<void(Vote&)>& change) {
        Vote vote = good;
        change(vote);
        return verification.vote(vote).error();
    };
    CHECK(error_of([](Vote& v) { v.epoch = Epoch{2}; }) == ObjectError::wrong_epoch);
    CHECK(error_of([](Vote& v) { v.voter = ValidatorIndex{4}; }) == ObjectError::unknown_author);
    CHECK(error_of([](Vote& v) { v.author = ValidatorIndex{4}; }) == ObjectError::unknown_author);
    CHECK(error_of([](Vote& v) { v.round = Round{0}; }) == ObjectError::bad_round);
    CHECK(error_of([](Vote& v) { v.voter = ValidatorIndex{1}; }) == ObjectError::bad_signature);
    CHECK(error_of([](Vote& v) { v.header = sha256({}); }) == ObjectError::bad_signature);
    // The statement does not name the voter: all voters sign the same bytes, and no proposal is a vote.
    CHECK(vote_statement(committee, ref) != proposal_statement(committee, ref));
    CHECK_FALSE(decode_vote(ByteView(encode(good)).first(10)));
    CHECK(decode_vote({}).error() == ObjectError::malformed);
}

TEST_CASE_METHOD(Fixture,
                 "decoders refuse more bytes and more items than an object can have before they allocate") {
    CHECK(decode_header(committee, Bytes(kHeaderBytesMax + 1)).error() == ObjectError::malformed);
    CHECK(decode_certificate(committee, Bytes(kCertificateBytesMax + 1)).error() == ObjectError::malformed);
    CHECK(decode_header(committee, Bytes(26, 0xff)).error() == ObjectError::malformed);
    Header crowded = header();
    for (std::uint16_t at = 0; at <= kCommitteeMax; ++at) crowded.parents.push_back({ValidatorIndex{at}, {}});
    CHECK(decode_header(committee, encode(crowded)).error() == ObjectError::malformed);
}
