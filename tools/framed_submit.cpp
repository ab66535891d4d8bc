#include "tools/framed_submit.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "node/genesis.hpp"
#include "node/home.hpp"
#include "tools/testnet_dir.hpp"

namespace monodon::tools {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr auto kRedial = std::chrono::milliseconds(250);

SubmitOutcome outcome_of(const Expected<SharedBytes, net::RpcFailure>& result) {
    SubmitOutcome outcome;
    if (result) {
        auto reply = node::decode_submit_reply(**result);
        if (reply) {
            outcome.kind = SubmitOutcome::Kind::answered;
            outcome.reply = std::move(*reply);
        } else {
            outcome.error = "the answer cannot be read";
        }
        return outcome;
    }
    const net::RpcFailure& failure = result.error();
    outcome.error = net::name(failure.code);
    if (failure.code == net::RpcError::busy || failure.code == net::RpcError::rate_limited) {
        outcome.kind = SubmitOutcome::Kind::busy;
        outcome.retry_after = std::chrono::milliseconds(failure.detail);
    } else if (failure.code == net::RpcError::disconnected) {
        outcome.kind = SubmitOutcome::Kind::lost;
    }
    return outcome;
}

}  // namespace

Result<std::vector<SubmitTarget>> submit_targets(const Where& where) {
    const auto nodes = find_nodes(where);
    if (!nodes) return Unexpected{nodes.error()};
    const bool testnet = nodes->front().process.has_value();
    const fs::path file = node::HomePaths(nodes->front().home).genesis();
    const auto genesis = node::Genesis::load(file);
    if (!genesis) return failure(kExitConfiguration, genesis.error());

    if (testnet && !where.node.empty() && !genesis->index_of(where.node)) {
        return failure(
            kExitUsage,
            fmt::format("{} is an observer and takes no transactions: name a validator", where.node));
    }

    std::vector<SubmitTarget> targets;
    for (const node::GenesisMember& member : genesis->members()) {
        if (member.addresses.empty()) continue;
        const auto listed = std::ranges::find(*nodes, member.name, &NodeRef::name);
        if (testnet && (listed == nodes->end() || listed->process != ProcessState::running)) continue;
        targets.push_back({member.name, member.addresses.front(), member.peer});
    }
    if (targets.empty()) {
        return failure(kExitCannotConnect, "no validator runs; start them with `monodon testnet up`");
    }
    return targets;
}

SubmitChannel::SubmitChannel(asio::any_io_executor executor, SubmitTarget target)
    : executor_(std::move(executor)), target_(std::move(target)), redial_(executor_) {}

SubmitChannel::~SubmitChannel() {
    guard_.reset();
    if (client_) client_->close();
}

void SubmitChannel::open() { dial(); }

void SubmitChannel::dial() {
    net::ClientConfig config;
    config.address = target_.address;
    config.expected = target_.peer;
    net::Client::connect(executor_, std::move(config), [this, guard = std::weak_ptr(guard_)](auto result) {
        if (!guard.expired()) dialled(std::move(result));
    });
}

void SubmitChannel::dialled(Expected<std::shared_ptr<net::Client>, std::string> result) {
    if (!result) return lost(result.error());
    client_ = std::move(*result);
    trouble_.clear();
    client_->on_closed([this, guard = std::weak_ptr(guard_)](std::string why) {
        if (!guard.expired()) lost(std::move(why));
    });
    if (on_connected_) on_connected_();
}

void SubmitChannel::lost(std::string why) {
    if (client_) ++endings_[why];
    client_.reset();
    trouble_ = std::move(why);
    redial_.expires_after(kRedial);
    redial_.async_wait([this, guard = std::weak_ptr(guard_)](boost::system::error_code error) {
        if (!guard.expired() && !error) dial();
    });
}

void SubmitChannel::submit(node::Stage want, const std::vector<ByteView>& transactions, Duration deadline,
                           Callback callback) {
    if (!client_) {
        SubmitOutcome outcome;
        outcome.kind = SubmitOutcome::Kind::lost;
        outcome.error = trouble_;
        asio::post(executor_, [outcome, callback = std::move(callback), guard = std::weak_ptr(guard_)] {
            if (!guard.expired()) callback(outcome);
        });
        return;
    }
    client_->request(net::MessageClass::data, net::Method::submit_transactions,
                     node::encode_submit(want, transactions), deadline,
                     [callback = std::move(callback), guard = std::weak_ptr(guard_)](auto result) {
                         if (!guard.expired()) callback(outcome_of(result));
                     });
}

}  // namespace monodon::tools
