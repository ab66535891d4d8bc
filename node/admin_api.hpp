#pragma once

#include <memory>
#include <vector>

#include "node/http_types.hpp"
#include "node/node_view.hpp"

namespace monodon::node {

/// The endpoints of the admin socket, GET / with their index among them.
[[nodiscard]] std::vector<Route> admin_routes(std::shared_ptr<const NodeView> view);

}  // namespace monodon::node
