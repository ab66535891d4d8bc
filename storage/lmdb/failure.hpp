#pragma once

#include <string_view>

#include "storage/error.hpp"

namespace monodon::storage::lmdb {

/// The failure that a return code of LMDB, or an errno, stands for.
[[nodiscard]] Unexpected<Failure> lmdb_failure(int code, std::string_view doing);

}  // namespace monodon::storage::lmdb
