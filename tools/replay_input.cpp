#include "tools/replay_input.hpp"

#include <charconv>

#include <fmt/format.h>

#include "tools/strict_json.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

constexpr std::size_t kChainBytesMax = 256;
constexpr std::uint64_t kDefaultWindow = 10;
constexpr std::string_view kDefaultChain = "replay";

/// Decimal without sign and leading zeros.
std::optional<dag::Round> parse_round(std::string_view text) {
    std::uint64_t round = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), round);
    const bool canonical = !text.empty() && (text.front() != '0' || text.size() == 1);
    if (error != std::errc{} || end != text.data() + text.size() || !canonical) return std::nullopt;
    return dag::Round{round};
}

dag::LeaderTable read_table(ObjectReader& reader, std::size_t members) {
    dag::LeaderTable table;
    const std::uint64_t last_member = members - 1;
    table.otherwise =
        dag::ValidatorIndex{static_cast<std::uint16_t>(reader.number("default", 0, 0, last_member))};
    const json::object* leaders = reader.object("table");
    if (leaders == nullptr) return table;
    for (const auto& entry : *leaders) {
        const std::string_view key(entry.key().data(), entry.key().size());
        const auto round = parse_round(key);
        const auto author = whole_number(entry.value());
        if (!round) {
            reader.fail(fmt::format("{}: \"{}\" is not a round", reader.place_of("table"), key));
        } else if (!author || *author > last_member) {
            reader.fail(
                fmt::format("{}.{} is not an author of the committee", reader.place_of("table"), key));
        } else {
            table.leaders[*round] = dag::ValidatorIndex{static_cast<std::uint16_t>(*author)};
        }
    }
    return table;
}

dag::ReputationRule read_reputation(ObjectReader& reader, std::size_t members) {
    const dag::ReputationRule defaults = dag::ReputationRule{}.with_defaults(members);
    dag::ReputationRule rule;
    rule.proposer_window = reader.number("proposer_window", defaults.proposer_window, 1, kAnyNumber);
    rule.voter_window = reader.number("voter_window", defaults.voter_window, 1, kAnyNumber);
    // A weight of zero would take a member out of the draw for good.
    rule.failed_weight = reader.number("failed_weight", defaults.failed_weight, 1, kAnyNumber);
    rule.inactive_weight = reader.number("inactive_weight", defaults.inactive_weight, 1, kAnyNumber);
    rule.active_weight = reader.number("active_weight", defaults.active_weight, 1, kAnyNumber);
    rule.failure_threshold_percent =
        reader.number("failure_threshold_percent", defaults.failure_threshold_percent, 0, 100);
    return rule;
}

dag::LeaderRule read_leaders(const json::value* value, std::size_t members, std::string& fault) {
    if (value == nullptr) return dag::ReputationRule{};
    ObjectReader reader(*value, "leaders", fault);
    dag::LeaderRule rule = dag::RoundRobin{};
    const std::string kind = reader.text("kind", std::nullopt, 32);
    if (kind == "reputation") {
        rule = read_reputation(reader, members);
    } else if (kind == "table") {
        rule = read_table(reader, members);
    } else if (kind != "round-robin") {
        reader.fail("leaders.kind is none of round-robin, table, reputation");
    }
    reader.refuse_unknown();
    return rule;
}

dag::OrderingConfig read_config(ObjectReader& reader, std::size_t members, std::string& fault) {
    dag::OrderingConfig config;
    const std::string mode = reader.text("mode", "shoal", 32);
    if (mode != "shoal" && mode != "bullshark") reader.fail("mode is neither shoal nor bullshark");
    config.mode = mode == "bullshark" ? dag::OrderingMode::bullshark : dag::OrderingMode::shoal;
    config.window = reader.number("window", kDefaultWindow, 1, kAnyNumber);
    config.first_instance_round = dag::Round{reader.number("first_instance_round", 1, 1, kAnyNumber)};
    config.leaders = read_leaders(reader.member("leaders", false), members, fault);
    return config;
}

std::vector<ReplayCertificate> read_certificates(const json::array& values, std::string& fault) {
    std::vector<ReplayCertificate> certificates;
    certificates.reserve(values.size());
    for (std::size_t at = 0; at < values.size() && fault.empty(); ++at) {
        ObjectReader reader(values[at], fmt::format("certificates[{}]", at), fault);
        ReplayCertificate& certificate = certificates.emplace_back();
        certificate.round = dag::Round{reader.number("round", std::nullopt, 0, kAnyNumber)};
        certificate.author = reader.number("author", std::nullopt, 0, kAnyNumber);
        certificate.parents = reader.numbers("parents");
        reader.refuse_unknown();
    }
    return certificates;
}

/// Keys stand for nothing in a replay; they only have to differ. At most kCommitteeMax members.
std::vector<dag::Member> members_of(const std::vector<std::uint64_t>& stakes) {
    std::vector<dag::Member> members;
    for (const std::uint64_t stake : stakes) {
        dag::Member& member = members.emplace_back();
        member.key.bytes[0] = static_cast<Byte>(members.size());
        member.stake = stake;
    }
    return members;
}

}  // namespace

std::string name_of(std::size_t position, const ReplayCertificate& certificate) {
    return fmt::format("certificates[{}] (round {}, author {})", position, certificate.round.value(),
                       certificate.author);
}

Expected<ReplayInput, std::string> parse_replay(std::string_view text) {
    const auto document = parse_strict_json(text);
    if (!document) return Unexpected{document.error()};
    std::string fault;
    ObjectReader reader(*document, "", fault);
    const std::vector<std::uint64_t> stakes = reader.numbers("stakes");
    const std::string chain = reader.text("chain", kDefaultChain, kChainBytesMax);
    const dag::Epoch epoch{reader.number("epoch", 0, 0, kAnyNumber)};
    if (!reader.good()) return Unexpected{fault};
    if (stakes.size() > dag::kCommitteeMax) {
        return Unexpected{fmt::format("stakes: {}", describe(dag::CommitteeError::too_many_members))};
    }
    auto committee = dag::Committee::make(chain, epoch, members_of(stakes), false);
    if (!committee) return Unexpected{fmt::format("stakes: {}", describe(committee.error()))};

    dag::OrderingConfig config = read_config(reader, stakes.size(), fault);
    std::vector<ReplayCertificate> certificates;
    if (const json::array* values = reader.array("certificates"))
        certificates = read_certificates(*values, fault);
    reader.refuse_unknown();
    if (!reader.good()) return Unexpected{fault};
    return ReplayInput{std::move(config), std::move(*committee), std::move(certificates)};
}

}  // namespace monodon::tools
