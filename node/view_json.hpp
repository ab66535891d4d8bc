#pragma once

#include <string>
#include <vector>

#include "node/node_view.hpp"

/// The JSON that the public API and the admin socket answer with; a newline ends each.
namespace monodon::node {

[[nodiscard]] std::string to_json(const StatusSnapshot& status);
/// `now` is of the network's clock.
[[nodiscard]] std::string to_json(const std::vector<PeerSnapshot>& peers, Time now);
[[nodiscard]] std::string to_json(const PeerSnapshot& peer, Time now);
[[nodiscard]] std::string to_json(const std::vector<BanSnapshot>& bans);
[[nodiscard]] std::string to_json(const std::vector<LimitSnapshot>& limits);
[[nodiscard]] std::string to_json(const std::vector<AddressSnapshot>& addresses);
[[nodiscard]] std::string to_json(const std::vector<HandshakeFailureSnapshot>& failures);
[[nodiscard]] std::string to_json(const StoreSnapshot& store);
[[nodiscard]] std::string to_json(const std::vector<QueueSnapshot>& queues);
[[nodiscard]] std::string to_json(const StateSnapshot& state);
[[nodiscard]] std::string to_json(const std::vector<ConfigRow>& rows);
/// `vertices` ascend by round and author; rounds without any are listed, too.
[[nodiscard]] std::string dag_json(std::uint64_t first, std::uint64_t last,
                                   const std::vector<std::string>& validators,
                                   const std::vector<VertexSnapshot>& vertices);
/// How far the node is behind the committee, and how catching up goes. `now` is of the engine's clock.
[[nodiscard]] std::string sync_json(const dag::EngineStatus& engine, Time now);
/// Whom things are missed from and who was asked when, by the names in `status`. `now` is of the engine's
/// clock.
[[nodiscard]] std::string why_json(const dag::Blockers& found, const StatusSnapshot& status, Time now);
[[nodiscard]] std::string to_json(const dag::Commit& commit);
/// `validator` is the name of the member that the transaction was given to.
[[nodiscard]] std::string to_json(const Receipt& receipt, const std::string& validator);

}  // namespace monodon::node
