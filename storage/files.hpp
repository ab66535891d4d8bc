#pragma once

#include <filesystem>
#include <string>

#include "storage/error.hpp"

namespace monodon::storage {

/// Makes the names in a directory durable: a file that was synced can still be lost with its name. Fails with
/// `no_space` where the disk is full.
[[nodiscard]] Result<void> sync_directory(const std::filesystem::path& directory);

/// Makes a directory that only its owner may enter, and its name durable. Nothing happens if it is there. Its
/// parent must exist.
[[nodiscard]] Result<void> make_private_directory(const std::filesystem::path& directory);

/// What the system says of an errno.
[[nodiscard]] std::string system_text(int error);

}  // namespace monodon::storage
