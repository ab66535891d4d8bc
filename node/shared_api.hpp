#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "node/http_types.hpp"
#include "node/node_view.hpp"

/// What the public API and the admin socket have in common.
namespace monodon::node {

using NodeViewPtr = std::shared_ptr<const NodeView>;

[[nodiscard]] HttpResponse json_response(std::string body, unsigned status = 200);

/// A query parameter that is a number within bounds, or `otherwise` if it is not given; or the refusal.
[[nodiscard]] std::variant<std::uint64_t, HttpResponse> query_number(const HttpRequest& request,
                                                                     const std::string& name,
                                                                     std::uint64_t otherwise,
                                                                     std::uint64_t least, std::uint64_t most);

/// /v1/status, /v1/commits and /metrics.
[[nodiscard]] std::vector<Route> shared_routes(const NodeViewPtr& view);

/// Most commits of one answer, and most bytes of them as they are stored, which JSON makes three times
/// longer.
inline constexpr std::uint64_t kCommitsMax = 1000;
inline constexpr std::uint64_t kCommitsDefault = 100;
inline constexpr std::uint64_t kCommitBytesMax = 1024 * 1024;

}  // namespace monodon::node
