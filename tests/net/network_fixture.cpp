#include "tests/net/network_fixture.hpp"

#include <future>

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/eventually.hpp"

namespace monodon::net::test {

Threads::Threads(unsigned count) : work_(context_.get_executor()) {
    for (unsigned at = 0; at < count; ++at) threads_.emplace_back([this] { context_.run(); });
}

Threads::~Threads() {
    context_.stop();
    for (std::thread& thread : threads_) thread.join();
}

bool eventually(const std::function<bool()>& condition) {
    return monodon::test::eventually(condition, kPatience);
}

ReplyCallback Answer::callback() {
    return [state = state_](Expected<SharedBytes, RpcFailure> result) {
        const std::lock_guard lock(state->mutex);
        ++state->calls;
        state->result = std::move(result);
        state->changed.notify_all();
    };
}

Expected<SharedBytes, RpcFailure> Answer::get() {
    std::unique_lock lock(state_->mutex);
    const bool came =
        state_->changed.wait_for(lock, kPatience, [this] { return state_->result.has_value(); });
    if (!came) FAIL("no answer came");
    return *state_->result;
}

bool Answer::ready() const { return calls() > 0; }

int Answer::calls() const {
    const std::lock_guard lock(state_->mutex);
    return state_->calls;
}

Node::Node(Threads& threads, NetworkConfig config, const KeyPair& key) : id_(key.peer_id()) {
    Handlers handlers;
    handlers.on_notice = [log = log_](const PeerId& peer, Method method, SharedBytes payload) {
        const std::lock_guard lock(log->mutex);
        log->notices.push_back({peer, method, std::make_shared<const Bytes>(*payload)});
        if (log->hold) log->held.push_back(std::move(payload));
    };
    handlers.on_request = [log = log_](const PeerId& peer, Role role, Method method, SharedBytes payload,
                                       Replier replier) {
        Asked asked{peer, role, method, std::move(payload), std::move(replier)};
        std::function<void(const Asked&)> serve;
        {
            const std::lock_guard lock(log->mutex);
            serve = log->serve;
            if (!serve) log->requests.push_back(std::move(asked));
        }
        if (serve) serve(asked);
    };
    handlers.on_peer = [log = log_](const PeerId& /*peer*/, Role role, bool connected) {
        const std::lock_guard lock(log->mutex);
        if (role == Role::member) log->peer_events.push_back(connected);
    };
    network_ = std::make_unique<Network>(threads.executor(), std::move(config), key, std::move(handlers));
}

Node::~Node() { stop(); }

std::uint16_t Node::start() {
    const auto port = network_->start();
    if (!port) FAIL(port.error());
    return *port;
}

void Node::stop() {
    if (std::exchange(stopped_, true)) return;
    std::promise<void> done;
    network_->stop([&done] { done.set_value(); });
    if (done.get_future().wait_for(kPatience) != std::future_status::ready) FAIL("the network does not stop");
    // Repliers that were never answered.
    const std::lock_guard lock(log_->mutex);
    log_->requests.clear();
}

std::vector<Received> Node::notices() const {
    const std::lock_guard lock(log_->mutex);
    return log_->notices;
}

void Node::hold_notices(bool hold) {
    std::vector<SharedBytes> released;
    const std::lock_guard lock(log_->mutex);
    log_->hold = hold;
    if (!hold) released.swap(log_->held);
}

std::size_t Node::notice_count() const {
    const std::lock_guard lock(log_->mutex);
    return log_->notices.size();
}

Asked Node::next_request() {
    std::optional<Asked> asked;
    eventually([&] {
        const std::lock_guard lock(log_->mutex);
        if (log_->requests.empty()) return false;
        asked = std::move(log_->requests.front());
        log_->requests.erase(log_->requests.begin());
        return true;
    });
    if (!asked) FAIL("no request came");
    return *asked;
}

std::size_t Node::requests_waiting() const {
    const std::lock_guard lock(log_->mutex);
    return log_->requests.size();
}

void Node::serve(std::function<void(const Asked&)> handler) {
    const std::lock_guard lock(log_->mutex);
    log_->serve = std::move(handler);
}

PeerStatus Node::status_of(const PeerId& peer) const {
    for (const PeerStatus& status : network_->peers()) {
        if (status.peer == peer) return status;
    }
    return {};
}

std::vector<bool> Node::peer_events() const {
    const std::lock_guard lock(log_->mutex);
    return log_->peer_events;
}

BoundPort bind_loopback(std::uint16_t port) {
    BoundPort bound;
    bound.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    ::setsockopt(bound.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::bind(bound.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) FAIL("cannot bind");
    socklen_t size = sizeof address;
    ::getsockname(bound.fd, reinterpret_cast<sockaddr*>(&address), &size);
    bound.port = ntohs(address.sin_port);
    return bound;
}

Committee::Committee(std::size_t size, const std::function<void(std::size_t, NetworkConfig&)>& with)
    : change(with) {
    std::vector<int> sockets;
    for (std::size_t at = 0; at < size; ++at) {
        const BoundPort bound = bind_loopback();
        keys.push_back(KeyPair::generate());
        ports.push_back(bound.port);
        sockets.push_back(bound.fd);
    }
    for (std::size_t at = 0; at < size; ++at) {
        NetworkConfig config = config_of(at);
        config.listen_fd = sockets[at];
        nodes.push_back(std::make_unique<Node>(threads, std::move(config), keys[at]));
    }
    for (const auto& node : nodes) node->start();
}

Committee::~Committee() {
    for (const auto& node : nodes) {
        if (node) node->stop();
    }
    nodes.clear();
}

NetworkConfig Committee::config_of(std::size_t index) const {
    NetworkConfig config;
    config.chain_id = "test";
    config.genesis = sha256(as_bytes("genesis"));
    config.committee = sha256(as_bytes("committee"));
    config.limits.loopback_exempt = true;
    for (std::size_t at = 0; at < keys.size(); ++at) {
        config.members.push_back({keys[at].peer_id(), {"127.0.0.1:" + std::to_string(ports[at])}});
    }
    if (change) change(index, config);
    return config;
}

void Committee::restart(std::size_t index) {
    NetworkConfig config = config_of(index);
    config.listen_fd = bind_loopback(ports[index]).fd;
    nodes[index] = std::make_unique<Node>(threads, std::move(config), keys[index]);
    nodes[index]->start();
}

bool Committee::all_connected() {
    return eventually([this] {
        for (const auto& node : nodes) {
            for (const auto& other : nodes) {
                if (node == other) continue;
                // One connection, seen from both ends.
                const PeerStatus there = node->status_of(other->id());
                const PeerStatus back = other->status_of(node->id());
                if (!there.connected || !back.connected || there.outbound == back.outbound) return false;
            }
        }
        return true;
    });
}

SharedBytes bytes_of(std::size_t size, Byte value) { return std::make_shared<const Bytes>(size, value); }

SharedBytes text_of(std::string_view text) {
    return std::make_shared<const Bytes>(as_bytes(text).begin(), as_bytes(text).end());
}

namespace {

Expected<std::shared_ptr<Client>, std::string> try_client(Threads& threads, ClientConfig config) {
    auto promise = std::make_shared<std::promise<Expected<std::shared_ptr<Client>, std::string>>>();
    auto future = promise->get_future();
    Client::connect(threads.executor(), std::move(config),
                    [promise](Expected<std::shared_ptr<Client>, std::string> result) {
                        promise->set_value(std::move(result));
                    });
    if (future.wait_for(kPatience) != std::future_status::ready)
        FAIL("the client neither connects nor fails");
    return future.get();
}

}  // namespace

std::shared_ptr<Client> connect_client(Threads& threads, ClientConfig config) {
    auto result = try_client(threads, std::move(config));
    if (!result) FAIL(result.error());
    return *result;
}

std::string client_refusal(Threads& threads, ClientConfig config) {
    const auto result = try_client(threads, std::move(config));
    return result ? "connected" : result.error();
}

}  // namespace monodon::net::test
