#include "tools/replay.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <istream>
#include <ostream>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "dag/graph/graph.hpp"
#include "dag/ordering/orderer.hpp"
#include "tools/replay_input.hpp"
#include "tools/strict_json.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

/// Nobody checks the signatures of a replay.
class NoSignatures final : public Signer {
 public:
    [[nodiscard]] Signature sign(ByteView) const override { return {}; }
    [[nodiscard]] const PublicKey& public_key() const override { return key_; }

 private:
    PublicKey key_;
};

/// Why this certificate cannot stand in the DAG; nothing if it can. Parents are ascending.
std::optional<std::string> fault_of(const dag::Committee& committee, const dag::Graph& graph,
                                    const ReplayCertificate& certificate) {
    if (certificate.round < dag::Round{1}) return "round 0 has no certificates";
    if (certificate.author >= committee.size()) return "the author is not in the committee";
    if (certificate.round == dag::Round{1} && !certificate.parents.empty()) return "round 1 has no parents";
    const auto author = dag::ValidatorIndex{static_cast<std::uint16_t>(certificate.author)};
    if (graph.find({certificate.round, author}) != nullptr)
        return "there is a certificate for this slot already";

    dag::AuthorSet parents;
    for (const std::uint64_t parent : certificate.parents) {
        if (parent >= committee.size()) return fmt::format("parent {} is not in the committee", parent);
        const auto index = dag::ValidatorIndex{static_cast<std::uint16_t>(parent)};
        if (parents.contains(index)) return fmt::format("parent {} stands twice", parent);
        if (graph.find({below(certificate.round, 1), index}) == nullptr) {
            return fmt::format("parent {} of round {} is missing", parent,
                               below(certificate.round, 1).value());
        }
        parents.insert(index);
    }
    if (certificate.round > dag::Round{1} && !committee.is_quorum(parents)) {
        return fmt::format("its parents have stake {} of the {} that are needed", committee.stake(parents),
                           committee.quorum());
    }
    return std::nullopt;
}

dag::VerifiedCertificate build(const dag::Committee& committee, const dag::Graph& graph,
                               const ReplayCertificate& described) {
    dag::Certificate certificate;
    dag::Header& header = certificate.header;
    header.epoch = committee.epoch();
    header.round = described.round;
    header.author = dag::ValidatorIndex{static_cast<std::uint16_t>(described.author)};
    for (const std::uint64_t parent : described.parents) {
        const auto author = dag::ValidatorIndex{static_cast<std::uint16_t>(parent)};
        header.parents.push_back({author, graph.find({below(described.round, 1), author})->ref().digest});
    }
    sign_header(committee, NoSignatures{}, header);
    return dag::Verification::trusted(std::move(certificate));
}

json::array to_json(const dag::Slot& slot) { return {slot.round.value(), slot.author.value()}; }

json::object to_json(const dag::Commit& commit) {
    json::array certificates;
    for (const dag::HeaderRef& certificate : commit.certificates)
        certificates.push_back(to_json(certificate.slot()));
    json::array failed;
    for (const dag::Slot& slot : commit.failed) failed.push_back(to_json(slot));
    return {{"index", commit.index.value()},
            {"anchor", to_json(commit.anchor.slot())},
            {"certificates", std::move(certificates)},
            {"failed", std::move(failed)}};
}

Expected<json::object, std::string> run(ReplayInput input) {
    dag::Graph graph(input.committee, dag::Round{0});
    dag::Orderer orderer(input.config, input.committee);
    json::array commits;
    for (std::size_t at = 0; at < input.certificates.size(); ++at) {
        ReplayCertificate& certificate = input.certificates[at];
        std::sort(certificate.parents.begin(), certificate.parents.end());
        if (const auto fault = fault_of(input.committee, graph, certificate)) {
            return Unexpected{fmt::format("{}: {}", name_of(at, certificate), *fault)};
        }
        const auto inserted = graph.insert(build(input.committee, graph, certificate));
        MONODON_CHECK(inserted == dag::Insertion::inserted);
        for (const dag::CommitPtr& commit : orderer.evaluate(graph)) commits.push_back(to_json(*commit));
    }
    return json::object{{"commits", std::move(commits)}};
}

int refuse(std::ostream& err, std::string_view message) {
    err << "replay: " << message << '\n';
    return kReplayRefused;
}

}  // namespace

int replay(std::istream& input, std::ostream& out, std::ostream& err) {
    std::string text;
    for (std::array<char, 64 * 1024> block{}; input && text.size() <= kReplayBytesMax;) {
        input.read(block.data(), block.size());
        text.append(block.data(), static_cast<std::size_t>(input.gcount()));
    }
    if (input.bad()) return refuse(err, "the input cannot be read");
    if (text.size() > kReplayBytesMax) return refuse(err, "the input is longer than 32 MiB");

    auto parsed = parse_replay(text);
    if (!parsed) return refuse(err, parsed.error());
    const auto commits = run(std::move(*parsed));
    if (!commits) return refuse(err, commits.error());
    out << json::serialize(*commits) << '\n' << std::flush;
    return out ? kReplayDone : kReplayFailed;
}

int replay(const std::filesystem::path& file, std::ostream& out, std::ostream& err) {
    std::error_code error;
    if (std::filesystem::is_directory(file, error)) return refuse(err, file.string() + " is a directory");
    std::ifstream input(file, std::ios::binary);
    if (!input) return refuse(err, file.string() + " cannot be opened");
    return replay(input, out, err);
}

}  // namespace monodon::tools
