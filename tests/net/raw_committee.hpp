#pragma once

#include <memory>

#include <catch2/catch.hpp>

#include "net/rpc/rpc_failure.hpp"
#include "tests/net/raw_peer.hpp"

namespace monodon::net::test {

inline constexpr Duration kSoon = std::chrono::seconds(5);

/// A committee of three of which the first two are real nodes and the third is the raw peer.
struct RawCommittee {
    explicit RawCommittee(const std::function<void(NetworkConfig&)>& change = {})
        : committee(3, [change](std::size_t /*index*/, NetworkConfig& config) {
              // The real node in the third place is stopped, and nobody dials it.
              if (config.members.size() == 3) config.members[2].addresses.clear();
              if (change) change(config);
          }) {
        committee[2].stop();
        eventually([this] { return committee[0].network().connected(committee[1].id()); });
    }
    [[nodiscard]] std::unique_ptr<RawPeer> peer() {
        return std::make_unique<RawPeer>(committee.ports[0], committee.keys[2]);
    }
    [[nodiscard]] std::unique_ptr<RawPeer> greeted(Role role = Role::member) {
        auto raw = peer();
        raw->greet(committee.config_of(2), role);
        return raw;
    }
    Node& node() { return committee[0]; }
    [[nodiscard]] PeerId raw_id() const { return committee.keys[2].peer_id(); }
    [[nodiscard]] std::string last_error() { return node().status_of(raw_id()).last_error; }

    /// The node ends the connection for a violation, with these words.
    bool refused(RawPeer& raw, const std::string& words) {
        const auto reason = raw.read_to_end();
        CHECK(reason == GoawayReason::protocol_violation);
        return eventually([&] { return last_error().find(words) != std::string::npos; });
    }

    Committee committee;
};

inline RpcFailure failure_of(const std::optional<RawPeer::Got>& got) {
    REQUIRE(got);
    REQUIRE(got->header.type == FrameType::error);
    const auto failure = decode_failure(got->payload);
    REQUIRE(failure);
    return *failure;
}

}  // namespace monodon::net::test
