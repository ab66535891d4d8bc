#pragma once

#include <functional>
#include <vector>

#include "tools/simulate/packet.hpp"
#include "tools/simulate/queue.hpp"
#include "tools/simulate/random.hpp"

namespace monodon::sim {

/// How all links of a run behave.
struct LinkRule {
    Duration delay = std::chrono::microseconds(500);
    Duration jitter = std::chrono::microseconds(200);
    unsigned loss_percent = 0;
    unsigned duplicate_percent = 0;
    /// Packets may overtake one another; otherwise a link keeps their order.
    bool reorder = false;
    /// Of each node's outgoing side; 0 is unlimited.
    std::uint64_t bytes_per_second = 0;
};

struct NetworkCounts {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t overtaken = 0;
    std::uint64_t queued = 0;
};

/// The links between all nodes, one in each direction.
class Network {
 public:
    using Receive = std::function<void(NodeId from, NodeId to, const Packet& packet)>;

    Network(EventQueue& queue, std::size_t nodes, LinkRule rule, Random random, Receive receive);

    void send(NodeId from, NodeId to, Packet packet);

    /// Nothing gets through in this direction until it is called with false as often.
    void block(NodeId from, NodeId to, bool blocked);
    [[nodiscard]] bool is_blocked(NodeId from, NodeId to) const { return link(from, to).blocked > 0; }
    /// Everything a node sends takes this much longer.
    void set_slow(NodeId node, Duration extra) { senders_.at(node).extra = extra; }
    [[nodiscard]] Duration slow(NodeId node) const { return senders_.at(node).extra; }
    /// Nothing that a node sends arrives.
    void set_silent(NodeId node, bool silent) { senders_.at(node).silent = silent; }
    [[nodiscard]] bool is_silent(NodeId node) const { return senders_.at(node).silent; }
    /// Only delays are left.
    void heal();

    [[nodiscard]] const LinkRule& rule() const { return rule_; }
    [[nodiscard]] const NetworkCounts& counts() const { return counts_; }

 private:
    struct Link {
        unsigned blocked = 0;
        Time last_arrival{};
    };
    struct Sender {
        Duration extra{0};
        bool silent = false;
        Time free{};
    };
    [[nodiscard]] const Link& link(NodeId from, NodeId to) const {
        return links_.at(from * senders_.size() + to);
    }
    [[nodiscard]] Link& link(NodeId from, NodeId to) { return links_.at(from * senders_.size() + to); }
    void carry(NodeId from, NodeId to, const Packet& packet, std::size_t bytes);

    EventQueue& queue_;
    LinkRule rule_;
    Random random_;
    Receive receive_;
    std::vector<Sender> senders_;
    std::vector<Link> links_;
    NetworkCounts counts_;
};

}  // namespace monodon::sim
