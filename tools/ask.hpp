#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "node/host_port.hpp"
#include "node/http_client.hpp"
#include "tools/exit_codes.hpp"
#include "tools/process.hpp"

/// Which nodes a command speaks to, and asking them.
namespace monodon::tools {

/// One node as a command sees it: at its admin socket, or at a public API.
struct NodeRef {
    /// In a testnet its name, else where it is.
    std::string name;
    /// Empty if only the address is known.
    std::filesystem::path home;
    std::filesystem::path socket;
    std::optional<node::HostPort> api;
    /// Of a testnet: how its process is.
    std::optional<ProcessState> process;
};

/// The options that say where nodes are. What is given counts before MONODON_HOME, then MONODON_DIR, then
/// ./net.
struct Where {
    std::string home;
    std::string dir;
    /// Of the testnet; empty: all, or the first that answers.
    std::string node;
};

/// One with `home` or `node`, else all of the testnet.
[[nodiscard]] Result<std::vector<NodeRef>> find_nodes(const Where& where);
/// A home, a socket, `http://host:port`, or the name of a node of the testnet that `where` says.
[[nodiscard]] Result<NodeRef> resolve_node(const std::string& word, const Where& where);
/// The testnet that `where` says, by --dir, MONODON_DIR or ./net.
[[nodiscard]] std::filesystem::path testnet_root(const Where& where);

/// MONODON_HOME, empty if it is not set.
[[nodiscard]] std::string home_variable();
/// Says that this directory is none, and how one is made.
[[nodiscard]] std::string no_home(const std::string& directory);

using Timeout = std::chrono::milliseconds;
inline constexpr Timeout kAskTimeout = std::chrono::seconds(5);

/// Requests to one node, one after the other. Failures say which node and what to do: 3 nobody there, 5 no
/// answer in time, 4 not ready (503), 1 any other refusal, in the node's own words. Not for concurrent use.
class Asker {
 public:
    explicit Asker(NodeRef node);
    /// At the public API, whose address is asked of the admin socket if it is not known.
    [[nodiscard]] static Result<Asker> api(const NodeRef& node);

    [[nodiscard]] const NodeRef& node() const { return node_; }
    [[nodiscard]] Result<boost::json::value> get(std::string_view target, Timeout timeout = kAskTimeout);
    [[nodiscard]] Result<boost::json::object> status(Timeout timeout = kAskTimeout);
    /// Whatever came back, also a refusal.
    [[nodiscard]] Result<node::HttpReply> raw_get(std::string_view target, Timeout timeout = kAskTimeout);
    [[nodiscard]] Result<node::HttpReply> raw_post(std::string_view target, ByteView body, Timeout timeout);

    /// For a reply that is no success.
    [[nodiscard]] Failure refusal(const node::HttpReply& reply) const;

 private:
    Asker(NodeRef node, node::HttpClient client) : node_(std::move(node)), client_(std::move(client)) {}
    [[nodiscard]] Failure no_answer(const node::HttpFailure& failure) const;

    NodeRef node_;
    node::HttpClient client_;
};

/// The first of the nodes that answers.
[[nodiscard]] Result<Asker> first_that_answers(const std::vector<NodeRef>& nodes);
/// find_nodes() and first_that_answers().
[[nodiscard]] Result<Asker> ask_one(const Where& where);

/// The status of each at the same time, in the order given.
[[nodiscard]] std::vector<Result<boost::json::object>> all_statuses(const std::vector<NodeRef>& nodes,
                                                                    Timeout timeout);

[[nodiscard]] Result<boost::json::value> parse_answer(std::string_view body);
/// One value a line.
[[nodiscard]] Result<std::vector<boost::json::value>> parse_lines(std::string_view body);

}  // namespace monodon::tools
