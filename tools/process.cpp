#include "tools/process.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" char** environ;  // NOLINT: POSIX declares it nowhere

namespace monodon::tools {

namespace {

/// Descriptors are duplicated to here first, so that none is overwritten before it is in its place.
constexpr int kFirstSafeDescriptor = 64;

struct StatLine {
    char state = 'X';
    std::uint64_t threads = 0;
    std::uint64_t started = 0;

    /// A process whose first thread has ended is a zombie already, while its others still hold its files and
    /// locks.
    [[nodiscard]] bool gone() const { return (state == 'Z' && threads <= 1) || state == 'X' || state == 'x'; }
};

/// Of /proc/PID/stat. The name of the program, which may hold anything, ends with the last parenthesis.
std::optional<StatLine> read_stat(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string line;
    if (!std::getline(file, line)) return std::nullopt;
    const auto end_of_name = line.rfind(')');
    if (end_of_name == std::string::npos) return std::nullopt;
    std::istringstream rest(line.substr(end_of_name + 1));
    StatLine stat;
    rest >> stat.state;
    // Field 3 was the state, field 20 is the number of threads, field 22 the start.
    std::string skipped;
    for (int field = 4; field < 20; ++field) rest >> skipped;
    rest >> stat.threads >> skipped >> stat.started;
    if (!rest) return std::nullopt;
    return stat;
}

class SpawnSetup {
 public:
    SpawnSetup() {
        posix_spawn_file_actions_init(&actions_);
        posix_spawnattr_init(&attributes_);
    }
    ~SpawnSetup() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    SpawnSetup(const SpawnSetup&) = delete;
    SpawnSetup& operator=(const SpawnSetup&) = delete;

    /// A session of its own; no signal blocked, ignored or handled.
    void detach() {
        sigset_t none;
        sigset_t all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        posix_spawnattr_setflags(&attributes_,
                                 POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    void standard_streams(const std::filesystem::path& log) {
        posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                         0600);
        posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
    }
    void hand_over(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }

    /// Closes whatever we have inherited ourselves.
    void close_from(int first) { posix_spawn_file_actions_addclosefrom_np(&actions_, first); }

    [[nodiscard]] const posix_spawn_file_actions_t* actions() const { return &actions_; }
    [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

}  // namespace

Descriptor::~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

std::optional<ProcessId> identify(pid_t pid) {
    const auto stat = read_stat(pid);
    if (!stat || stat->gone()) return std::nullopt;
    return ProcessId{pid, stat->started};
}

ProcessState state_of(const ProcessId& process) {
    const auto stat = read_stat(process.pid);
    if (!stat || stat->started != process.started || stat->gone()) return ProcessState::gone;
    return stat->state == 'T' || stat->state == 't' ? ProcessState::stopped : ProcessState::running;
}

bool send_signal(const ProcessId& process, int signal) {
    return state_of(process) != ProcessState::gone && ::kill(process.pid, signal) == 0;
}

std::optional<ProcessId> read_pid_file(const std::filesystem::path& file) {
    std::ifstream in(file);
    ProcessId process;
    if (!(in >> process.pid >> process.started) || process.pid <= 0) return std::nullopt;
    return process;
}

Result<void> write_pid_file(const std::filesystem::path& file, const ProcessId& process) {
    std::ofstream out(file, std::ios::trunc);
    out << process.pid << ' ' << process.started << '\n';
    out.close();
    if (!out) return failure(kExitFailed, fmt::format("{}: {}", file.string(), std::strerror(errno)));
    return {};
}

Result<ProcessId> spawn_daemon(const DaemonPlan& plan) {
    SpawnSetup setup;
    setup.detach();
    setup.standard_streams(plan.log);
    std::vector<Descriptor> safe;
    int place = kFirstHandedDescriptor;
    for (const int fd : plan.descriptors) {
        safe.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstSafeDescriptor));
        if (!safe.back())
            return failure(kExitFailed, fmt::format("descriptor {}: {}", fd, std::strerror(errno)));
        setup.hand_over(safe.back().get(), place++);
    }
    setup.close_from(place);

    const std::string program = plan.program.string();
    std::vector<std::string> words{program};
    words.insert(words.end(), plan.arguments.begin(), plan.arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);

    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, program.c_str(), setup.actions(), setup.attributes(), argv.data(), environ);
    if (error != 0)
        return failure(kExitFailed, fmt::format("cannot start {}: {}", program, std::strerror(error)));
    // A child that has ended stays until it is waited for, so its line is there in any case.
    const auto stat = read_stat(pid);
    return ProcessId{pid, stat ? stat->started : 0};
}

std::optional<std::string> ending_of(const ProcessId& child) {
    int status = 0;
    if (::waitpid(child.pid, &status, WNOHANG) != child.pid) return std::nullopt;
    if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
    return fmt::format("exit code {}", WEXITSTATUS(status));
}

std::filesystem::path own_program() {
    std::error_code error;
    auto path = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? std::filesystem::path("monodon") : path;
}

}  // namespace monodon::tools
