#include <csignal>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "net/core/log.hpp"
#include "node/genesis.hpp"
#include "node/node.hpp"
#include "tools/ask.hpp"
#include "tools/operate.hpp"

// `monodon run`.
namespace monodon::tools {

namespace {

/// Whether whoever started us has it ignored, as nohup does with SIGHUP.
bool is_ignored(int signal) {
    struct sigaction action {};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

/// Signals that end the node are taken by one thread, which waits for them: no handler runs anywhere. Make it
/// before any thread starts, so that all of them leave these signals alone.
class Signals {
 public:
    Signals() {
        sigemptyset(&set_);
        sigaddset(&set_, SIGTERM);
        sigaddset(&set_, SIGINT);
        // A terminal that is gone. There is nothing to read again: configuration is fixed at the start, and
        // the log is a stream of whoever started us.
        if (!is_ignored(SIGHUP)) sigaddset(&set_, SIGHUP);
        ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
        // A peer or client that is gone is an error of the write.
        ::signal(SIGPIPE, SIG_IGN);
        // They mean nothing here, and by default they would kill.
        ::signal(SIGUSR1, SIG_IGN);
        ::signal(SIGUSR2, SIG_IGN);
    }
    int wait() const {
        int signal = 0;
        sigwait(&set_, &signal);
        return signal;
    }
    /// From here on they have their usual effect.
    void release() const { ::pthread_sigmask(SIG_UNBLOCK, &set_, nullptr); }

 private:
    sigset_t set_{};
};

/// As the log shows it: from the configuration, else the member's name, else that of the directory.
std::string node_name(const node::HomePaths& home, const node::Settings& settings) {
    if (!settings.node.name.empty()) return settings.node.name;
    if (settings.node.role == node::NodeRole::observer) return "observer";
    const auto key = node::load_key(home.key());
    const auto genesis = node::Genesis::load(home.genesis());
    if (key && genesis) {
        if (const auto index = genesis->index_of(key->peer_id())) return genesis->member(*index).name;
    }
    return home.root.filename().string();
}

Result<node::Config> load_config(const RunOptions& options) {
    const node::HomePaths home(options.home);
    node::ConfigSources sources;
    std::error_code ignored;
    if (std::filesystem::exists(home.config(), ignored)) sources.file = home.config();
    sources.environment = node::process_environment();
    sources.overrides = options.settings;
    auto config = node::Config::load(sources);
    if (!config) {
        return failure(kExitConfiguration,
                       fmt::format("the configuration is wrong:\n  {}", fmt::join(config.error(), "\n  ")));
    }
    return std::move(*config);
}

void announce(const node::Node& node, log::Format format) {
    for (const std::string& line : node.banner()) {
        if (format == log::Format::text) {
            note(line);
        } else {
            log::info(log::Category::node, line);
        }
    }
}

}  // namespace

int run(const RunOptions& options) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(options.home, ignored)) {
        return report({kExitConfiguration, no_home(options.home)});
    }
    auto config = load_config(options);
    if (!config) return report(config.error());
    const Signals signals;
    const node::HomePaths home(options.home);
    const node::Settings& settings = config->settings();
    const log::Format format =
        settings.log.format.value_or(is_terminal(stderr) ? log::Format::text : log::Format::json);
    log::initialise(format, settings.log.level, node_name(home, settings));

    node::NodeOptions start{home, std::move(*config), options.listen_fd.value_or(-1),
                            options.api_fd.value_or(-1), [] { ::kill(::getpid(), SIGTERM); }};
    auto node = node::Node::start(std::move(start));
    if (!node) {
        log::error(log::Category::node, "cannot start", {{"error", node.error().text}});
        return report({node.error().exit_code, node.error().text});
    }
    announce(**node, format);
    const int signal = signals.wait();
    log::info(log::Category::node, "asked to stop; a second signal ends this process at once",
              {{"signal", signal == SIGTERM  ? "SIGTERM"
                          : signal == SIGINT ? "SIGINT"
                                             : "SIGHUP"}});
    signals.release();
    (*node)->stop();
    return kExitDone;
}

}  // namespace monodon::tools
