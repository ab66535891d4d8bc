#pragma once

#include <functional>
#include <string>
#include <vector>

/// The command line. cli_operate.cpp and cli_ask.cpp alone see CLI11, which is slow to compile.
namespace CLI {
class App;
}

namespace monodon::tools {

/// What a command line asks for; filled in while it is parsed, run afterwards.
struct Invocation {
    std::function<int()> command;
};

/// The commands that run nodes: init, run, testnet, config, db, replay, simulate, version.
void add_operating_commands(CLI::App& app, Invocation& invocation);
/// The commands that ask nodes: status, peers, dag, tx, commits, verify.
void add_asking_commands(CLI::App& app, Invocation& invocation);

/// `testnet status`, the one of these that asks.
void add_testnet_status(CLI::App& testnet, Invocation& invocation);

/// Parses, runs, and gives the exit code of the process. Words without the program's name.
int run_command_line(const std::vector<std::string>& words);

}  // namespace monodon::tools
