#include "tests/fuzz/objects.hpp"

#include "dag/model/batch.hpp"

namespace monodon::fuzz {

using dag::BatchBuilder;
using dag::BatchHead;
using dag::Certificate;
using dag::Commit;
using dag::CommitIndex;
using dag::Committee;
using dag::Epoch;
using dag::Header;
using dag::Member;
using dag::PayloadEntry;
using dag::Round;
using dag::ValidatorIndex;
using dag::Verification;
using dag::Vote;
using dag::WorkerId;

namespace {

constexpr std::uint16_t kMembers = 4;

/// The same signature for everything.
class Stamp final : public Signer {
 public:
    [[nodiscard]] Signature sign(ByteView /*message*/) const override {
        Signature signature;
        signature.bytes.fill(0x51);
        return signature;
    }
    [[nodiscard]] const PublicKey& public_key() const override { return key_; }

 private:
    PublicKey key_;
};

Committee make_committee() {
    std::vector<Member> members;
    for (std::uint16_t at = 0; at < kMembers; ++at) {
        Member& member = members.emplace_back();
        member.key.bytes.fill(static_cast<Byte>(at + 1));
        member.stake = at % 2 == 0 ? 2 : 3;
    }
    auto made = Committee::make("fuzz", Epoch{0}, std::move(members), false);
    return std::move(made).value();
}

}  // namespace

const Committee& committee() {
    static const Committee made = make_committee();
    return made;
}

const Verification& verification() {
    static const EasyVerifier signatures;
    static const Verification made(committee(), signatures);
    return made;
}

PayloadEntry payload_entry(std::uint32_t number, std::uint64_t sealed) {
    return {sha256(CanonicalWriter("seed").u32(number).view()),
            ValidatorIndex{static_cast<std::uint16_t>(number % kMembers)},
            WorkerId{0},
            Round{sealed},
            1000 + number,
            1 + number};
}

Header header(std::uint64_t round, std::uint16_t author, std::uint32_t payload) {
    Header made;
    made.round = Round{round};
    made.author = ValidatorIndex{author};
    made.created_at = 1'700'000'000'000'000 + round;
    for (std::uint32_t number = 0; number < payload; ++number)
        made.payload.push_back(fuzz::payload_entry(static_cast<std::uint32_t>(round) * 100 + number, round));
    if (round > 1) {
        for (std::uint16_t parent = 0; parent < kMembers; ++parent)
            made.parents.push_back({ValidatorIndex{parent}, header(1, parent, 0).digest});
    }
    made.committed = {CommitIndex{round / 2}, sha256(as_bytes("commit"))};
    sign_header(committee(), Stamp{}, made);
    return made;
}

Vote vote(std::uint64_t round, std::uint16_t author, std::uint16_t voter) {
    return sign_vote(committee(), Stamp{}, ValidatorIndex{voter}, header(round, author, 1).ref());
}

Certificate certificate(std::uint64_t round, std::uint16_t author, std::uint32_t payload) {
    Certificate made;
    made.header = header(round, author, payload);
    for (std::uint16_t signer = 0; signer < 3; ++signer) {
        made.signers.insert(ValidatorIndex{signer});
        made.signatures.push_back(Stamp{}.sign({}));
    }
    return made;
}

Commit commit(std::uint64_t index) {
    Commit made;
    made.index = CommitIndex{index};
    made.previous = sha256(as_bytes("previous"));
    made.anchor = header(2, 1, 1).ref();
    made.certificates = {header(1, 0, 0).ref(), header(1, 1, 0).ref(), made.anchor};
    made.failed = {{Round{1}, ValidatorIndex{3}}};
    made.voters = committee().everybody();
    made.payload = {fuzz::payload_entry(1, 1), fuzz::payload_entry(2, 2)};
    made.transactions = 5;
    made.bytes = 2003;
    made.digest = commit_digest(committee(), made);
    return made;
}

Bytes batch(std::uint32_t transactions, std::size_t bytes) {
    BatchBuilder builder;
    for (std::uint32_t each = 0; each < transactions; ++each)
        MONODON_CHECK(builder.add(Bytes(bytes, static_cast<Byte>(each))));
    const BatchHead head{Epoch{0}, ValidatorIndex{2}, WorkerId{0}, 7, Round{5}, 1'700'000'000'000'000};
    return *builder.seal(committee(), head).bytes;
}

}  // namespace monodon::fuzz
