// Dials the first member of a genesis file as a member with a key of its own, which the committee does not
// have. Prints its peer id and how it was refused; exit code 1 if it was not.

#include <chrono>
#include <cstdio>
#include <thread>

#include <boost/asio/thread_pool.hpp>
#include <fmt/format.h>

#include "net/peers/network.hpp"
#include "node/genesis.hpp"
#include "tests/eventually.hpp"

namespace {

using namespace monodon;

net::NetworkConfig config_of(const node::Genesis& genesis) {
    net::NetworkConfig config;
    config.chain_id = genesis.committee().chain();
    config.genesis = genesis.digest();
    config.epoch = genesis.committee().epoch().value();
    config.committee = genesis.committee().digest();
    config.agent = "stranger";
    const node::GenesisMember& first = genesis.members().front();
    config.members.push_back({first.peer, first.addresses});
    return config;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: stranger GENESIS\n");
        return 2;
    }
    const auto genesis = node::Genesis::load(argv[1]);
    if (!genesis) {
        fmt::print(stderr, "{}\n", genesis.error());
        return 2;
    }
    const KeyPair key = KeyPair::generate();
    boost::asio::thread_pool pool(1);
    std::string refusal;
    {
        net::Handlers handlers;
        handlers.on_notice = [](const PeerId&, net::Method, const SharedBytes&) {};
        handlers.on_request = [](const PeerId&, net::Role, net::Method, const SharedBytes&,
                                 const net::Replier&) {};
        handlers.on_peer = [](const PeerId&, net::Role, bool) {};
        net::Network network(pool.get_executor(), config_of(*genesis), key, std::move(handlers));
        if (const auto port = network.start(); !port) {
            fmt::print(stderr, "{}\n", port.error());
            return 2;
        }
        (void)test::eventually([&] {
            refusal = network.peers().front().last_error;
            return refusal.find("not a member") != std::string::npos;
        });
    }
    pool.stop();
    pool.join();
    fmt::print("{} {}\n", key.peer_id().text(), refusal);
    return refusal.find("not a member") == std::string::npos ? 1 : 0;
}
