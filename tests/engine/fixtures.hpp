#pragma once

#include <vector>

#include "tests/engine/committee.hpp"

namespace monodon::dag::test {

[[nodiscard]] inline ValidatorIndex member(std::uint16_t index) { return ValidatorIndex{index}; }
[[nodiscard]] inline AuthorSet members(std::initializer_list<std::uint16_t> indices) {
    AuthorSet set;
    for (const auto index : indices) set.insert(member(index));
    return set;
}
/// So long after the clock of a test begins.
[[nodiscard]] inline Time at(Duration since) { return Time{} + since; }

/// Members with stake 1 whose keys are those of StubSigner(1), StubSigner(2), ...
[[nodiscard]] inline Committee committee_of(std::size_t size) {
    std::vector<Member> members;
    for (std::size_t at = 0; at < size; ++at) {
        members.push_back({StubSigner(static_cast<std::uint8_t>(at + 1)).public_key(), 1});
    }
    return *Committee::make("test", Epoch{0}, std::move(members), false);
}

/// A header on these parents; `mark` makes another one of the same slot.
[[nodiscard]] inline VerifiedHeader make_header(const Committee& committee, std::uint64_t round,
                                                std::uint16_t author, const std::vector<HeaderRef>& parents,
                                                std::uint64_t mark = 0) {
    Header header;
    header.epoch = committee.epoch();
    header.round = Round{round};
    header.author = ValidatorIndex{author};
    header.created_at = mark;
    for (const HeaderRef& parent : parents) header.parents.push_back({parent.author, parent.digest});
    sign_header(committee, StubSigner(static_cast<std::uint8_t>(author + 1)), header);
    return Verification::trusted(std::move(header));
}

[[nodiscard]] inline VerifiedCertificate make_certificate(const Committee& committee, std::uint64_t round,
                                                          std::uint16_t author,
                                                          const std::vector<HeaderRef>& parents,
                                                          std::uint64_t mark = 0) {
    return Verification::trusted(
        Certificate{*make_header(committee, round, author, parents, mark), committee.everybody(), {}});
}

/// A round of certificates of all members on all of the round before.
[[nodiscard]] inline std::vector<VerifiedCertificate> make_round(
    const Committee& committee, std::uint64_t round, const std::vector<VerifiedCertificate>& before) {
    std::vector<HeaderRef> parents;
    for (const VerifiedCertificate& parent : before) parents.push_back(parent->ref());
    std::vector<VerifiedCertificate> made;
    for (std::uint16_t author = 0; author < committee.size(); ++author) {
        made.push_back(make_certificate(committee, round, author, parents));
    }
    return made;
}

}  // namespace monodon::dag::test
