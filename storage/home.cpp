#include "storage/home.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "storage/files.hpp"

namespace monodon::storage {

namespace {

constexpr const char* kLock = "lock";

Unexpected<HomeError> unusable(std::string text) {
    return Unexpected{HomeError{std::move(text), kExitHomeUnusable}};
}

Expected<void, HomeError> check_owner(const std::filesystem::path& directory) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) {
        return unusable(fmt::format("cannot use home {}: {}", directory.string(), system_text(errno)));
    }
    if (!S_ISDIR(status.st_mode))
        return unusable(fmt::format("home {} is not a directory", directory.string()));
    if (status.st_uid != ::geteuid()) {
        return unusable(fmt::format("home {} belongs to user {}, this process runs as {}", directory.string(),
                                    status.st_uid, ::geteuid()));
    }
    if ((status.st_mode & 077) != 0) {
        return unusable(fmt::format("home {} is open to other users (mode {:03o}); run: chmod 700 {}",
                                    directory.string(), status.st_mode & 0777, directory.string()));
    }
    return {};
}

Expected<void, HomeError> make_empty_file(const std::filesystem::path& directory, const char* name) {
    const auto mark = directory / name;
    const int file = ::open(mark.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const bool made = file >= 0 && ::fsync(file) == 0;
    const int error = errno;
    if (file >= 0) ::close(file);
    if (!made) return unusable(fmt::format("cannot make {}: {}", mark.string(), system_text(error)));
    if (auto synced = sync_directory(directory); !synced) return unusable(synced.error().text);
    return {};
}

std::string read_all(int file) {
    std::array<char, 32> text{};
    const auto size = ::pread(file, text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : "?";
}

}  // namespace

std::string network_file_system(const std::filesystem::path& path) {
    struct statfs status {};
    if (::statfs(path.c_str(), &status) != 0) return {};
    return std::string(network_file_system_name(static_cast<std::uint32_t>(status.f_type)));
}

std::string_view network_file_system_name(std::uint32_t magic) {
    switch (magic) {
        case 0x6969:
            return "NFS";
        case 0x517B:
            return "SMB";
        case 0xFF534D42:
            return "CIFS";
        case 0xFE534D42:
            return "SMB2";
        case 0x65735546:
            return "FUSE";
        case 0x01021997:
            return "9P";
        case 0x5346414F:
            return "AFS";
        case 0x00C36400:
            return "Ceph";
        case 0x0BD00BD0:
            return "Lustre";
        case 0x7461636F:
            return "OCFS2";
        case 0x01161970:
            return "GFS2";
        default:
            return {};
    }
}

Expected<void, HomeError> Home::create(const std::filesystem::path& directory) {
    if (std::filesystem::exists(directory)) return {};
    // A crash between the directory and its mark would leave a home that is never new: the two come together.
    const auto place = directory.has_filename() ? directory : directory.parent_path();
    auto beside = place;
    beside += ".new";
    std::error_code error;
    std::filesystem::remove_all(beside, error);
    if (auto made = make_private_directory(beside); !made) return unusable(made.error().text);
    if (auto marked = make_empty_file(beside, kFresh); !marked) return marked;
    std::filesystem::rename(beside, place, error);
    if (error) return unusable(fmt::format("{}: {}", place.string(), error.message()));
    if (auto synced = sync_directory(place.has_parent_path() ? place.parent_path() : "."); !synced)
        return unusable(synced.error().text);
    return {};
}

Expected<Home, HomeError> Home::open(const std::filesystem::path& directory, const NetworkProbe& probe) {
    if (auto checked = check_owner(directory); !checked) return Unexpected{checked.error()};
    if (const std::string network = probe(directory); !network.empty()) {
        return unusable(
            fmt::format("home {} is on a network file system ({}), where locks and memory maps do not "
                        "hold; use a local disk",
                        directory.string(), network));
    }
    const auto path = directory / kLock;
    const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) return unusable(fmt::format("cannot open {}: {}", path.string(), system_text(errno)));
    Home home(directory, lock);
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        if (error != EWOULDBLOCK) {
            return unusable(fmt::format("cannot lock {}: {}", path.string(), system_text(error)));
        }
        return Unexpected{HomeError{fmt::format("home in use by pid {}", read_all(lock)), kExitHomeInUse}};
    }
    const std::string pid = std::to_string(::getpid());
    // The lock is what counts; the number in it is for people.
    if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, pid.data(), pid.size(), 0) < 0) {
        return unusable(fmt::format("cannot write {}: {}", path.string(), system_text(errno)));
    }
    return home;
}

Home::Home(Home&& other) noexcept
    : directory_(std::move(other.directory_)), lock_(std::exchange(other.lock_, -1)) {}

Home::~Home() {
    if (lock_ >= 0) ::close(lock_);
}

bool Home::is_fresh(const std::filesystem::path& directory) {
    std::error_code ignored;
    return std::filesystem::exists(directory / kFresh, ignored);
}

Expected<void, HomeError> Home::clear_fresh() { return remove_mark(kFresh); }

bool Home::ask_first() const { return std::filesystem::exists(directory_ / kAskFirst); }

Expected<void, HomeError> Home::mark_ask_first() {
    // First: a home that is fresh and not marked would sign at once.
    if (auto made = make_empty_file(directory_, kAskFirst); !made) return made;
    if (std::filesystem::exists(consensus())) return {};
    return make_empty_file(directory_, kFresh);
}

Expected<void, HomeError> Home::clear_ask_first() { return remove_mark(kAskFirst); }

Expected<void, HomeError> Home::remove_mark(const char* name) {
    std::error_code error;
    std::filesystem::remove(directory_ / name, error);
    if (error) return unusable(fmt::format("{}: {}", (directory_ / name).string(), error.message()));
    if (auto synced = sync_directory(directory_); !synced) return unusable(synced.error().text);
    return {};
}

}  // namespace monodon::storage
