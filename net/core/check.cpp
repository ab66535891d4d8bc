#include "net/core/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace monodon {

void check_failed(std::string_view condition, std::source_location where) {
    std::fprintf(stderr, "monodon: invariant broken: %.*s at %s:%u in %s\n",
                 static_cast<int>(condition.size()), condition.data(), where.file_name(), where.line(),
                 where.function_name());
    std::abort();
}

}  // namespace monodon
