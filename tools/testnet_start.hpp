#pragma once

#include <vector>

#include "tools/testnet.hpp"
#include "tools/testnet_dir.hpp"

namespace monodon::tools {

/// The sockets one node is to listen on.
struct Listeners {
    Descriptor peer;
    Descriptor api;
};

/// Binds and listens, so that the port is ours from here on: connections wait until the node accepts them.
/// Port 0 takes a free one. A port that is taken is tried again for two seconds.
[[nodiscard]] Result<Descriptor> listen_on_loopback(std::uint16_t port);
[[nodiscard]] std::uint16_t port_of(const Descriptor& listener);

/// Whether a node would start with the settings of the options.
[[nodiscard]] Result<void> check_settings(const TestnetUp& options);

/// A new committee in an empty or missing directory: keys, homes, genesis, addresses. The listeners are those
/// of its nodes, in order.
[[nodiscard]] Result<std::pair<TestnetDir, std::vector<Listeners>>> make_testnet(const TestnetUp& options);
/// The listeners of a node at the ports it has.
[[nodiscard]] Result<Listeners> listen_again(const TestnetNode& node);

/// Starts `monodon run` for one node and notes its process.
[[nodiscard]] Result<ProcessId> start_node(const TestnetDir& testnet, const TestnetNode& node,
                                           const Listeners& listeners);

/// The settings of every node with those of the options laid over, checked as the node will check them.
[[nodiscard]] Result<void> apply_settings(TestnetDir& testnet, const TestnetUp& options);

}  // namespace monodon::tools
