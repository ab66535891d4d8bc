#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "tools/ask.hpp"
#include "tools/output.hpp"

namespace monodon::tools {

struct WhyOptions {
    Where where;
    Form form = Form::table;
};
/// `monodon why`: what keeps the lowest commit of a node from being made or executed.
int why(const WhyOptions& options);

struct SyncOptions {
    Where where;
    bool follow = false;
    Form form = Form::table;
};
/// `monodon sync`: how far a node is behind; with --follow a bar until it has caught up.
int sync(const SyncOptions& options);
/// The answer of /v1/sync as one line for people.
[[nodiscard]] std::string sync_text(const boost::json::object& answer);

/// The answer of /v1/why for people: reasons, then what is missing, a line each.
[[nodiscard]] std::string why_text(const boost::json::object& answer, bool colour);

}  // namespace monodon::tools
