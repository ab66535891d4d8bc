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

/// The committee that the options describe, without addresses, and with nothing written yet. Refuses settings
/// that no node would start with, names of nodes that it has not, and a directory with homes or a genesis
/// file.
[[nodiscard]] Result<TestnetDir> plan_testnet(const TestnetUp& options);
/// Makes a planned committee: listeners, then keys, homes and genesis. The listeners are those of its nodes,
/// in order; their addresses go into the nodes.
/// With `seeds`, the first so many are what all know, and the genesis file has no addresses.
[[nodiscard]] Result<std::vector<Listeners>> make_testnet(TestnetDir& testnet, bool api,
                                                          std::optional<unsigned> seeds);
/// Makes the observers that a testnet lacks to have so many; the listeners are those of the new nodes, which
/// are its last.
[[nodiscard]] Result<std::vector<Listeners>> add_observers(TestnetDir& testnet, unsigned observers, bool api);
/// The listeners of a node at the ports it has.
[[nodiscard]] Result<Listeners> listen_again(const TestnetNode& node);

/// Starts `monodon run` for one node and notes its process.
[[nodiscard]] Result<ProcessId> start_node(const TestnetDir& testnet, const TestnetNode& node,
                                           const Listeners& listeners);

/// Checks the names of nodes in the options, and lays their settings over those of the nodes, checked as the
/// node will check them.
[[nodiscard]] Result<void> apply_options(TestnetDir& testnet, const TestnetUp& options);

}  // namespace monodon::tools
