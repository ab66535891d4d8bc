#include "tests/dag/dag_builder.hpp"

#include <algorithm>
#include <sstream>

#include "net/core/check.hpp"

namespace monodon::dag::test {

namespace {

template <class Items, class NameOf>
std::string join(const Items& items, NameOf name_of) {
    std::string text;
    for (const auto& item : items) text += (text.empty() ? "" : " ") + name_of(item);
    return text;
}

}  // namespace

Committee committee_of(const std::vector<Stake>& stakes, std::string chain) {
    std::vector<Member> members;
    for (const Stake stake : stakes) {
        Member& member = members.emplace_back();
        member.key.bytes[0] = static_cast<Byte>(members.size());
        member.stake = stake;
    }
    auto committee = Committee::make(std::move(chain), Epoch{0}, std::move(members), false);
    return std::move(committee).value();
}

VerifiedCertificate certificate_of(const Committee& committee, Header header) {
    sign_header(committee, NoSignatures{}, header);
    AuthorSet signers;
    signers.insert(header.author);
    return Verification::trusted(Certificate{std::move(header), signers, {Signature{}}});
}

ValidatorIndex member(char letter) { return ValidatorIndex{static_cast<std::uint16_t>(letter - 'A')}; }

AuthorSet members(std::string_view letters) {
    AuthorSet set;
    for (const char letter : letters) set.insert(member(letter));
    return set;
}

Slot slot(std::string_view name) {
    return {Round{std::stoull(std::string(name.substr(1)))}, member(name.front())};
}

std::string name(Slot slot) {
    return static_cast<char>('A' + slot.author.value()) + std::to_string(slot.round.value());
}

PayloadEntry batch(std::uint32_t number, std::uint64_t sealed_round) {
    const Digest digest = CanonicalWriter("batch").u32(number).hash();
    return {digest, ValidatorIndex{0}, WorkerId{0}, Round{sealed_round}, 100 + number, 1 + number};
}

DagBuilder::DagBuilder(const std::vector<Stake>& stakes)
    : committee_(std::make_shared<const Committee>(committee_of(stakes))) {}

DagBuilder& DagBuilder::round(std::uint64_t number, std::string_view authors, RoundOptions options) {
    std::string parents;
    for (const VerifiedCertificate& certificate : certificates_) {
        const std::string before = name(certificate->ref().slot());
        const bool named = options.without.find(before.front()) == std::string_view::npos;
        if (next(certificate->header.round) == Round{number} && named) parents += before.front();
    }
    for (const char author : authors) add(author + std::to_string(number), parents);
    return *this;
}

DagBuilder& DagBuilder::rounds(std::uint64_t first, std::uint64_t last, std::string_view authors) {
    for (std::uint64_t number = first; number <= last; ++number) round(number, authors);
    return *this;
}

DagBuilder& DagBuilder::add(std::string_view name, std::string_view parents,
                            std::vector<PayloadEntry> payload) {
    Header header;
    header.round = slot(name).round;
    header.author = slot(name).author;
    header.payload = std::move(payload);
    members(parents).for_each([&](ValidatorIndex author) {
        const VerifiedCertificate* parent = find({below(header.round, 1), author});
        MONODON_CHECK(parent != nullptr);
        header.parents.push_back({author, (*parent)->ref().digest});
    });
    certificates_.push_back(certificate_of(*committee_, std::move(header)));
    return *this;
}

const VerifiedCertificate& DagBuilder::at(std::string_view name) const {
    const VerifiedCertificate* certificate = find(slot(name));
    MONODON_CHECK(certificate != nullptr);
    return *certificate;
}

const VerifiedCertificate* DagBuilder::find(Slot slot) const {
    const auto found = std::find_if(certificates_.begin(), certificates_.end(), [&](const auto& certificate) {
        return certificate->ref().slot() == slot;
    });
    return found == certificates_.end() ? nullptr : &*found;
}

std::vector<CommitPtr> Node::insert(const VerifiedCertificate& certificate) {
    MONODON_CHECK(graph.insert(certificate) == Insertion::inserted);
    std::vector<CommitPtr> fresh = orderer.evaluate(graph);
    commits.insert(commits.end(), fresh.begin(), fresh.end());
    return fresh;
}

void Node::feed(const DagBuilder& dag) {
    for (const VerifiedCertificate& certificate : dag.certificates()) {
        if (!graph.contains(certificate->ref())) insert(certificate);
    }
}

void Node::evaluate() {
    const std::vector<CommitPtr> fresh = orderer.evaluate(graph);
    commits.insert(commits.end(), fresh.begin(), fresh.end());
}

std::string anchors(const std::vector<CommitPtr>& commits) {
    return join(commits, [](const CommitPtr& commit) { return name(commit->anchor.slot()); });
}

std::string certificates(const Commit& commit) {
    return join(commit.certificates, [](const HeaderRef& ref) { return name(ref.slot()); });
}

std::string failed(const Commit& commit) { return join(commit.failed, name); }

OrderingConfig table(std::string_view names, char otherwise, std::uint64_t window) {
    LeaderTable leaders;
    leaders.otherwise = member(otherwise);
    std::istringstream words{std::string(names)};
    for (std::string word; words >> word;) leaders.leaders[slot(word).round] = slot(word).author;
    OrderingConfig config;
    config.leaders = leaders;
    config.window = window;
    return config;
}

}  // namespace monodon::dag::test
