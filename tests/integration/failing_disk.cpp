#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include <sys/uio.h>
#include <unistd.h>

#include "tests/next_function.hpp"

// A library to be loaded before all others (LD_PRELOAD): what a process writes to a file that is called
// consensus/data.mdb fails with EIO from when the file named by FAILING_DISK says "error". If that is a pipe,
// it does not come back until somebody has written to it.
namespace {

bool of_the_store(int handle) {
    std::array<char, 4096> path{};
    const std::string link = "/proc/self/fd/" + std::to_string(handle);
    const auto size = ::readlink(link.c_str(), path.data(), path.size() - 1);
    return size > 0 &&
           std::string_view(path.data(), static_cast<std::size_t>(size)).ends_with("consensus/data.mdb");
}

std::string said() {
    const char* const name = std::getenv("FAILING_DISK");
    std::string word;
    if (name != nullptr) std::ifstream(name) >> word;
    return word;
}

bool fails(int handle) {
    // A disk that has failed stays so: LMDB writes once more after a meta page that it could not write.
    static std::atomic<bool> failed = false;
    if (!of_the_store(handle)) return false;
    if (!failed && said() != "error") return false;
    failed = true;
    errno = EIO;
    return true;
}

}  // namespace

extern "C" {

// By these names for the linker, whatever the C library's headers make of them.
ssize_t failing_pwrite(int handle, const void* data, size_t size, off_t offset) __asm__("pwrite");
ssize_t failing_pwrite64(int handle, const void* data, size_t size, off_t offset) __asm__("pwrite64");
ssize_t failing_writev(int handle, const iovec* parts, int count) __asm__("writev");
int failing_fdatasync(int handle) __asm__("fdatasync");
int failing_fsync(int handle) __asm__("fsync");

ssize_t failing_pwrite(int handle, const void* data, size_t size, off_t offset) {
    static const auto real =
        monodon::test::next_function<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite64");
    return fails(handle) ? -1 : real(handle, data, size, offset);
}

ssize_t failing_pwrite64(int handle, const void* data, size_t size, off_t offset) {
    return failing_pwrite(handle, data, size, offset);
}

ssize_t failing_writev(int handle, const iovec* parts, int count) {
    static const auto real = monodon::test::next_function<ssize_t (*)(int, const iovec*, int)>("writev");
    return fails(handle) ? -1 : real(handle, parts, count);
}

int failing_fdatasync(int handle) {
    static const auto real = monodon::test::next_function<int (*)(int)>("fdatasync");
    return fails(handle) ? -1 : real(handle);
}

int failing_fsync(int handle) {
    static const auto real = monodon::test::next_function<int (*)(int)>("fsync");
    return fails(handle) ? -1 : real(handle);
}

}  // extern "C"
