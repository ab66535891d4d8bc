#include "storage/files.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monodon::storage {

std::string system_text(int error) { return std::generic_category().message(error); }

Result<void> sync_directory(const std::filesystem::path& directory) {
    const int handle = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = handle >= 0 && ::fsync(handle) == 0;
    const int error = errno;
    if (handle >= 0) ::close(handle);
    if (synced) return {};
    return fail(error == ENOSPC || error == EDQUOT ? StoreError::no_space : StoreError::failed,
                fmt::format("cannot sync directory {}: {}", directory.string(), system_text(error)));
}

Result<void> make_private_directory(const std::filesystem::path& directory) {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        const int error = errno;
        return fail(error == ENOSPC || error == EDQUOT ? StoreError::no_space : StoreError::failed,
                    fmt::format("cannot make directory {}: {}", directory.string(), system_text(error)));
    }
    // Also if it was there: who made it may have been killed before this.
    // "a/b/" has the parent "a/b", which would be the directory itself.
    const auto plain = directory.has_filename() ? directory : directory.parent_path();
    return sync_directory(plain.has_parent_path() ? plain.parent_path() : ".");
}

}  // namespace monodon::storage
