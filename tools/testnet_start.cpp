#include "tools/testnet_start.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <random>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "node/config.hpp"
#include "node/genesis.hpp"
#include "node/home.hpp"
#include "node/host_port.hpp"

namespace monodon::tools {

namespace fs = std::filesystem;

namespace {

constexpr int kBacklog = 128;
constexpr auto kPortPatience = std::chrono::seconds(2);
constexpr auto kPortPoll = std::chrono::milliseconds(50);
/// As many as the committee's bitmasks hold.
constexpr unsigned kValidatorsMax = 128;
/// As many as a validator has places for, unless its settings say otherwise.
constexpr unsigned kObserversMax = 32;

std::string local_chain_id() {
    std::random_device random;
    return fmt::format("local-{:08x}", random());
}

std::string loopback(const Descriptor& listener) { return fmt::format("127.0.0.1:{}", port_of(listener)); }

Result<Descriptor> try_listen(std::uint16_t port) {
    Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // The option lets a port be bound again whose connections have only just ended.
    if (!listener || ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), kBacklog) != 0) {
        return failure(kExitFailed,
                       fmt::format("cannot listen on 127.0.0.1:{}: {}{}", port, std::strerror(errno),
                                   errno == EADDRINUSE ? "; find who does with `ss -ltnp`" : ""));
    }
    return listener;
}

Result<void> save_genesis(const TestnetDir& testnet, std::vector<node::GenesisMember> members) {
    const auto genesis =
        node::Genesis::make(local_chain_id(), dag::Epoch{0}, dag::OrderingConfig{}, std::move(members));
    if (!genesis) return failure(kExitFailed, genesis.error());
    std::vector<fs::path> files{testnet.genesis()};
    for (const TestnetNode& node : testnet.nodes()) files.push_back(testnet.home(node.name).genesis());
    for (const fs::path& file : files) {
        if (auto saved = genesis->save(file); !saved) return failure(kExitFailed, saved.error());
    }
    return {};
}

Result<void> check(const std::vector<std::string>& settings) {
    const auto config = node::Config::load({std::nullopt, {}, settings});
    if (config) return {};
    return failure(node::kExitConfiguration, fmt::format("{}", fmt::join(config.error(), "\nmonodon: ")));
}

TestnetNode observer(std::size_t index) { return {fmt::format("o{}", index), {}, {}, {}, true}; }

/// Takes free ports and notes them.
Result<Listeners> listen_first(TestnetNode& node, bool api) {
    Listeners sockets;
    auto peer = listen_on_loopback(0);
    if (!peer) return Unexpected{peer.error()};
    sockets.peer = std::move(*peer);
    node.peer_address = loopback(sockets.peer);
    if (!api) return sockets;
    auto opened = listen_on_loopback(0);
    if (!opened) return Unexpected{opened.error()};
    sockets.api = std::move(*opened);
    node.api_address = loopback(sockets.api);
    return sockets;
}

Result<PeerId> make_home(const TestnetDir& testnet, const TestnetNode& node) {
    std::vector<std::pair<std::string, std::string>> set;
    if (node.observer) {
        // It has no name in the genesis file.
        set = {{"node.role", "\"observer\""}, {"node.name", fmt::format("\"{}\"", node.name)}};
    }
    const auto home = node::init_home(testnet.home(node.name).root, set);
    if (!home) return failure(kExitFailed, home.error());
    return home->peer;
}

/// Keys and stores are of one chain, and a new genesis file would be of another.
Result<void> check_unused(const TestnetDir& testnet) {
    const std::string root = testnet.root().string();
    std::error_code ignored;
    if (fs::exists(root, ignored) && !fs::is_directory(root, ignored)) {
        return failure(kExitUsage, fmt::format("{} is no directory", root));
    }
    std::vector<std::string> held;
    if (fs::exists(testnet.genesis(), ignored)) held.push_back(testnet.genesis().filename().string());
    for (const TestnetNode& node : testnet.nodes()) {
        const node::HomePaths home = testnet.home(node.name);
        if (fs::exists(home.key(), ignored) || fs::exists(home.consensus(), ignored))
            held.push_back(node.name);
    }
    if (held.empty()) return {};
    return failure(kExitUsage,
                   fmt::format("{0} holds {1} of a committee, but no testnet.json with its addresses: "
                               "put that file back, take another --dir, or remove {0} to make a new "
                               "committee",
                               root, fmt::join(held, ", ")));
}

