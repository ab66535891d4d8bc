#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "dag/events.hpp"

namespace monodon::sim {

/// A running process: member i is node i; a twin of a member has a number beyond the committee.
using NodeId = std::size_t;

/// A batch as it lies in a message or a store.
struct Batch {
    dag::PayloadEntry entry;
    SharedBytes bytes;
};

struct Ack {
    Digest batch;
};
/// Ids are those of net/rpc, by the connection over which the request left.
struct Request {
    std::uint64_t connection = 0;
    std::uint64_t id = 0;
    dag::RequestBody body;
};
struct Reply {
    std::uint64_t connection = 0;
    std::uint64_t id = 0;
    dag::SyncResponse response;
};

/// What crosses a link: nothing in it was checked.
using Packet = std::variant<std::shared_ptr<const dag::Header>, std::shared_ptr<const dag::Vote>,
                            std::shared_ptr<const dag::Certificate>, Batch, Ack, Request, Reply>;

/// About as many bytes as it takes on the wire.
[[nodiscard]] std::size_t size_of(const Packet& packet);

}  // namespace monodon::sim
