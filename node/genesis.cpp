#include "node/genesis.hpp"

#include <algorithm>
#include <set>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "net/core/canonical.hpp"
#include "node/files.hpp"
#include "node/host_port.hpp"
#include "node/strict_json.hpp"

namespace monodon::node {
namespace {

namespace json = boost::json;

constexpr std::size_t kNameMax = 32;
constexpr std::size_t kChainMax = 64;
/// A host of 253 characters, brackets, a colon, five digits.
constexpr std::size_t kAddressMax = 261;
/// The weights and windows of an epoch are multiplied with stakes and summed in 64 bits.
constexpr std::uint64_t kOrderingNumberMax = 1'000'000;

using Problem = std::optional<std::string>;

bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    });
}

Problem check_ordering(const dag::OrderingConfig& ordering) {
    const auto* rule = std::get_if<dag::ReputationRule>(&ordering.leaders);
    if (rule == nullptr) return "ordering: anchors are drawn by reputation; other rules are for replays";
    if (ordering.window < 1 || ordering.window > 1000) return "ordering.window must be from 1 to 1000";
    // LIFE/2 rounds are left between sealing and the last vote (consensus.md V5).
    if (ordering.batch_life < 64 || ordering.batch_life > kOrderingNumberMax) {
        return "ordering.batch_life must be from 64 to 1000000";
    }
    if (ordering.first_instance_round != dag::Round{1})
        return "ordering: the first instance begins in round 1";
    const auto too_large = [](std::uint64_t value) { return value > kOrderingNumberMax; };
    if (too_large(rule->proposer_window) || too_large(rule->voter_window) || too_large(rule->active_weight)) {
        return "ordering.reputation: windows and weights are at most 1000000";
    }
    if (rule->failed_weight < 1 || rule->inactive_weight < rule->failed_weight ||
        rule->active_weight < rule->inactive_weight) {
        return "ordering.reputation: weights must be 1 <= failed <= inactive <= active";
    }
    if (rule->failure_threshold_percent > 100) {
        return "ordering.reputation.failure_threshold_percent must be from 0 to 100";
    }
    return std::nullopt;
}

Problem check_member(const GenesisMember& member, const std::string& path, std::set<std::string>& names) {
    if (member.name.empty() || member.name.size() > kNameMax || !is_plain(member.name)) {
        return fmt::format("{}.name must be 1 to {} letters, digits, '-', '_' or '.'", path, kNameMax);
    }
    if (!names.insert(member.name).second) return fmt::format("{}.name {} comes twice", path, member.name);
    if (member.addresses.size() > kMemberAddressesMax) {
        return fmt::format("{}.addresses must be at most {}", path, kMemberAddressesMax);
    }
    for (const std::string& address : member.addresses) {
        const auto parsed = parse_host_port(address);
        if (!parsed || parsed->port == 0)
            return fmt::format("{}.addresses: {} is not host:port", path, address);
    }
    return std::nullopt;
}

/// What the design says of ordering, in the order in which it is hashed.
Digest genesis_digest(const dag::Committee& committee, const dag::OrderingConfig& ordering) {
    const auto& rule = std::get<dag::ReputationRule>(ordering.leaders);
    CanonicalWriter writer = committee.domain("genesis");
    writer.digest(committee.digest())
        .u8(static_cast<std::uint8_t>(ordering.mode))
        .u64(ordering.window)
        .u64(ordering.batch_life)
        .u64(ordering.first_instance_round.value())
        .u64(rule.proposer_window)
        .u64(rule.voter_window)
        .u64(rule.failed_weight)
        .u64(rule.inactive_weight)
        .u64(rule.active_weight)
        .u64(rule.failure_threshold_percent);
    return writer.hash();
}

dag::ReputationRule read_reputation(JsonObject& ordering) {
    const dag::ReputationRule defaults;
    if (!ordering.has("reputation")) return defaults;
    JsonObject object(ordering.value("reputation"), ordering.name("reputation"));
    dag::ReputationRule rule;
    rule.proposer_window = object.number_or("proposer_window", defaults.proposer_window);
    rule.voter_window = object.number_or("voter_window", defaults.voter_window);
    rule.failed_weight = object.number_or("failed_weight", defaults.failed_weight);
    rule.inactive_weight = object.number_or("inactive_weight", defaults.inactive_weight);
    rule.active_weight = object.number_or("active_weight", defaults.active_weight);
    rule.failure_threshold_percent =
        object.number_or("failure_threshold_percent", defaults.failure_threshold_percent);
    if (const auto error = object.finish()) ordering.fail(*error);
    return rule;
}

dag::OrderingConfig read_ordering(JsonObject& root) {
    dag::OrderingConfig ordering;
    if (!root.has("ordering")) return ordering;
    JsonObject object(root.value("ordering"), "ordering");
    if (object.has("mode")) {
        const std::string mode = object.text("mode", kNameMax);
        if (mode == "bullshark") ordering.mode = dag::OrderingMode::bullshark;
        if (mode != "bullshark" && mode != "shoal")
            object.fail("ordering.mode must be \"shoal\" or \"bullshark\"");
    }
    ordering.window = object.number_or("window", ordering.window);
    ordering.batch_life = object.number_or("batch_life", ordering.batch_life);
    ordering.leaders = read_reputation(object);
    if (const auto error = object.finish()) root.fail(*error);
    return ordering;
}

