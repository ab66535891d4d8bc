#include "storage/checkpoint_files.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "storage/files.hpp"
#include "storage/record.hpp"

namespace monodon::storage {

namespace {

/// Signatures and digests do not become smaller: more effort gives nothing.
constexpr int kLevel = 1;
constexpr std::size_t kFileMax = std::size_t{256} << 20;

ContentId id_of(ByteView plain) {
    const XXH128_hash_t hash = XXH3_128bits(plain.data(), plain.size());
    ContentId id;
    for (std::size_t at = 0; at < 8; ++at) {
        id.bytes[at] = static_cast<Byte>(hash.high64 >> (8 * (7 - at)));
        id.bytes[8 + at] = static_cast<Byte>(hash.low64 >> (8 * (7 - at)));
    }
    return id;
}

Unexpected<Failure> system_failure(const std::filesystem::path& path, int error) {
    return fail(error == ENOSPC || error == EDQUOT ? StoreError::no_space : StoreError::failed,
                fmt::format("cannot write {}: {}", path.string(), system_text(error)));
}

Unexpected<Failure> not_its_name(const std::filesystem::path& path) {
    return fail(StoreError::damaged, fmt::format("{} is not what its name says", path.string()));
}

int write_all(int file, ByteView bytes) {
    while (!bytes.empty()) {
        const auto done = ::write(file, bytes.data(), bytes.size());
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return errno;
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return ::fdatasync(file) == 0 ? 0 : errno;
}

/// The compressed bytes with their checksum, which covers also what decompressing does not look at.
Result<Bytes> read_file(const std::filesystem::path& path, const ContentId& id) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return fail(StoreError::missing,
                    fmt::format("cannot open {}: {}", path.string(), system_text(errno)));
    }
    struct stat status {};
    const bool sized = ::fstat(file, &status) == 0 &&
                       static_cast<std::size_t>(status.st_size) <= ZSTD_compressBound(kFileMax);
    Bytes row(sized ? static_cast<std::size_t>(status.st_size) : 0);
    std::size_t have = 0;
    while (have < row.size()) {
        const auto got = ::read(file, row.data() + have, row.size() - have);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        have += static_cast<std::size_t>(got);
    }
    ::close(file);
    if (!sized || have != row.size() || !open_record(id.bytes, row)) return not_its_name(path);
    return row;
}

}  // namespace

Result<void> CheckpointFiles::open() { return make_private_directory(directory_); }

Result<CheckpointFiles::Written> CheckpointFiles::put(ByteView plain) {
    const ContentId id = id_of(plain);
    const auto path = directory_ / id.name();
    // A damaged one would be a part of each checkpoint to come.
    if (read_file(path, id)) return Written{id, 0};
    Bytes packed(ZSTD_compressBound(plain.size()) + kChecksumBytes);
    std::size_t size = ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), kLevel);
    if (ZSTD_isError(size) != 0) {
        return fail(StoreError::failed,
                    fmt::format("cannot compress {}: {}", path.string(), ZSTD_getErrorName(size)));
    }
    size += kChecksumBytes;
    seal_record(id.bytes, std::span(packed).first(size));
    auto part = path;
    part += ".part";
    const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return system_failure(part, errno);
    int error = write_all(file, ByteView(packed).first(size));
    ::close(file);
    if (error == 0 && ::rename(part.c_str(), path.c_str()) != 0) error = errno;
    if (error == 0) return Written{id, size};
    ::unlink(part.c_str());
    return system_failure(part, error);
}

Result<void> CheckpointFiles::sync() const { return sync_directory(directory_); }

Result<Bytes> CheckpointFiles::get(const ContentId& id, std::size_t plain_bytes) const {
    const auto path = directory_ / id.name();
    const auto row = read_file(path, id);
    if (!row) return Unexpected{row.error()};
    if (plain_bytes > kFileMax) return not_its_name(path);
    const ByteView packed = ByteView(*row).first(row->size() - kChecksumBytes);
    Bytes plain(plain_bytes);
    const std::size_t size = ZSTD_decompress(plain.data(), plain.size(), packed.data(), packed.size());
    if (ZSTD_isError(size) != 0 || size != plain_bytes || id_of(plain) != id) return not_its_name(path);
    return plain;
}

void CheckpointFiles::keep_only(const std::set<ContentId>& kept) const {
    std::set<std::string> names;
    for (const ContentId& id : kept) names.insert(id.name());
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
        std::error_code ignored;
        if (!names.contains(entry.path().filename().string())) std::filesystem::remove(entry.path(), ignored);
    }
}

std::uint64_t CheckpointFiles::bytes() const {
    std::uint64_t sum = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
        std::error_code ignored;
        const auto size = entry.file_size(ignored);
        if (!ignored) sum += size;
    }
    return sum;
}

}  // namespace monodon::storage
