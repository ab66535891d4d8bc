#include <csignal>
#include <map>
#include <thread>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/ask.hpp"
#include "tools/json_read.hpp"
#include "tools/testnet.hpp"
#include "tools/testnet_start.hpp"

// `testnet up`.
namespace monodon::tools {

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kReadyPoll = std::chrono::milliseconds(25);
constexpr std::size_t kLogTail = 8;

struct Started {
    TestnetNode node;
    ProcessId process;
};

/// What the committee looks like when it is ready.
struct Readiness {
    std::size_t ready = 0;
    std::uint64_t commit = 0;
};

class Up {
 public:
    explicit Up(const TestnetUp& options) : options_(options), testnet_(options.dir) {}

    Result<void> run() {
        // What is wrong with the options is said before a directory is made for them.
        if (!TestnetDir::exists(options_.dir)) {
            if (auto planned = plan_testnet(options_); !planned) return Unexpected{planned.error()};
        }
        std::error_code error;
        fs::create_directories(options_.dir, error);
        if (error) return failure(kExitFailed, fmt::format("{}: {}", options_.dir, error.message()));
        auto lock = lock_testnet(options_.dir);
        if (!lock) return Unexpected{lock.error()};
        // Looked at again: another command may have made it while this one waited for the lock.
        const bool exists = TestnetDir::exists(options_.dir);
        if (auto ready = exists ? take_over() : make(); !ready) return ready;
        if (auto saved = testnet_.save(); !saved) return saved;
        announce();
        begin_ = Clock::now();
        if (auto started = start(); !started) {
            stop_started();
            return started;
        }
        if (!options_.wait) return {};
        auto ready = wait();
        // Nodes that are slow go on; what cannot run at all is not left half done.
        if (!ready && ready.error().code != kExitTimedOut) stop_started();
        return ready;
    }

 private:
    Result<void> take_over() {
        auto loaded = TestnetDir::load(options_.dir);
        if (!loaded) return Unexpected{loaded.error()};
        testnet_ = std::move(*loaded);
        const std::size_t size = testnet_.validators();
        if (options_.validators && *options_.validators != size) {
            return failure(kExitUsage,
                           fmt::format("{} holds a committee of {}; leave out -n or take another --dir",
                                       options_.dir, size));
        }
        if (options_.seeds) {
            return failure(kExitUsage,
                           fmt::format("{} exists: --seeds is for a new committee", options_.dir));
        }
        if (options_.observers) {
            const std::size_t known = testnet_.nodes().size();
            auto listeners = add_observers(testnet_, *options_.observers, options_.api);
            if (!listeners) return Unexpected{listeners.error()};
            keep(std::move(*listeners), known);
        }
        return apply_options(testnet_, options_);
    }

    Result<void> make() {
        auto planned = plan_testnet(options_);
        if (!planned) return Unexpected{planned.error()};
        testnet_ = std::move(*planned);
        auto listeners = make_testnet(testnet_, options_.api, options_.seeds);
        if (!listeners) return Unexpected{listeners.error()};
        keep(std::move(*listeners), 0);
        return {};
    }

    /// Of the nodes from `first` on.
    void keep(std::vector<Listeners> listeners, std::size_t first) {
        for (std::size_t at = 0; at < listeners.size(); ++at) {
            listeners_[testnet_.nodes()[first + at].name] = std::move(listeners[at]);
        }
    }

    void announce() const {
        const std::size_t size = testnet_.validators();
        const std::size_t observers = testnet_.observers();
        if (options_.form != Form::table || !options_.only.empty()) return;
        print_line(fmt::format(
            "genesis {} · committee of {}, tolerates {}{}", testnet_.genesis().string(), size, (size - 1) / 3,
            observers == 0 ? std::string() : fmt::format(" · observers beside it: {}", observers)));
    }

    bool left_out(const std::string& name) const {
        const auto holds = [&name](const std::vector<std::string>& names) {
            return std::ranges::find(names, name) != names.end();
        };
        return holds(options_.without) || (!options_.only.empty() && !holds(options_.only));
    }

    Result<void> start() {
        std::size_t width = 0;
        for (const TestnetNode& node : testnet_.nodes()) width = std::max(width, node.name.size());
        for (const TestnetNode& node : testnet_.nodes()) {
            if (left_out(node.name)) continue;
            auto process = testnet_.process(node.name);
            const bool ran = process.has_value();
            if (!ran) {
                if (!listeners_.contains(node.name)) {
                    auto listeners = listen_again(node);
                    if (!listeners) return Unexpected{listeners.error()};
                    listeners_[node.name] = std::move(*listeners);
                }
                auto begun = start_node(testnet_, node, listeners_[node.name]);
                if (!begun) return Unexpected{begun.error()};
                process = *begun;
                // From here on the node alone holds its sockets.
                listeners_.erase(node.name);
                started_.push_back({node, *process});
            }
            running_.push_back({node, *process});
            show(node, *process, width, ran);
        }
        return {};
    }