GenesisMember read_member(JsonObject& root, const json::value& value, const std::string& path) {
    JsonObject object(value, path);
    GenesisMember member;
    member.name = object.text("name", kNameMax);
    const auto peer = PeerId::parse(object.text("peer_id", 128));
    if (peer) member.peer = *peer;
    if (!peer) object.fail(fmt::format("{}.peer_id is not the id of an Ed25519 key", path));
    member.stake = object.number("stake");
    for (const json::value& address : object.array("addresses", kMemberAddressesMax)) {
        const json::string* text = address.if_string();
        if (text != nullptr && text->size() <= kAddressMax)
            member.addresses.emplace_back(text->data(), text->size());
        if (text == nullptr) object.fail(fmt::format("{}.addresses must be texts", path));
    }
    if (const auto error = object.finish()) root.fail(*error);
    return member;
}

json::object ordering_json(const dag::OrderingConfig& ordering) {
    const auto& rule = std::get<dag::ReputationRule>(ordering.leaders);
    return {{"mode", ordering.mode == dag::OrderingMode::shoal ? "shoal" : "bullshark"},
            {"window", ordering.window},
            {"batch_life", ordering.batch_life},
            {"reputation",
             {{"proposer_window", rule.proposer_window},
              {"voter_window", rule.voter_window},
              {"failed_weight", rule.failed_weight},
              {"inactive_weight", rule.inactive_weight},
              {"active_weight", rule.active_weight},
              {"failure_threshold_percent", rule.failure_threshold_percent}}}};
}

}  // namespace

Genesis::Genesis(dag::Committee committee, dag::OrderingConfig ordering, std::vector<GenesisMember> members)
    : committee_(std::move(committee)),
      ordering_(std::move(ordering)),
      members_(std::move(members)),
      digest_(genesis_digest(committee_, ordering_)) {}

Expected<Genesis, std::string> Genesis::make(std::string chain_id, dag::Epoch epoch,
                                             dag::OrderingConfig ordering,
                                             std::vector<GenesisMember> members) {
    if (chain_id.empty() || chain_id.size() > kChainMax || !is_plain(chain_id)) {
        return Unexpected{
            fmt::format("chain_id must be 1 to {} letters, digits, '-', '_' or '.'", kChainMax)};
    }
    if (const auto problem = check_ordering(ordering)) return Unexpected{*problem};
    std::set<std::string> names;
    std::vector<dag::Member> keys;
    for (std::size_t at = 0; at < members.size(); ++at) {
        const std::string path = fmt::format("members[{}]", at);
        if (const auto problem = check_member(members[at], path, names)) return Unexpected{*problem};
        keys.push_back({members[at].peer.key(), members[at].stake});
    }
    auto committee = dag::Committee::make(std::move(chain_id), epoch, std::move(keys));
    if (!committee) return Unexpected{fmt::format("members: {}", dag::describe(committee.error()))};
    return Genesis(std::move(*committee), std::move(ordering), std::move(members));
}

Expected<Genesis, std::string> Genesis::parse(std::string_view text) {
    const auto value = parse_strict_json(text, kGenesisBytesMax);
    if (!value) return Unexpected{value.error()};
    JsonObject root(*value, "");
    std::string chain_id = root.text("chain_id", kChainMax);
    const dag::Epoch epoch{root.number("epoch")};
    dag::OrderingConfig ordering = read_ordering(root);
    std::vector<GenesisMember> members;
    for (const json::value& member : root.array("members", dag::kCommitteeMax)) {
        members.push_back(read_member(root, member, fmt::format("members[{}]", members.size())));
    }
    if (const auto error = root.finish()) return Unexpected{*error};
    return make(std::move(chain_id), epoch, std::move(ordering), std::move(members));
}

Expected<Genesis, std::string> Genesis::load(const std::filesystem::path& file) {
    const auto text = read_file(file, kGenesisBytesMax);
    if (!text) return Unexpected{text.error()};
    auto genesis = parse(*text);
    if (!genesis) return Unexpected{fmt::format("{}: {}", file.string(), genesis.error())};
    return genesis;
}

Expected<void, std::string> Genesis::save(const std::filesystem::path& file) const {
    return replace_file(file, to_json(), 0644);
}

std::string Genesis::to_json() const {
    // One member a line, for people and for diff.
    std::string out = fmt::format(
        "{{\n  \"chain_id\": \"{}\",\n  \"epoch\": {},\n  \"ordering\": {},\n  \"members\": [",
        committee_.chain(), committee_.epoch().value(), json::serialize(ordering_json(ordering_)));
    for (std::size_t at = 0; at < members_.size(); ++at) {
        const GenesisMember& member = members_[at];
        const json::object row{{"name", member.name},
                               {"peer_id", member.peer.text()},
                               {"stake", member.stake},
                               {"addresses", json::array(member.addresses.begin(), member.addresses.end())}};
        out += fmt::format("{}\n    {}", at == 0 ? "" : ",", json::serialize(row));
    }
    return out + "\n  ]\n}\n";
}

std::optional<dag::ValidatorIndex> Genesis::index_of(std::string_view name) const {
    for (std::size_t at = 0; at < members_.size(); ++at) {
        if (members_[at].name == name) return dag::ValidatorIndex{static_cast<std::uint16_t>(at)};
    }
    return std::nullopt;
}

}  // namespace monodon::node