/// Everybody has the addresses of the first members, as seeds, and nobody's otherwise.
void know_only(TestnetDir& testnet, std::vector<node::GenesisMember>& members, unsigned seeds) {
    std::vector<std::string> known;
    for (node::GenesisMember& member : members) {
        if (known.size() < seeds) known.push_back(member.addresses.front());
        member.addresses.clear();
    }
    for (TestnetNode& node : testnet.nodes())
        lay_over(node.settings, fmt::format("net.seeds={}", fmt::join(known, ",")));
}

}  // namespace

std::uint16_t port_of(const Descriptor& listener) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    return ntohs(address.sin_port);
}

Result<Descriptor> listen_on_loopback(std::uint16_t port) {
    const auto deadline = std::chrono::steady_clock::now() + kPortPatience;
    for (;;) {
        auto listener = try_listen(port);
        if (listener || std::chrono::steady_clock::now() > deadline) return listener;
        std::this_thread::sleep_for(kPortPoll);
    }
}

Result<TestnetDir> plan_testnet(const TestnetUp& options) {
    const unsigned count = options.validators.value_or(4);
    if (count == 0 || count > kValidatorsMax) {
        return failure(kExitUsage,
                       fmt::format("-n {}: a committee has 1 to {} validators", count, kValidatorsMax));
    }
    if (options.seeds && (*options.seeds == 0 || *options.seeds > count)) {
        return failure(kExitUsage,
                       fmt::format("--seeds {}: 1 to {} of the validators", *options.seeds, count));
    }
    TestnetDir testnet(options.dir);
    for (unsigned index = 0; index < count; ++index) {
        testnet.nodes().push_back({fmt::format("v{}", index), {}, {}, {}});
    }
    const unsigned observers = options.observers.value_or(0);
    if (observers > kObserversMax) {
        return failure(kExitUsage, fmt::format("--observers {}: at most {}", observers, kObserversMax));
    }
    for (unsigned index = 0; index < observers; ++index) testnet.nodes().push_back(observer(index));
    if (auto unused = check_unused(testnet); !unused) return Unexpected{unused.error()};
    if (auto applied = apply_options(testnet, options); !applied) return Unexpected{applied.error()};
    return testnet;
}

Result<std::vector<Listeners>> make_testnet(TestnetDir& testnet, bool api, std::optional<unsigned> seeds) {
    std::vector<Listeners> listeners;
    for (TestnetNode& node : testnet.nodes()) {
        auto sockets = listen_first(node, api);
        if (!sockets) return Unexpected{sockets.error()};
        listeners.push_back(std::move(*sockets));
    }
    std::vector<node::GenesisMember> members;
    for (const TestnetNode& node : testnet.nodes()) {
        const auto peer = make_home(testnet, node);
        if (!peer) return Unexpected{peer.error()};
        if (!node.observer) members.push_back({node.name, *peer, 1, {node.peer_address}});
    }
    if (seeds) know_only(testnet, members, *seeds);
    if (auto saved = save_genesis(testnet, std::move(members)); !saved) return Unexpected{saved.error()};
    return listeners;
}

