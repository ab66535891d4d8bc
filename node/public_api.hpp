#pragma once

#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "node/http_types.hpp"
#include "node/node_view.hpp"

namespace monodon::node {

struct ApiLimits {
    /// Requests that wait for a transaction to reach a stage, at the same time.
    std::uint64_t waiters = 1024;
};

/// The endpoints of the public API. Timers of waiting requests run on the executor. Keeps the view, which
/// must be usable as long as a server serves the routes.
[[nodiscard]] std::vector<Route> public_routes(boost::asio::any_io_executor executor,
                                               std::shared_ptr<const NodeView> view, ApiLimits limits);

}  // namespace monodon::node
