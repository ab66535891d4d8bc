#include "node/files.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monodon::node {
namespace {

/// Closes at the end of its scope.
class File {
 public:
    File(const std::filesystem::path& path, int flags, mode_t mode = 0)
        : descriptor_(::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode)) {}
    ~File() { close(); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
    [[nodiscard]] int get() const { return descriptor_; }
    bool close() {
        const int descriptor = std::exchange(descriptor_, -1);
        return descriptor < 0 || ::close(descriptor) == 0;
    }

 private:
    int descriptor_;
};

Unexpected<std::string> failure(const std::filesystem::path& path, std::string_view what) {
    return Unexpected{fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno))};
}

bool write_all(int descriptor, std::string_view rest) {
    while (!rest.empty()) {
        const ssize_t written = ::write(descriptor, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

Expected<void, std::string> sync_directory(const std::filesystem::path& file) {
    const std::filesystem::path parent = file.has_parent_path() ? file.parent_path() : ".";
    const File directory(parent, O_RDONLY | O_DIRECTORY);
    if (!directory.is_open() || ::fsync(directory.get()) != 0) return failure(parent, "cannot be synced");
    return {};
}

}  // namespace

Expected<std::string, std::string> read_file(const std::filesystem::path& path, std::size_t most) {
    // Opening a pipe would wait for its other end.
    const File file(path, O_RDONLY | O_NONBLOCK);
    struct stat status {};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0) return failure(path, "cannot be read");
    if (!S_ISREG(status.st_mode)) return Unexpected{fmt::format("{}: is not a file", path.string())};

    std::string content(most + 1, '\0');
    std::size_t size = 0;
    while (size < content.size()) {
        const ssize_t got = ::read(file.get(), content.data() + size, content.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failure(path, "cannot be read");
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > most) return Unexpected{fmt::format("{}: is larger than {} bytes", path.string(), most)};
    content.resize(size);
    return content;
}

Expected<void, std::string> write_new_file(const std::filesystem::path& path, std::string_view content,
                                           mode_t mode) {
    File file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (!file.is_open()) return failure(path, "cannot be made");
    if (!write_all(file.get(), content) || ::fsync(file.get()) != 0 || !file.close()) {
        const auto error = failure(path, "cannot be written");
        ::unlink(path.c_str());
        return error;
    }
    return sync_directory(path);
}

Expected<void, std::string> replace_file(const std::filesystem::path& path, std::string_view content,
                                         mode_t mode) {
    std::filesystem::path temporary = path;
    temporary += fmt::format(".{}.tmp", ::getpid());
    ::unlink(temporary.c_str());
    if (auto written = write_new_file(temporary, content, mode); !written) return written;
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        const auto error = failure(path, "cannot be replaced");
        ::unlink(temporary.c_str());
        return error;
    }
    return sync_directory(path);
}

}  // namespace monodon::node
