#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "tools/exit_codes.hpp"

namespace monodon::tools {

/// One process of this machine. The time of its start, in clock ticks since the machine's, tells it from a
/// later one with the same number: a signal never hits a stranger that got the number of a node that is gone.
struct ProcessId {
    pid_t pid = 0;
    std::uint64_t started = 0;
    friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

enum class ProcessState : std::uint8_t {
    gone,  ///< ended, waited for or not
    running,
    stopped,  ///< by SIGSTOP
};

/// Nothing if no such process runs.
[[nodiscard]] std::optional<ProcessId> identify(pid_t pid);
[[nodiscard]] ProcessState state_of(const ProcessId& process);
/// False if it is gone or not ours.
bool send_signal(const ProcessId& process, int signal);

/// A pid file: number and start time on one line.
[[nodiscard]] std::optional<ProcessId> read_pid_file(const std::filesystem::path& file);
[[nodiscard]] Result<void> write_pid_file(const std::filesystem::path& file, const ProcessId& process);

/// A file descriptor that closes itself.
class Descriptor {
 public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor();
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

 private:
    int fd_ = -1;
};

/// The first descriptor that a daemon is given gets this number.
inline constexpr int kFirstHandedDescriptor = 3;

/// A program to run in the background, in a session of its own, so that it outlives us and our terminal.
struct DaemonPlan {
    std::filesystem::path program;
    /// Without the program's own name.
    std::vector<std::string> arguments;
    /// Standard output and error are appended here; standard input is empty.
    std::filesystem::path log;
    /// Descriptors it gets, as kFirstHandedDescriptor and the numbers after it, in this order. No other is
    /// handed on.
    std::vector<int> descriptors;
};
[[nodiscard]] Result<ProcessId> spawn_daemon(const DaemonPlan& plan);
/// How a child of ours ended, in words (`exit code 78`, `signal 9`); nothing if it is none or has not ended.
[[nodiscard]] std::optional<std::string> ending_of(const ProcessId& child);

/// The program that this process runs.
[[nodiscard]] std::filesystem::path own_program();

}  // namespace monodon::tools
