#pragma once

#include <chrono>
#include <filesystem>

#include "tools/exit_codes.hpp"

namespace monodon::tools {

/// What this machine can do at best, measured on one thread (TLS: two) for about half a second each: figures
/// of a load mean something only beside these.
struct MachineLimits {
    /// Bytes a second.
    double memory_copy = 0;
    double sha256 = 0;
    /// One stream over a loopback connection, encrypted and decrypted as between validators.
    double tls_stream = 0;
    /// Of a 4 KiB append and fdatasync.
    std::chrono::microseconds sync_p50{0};
    std::chrono::microseconds sync_p99{0};
};

/// `directory` is where the sync is measured: on the disk that the nodes write to.
[[nodiscard]] Result<MachineLimits> measure_machine(const std::filesystem::path& directory);

/// Each by itself.
[[nodiscard]] double measure_memory_copy(std::chrono::milliseconds time);
[[nodiscard]] double measure_sha256(std::chrono::milliseconds time);
[[nodiscard]] Result<double> measure_tls_stream(std::chrono::milliseconds time);

}  // namespace monodon::tools
