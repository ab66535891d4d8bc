#include <algorithm>
#include <sstream>

#include <boost/json/array.hpp>
#include <boost/json/value_from.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "node/home.hpp"
#include "tools/ask.hpp"
#include "tools/testnet.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

/// The peer ids by name, of nodes that do not run as well: validators know no observer by its name.
Result<std::map<std::string, std::string>> peer_ids(const std::vector<NodeRef>& nodes) {
    std::map<std::string, std::string> ids;
    for (const NodeRef& node : nodes) {
        const auto key = node::load_key(node::HomePaths(node.home).key());
        if (!key) return failure(kExitFailed, key.error());
        ids.emplace(node.name, key->peer_id().text());
    }
    return ids;
}

/// Joins the node to its group and cuts it off from the others.
Result<void> arrange(Asker& asker, const std::string& name, const std::map<std::string, std::size_t>& group,
                     const std::map<std::string, std::string>& ids) {
    for (const auto& [other, number] : group) {
        if (other == name) continue;
        const char* action = number == group.at(name) ? "unban" : "ban";
        const auto reply =
            asker.raw_post(fmt::format("/v1/peers/{}/{}", ids.at(other), action), {}, kAskTimeout);
        if (!reply) return Unexpected{reply.error()};
        if (reply->status != 200) return Unexpected{asker.refusal(*reply)};
    }
    return {};
}

int arrange_all(const std::string& dir, const std::vector<std::string>& groups, Form form) {
    const auto nodes = find_nodes({{}, dir, {}});
    if (!nodes) return report(nodes.error());
    std::vector<std::string> names;
    for (const NodeRef& node : *nodes) names.push_back(node.name);
    const auto group = groups_of(names, groups);
    if (!group) return report(group.error());
    const auto ids = peer_ids(*nodes);
    if (!ids) return report(ids.error());
    int code = kExitDone;
    for (const NodeRef& node : *nodes) {
        if (node.process != ProcessState::running) {
            note(fmt::format("{} does not run: it is left as it is", node.name));
            continue;
        }
        Asker asker(node);
        if (const auto done = arrange(asker, node.name, *group, *ids); !done) code = report(done.error());
    }
    std::map<std::size_t, std::vector<std::string>> members;
    for (const auto& [name, number] : *group) members[number].push_back(name);
    json::array list;
    for (const auto& [number, together] : members) {
        list.push_back(json::value_from(together));
        if (form != Form::json) print_line(fmt::format("{}", fmt::join(together, " ")));
    }
    if (form == Form::json) print_json(list);
    return code;
}

}  // namespace

Result<std::map<std::string, std::size_t>> groups_of(const std::vector<std::string>& names,
                                                     const std::vector<std::string>& groups) {
    std::map<std::string, std::size_t> found;
    for (std::size_t number = 0; number < groups.size(); ++number) {
        std::istringstream words(groups[number]);
        for (std::string name; std::getline(words, name, ',');) {
            if (std::find(names.begin(), names.end(), name) == names.end())
                return failure(kExitUsage, fmt::format("there is no node {}; there are {}", name,
                                                       fmt::join(names, ", ")));
            if (!found.emplace(name, number).second)
                return failure(kExitUsage, fmt::format("{} stands in two groups, or twice in one", name));
        }
    }
    for (const std::string& name : names) found.emplace(name, groups.size());
    return found;
}

int testnet_partition(const TestnetPartition& options) {
    return arrange_all(options.dir, options.groups, options.form);
}

int testnet_heal(const TestnetPartition& options) { return arrange_all(options.dir, {}, options.form); }

}  // namespace monodon::tools
