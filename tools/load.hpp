#pragma once

#include <chrono>
#include <string>

#include "node/receipts.hpp"
#include "tools/ask.hpp"
#include "tools/output.hpp"

namespace monodon::tools {

struct LoadOptions {
    Where where;
    /// Operations, one a line; `-` for standard input.
    std::string file;
    node::Stage wait = node::Stage::committed;
    /// Without progress for so long the rest has failed.
    std::chrono::milliseconds timeout = std::chrono::seconds(60);
    Form form = Form::table;
};
/// `monodon tx load`: the operations of a file, spread over all nodes. Those that are too large are told with
/// their lines, and the others go on. Exit code 1 if any failed.
int load(const LoadOptions& options);

}  // namespace monodon::tools
