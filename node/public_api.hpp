#pragma once

#include <memory>
#include <vector>

#include "node/http_types.hpp"
#include "node/node_view.hpp"

namespace monodon::node {

/// The endpoints of the public API.
[[nodiscard]] std::vector<Route> public_routes(std::shared_ptr<const NodeView> view);

}  // namespace monodon::node
