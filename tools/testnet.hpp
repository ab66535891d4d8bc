#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/output.hpp"

/// A local committee of real processes on loopback addresses. Each function is one command: it prints, and
/// gives the exit code.
namespace monodon::tools {

struct TestnetUp {
    std::string dir;
    /// Of a new committee; nothing: 4. An existing one has its size.
    std::optional<unsigned> validators;
    /// Beside the committee. Those that an existing testnet lacks are made.
    std::optional<unsigned> observers;
    /// Of a new committee: all know the addresses of so many validators and nothing else. Nothing: the
    /// genesis file has the addresses of all.
    std::optional<unsigned> seeds;
    bool api = true;
    /// `key=value` for every node, and `name:key=value` for one. They stay until they are given anew.
    std::vector<std::string> settings;
    std::vector<std::string> node_settings;
    /// Names of nodes that are not started.
    std::vector<std::string> without;
    /// Names of those that are started; empty: all.
    std::vector<std::string> only;
    bool wait = true;
    std::chrono::milliseconds timeout = std::chrono::seconds(60);
    Form form = Form::table;
};
/// Makes the committee if there is none, and starts those of its nodes that do not run.
int testnet_up(const TestnetUp& options);

struct TestnetDown {
    std::string dir;
    /// Empty: all.
    std::vector<std::string> names;
    Form form = Form::table;
};
/// SIGTERM, and SIGKILL for what has not ended after five seconds.
int testnet_down(const TestnetDown& options);

struct TestnetSignal {
    std::string dir;
    std::vector<std::string> names;
    /// For kill: a name with or without SIG, or a number.
    std::string signal = "KILL";
    bool resume = false;
    Form form = Form::table;
};
/// Sends the signal, and if it is one that ends a node waits until it has ended.
int testnet_kill(const TestnetSignal& options);
/// SIGSTOP, or SIGCONT to resume.
int testnet_pause(const TestnetSignal& options);

struct TestnetPartition {
    std::string dir;
    /// Names with commas between them; who is in none is in a group with all others that are in none.
    std::vector<std::string> groups;
    Form form = Form::table;
};
/// Members of different groups are cut off from each other (each bans the others), those of one group are
/// joined. Nodes that do not run are left as they are: a restart forgets bans.
int testnet_partition(const TestnetPartition& options);
/// All that run are joined.
int testnet_heal(const TestnetPartition& options);
/// The group of each name, from 0. Which name is unknown or in two groups, in words.
[[nodiscard]] Result<std::map<std::string, std::size_t>> groups_of(const std::vector<std::string>& names,
                                                                   const std::vector<std::string>& groups);

struct TestnetLogs {
    std::string dir;
    std::string name;
    unsigned lines = 20;
    bool follow = false;
};
int testnet_logs(const TestnetLogs& options);

/// The last lines of a file; empty if it cannot be read.
[[nodiscard]] std::vector<std::string> last_lines(const std::string& file, std::size_t count);
/// `KILL`, `SIGKILL` or `9`.
[[nodiscard]] std::optional<int> parse_signal(std::string word);
/// Lays `key=value` over a list of such, replacing the value of the same key.
void lay_over(std::vector<std::string>& settings, const std::string& setting);

}  // namespace monodon::tools
