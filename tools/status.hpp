#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "tools/ask.hpp"
#include "tools/output.hpp"

namespace monodon::tools {

/// What `status --wait` waits for.
struct Awaited {
    enum class What : std::uint8_t { ready, round, commit };
    What what = What::ready;
    std::uint64_t least = 0;
};
/// `ready`, `round=N`, `commit=N`.
[[nodiscard]] std::optional<Awaited> parse_awaited(std::string_view text);

struct StatusOptions {
    Where where;
    bool all = false;
    bool watch = false;
    std::optional<Awaited> wait;
    std::chrono::milliseconds timeout = std::chrono::seconds(60);
    Form form = Form::table;
};

/// `monodon status`: one node in detail or all in a table. Exit code 3 if one cannot be reached, else 4 if
/// one is not ready; with --wait 0 or 5.
int status(const StatusOptions& options);

}  // namespace monodon::tools
