#include "tools/testnet.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <deque>
#include <fstream>
#include <set>
#include <thread>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "tools/testnet_dir.hpp"

// The commands that act on nodes which run; `up` is in testnet_up.cpp.
namespace monodon::tools {

namespace json = boost::json;

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kStopPatience = std::chrono::seconds(5);
constexpr auto kPoll = std::chrono::milliseconds(20);
constexpr auto kFollowPoll = std::chrono::milliseconds(200);

struct SignalName {
    const char* name;
    int number;
};
constexpr SignalName kSignals[] = {{"KILL", SIGKILL}, {"TERM", SIGTERM}, {"INT", SIGINT},   {"ABRT", SIGABRT},
                                   {"STOP", SIGSTOP}, {"CONT", SIGCONT}, {"QUIT", SIGQUIT}, {"HUP", SIGHUP}};

/// False if the time is up.
bool wait_until_gone(const ProcessId& process, Clock::time_point deadline) {
    while (state_of(process) != ProcessState::gone) {
        if (Clock::now() > deadline) return false;
        std::this_thread::sleep_for(kPoll);
    }
    return true;
}

struct Member {
    std::string name;
    std::optional<ProcessId> process;
};

struct Selection {
    TestnetDir testnet;
    /// Held for as long as the command acts.
    Descriptor lock;
    std::vector<Member> members;
};

Result<Selection> select(const std::string& dir, const std::vector<std::string>& names) {
    auto testnet = TestnetDir::load(dir);
    if (!testnet) return Unexpected{testnet.error()};
    auto lock = lock_testnet(dir);
    if (!lock) return Unexpected{lock.error()};
    const auto nodes = testnet->select(names);
    if (!nodes) return Unexpected{nodes.error()};
    std::vector<Member> members;
    for (const TestnetNode& node : *nodes) members.push_back({node.name, testnet->process(node.name)});
    return Selection{std::move(*testnet), std::move(*lock), std::move(members)};
}

void forget(const Selection& selection, const std::string& name) {
    std::error_code ignored;
    std::filesystem::remove(selection.testnet.pid_file(name), ignored);
}

void say_stopped(Form form, const Member& member, bool forced, double seconds, json::array& list) {
    const bool ran = member.process.has_value();
    const char* how = !ran ? "was not running" : forced ? "killed" : "stopped";
    list.push_back(json::object{{"name", member.name}, {"result", how}, {"seconds", seconds}});
    if (form == Form::plain) print_line(fmt::format("{}\t{}", member.name, how));
    if (form == Form::table) {
        print_line(
            fmt::format("{}  {}{}", member.name, how, ran ? fmt::format(" in {:.1f} s", seconds) : ""));
    }
}

/// By the system's rule, and that of `run`, which ignores SIGUSR1, SIGUSR2 and SIGPIPE.
bool ends_a_process(int signal) {
    constexpr std::array kGoesOn{SIGSTOP, SIGCONT,  SIGTSTP, SIGTTIN, SIGTTOU, SIGCHLD,
                                 SIGURG,  SIGWINCH, SIGUSR1, SIGUSR2, SIGPIPE};
    return std::ranges::find(kGoesOn, signal) == kGoesOn.end();
}

void say_signalled(Form form, const Member& member, const char* done, json::array& list) {
    list.push_back(json::object{{"name", member.name}, {"result", done}, {"pid", member.process->pid}});
    if (form == Form::plain) print_line(fmt::format("{}\t{}", member.name, done));
    if (form == Form::table)
        print_line(fmt::format("{}  {}  pid {}", member.name, done, member.process->pid));
}

/// Sends a signal to each; those that do not run make the command fail, after the others have got it.
int signal_all(const Selection& selection, int signal, const char* done, Form form) {
    int code = kExitDone;
    json::array list;
    // All get it before any is waited for: `kill` of a whole committee is as sudden as it can be.
    std::set<std::string> sent;
    for (const Member& member : selection.members) {
        if (member.process && send_signal(*member.process, signal)) sent.insert(member.name);
    }
    for (const Member& member : selection.members) {
        if (!sent.contains(member.name)) {
            code = report({kExitFailed, fmt::format("{} does not run; `monodon testnet add {}` starts it",
                                                    member.name, member.name)});
            continue;
        }
        if (ends_a_process(signal)) {
            // One that is paused ends only when it runs on, but for SIGKILL.
            send_signal(*member.process, SIGCONT);
            if (!wait_until_gone(*member.process, Clock::now() + kStopPatience)) {
                code = report(
                    {kExitTimedOut, fmt::format("{} (pid {}) still runs", member.name, member.process->pid)});
                continue;
            }
            forget(selection, member.name);
        }
        say_signalled(form, member, done, list);
    }
    if (form == Form::json) print_json(list);
    return code;
}

Result<int> send_named(const TestnetSignal& options, int signal, const char* done) {
    if (options.names.empty()) return failure(kExitUsage, "which node? Name one or more, for example v2");
    const auto selection = select(options.dir, options.names);
    if (!selection) return Unexpected{selection.error()};
    return signal_all(*selection, signal, done, options.form);
}

int ended(const Result<int>& result) { return result ? *result : report(result.error()); }

}  // namespace

