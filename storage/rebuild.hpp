#pragma once

#include <filesystem>

#include "storage/error.hpp"

namespace monodon::storage {

/// Writes the indices of the certificates (by digest, by author, by batch) and the marks of committed ones
/// again from the certificates and commits, in the consensus environment of a home in which no node runs.
/// What leads nowhere is removed. A crash in between leaves some of them: it is done again.
[[nodiscard]] Result<void> rebuild_indices(const std::filesystem::path& consensus);

/// The same for the list by author of a generation of batches, in its directory. Rows that are sound are not
/// written again.
[[nodiscard]] Result<void> rebuild_batch_list(const std::filesystem::path& generation);

}  // namespace monodon::storage
