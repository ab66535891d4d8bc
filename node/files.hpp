#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "net/core/expected.hpp"

/// Small files whole. Errors are words that begin with the path.
namespace monodon::node {

/// The file's bytes; refuses more than `most`, and anything that is not a regular file.
[[nodiscard]] Expected<std::string, std::string> read_file(const std::filesystem::path& path,
                                                           std::size_t most);
/// Makes the file with this mode from the first moment and syncs it and its directory. Fails if it exists;
/// leaves nothing behind when it fails later.
[[nodiscard]] Expected<void, std::string> write_new_file(const std::filesystem::path& path,
                                                         std::string_view content, mode_t mode);
/// The file has either its old content or, durably, the new one.
[[nodiscard]] Expected<void, std::string> replace_file(const std::filesystem::path& path,
                                                       std::string_view content, mode_t mode);

}  // namespace monodon::node
