#include "tests/bench/network_pair.hpp"

#include <future>

#include "tests/bench/figures.hpp"
#include "tests/eventually.hpp"

namespace monodon::bench {

namespace {

constexpr std::chrono::seconds kPatience{20};
/// More than the machine can do: what is measured is the connection, not the limits of rates, which would
/// keep bulk from saturating it.
constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 40;

void end(net::Network& network) {
    std::promise<void> done;
    network.stop([&done] { done.set_value(); });
    if (done.get_future().wait_for(kPatience) != std::future_status::ready)
        give_up("a network does not stop");
}

}  // namespace

NetworkPair::NetworkPair() = default;

NetworkPair::~NetworkPair() {
    stop();
    left_.threads.join();
    right_.threads.join();
}

void NetworkPair::stop() {
    if (std::exchange(stopped_, true)) return;
    if (left_.network) end(*left_.network);
    if (right_.network) end(*right_.network);
}

net::NetworkConfig NetworkPair::config(const std::string& address_of_right) const {
    net::NetworkConfig config;
    config.chain_id = "bench";
    config.limits.loopback_exempt = true;
    config.limits.member_requests_per_second = 1'000'000'000;
    config.limits.member_bytes_per_second = kUnlimited;
    config.limits.member_bytes_burst = kUnlimited;
    config.limits.member_items_share = 1e6;
    config.members.push_back({left_id(), {}});
    config.members.push_back({right_id(), {}});
    if (!address_of_right.empty()) config.members.back().addresses.push_back(address_of_right);
    return config;
}

std::uint16_t NetworkPair::start_right(net::Handlers handlers) {
    right_.network = std::make_unique<net::Network>(right_.threads.get_executor(), config(""), right_.key,
                                                    std::move(handlers));
    const auto port = right_.network->start();
    if (!port) give_up(port.error());
    return *port;
}

void NetworkPair::start_left(net::Handlers handlers, std::uint16_t port) {
    left_.network = std::make_unique<net::Network>(left_.threads.get_executor(),
                                                   config("127.0.0.1:" + std::to_string(port)), left_.key,
                                                   std::move(handlers));
    if (const auto started = left_.network->start(); !started) give_up(started.error());
    const auto connected = [this] { return left().connected(right_id()) && right().connected(left_id()); };
    if (!test::eventually(connected, kPatience)) give_up("the two do not connect");
}

std::uint64_t NetworkPair::bytes_to_right() const {
    for (const net::PeerStatus& status : left_.network->peers()) {
        if (status.peer == right_id()) return status.bytes_out;
    }
    return 0;
}

}  // namespace monodon::bench
