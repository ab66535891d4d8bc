#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "net/core/expected.hpp"
#include "net/core/keys.hpp"
#include "net/peers/network.hpp"

namespace monodon::net {

struct ClientConfig {
    /// `host:port`.
    std::string address = {};
    /// Refuse any other peer, if given.
    std::optional<PeerId> expected = std::nullopt;
    /// Empty: whatever chain the node is on.
    std::string chain_id = {};
    /// All zero: whatever genesis the node has.
    Digest genesis = {};
    std::string agent = "monodon-client";
    Duration connect = std::chrono::seconds(2);
    Duration greeting = std::chrono::seconds(10);
};

/// One connection to one node with an identity made for it, for tools: pipelined requests, nothing else.
/// Thread-safe. When the connection ends every open request fails with `disconnected`; connecting again is
/// the caller's business, with a new client.
class Client {
 public:
    using Connected = std::function<void(Expected<std::shared_ptr<Client>, std::string>)>;

    /// Calls back once, on the executor, with the client or with the reason in words.
    static void connect(boost::asio::any_io_executor executor, ClientConfig config, Connected callback);
    /// Closes the connection.
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// As Network::request().
    RequestId request(MessageClass message_class, Method method, SharedBytes payload, Duration deadline,
                      ReplyCallback callback);
    void cancel(RequestId request);
    [[nodiscard]] bool connected() const;
    /// Calls back once, on the executor, when the connection has ended, with the reason in words.
    void on_closed(std::function<void(std::string)> callback);
    void close();

    [[nodiscard]] const PeerId& peer() const;
    [[nodiscard]] const std::string& chain_id() const;
    [[nodiscard]] const Digest& genesis() const;

 private:
    class Impl;
    explicit Client(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace monodon::net