void lay_over(std::vector<std::string>& settings, const std::string& setting) {
    const auto key = setting.substr(0, setting.find('='));
    std::erase_if(settings, [&key](const std::string& old) { return old.substr(0, old.find('=')) == key; });
    settings.push_back(setting);
}

std::optional<int> parse_signal(std::string word) {
    int value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error == std::errc() && end == word.data() + word.size()) {
        return value > 0 && value < 32 ? std::optional(value) : std::nullopt;
    }
    if (word.starts_with("SIG")) word.erase(0, 3);
    const auto* found =
        std::ranges::find(kSignals, word, [](const SignalName& one) { return std::string(one.name); });
    return found == std::end(kSignals) ? std::nullopt : std::optional(found->number);
}

std::vector<std::string> last_lines(const std::string& file, std::size_t count) {
    std::ifstream in(file);
    std::deque<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(std::move(line));
        if (lines.size() > count) lines.pop_front();
    }
    return {lines.begin(), lines.end()};
}

int testnet_down(const TestnetDown& options) {
    const auto selection = select(options.dir, options.names);
    if (!selection) return report(selection.error());
    const auto begin = Clock::now();
    for (const Member& member : selection->members) {
        if (!member.process) continue;
        send_signal(*member.process, SIGTERM);
        send_signal(*member.process, SIGCONT);
    }
    int code = kExitDone;
    json::array list;
    for (const Member& member : selection->members) {
        bool forced = false;
        if (member.process && !wait_until_gone(*member.process, begin + kStopPatience)) {
            forced = true;
            note(fmt::format("{} (pid {}) did not stop within {}: killed", member.name, member.process->pid,
                             human_time(kStopPatience)));
            send_signal(*member.process, SIGKILL);
            if (!wait_until_gone(*member.process, Clock::now() + kStopPatience)) code = kExitFailed;
        }
        forget(*selection, member.name);
        say_stopped(options.form, member, forced, std::chrono::duration<double>(Clock::now() - begin).count(),
                    list);
    }
    if (options.form == Form::json) print_json(list);
    return code;
}

int testnet_kill(const TestnetSignal& options) {
    const auto signal = parse_signal(options.signal);
    if (!signal)
        return report({kExitUsage, fmt::format("{} is no signal, as KILL or TERM are", options.signal)});
    return ended(send_named(options, *signal, ends_a_process(*signal) ? "ended" : "signalled"));
}

int testnet_pause(const TestnetSignal& options) {
    return ended(options.resume ? send_named(options, SIGCONT, "resumed")
                                : send_named(options, SIGSTOP, "paused"));
}

int testnet_logs(const TestnetLogs& options) {
    const auto testnet = TestnetDir::load(options.dir);
    if (!testnet) return report(testnet.error());
    if (const auto found = testnet->find(options.name); !found) return report(found.error());
    const std::string file = testnet->home(options.name).log().string();
    for (const std::string& line : last_lines(file, options.lines)) print_line(line);
    if (!options.follow) return kExitDone;

    std::ifstream in(file);
    in.seekg(0, std::ios::end);
    std::array<char, 16384> block{};
    while (!output_lost()) {
        while (in.read(block.data(), block.size()), in.gcount() > 0) {
            print_text({block.data(), static_cast<std::size_t>(in.gcount())});
        }
        in.clear();
        std::this_thread::sleep_for(kFollowPoll);
    }
    return kExitFailed;
}

}  // namespace monodon::tools
