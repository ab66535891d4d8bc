#include "tests/storage/recorded_disk.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <mutex>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/core/check.hpp"
#include "tests/next_function.hpp"

namespace monodon::storage::test {

namespace {

constexpr std::size_t kSector = 512;

struct Operation {
    enum class Kind : std::uint8_t { write, sync, rename } kind = Kind::write;
    std::string file;
    /// Of a rename.
    std::string to = {};
    std::uint64_t offset = 0;
    Bytes bytes;
    /// Of a file that was opened with O_DSYNC: durable when it returned.
    bool synced = false;
};

struct Record {
    std::mutex mutex;
    std::filesystem::path directory;
    std::map<std::string, Bytes> before;
    std::vector<Operation> operations;
};

Record& record() {
    static Record record;
    return record;
}
std::atomic<bool> recording = false;

Bytes contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The name below the recorded directory; empty if it is elsewhere.
std::string name_below(const std::string& name) {
    const std::string prefix = record().directory.string() + "/";
    // The lock file of LMDB is made anew by the next that opens it.
    if (!name.starts_with(prefix) || name.ends_with("lock.mdb")) return {};
    return name.substr(prefix.size());
}

std::string name_of(int handle) {
    std::array<char, 4096> path{};
    const auto link = "/proc/self/fd/" + std::to_string(handle);
    const auto size = ::readlink(link.c_str(), path.data(), path.size() - 1);
    if (size <= 0) return {};
    return name_below(std::string(path.data(), static_cast<std::size_t>(size)));
}

void note_write(int handle, std::uint64_t offset, ByteView bytes) {
    const std::lock_guard lock(record().mutex);
    const std::string name = name_of(handle);
    if (name.empty()) return;
    const bool synced = (::fcntl(handle, F_GETFL) & O_DSYNC) != 0;
    record().operations.push_back(
        {Operation::Kind::write, name, {}, offset, Bytes(bytes.begin(), bytes.end()), synced});
}

void note_sync(int handle) {
    const std::lock_guard lock(record().mutex);
    const std::string name = name_of(handle);
    if (!name.empty()) record().operations.push_back({Operation::Kind::sync, name, {}, 0, {}, false});
}

void note_rename(const char* from, const char* to) {
    const std::lock_guard lock(record().mutex);
    const std::string name = name_below(from);
    if (!name.empty())
        record().operations.push_back({Operation::Kind::rename, name, name_below(to), 0, {}, false});
}

std::string parent_of(const std::string& name) { return std::filesystem::path(name).parent_path().string(); }

void apply(Bytes& file, std::uint64_t offset, ByteView bytes) {
    if (file.size() < offset + bytes.size()) file.resize(offset + bytes.size());
    std::memcpy(file.data() + offset, bytes.data(), bytes.size());
}

/// Sector by sector, as a disk does.
void apply_torn(Bytes& file, const Operation& write, std::mt19937_64& random) {
    for (std::size_t at = 0; at < write.bytes.size();) {
        const std::size_t room = kSector - (write.offset + at) % kSector;
        const std::size_t size = std::min(room, write.bytes.size() - at);
        if (random() % 2 == 0) apply(file, write.offset + at, ByteView(write.bytes).subspan(at, size));
        at += size;
    }
}

}  // namespace

void RecordedDisk::begin(const std::filesystem::path& directory) {
    Record& all = record();
    all.directory = std::filesystem::canonical(directory);
    all.before.clear();
    all.operations.clear();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(all.directory)) {
        if (!entry.is_regular_file() || entry.path().filename() == "lock.mdb") continue;
        all.before[std::filesystem::relative(entry.path(), all.directory).string()] = contents(entry.path());
    }
    recording = true;
}

void RecordedDisk::end() { recording = false; }

std::size_t RecordedDisk::position() {
    const std::lock_guard lock(record().mutex);
    return record().operations.size();
}

std::vector<std::size_t> RecordedDisk::syncs() {
    std::vector<std::size_t> found;
    for (std::size_t at = 0; at < record().operations.size(); ++at) {
        if (record().operations[at].kind == Operation::Kind::sync) found.push_back(at + 1);
    }
    return found;
}

