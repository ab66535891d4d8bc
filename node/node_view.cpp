#include "node/node_view.hpp"

#include <algorithm>

#include "net/core/check.hpp"

namespace monodon::node {

std::string_view name(NodeState state) {
    switch (state) {
        case NodeState::starting:
            return "starting";
        case NodeState::sync:
            return "sync";
        case NodeState::ready:
            return "ready";
        case NodeState::halted:
            return "halted";
        case NodeState::stopping:
            return "stopping";
    }
    MONODON_CHECK(false);
}

bool all_ok(const std::vector<HealthCheck>& checks) {
    return std::all_of(checks.begin(), checks.end(), [](const HealthCheck& check) { return check.ok; });
}

}  // namespace monodon::node