    void show(const TestnetNode& node, const ProcessId& process, std::size_t width, bool ran) {
        const std::string socket = testnet_.home(node.name).admin_socket().string();
        const std::string api = node.api_address.empty() ? "off" : "http://" + node.api_address;
        shown_.push_back(json::object{{"name", node.name},
                                      {"role", node.observer ? "observer" : "validator"},
                                      {"pid", process.pid},
                                      {"peer", node.peer_address},
                                      {"api", node.api_address.empty() ? json::value() : json::value(api)},
                                      {"socket", socket},
                                      {"already_running", ran}});
        if (options_.form == Form::plain) {
            print_line(
                fmt::format("{}\t{}\t{}\t{}\t{}", node.name, process.pid, node.peer_address, api, socket));
        }
        if (options_.form == Form::table) {
            print_line(fmt::format("{:<{}}  pid {}  peer {}  api {}  socket {}{}", node.name, width,
                                   process.pid, node.peer_address, api, socket,
                                   ran ? "  (ran already)" : ""));
        }
    }

    Result<void> wait() {
        std::vector<NodeRef> nodes;
        for (const Started& one : running_) {
            auto found = find_nodes({{}, options_.dir, one.node.name});
            if (!found) return Unexpected{found.error()};
            nodes.push_back(std::move(found->front()));
        }
        Progress progress("waiting", nodes.size(), "nodes ready");
        std::vector<std::string> reasons;
        while (Clock::now() - begin_ < options_.timeout) {
            for (const Started& one : started_) {
                if (state_of(one.process) == ProcessState::gone) return ended(one);
            }
            const Readiness now = look(nodes, reasons);
            progress.update(now.ready);
            if (now.ready == nodes.size()) {
                ready(now);
                return {};
            }
            std::this_thread::sleep_for(kReadyPoll);
        }
        return failure(
            kExitTimedOut,
            fmt::format("not ready after {}: {}. The nodes go on; see `monodon status --all --dir {}`",
                        human_time(options_.timeout), fmt::join(reasons, "; "), options_.dir));
    }

    static Readiness look(const std::vector<NodeRef>& nodes, std::vector<std::string>& reasons) {
        Readiness readiness;
        reasons.clear();
        const auto answers = all_statuses(nodes, std::chrono::seconds(1));
        for (std::size_t at = 0; at < nodes.size(); ++at) {
            if (!answers[at]) {
                reasons.push_back(fmt::format("{} does not answer", nodes[at].name));
                continue;
            }
            const json::object& status = *answers[at];
            readiness.commit = std::max(readiness.commit, number(status, "commit"));
            if (flag(status, "ready")) {
                ++readiness.ready;
                continue;
            }
            const json::array& why = items(status, "reasons");
            reasons.push_back(fmt::format("{}: {}", nodes[at].name,
                                          why.empty() || !why.front().is_string()
                                              ? text(status, "state")
                                              : std::string(why.front().get_string())));
        }
        return readiness;
    }

    void ready(const Readiness& now) const {
        const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
        if (options_.form == Form::json) {
            print_json(json::object{{"dir", options_.dir},
                                    {"genesis", testnet_.genesis().string()},
                                    {"validators", testnet_.validators()},
                                    {"observers", testnet_.observers()},
                                    {"nodes", shown_},
                                    {"ready", true},
                                    {"commit", now.commit},
                                    {"seconds", seconds}});
        }
        if (options_.form == Form::table) {
            const std::string who = options_.only.empty()
                                        ? fmt::format(": {} of {} ready", now.ready, testnet_.nodes().size())
                                        : std::string();
            print_line(fmt::format("ready in {:.1f} s{}, commit {}", seconds, who, now.commit));
        }
    }

    Unexpected<Failure> ended(const Started& one) const {
        const std::string log = testnet_.home(one.node.name).log().string();
        std::string message = fmt::format("{} has ended at once ({}); the end of {}:", one.node.name,
                                          ending_of(one.process).value_or("reason unknown"), log);
        for (const std::string& line : last_lines(log, kLogTail)) message += "\n  " + one_line(line);
        return failure(kExitFailed, std::move(message));
    }

    void stop_started() const {
        for (const Started& one : started_) send_signal(one.process, SIGTERM);
        const auto deadline = Clock::now() + std::chrono::seconds(5);
        for (const Started& one : started_) {
            while (state_of(one.process) != ProcessState::gone && Clock::now() < deadline) {
                std::this_thread::sleep_for(kReadyPoll);
            }
            send_signal(one.process, SIGKILL);
        }
    }

    const TestnetUp& options_;
    TestnetDir testnet_;
    std::map<std::string, Listeners> listeners_;
    std::vector<Started> started_;
    std::vector<Started> running_;
    json::array shown_;
    Clock::time_point begin_;
};

}  // namespace

int testnet_up(const TestnetUp& options) {
    const auto done = Up(options).run();
    return done ? kExitDone : report(done.error());
}

}  // namespace monodon::tools