void RecordedDisk::build(const std::filesystem::path& target, std::size_t operations,
                         std::mt19937_64& random) {
    const Record& all = record();
    std::map<std::string, Bytes> files = all.before;
    std::map<std::string, std::size_t> last_sync;
    for (std::size_t at = 0; at < operations; ++at) {
        if (all.operations[at].kind == Operation::Kind::sync) last_sync[all.operations[at].file] = at;
    }
    for (std::size_t at = 0; at < operations; ++at) {
        const Operation& write = all.operations[at];
        if (write.kind == Operation::Kind::rename) {
            const auto synced = last_sync.find(parent_of(write.to));
            const bool durable = synced != last_sync.end() && at < synced->second;
            if (!durable && random() % 2 == 0) continue;
            files[write.to] = std::move(files[write.file]);
            files.erase(write.file);
        }
        if (write.kind != Operation::Kind::write) continue;
        Bytes& file = files[write.file];
        const auto synced = last_sync.find(write.file);
        const bool durable = write.synced || (synced != last_sync.end() && at < synced->second);
        const std::uint64_t fate = durable ? 0 : random() % 3;
        if (fate == 0) apply(file, write.offset, write.bytes);
        if (fate == 1) apply_torn(file, write, random);
    }
    for (const auto& [name, bytes] : files) {
        const auto path = target / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream file(path, std::ios::binary | std::ios::trunc);
        file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        MONODON_CHECK(file.good());
    }
}

}  // namespace monodon::storage::test

// What LMDB, and this program, call instead of the C library.

using monodon::ByteView;
namespace recorder = monodon::storage::test;

namespace {

ByteView view_of(const void* data, ssize_t size) {
    return {static_cast<const monodon::Byte*>(data), static_cast<std::size_t>(size)};
}

}  // namespace

extern "C" {

// By these names for the linker, whatever the C library's headers make of them.
ssize_t recorded_pwrite(int handle, const void* data, size_t size, off_t offset) __asm__("pwrite");
ssize_t recorded_pwrite64(int handle, const void* data, size_t size, off_t offset) __asm__("pwrite64");
ssize_t recorded_writev(int handle, const iovec* parts, int count) __asm__("writev");
int recorded_fdatasync(int handle) __asm__("fdatasync");
int recorded_fsync(int handle) __asm__("fsync");
int recorded_rename(const char* from, const char* to) __asm__("rename");

ssize_t recorded_pwrite(int handle, const void* data, size_t size, off_t offset) {
    static const auto real =
        monodon::test::next_function<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite64");
    const ssize_t done = real(handle, data, size, offset);
    if (done > 0 && recorder::recording)
        recorder::note_write(handle, static_cast<std::uint64_t>(offset), view_of(data, done));
    return done;
}

ssize_t recorded_pwrite64(int handle, const void* data, size_t size, off_t offset) {
    return recorded_pwrite(handle, data, size, offset);
}

ssize_t recorded_writev(int handle, const iovec* parts, int count) {
    static const auto real = monodon::test::next_function<ssize_t (*)(int, const iovec*, int)>("writev");
    const off_t offset = recorder::recording ? ::lseek(handle, 0, SEEK_CUR) : 0;
    const ssize_t done = real(handle, parts, count);
    if (done <= 0 || offset < 0 || !recorder::recording) return done;
    monodon::Bytes all;
    for (int at = 0; at < count; ++at) {
        const auto part = view_of(parts[at].iov_base, static_cast<ssize_t>(parts[at].iov_len));
        all.insert(all.end(), part.begin(), part.end());
    }
    all.resize(static_cast<std::size_t>(done));
    recorder::note_write(handle, static_cast<std::uint64_t>(offset), all);
    return done;
}

int recorded_fdatasync(int handle) {
    static const auto real = monodon::test::next_function<int (*)(int)>("fdatasync");
    const int done = real(handle);
    if (done == 0 && recorder::recording) recorder::note_sync(handle);
    return done;
}

int recorded_rename(const char* from, const char* to) {
    static const auto real = monodon::test::next_function<int (*)(const char*, const char*)>("rename");
    const int done = real(from, to);
    if (done == 0 && recorder::recording) recorder::note_rename(from, to);
    return done;
}

int recorded_fsync(int handle) {
    static const auto real = monodon::test::next_function<int (*)(int)>("fsync");
    const int done = real(handle);
    if (done == 0 && recorder::recording) recorder::note_sync(handle);
    return done;
}

}  // extern "C"
