#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/output.hpp"

/// What an operator does with one home. Each function is one command: it prints, and gives the exit code.
namespace monodon::tools {

struct InitOptions {
    std::string home;
    /// Copied into the home, if given.
    std::string genesis;
    /// The key was used before, and what it signed is not in this home, or not all of it.
    bool rejoin = false;
    /// Of a node outside the committee.
    bool observer = false;
    Form form = Form::table;
};
/// `monodon init`: key, config.toml with comments; what is there stays. With `rejoin` the node asks the
/// others where they last saw it before it signs anything.
int init(const InitOptions& options);

struct RunOptions {
    std::string home;
    /// Sockets that listen already, as `testnet up` hands them over.
    std::optional<int> listen_fd;
    std::optional<int> api_fd;
    /// `key=value`, over file and environment.
    std::vector<std::string> settings;
};
/// `monodon run`: the node, until SIGTERM, SIGINT or SIGHUP. A second one of these ends it at once.
int run(const RunOptions& options);

struct ConfigOptions {
    /// Empty, and without a file: MONODON_HOME, else the defaults alone.
    std::string home;
    /// Another file than the home's config.toml.
    std::string file;
    std::vector<std::string> settings;
    bool origin = false;
    /// What the running node has, rather than what it would have after a restart.
    bool running = false;
    Form form = Form::table;
};
/// `monodon config show`, `config diff` (those that are not the defaults) and `config check`: exit code 78 if
/// a node would not start with it, 65 if the home has lost its store.
int config_show(const ConfigOptions& options);
int config_diff(const ConfigOptions& options);
int config_check(const ConfigOptions& options);

int version(Form form);

}  // namespace monodon::tools
