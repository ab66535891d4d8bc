#include "tools/ask.hpp"

#include <cstdlib>
#include <future>

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include "node/home.hpp"
#include "tools/json_read.hpp"
#include "tools/testnet_dir.hpp"

namespace monodon::tools {

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

constexpr const char* kDefaultDirectory = "net";
constexpr std::string_view kHttp = "http://";

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

NodeRef at_home(const fs::path& home) {
    return {home.string(), home, node::find_admin_socket(node::HomePaths(home)), std::nullopt, std::nullopt};
}

NodeRef of_testnet(const TestnetDir& testnet, const TestnetNode& member) {
    NodeRef node = at_home(testnet.home(member.name).root);
    node.name = member.name;
    node.api = node::parse_host_port(member.api_address);
    const auto process = testnet.process(member.name);
    node.process = process ? state_of(*process) : ProcessState::gone;
    return node;
}

node::HttpClient client_of(const NodeRef& node) {
    if (!node.socket.empty()) return node::HttpClient::unix_socket(node.socket);
    return node::HttpClient::tcp(node.api.value_or(node::HostPort{}));
}

std::string place_of(const NodeRef& node) {
    return node.socket.empty() ? std::string(kHttp) + node.api.value_or(node::HostPort{}).text()
                               : node.socket.string();
}

}  // namespace

std::string home_variable() { return variable("MONODON_HOME"); }

std::string no_home(const std::string& directory) {
    return fmt::format("{} is no home of a node; `monodon init --home {}` makes one", directory, directory);
}

fs::path testnet_root(const Where& where) {
    if (!where.dir.empty()) return where.dir;
    const std::string dir = variable("MONODON_DIR");
    return dir.empty() ? fs::path(kDefaultDirectory) : fs::path(dir);
}

Result<std::vector<NodeRef>> find_nodes(const Where& where) {
    if (!where.home.empty() && !where.dir.empty()) {
        return failure(kExitUsage, "--home names one node and --dir a testnet: give one of them");
    }
    std::string home = where.home;
    if (home.empty() && where.dir.empty()) home = home_variable();
    if (!home.empty()) {
        if (std::error_code ignored; !fs::is_directory(home, ignored)) {
            return failure(kExitConfiguration, no_home(home));
        }
        return std::vector<NodeRef>{at_home(home)};
    }

    const fs::path root = testnet_root(where);
    if (!TestnetDir::exists(root) && where.dir.empty()) {
        return failure(
            kExitUsage,
            fmt::format("which node? Give --home DIR for one node or --dir NET for a testnet ({} is none)",
                        root.string()));
    }
    const auto testnet = TestnetDir::load(root);
    if (!testnet) return Unexpected{testnet.error()};
    const auto members = testnet->select(where.node.empty() ? std::vector<std::string>{}
                                                            : std::vector<std::string>{where.node});
    if (!members) return Unexpected{members.error()};
    std::vector<NodeRef> nodes;
    for (const TestnetNode& member : *members) nodes.push_back(of_testnet(*testnet, member));
    return nodes;
}

Result<NodeRef> resolve_node(const std::string& word, const Where& where) {
    if (word.starts_with(kHttp)) {
        std::string address = word.substr(kHttp.size());
        if (address.ends_with('/')) address.pop_back();
        const auto api = node::parse_host_port(address);
        if (!api) return failure(kExitUsage, fmt::format("{} is no http://host:port", word));
        return NodeRef{word, {}, {}, api, std::nullopt};
    }
    if (fs::is_socket(word)) return NodeRef{word, {}, word, std::nullopt, std::nullopt};
    if (fs::is_directory(word)) return at_home(word);
    if (TestnetDir::exists(testnet_root(where))) {
        auto nodes = find_nodes({{}, testnet_root(where).string(), word});
        if (!nodes) return Unexpected{nodes.error()};
        return std::move(nodes->front());
    }
    return failure(kExitUsage,
                   fmt::format("{} is no home, socket, http://host:port or node of a testnet (--dir)", word));
}

Asker::Asker(NodeRef node) : node_(std::move(node)), client_(client_of(node_)) {}

