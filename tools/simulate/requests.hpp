#pragma once

#include "net/rpc/request_window.hpp"
#include "net/rpc/served_requests.hpp"
#include "tools/simulate/packet.hpp"

namespace monodon::sim {

/// What one member asks of one peer over one connection, as a session of net/rpc keeps it: ids, windows, what
/// waits for a place, what is late.
class Asking {
 public:
    struct Open {
        dag::RequestId name;
        dag::RequestBody body;
    };

    /// `connection` is another number for each connection of this member; diallers have odd ids.
    Asking(std::uint64_t connection, bool dialler);

    /// False if the queue before the window is full.
    [[nodiscard]] bool add(dag::RequestId name, const dag::RequestBody& body, Time deadline);
    /// What may be sent; call until nothing is left, after every change.
    [[nodiscard]] std::optional<Request> next();
    /// The request that this reply answers; nothing if it comes late, or was not asked for, or belongs to
    /// another connection.
    [[nodiscard]] std::optional<Open> answered(const Reply& reply);
    /// What is past its deadline.
    [[nodiscard]] std::vector<dag::RequestId> expire(Time now);
    /// The connection is gone: everything that was open.
    [[nodiscard]] std::vector<dag::RequestId> end();

    [[nodiscard]] std::size_t open() const { return window_.open(); }
    [[nodiscard]] std::size_t waiting() const { return window_.waiting(); }

 private:
    std::uint64_t connection_;
    net::RequestWindow window_;
    std::map<dag::RequestId, dag::RequestBody> bodies_;
};

/// What one peer asks of a member over its newest connection.
class Answering {
 public:
    explicit Answering(bool peer_dials) : peer_dials_(peer_dials), served_(peer_dials, {}) {}

    /// Whether it is to be answered. If not, `broken` says which rule of the session it breaks; nothing for a
    /// request of an older connection.
    [[nodiscard]] bool begin(const Request& request, Time now, std::optional<std::string>& broken);
    /// The answer has left.
    void finish(std::uint64_t id) { (void)served_.take(id); }

 private:
    bool peer_dials_;
    std::uint64_t connection_ = 0;
    net::ServedRequests served_;
};

}  // namespace monodon::sim
