#include "dag/model/verification.hpp"

#include <algorithm>

#include "dag/planted.hpp"

namespace monodon::dag {

namespace {

bool has_duplicates(std::vector<Digest> digests) {
    std::sort(digests.begin(), digests.end());
    return std::adjacent_find(digests.begin(), digests.end()) != digests.end();
}

}  // namespace

Expected<void, ObjectError> Verification::check_header(const Header& header) const {
    if (header.epoch != committee_.epoch()) return Unexpected{ObjectError::wrong_epoch};
    if (!committee_.contains(header.author)) return Unexpected{ObjectError::unknown_author};
    if (header.round < Round{1}) return Unexpected{ObjectError::bad_round};

    const auto ascending = [](const Parent& left, const Parent& right) {
        return left.author >= right.author;
    };
    if (std::adjacent_find(header.parents.begin(), header.parents.end(), ascending) != header.parents.end()) {
        return Unexpected{ObjectError::bad_parents};
    }
    for (const Parent& parent : header.parents) {
        if (!committee_.contains(parent.author)) return Unexpected{ObjectError::unknown_author};
    }
    const bool enough =
        header.round == Round{1} ? header.parents.empty() : committee_.is_quorum(header.parent_authors());
    if (!enough) return Unexpected{ObjectError::bad_parents};

    if (header.payload.size() > kPayloadEntriesMax) return Unexpected{ObjectError::bad_payload};
    std::vector<Digest> digests;
    for (const PayloadEntry& entry : header.payload) {
        const bool possible = committee_.contains(entry.author) && entry.bytes <= kBatchBytesMax &&
                              entry.transactions > 0 && entry.worker == WorkerId{0} &&
                              entry.sealed_round <= header.round;
        if (!possible) return Unexpected{ObjectError::bad_payload};
        digests.push_back(entry.batch);
    }
    if (has_duplicates(std::move(digests))) return Unexpected{ObjectError::bad_payload};
    return {};
}

Expected<VerifiedHeader, ObjectError> Verification::header(Header header) const {
    if (const auto valid = check_header(header); !valid) return Unexpected{valid.error()};
    const PublicKey& author = committee_.member(header.author).key;
    if (!signatures_.verify(author, proposal_statement(committee_, header.ref()), header.signature)) {
        return Unexpected{ObjectError::bad_signature};
    }
    return VerifiedHeader(std::move(header));
}

Expected<VerifiedVote, ObjectError> Verification::vote(Vote vote) const {
    if (vote.epoch != committee_.epoch()) return Unexpected{ObjectError::wrong_epoch};
    if (!committee_.contains(vote.author) || !committee_.contains(vote.voter)) {
        return Unexpected{ObjectError::unknown_author};
    }
    if (vote.round < Round{1}) return Unexpected{ObjectError::bad_round};
    const PublicKey& voter = committee_.member(vote.voter).key;
    if (!signatures_.verify(voter, vote_statement(committee_, vote.ref()), vote.signature)) {
        return Unexpected{ObjectError::bad_signature};
    }
    return VerifiedVote(std::move(vote));
}

Expected<VerifiedCertificate, ObjectError> Verification::certificate(Certificate certificate) const {
    if (const auto valid = check_header(certificate.header); !valid) return Unexpected{valid.error()};
    const AuthorSet strangers = certificate.signers.without(committee_.everybody());
    const Stake needed = committee_.quorum() - (planted(Planted::quorum_of_2f) ? 1 : 0);
    if (!strangers.empty() || committee_.stake(certificate.signers) < needed ||
        certificate.signatures.size() != certificate.signers.size()) {
        return Unexpected{ObjectError::bad_signers};
    }
    const Bytes statement = vote_statement(committee_, certificate.ref());
    std::size_t at = 0;
    bool good = true;
    certificate.signers.for_each([&](ValidatorIndex signer) {
        good =
            good && signatures_.verify(committee_.member(signer).key, statement, certificate.signatures[at]);
        ++at;
    });
    if (!good) return Unexpected{ObjectError::bad_signature};
    return VerifiedCertificate(std::move(certificate));
}

Expected<VerifiedCertificate, ObjectError> Verification::ancestor(Certificate certificate) const {
    if (const auto valid = check_header(certificate.header); !valid) return Unexpected{valid.error()};
    certificate.signers = {};
    certificate.signatures.clear();
    certificate.header.signature = {};
    return VerifiedCertificate(std::move(certificate));
}

}  // namespace monodon::dag