Result<std::vector<Listeners>> add_observers(TestnetDir& testnet, unsigned observers, bool api) {
    if (observers < testnet.observers() || observers > kObserversMax) {
        return failure(kExitUsage,
                       fmt::format("--observers {}: {} has {} already, and may have {}", observers,
                                   testnet.root().string(), testnet.observers(), kObserversMax));
    }
    const auto genesis = node::Genesis::load(testnet.genesis());
    if (!genesis) return failure(kExitConfiguration, genesis.error());
    std::vector<Listeners> listeners;
    while (testnet.observers() < observers) {
        TestnetNode node = observer(testnet.observers());
        // What it begins with where the genesis file has no addresses.
        for (const std::string& setting : testnet.nodes().front().settings) {
            if (setting.starts_with("net.seeds=")) node.settings.push_back(setting);
        }
        auto sockets = listen_first(node, api);
        if (!sockets) return Unexpected{sockets.error()};
        if (const auto peer = make_home(testnet, node); !peer) return Unexpected{peer.error()};
        if (auto saved = genesis->save(testnet.home(node.name).genesis()); !saved) {
            return failure(kExitFailed, saved.error());
        }
        listeners.push_back(std::move(*sockets));
        testnet.nodes().push_back(std::move(node));
    }
    return listeners;
}

Result<Listeners> listen_again(const TestnetNode& node) {
    Listeners sockets;
    for (auto [address, listener] :
         {std::pair{&node.peer_address, &sockets.peer}, {&node.api_address, &sockets.api}}) {
        if (address->empty()) continue;
        const auto at = node::parse_host_port(*address);
        if (!at)
            return failure(kExitConfiguration, fmt::format("{} of {} is no address", *address, node.name));
        auto opened = listen_on_loopback(at->port);
        if (!opened) return failure(kExitFailed, fmt::format("{}: {}", node.name, opened.error().message));
        *listener = std::move(*opened);
    }
    return sockets;
}

Result<ProcessId> start_node(const TestnetDir& testnet, const TestnetNode& node, const Listeners& listeners) {
    const node::HomePaths home = testnet.home(node.name);
    DaemonPlan plan{own_program(), {"run", "--home", home.root.string()}, home.log(), {}};
    const auto hand_over = [&plan](const char* option, const Descriptor& listener) {
        plan.arguments.emplace_back(option);
        plan.arguments.push_back(
            std::to_string(kFirstHandedDescriptor + static_cast<int>(plan.descriptors.size())));
        plan.descriptors.push_back(listener.get());
    };
    hand_over("--listen-fd", listeners.peer);
    if (listeners.api) {
        hand_over("--api-fd", listeners.api);
    } else {
        plan.arguments.insert(plan.arguments.end(), {"--set", "api.listen="});
    }
    for (const std::string& setting : node.settings) {
        plan.arguments.insert(plan.arguments.end(), {"--set", setting});
    }
    auto process = spawn_daemon(plan);
    if (!process) return process;
    if (auto noted = write_pid_file(testnet.pid_file(node.name), *process); !noted) {
        send_signal(*process, SIGKILL);
        return Unexpected{noted.error()};
    }
    return process;
}

Result<void> apply_options(TestnetDir& testnet, const TestnetUp& options) {
    for (const auto* names : {&options.without, &options.only}) {
        if (const auto selected = testnet.select(*names); !selected) return Unexpected{selected.error()};
    }
    for (TestnetNode& node : testnet.nodes()) {
        for (const std::string& setting : options.settings) lay_over(node.settings, setting);
    }
    for (const std::string& line : options.node_settings) {
        const auto colon = line.find(':');
        if (colon == std::string::npos) {
            return failure(kExitUsage, fmt::format("--node-set {}: write NAME:KEY=VALUE, for example "
                                                   "{}:log.level=debug",
                                                   line, testnet.nodes().front().name));
        }
        const auto node = std::ranges::find(testnet.nodes(), line.substr(0, colon), &TestnetNode::name);
        if (node == testnet.nodes().end()) {
            return failure(kExitUsage, fmt::format("--node-set {}: {}", line,
                                                   testnet.find(line.substr(0, colon)).error().message));
        }
        lay_over(node->settings, line.substr(colon + 1));
    }
    for (const TestnetNode& node : testnet.nodes()) {
        if (auto checked = check(node.settings); !checked) return checked;
    }
    return {};
}

}  // namespace monodon::tools
