#pragma once

#include "tools/cli.hpp"

namespace monodon::tools {

/// `simulate`: a whole committee in virtual time (tools/simulate/README.md).
void add_simulate(CLI::App& app, Invocation& invocation);

}  // namespace monodon::tools
