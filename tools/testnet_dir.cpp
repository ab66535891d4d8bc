#include "tools/testnet_dir.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>

#include "node/files.hpp"
#include "tools/json_read.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

constexpr std::size_t kTestnetBytesMax = 1024 * 1024;
constexpr auto kLockPatience = std::chrono::seconds(10);
constexpr auto kLockPoll = std::chrono::milliseconds(50);

std::filesystem::path description_of(const std::filesystem::path& root) { return root / "testnet.json"; }

/// A name becomes a directory and a word of commands.
bool is_node_name(const std::string& name) {
    return !name.empty() && name.size() <= 32 && name.front() != '.' && name.find('/') == std::string::npos;
}

}  // namespace

bool TestnetDir::exists(const std::filesystem::path& root) {
    std::error_code error;
    return std::filesystem::exists(description_of(root), error);
}

Result<TestnetDir> TestnetDir::load(const std::filesystem::path& root) {
    const std::filesystem::path file = description_of(root);
    if (!exists(root)) {
        return failure(kExitFailed,
                       fmt::format("{} is no testnet: make one with `monodon testnet up -n 4 --dir {}`",
                                   root.string(), root.string()));
    }
    const auto content = node::read_file(file, kTestnetBytesMax);
    if (!content) return failure(kExitConfiguration, content.error());
    boost::system::error_code error;
    const json::value description = json::parse(*content, error);
    if (error) return failure(kExitConfiguration, fmt::format("{}: {}", file.string(), error.message()));

    TestnetDir testnet(root);
    for (const json::value& item : items(as_object(description), "nodes")) {
        const json::object& object = as_object(item);
        TestnetNode node{text(object, "name"),
                         text(object, "peer"),
                         text(object, "api"),
                         {},
                         text(object, "role") == "observer"};
        if (!is_node_name(node.name)) {
            return failure(kExitConfiguration,
                           fmt::format("{}: a node without a usable name", file.string()));
        }
        for (const json::value& setting : items(object, "settings")) {
            if (setting.is_string()) node.settings.emplace_back(setting.get_string());
        }
        testnet.nodes_.push_back(std::move(node));
    }
    if (testnet.nodes_.empty())
        return failure(kExitConfiguration, fmt::format("{}: no nodes", file.string()));
    return testnet;
}

Result<void> TestnetDir::save() const {
    json::array list;
    for (const TestnetNode& node : nodes_) {
        json::array settings;
        for (const std::string& setting : node.settings) settings.emplace_back(setting);
        list.push_back(json::object{{"name", node.name},
                                    {"role", node.observer ? "observer" : "validator"},
                                    {"peer", node.peer_address},
                                    {"api", node.api_address},
                                    {"settings", std::move(settings)}});
    }
    const std::string content =
        json::serialize(json::object{{"version", 1}, {"nodes", std::move(list)}}) + "\n";
    if (auto saved = node::replace_file(description_of(root_), content, 0644); !saved) {
        return failure(kExitFailed, saved.error());
    }
    return {};
}

std::size_t TestnetDir::validators() const {
    return static_cast<std::size_t>(
        std::ranges::count(nodes_, false, [](const TestnetNode& node) { return node.observer; }));
}

std::optional<ProcessId> TestnetDir::process(const std::string& name) const {
    const auto process = read_pid_file(pid_file(name));
    if (!process || state_of(*process) == ProcessState::gone) return std::nullopt;
    return process;
}

Result<const TestnetNode*> TestnetDir::find(const std::string& name) const {
    std::vector<std::string> names;
    for (const TestnetNode& node : nodes_) {
        if (node.name == name) return &node;
        names.push_back(node.name);
    }
    return failure(kExitUsage, fmt::format("{} has no node {}; there are {}", root_.string(), name,
                                           fmt::join(names, ", ")));
}

Result<std::vector<TestnetNode>> TestnetDir::select(const std::vector<std::string>& names) const {
    if (names.empty()) return nodes_;
    std::vector<TestnetNode> selected;
    for (const std::string& name : names) {
        const auto found = find(name);
        if (!found) return Unexpected{found.error()};
        selected.push_back(**found);
    }
    return selected;
}

Result<Descriptor> lock_testnet(const std::filesystem::path& root) {
    const std::filesystem::path file = root / "testnet.lock";
    Descriptor lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock) return failure(kExitFailed, fmt::format("{}: {}", file.string(), std::strerror(errno)));
    const auto deadline = std::chrono::steady_clock::now() + kLockPatience;
    while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (std::chrono::steady_clock::now() > deadline) {
            return failure(kExitHomeInUse,
                           fmt::format("another command works on {}; wait for it to end", root.string()));
        }
        std::this_thread::sleep_for(kLockPoll);
    }
    return lock;
}

}  // namespace monodon::tools
