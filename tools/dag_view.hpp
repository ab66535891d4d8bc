#pragma once

#include <cstdint>
#include <string>

#include <boost/json/object.hpp>

#include "tools/ask.hpp"
#include "tools/output.hpp"

namespace monodon::tools {

struct DagOptions {
    Where where;
    std::uint64_t rounds = 20;
    bool follow = false;
    Form form = Form::table;
};
/// `monodon dag`: the newest rounds of one node's graph, oldest first.
int dag(const DagOptions& options);

/// What /v1/dag answered as text, a line for each round above `after`; the headings too if `after` is 0.
[[nodiscard]] std::string dag_text(const boost::json::object& answer, std::uint64_t after, bool colour);

}  // namespace monodon::tools
