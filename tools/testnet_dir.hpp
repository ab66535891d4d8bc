#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "node/home.hpp"
#include "tools/process.hpp"

namespace monodon::tools {

/// One validator of a local committee, or an observer beside it.
struct TestnetNode {
    std::string name;
    /// `127.0.0.1:port`, the same after every start.
    std::string peer_address;
    /// Empty: without public API.
    std::string api_address;
    /// `key=value`, laid over its config.toml at every start.
    std::vector<std::string> settings;
    bool observer = false;
};

/// A directory that holds a local committee: testnet.json, genesis.json and a home for each node.
class TestnetDir {
 public:
    explicit TestnetDir(std::filesystem::path root) : root_(std::move(root)) {}

    /// Reads testnet.json.
    [[nodiscard]] static Result<TestnetDir> load(const std::filesystem::path& root);
    [[nodiscard]] static bool exists(const std::filesystem::path& root);
    [[nodiscard]] Result<void> save() const;

    [[nodiscard]] const std::filesystem::path& root() const { return root_; }
    [[nodiscard]] std::filesystem::path genesis() const { return root_ / "genesis.json"; }
    [[nodiscard]] node::HomePaths home(const std::string& name) const {
        return node::HomePaths(root_ / name);
    }
    [[nodiscard]] std::filesystem::path pid_file(const std::string& name) const {
        return root_ / name / "node.pid";
    }
    /// The process of a node, if it runs.
    [[nodiscard]] std::optional<ProcessId> process(const std::string& name) const;

    [[nodiscard]] std::vector<TestnetNode>& nodes() { return nodes_; }
    [[nodiscard]] const std::vector<TestnetNode>& nodes() const { return nodes_; }
    [[nodiscard]] std::size_t validators() const;
    [[nodiscard]] std::size_t observers() const { return nodes_.size() - validators(); }
    /// Says which names there are, if there is no such node.
    [[nodiscard]] Result<const TestnetNode*> find(const std::string& name) const;
    /// All of them, or those of these names.
    [[nodiscard]] Result<std::vector<TestnetNode>> select(const std::vector<std::string>& names) const;

 private:
    std::filesystem::path root_;
    std::vector<TestnetNode> nodes_;
};

/// Held while a command starts or stops nodes of a directory: two at once would start the same node twice.
/// Waits up to ten seconds for another one.
[[nodiscard]] Result<Descriptor> lock_testnet(const std::filesystem::path& root);

}  // namespace monodon::tools
