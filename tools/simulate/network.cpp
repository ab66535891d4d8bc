#include "tools/simulate/network.hpp"

#include "net/core/check.hpp"

namespace monodon::sim {

namespace {

constexpr std::size_t kEnvelope = 40;
/// What would wait longer for its turn is dropped: a node's outbox has a limit too.
constexpr Duration kOutbox = std::chrono::seconds(2);

std::size_t size_of_header(const dag::Header& header) {
    return 150 + header.payload.size() * dag::kPayloadEntryBytes + header.parents.size() * 34;
}

std::size_t size_of_certificate(const dag::Certificate& certificate) {
    return size_of_header(certificate.header) + 16 + certificate.signatures.size() * 64;
}

struct Size {
    std::size_t operator()(const std::shared_ptr<const dag::Header>& header) const {
        return size_of_header(*header);
    }
    std::size_t operator()(const std::shared_ptr<const dag::Vote>&) const { return 130; }
    std::size_t operator()(const std::shared_ptr<const dag::Certificate>& certificate) const {
        return size_of_certificate(*certificate);
    }
    std::size_t operator()(const Batch& batch) const { return batch.bytes->size(); }
    std::size_t operator()(const Ack&) const { return 32; }
    std::size_t operator()(const Request& request) const {
        const auto* missing = std::get_if<dag::GetMissingCertificates>(&request.body);
        if (missing != nullptr) return 32 + missing->known.authors.size();
        return 16 + 40 * dag::asked_digests(request.body).size();
    }
    std::size_t operator()(const Reply& reply) const {
        std::size_t bytes = 32;
        if (const auto* batches = std::get_if<dag::Batches>(&reply.response)) {
            for (const SharedBytes& each : batches->batches) bytes += each->size();
        } else if (const auto* found = std::get_if<dag::Certificates>(&reply.response)) {
            for (const auto& each : found->certificates) bytes += size_of_certificate(*each);
        }
        return bytes;
    }
};

}  // namespace

std::size_t size_of(const Packet& packet) { return kEnvelope + std::visit(Size{}, packet); }

Network::Network(EventQueue& queue, std::size_t nodes, LinkRule rule, Random random, Receive receive)
    : queue_(queue),
      rule_(rule),
      random_(random),
      receive_(std::move(receive)),
      senders_(nodes),
      links_(nodes * nodes) {}

void Network::send(NodeId from, NodeId to, Packet packet) {
    const std::size_t bytes = size_of(packet);
    ++counts_.packets;
    counts_.bytes += bytes;
    const bool lost = random_.chance(rule_.loss_percent);
    const Sender& sender = senders_.at(from);
    const bool full = rule_.bytes_per_second > 0 && sender.free > queue_.now() + kOutbox;
    if (sender.silent || is_blocked(from, to) || lost || full) {
        ++counts_.lost;
        return;
    }
    carry(from, to, packet, bytes);
    if (!random_.chance(rule_.duplicate_percent)) return;
    ++counts_.duplicated;
    carry(from, to, packet, bytes);
}

void Network::carry(NodeId from, NodeId to, const Packet& packet, std::size_t bytes) {
    Sender& sender = senders_.at(from);
    Time departure = queue_.now();
    if (rule_.bytes_per_second > 0) {
        if (sender.free > departure) ++counts_.queued;
        departure = std::max(departure, sender.free);
        departure += Duration(bytes * 1'000'000 / rule_.bytes_per_second);
        sender.free = departure;
    }
    const auto jitter = static_cast<std::uint64_t>(rule_.jitter.count());
    Time arrival = departure + rule_.delay + sender.extra + Duration(random_.below(jitter + 1));
    Link& path = link(from, to);
    if (rule_.reorder) {
        if (random_.chance(10)) arrival += rule_.delay * random_.between(1, 5);
        if (arrival < path.last_arrival) ++counts_.overtaken;
    } else {
        arrival = std::max(arrival, path.last_arrival);
    }
    path.last_arrival = std::max(arrival, path.last_arrival);
    queue_.at(arrival, [this, from, to, packet] { receive_(from, to, packet); });
}

void Network::block(NodeId from, NodeId to, bool blocked) {
    Link& path = link(from, to);
    if (blocked) {
        ++path.blocked;
    } else if (path.blocked > 0) {
        --path.blocked;
    }
}

void Network::heal() {
    rule_.loss_percent = 0;
    rule_.duplicate_percent = 0;
    rule_.reorder = false;
    rule_.bytes_per_second = 0;
    for (Sender& sender : senders_) sender = Sender{};
    for (Link& each : links_) each.blocked = 0;
}

}  // namespace monodon::sim
