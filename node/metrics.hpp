#pragma once

#include <string>
#include <string_view>

#include "node/node_view.hpp"

namespace monodon::node {

/// What /metrics answers: the Prometheus text format, built from the snapshots when asked.
[[nodiscard]] std::string render_metrics(const NodeView& view);
inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace monodon::node
