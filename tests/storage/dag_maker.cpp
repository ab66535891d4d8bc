#include "tests/storage/support.hpp"

// The part of support.hpp that needs no test framework: the benchmark uses it too.
namespace monodon::storage::test {

const dag::Committee& four_members() {
    static const dag::Committee committee = [] {
        std::vector<dag::Member> members(4);
        for (std::size_t at = 0; at < members.size(); ++at) {
            members[at].key.bytes[0] = static_cast<Byte>(at + 1);
            members[at].stake = 1;
        }
        return dag::Committee::make("storage-test", dag::Epoch{0}, members, false).value();
    }();
    return committee;
}

namespace {

class StubSigner final : public Signer {
 public:
    [[nodiscard]] Signature sign(ByteView message) const override {
        Signature signature;
        const Digest digest = sha256(message);
        std::copy(digest.bytes.begin(), digest.bytes.end(), signature.bytes.begin());
        return signature;
    }
    [[nodiscard]] const PublicKey& public_key() const override { return key_; }

 private:
    PublicKey key_;
};

const StubSigner& signer() {
    static const StubSigner signer;
    return signer;
}

}  // namespace

dag::Vote vote_for(const dag::HeaderRef& header) {
    return dag::sign_vote(four_members(), signer(), dag::ValidatorIndex{0}, header);
}

dag::VerifiedCertificate certificate(dag::Slot slot, const std::vector<dag::Parent>& parents,
                                     std::uint64_t salt, const std::vector<dag::PayloadEntry>& payload) {
    dag::Certificate made;
    made.header.epoch = four_members().epoch();
    made.header.round = slot.round;
    made.header.author = slot.author;
    made.header.created_at = salt;
    made.header.parents = parents;
    made.header.payload = payload;
    dag::sign_header(four_members(), signer(), made.header);
    for (std::uint16_t voter = 0; voter < 3; ++voter) {
        made.signers.insert(dag::ValidatorIndex{voter});
        made.signatures.push_back(signer().sign(dag::vote_statement(four_members(), made.header.ref())));
    }
    return dag::Verification::trusted(std::move(made));
}

std::vector<dag::Record> DagMaker::MadeRound::records() const {
    std::vector<dag::Record> records;
    for (const auto& certificate : certificates) records.emplace_back(dag::CertificateRecord{certificate});
    records.emplace_back(dag::CommitRecord{commit});
    return records;
}

DagMaker::MadeRound DagMaker::add_round(std::uint64_t salt, const std::vector<dag::PayloadEntry>& payload) {
    round_ = next(round_);
    std::vector<dag::Parent> parents;
    for (const dag::HeaderRef& ref : last_) parents.push_back({ref.author, ref.digest});
    MadeRound made;
    last_.clear();
    for (std::uint16_t author = 0; author < 4; ++author) {
        const auto& named = author == 0 ? payload : std::vector<dag::PayloadEntry>();
        made.certificates.push_back(certificate({round_, dag::ValidatorIndex{author}}, parents, salt, named));
        last_.push_back(made.certificates.back()->ref());
    }
    dag::Commit commit;
    commit.index = next(head_.index);
    commit.previous = head_.digest;
    commit.anchor = last_[round_.value() % 4];
    commit.certificates = std::exchange(unordered_, {});
    commit.certificates.push_back(commit.anchor);
    commit.voters = four_members().everybody();
    commit.transactions = 10;
    commit.digest = dag::commit_digest(four_members(), commit);
    head_ = commit.claim();
    for (const dag::HeaderRef& ref : last_) {
        if (ref != commit.anchor) unordered_.push_back(ref);
    }
    made.commit = std::make_shared<const dag::Commit>(std::move(commit));
    return made;
}

void DagMaker::resume(const dag::RecoveredState& state) {
    last_.clear();
    unordered_.clear();
    if (state.commits.empty()) return;
    const dag::Commit& newest = *state.commits.back();
    head_ = newest.claim();
    round_ = newest.anchor.round;
    for (const auto& certificate : state.certificates) {
        if (certificate->header.round != round_) continue;
        last_.push_back(certificate->ref());
        if (certificate->ref() != newest.anchor) unordered_.push_back(certificate->ref());
    }
}

}  // namespace monodon::storage::test