Result<Asker> Asker::api(const NodeRef& node) {
    NodeRef at = node;
    if (!at.socket.empty()) {
        // The address in use: the file may say port 0.
        Asker admin(node);
        const auto status = admin.status();
        if (!status) return Unexpected{status.error()};
        at.api = node::parse_host_port(text(child(*status, "listen"), "api"));
        if (!at.api) {
            return failure(
                kExitConfiguration,
                fmt::format("{} serves no public API: set api.listen in its config.toml", node.name));
        }
        at.socket.clear();
    }
    node::HttpClient client = node::HttpClient::tcp(*at.api);
    return Asker(std::move(at), std::move(client));
}

Failure Asker::no_answer(const node::HttpFailure& failure) const {
    using Kind = node::HttpFailure::Kind;
    if (failure.kind == Kind::timeout) {
        return {kExitTimedOut, fmt::format("{} at {} did not answer in time; is it paused or overloaded?",
                                           node_.name, place_of(node_))};
    }
    std::string what = fmt::format("cannot reach {}: {}", node_.name, failure.message);
    if (failure.kind == Kind::connect)
        what += "; is it running? See `monodon testnet status` or its node.log";
    return {kExitCannotConnect, std::move(what)};
}

Failure Asker::refusal(const node::HttpReply& reply) const {
    std::string why;
    if (const auto answer = parse_answer(reply.body))
        why = text(child(as_object(*answer), "error"), "message");
    if (why.empty()) why = reply.body.substr(0, 200);
    return {reply.status == 503 ? kExitNotReady : kExitFailed,
            fmt::format("{} refused ({}): {}", node_.name, reply.status, why)};
}

Result<node::HttpReply> Asker::raw_get(std::string_view target, Timeout timeout) {
    auto reply = client_.get(target, timeout);
    if (!reply) return Unexpected{no_answer(reply.error())};
    return std::move(*reply);
}

Result<node::HttpReply> Asker::raw_post(std::string_view target, ByteView body, Timeout timeout) {
    auto reply = client_.post(target, body, timeout);
    if (!reply) return Unexpected{no_answer(reply.error())};
    return std::move(*reply);
}

Result<json::value> Asker::get(std::string_view target, Timeout timeout) {
    const auto reply = raw_get(target, timeout);
    if (!reply) return Unexpected{reply.error()};
    if (reply->status != 200) return Unexpected{refusal(*reply)};
    return parse_answer(reply->body);
}

Result<json::object> Asker::status(Timeout timeout) {
    auto answer = get("/v1/status", timeout);
    if (!answer) return Unexpected{answer.error()};
    if (!answer->is_object()) return failure(kExitFailed, fmt::format("{} gave no status", node_.name));
    return std::move(answer->get_object());
}

Result<Asker> first_that_answers(const std::vector<NodeRef>& nodes) {
    std::optional<Failure> first;
    for (const NodeRef& node : nodes) {
        Asker asker(node);
        auto status = asker.status();
        if (status) return asker;
        if (!first) first = status.error();
    }
    return Unexpected{first.value_or(Failure{kExitCannotConnect, "there is no node"})};
}

Result<Asker> ask_one(const Where& where) {
    const auto nodes = find_nodes(where);
    if (!nodes) return Unexpected{nodes.error()};
    return first_that_answers(*nodes);
}

std::vector<Result<json::object>> all_statuses(const std::vector<NodeRef>& nodes, Timeout timeout) {
    std::vector<std::future<Result<json::object>>> asked;
    for (const NodeRef& node : nodes) {
        asked.push_back(
            std::async(std::launch::async, [node, timeout] { return Asker(node).status(timeout); }));
    }
    std::vector<Result<json::object>> answers;
    for (auto& answer : asked) answers.push_back(answer.get());
    return answers;
}

Result<json::value> parse_answer(std::string_view body) {
    boost::system::error_code error;
    json::value value = json::parse(json::string_view(body.data(), body.size()), error);
    if (error) return failure(kExitFailed, fmt::format("the answer is no JSON: {}", error.message()));
    return value;
}

Result<std::vector<json::value>> parse_lines(std::string_view body) {
    std::vector<json::value> lines;
    while (!body.empty()) {
        const auto end = body.find('\n');
        const std::string_view line = body.substr(0, end);
        body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
        if (line.empty()) continue;
        auto value = parse_answer(line);
        if (!value) return Unexpected{value.error()};
        lines.push_back(std::move(*value));
    }
    return lines;
}

}  // namespace monodon::tools
