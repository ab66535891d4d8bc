#include "tools/machine_limits.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "net/core/digest.hpp"
#include "tools/histogram.hpp"
#include "tools/process.hpp"

namespace monodon::tools {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kTime = std::chrono::milliseconds(500);
constexpr std::size_t kCopyBytes = 64 * 1024 * 1024;
constexpr std::size_t kHashBytes = 128 * 1024;
constexpr std::size_t kAppendBytes = 4096;

/// Calls `step`, which says how many bytes it did, for so long; bytes a second.
template <class Step>
double rate_of(std::chrono::milliseconds time, Step step) {
    const auto begin = Clock::now();
    double bytes = 0;
    do {
        bytes += static_cast<double>(step());
    } while (Clock::now() - begin < time);
    return bytes / std::chrono::duration<double>(Clock::now() - begin).count();
}

Result<Histogram> measure_sync(const std::filesystem::path& directory, std::chrono::milliseconds time) {
    const std::string name = (directory / "bench-sync.tmp").string();
    const Descriptor file(::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
    if (!file) return failure(kExitFailed, fmt::format("{}: {}", name, std::strerror(errno)));
    ::unlink(name.c_str());
    const Bytes block(kAppendBytes, 0x5A);
    Histogram times;
    const auto end = Clock::now() + time;
    while (Clock::now() < end) {
        const auto begin = Clock::now();
        if (::write(file.get(), block.data(), block.size()) != static_cast<ssize_t>(block.size()) ||
            ::fdatasync(file.get()) != 0) {
            return failure(kExitFailed, fmt::format("{}: {}", name, std::strerror(errno)));
        }
        times.record(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin));
    }
    return times;
}

}  // namespace

double measure_memory_copy(std::chrono::milliseconds time) {
    // Larger than the caches; touched once before it counts, so that the system has given the pages.
    Bytes from(kCopyBytes, 1);
    Bytes to(kCopyBytes, 2);
    Byte seen = 0;
    const double rate = rate_of(time, [&] {
        std::memcpy(to.data(), from.data(), kCopyBytes);
        // Makes each copy depend on the last one, so that none is left out.
        seen = static_cast<Byte>(seen + to[kCopyBytes / 2]);
        from[kCopyBytes / 2] = seen;
        return kCopyBytes;
    });
    return rate;
}

double measure_sha256(std::chrono::milliseconds time) {
    Bytes block(kHashBytes, 3);
    return rate_of(time, [&] {
        const Digest digest = sha256(block);
        block.front() = digest.bytes.front();
        return block.size();
    });
}

Result<MachineLimits> measure_machine(const std::filesystem::path& directory) {
    MachineLimits limits;
    limits.memory_copy = measure_memory_copy(kTime);
    limits.sha256 = measure_sha256(kTime);
    const auto tls = measure_tls_stream(kTime);
    if (!tls) return Unexpected{tls.error()};
    limits.tls_stream = *tls;
    const auto sync = measure_sync(directory, kTime);
    if (!sync) return Unexpected{sync.error()};
    limits.sync_p50 = sync->quantile(0.5).value_or(std::chrono::microseconds(0));
    limits.sync_p99 = sync->quantile(0.99).value_or(std::chrono::microseconds(0));
    return limits;
}

}  // namespace monodon::tools
