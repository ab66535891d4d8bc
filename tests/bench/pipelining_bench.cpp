#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/bench/figures.hpp"
#include "tests/bench/network_pair.hpp"
#include "tests/bench/relay.hpp"

// pipelining [json]: small requests a second on one connection, one at a time and with full windows, with and
// without 5 ms of delay each way. The relay stands between the two in every case.
namespace monodon::bench {

namespace {

constexpr Duration kDelay = std::chrono::milliseconds(5);
constexpr Duration kMeasured = std::chrono::seconds(3);
constexpr Duration kDeadline = std::chrono::seconds(20);
constexpr std::size_t kRequestBytes = 64;
/// The windows of the design (network.md 4).
constexpr std::size_t kInteractiveWindow = 16;
constexpr std::size_t kWholeWindow = 64;
/// "At least 8 times the request rate of one at a time at 5 ms of relay delay" (issue of this floor).
constexpr double kGoal = 8;

using Clock = std::chrono::steady_clock;

/// Keeps a number of requests open until the time is over.
class Asker {
 public:
    Asker(NetworkPair& pair, net::MessageClass message_class, net::Method method)
        : pair_(pair), class_(message_class), method_(method) {}

    /// Answers a second, with so many open at a time.
    double measure(std::size_t open) {
        answered_ = 0;
        const auto begin = Clock::now();
        until_ = begin + kMeasured;
        open_ = open;
        for (std::size_t at = 0; at < open; ++at) ask();
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return open_ == 0; });
        return static_cast<double>(answered_) / std::chrono::duration<double>(Clock::now() - begin).count();
    }

 private:
    void ask() {
        (void)pair_.left().request(pair_.right_id(), class_, method_, body_, kDeadline,
                                   [this](const Expected<SharedBytes, net::RpcFailure>& reply) {
                                       if (!reply) give_up("a request failed");
                                       ++answered_;
                                       if (Clock::now() < until_) return ask();
                                       const std::lock_guard lock(mutex_);
                                       if (--open_ == 0) changed_.notify_all();
                                   });
    }

    NetworkPair& pair_;
    const net::MessageClass class_;
    const net::Method method_;
    const SharedBytes body_ = std::make_shared<const Bytes>(kRequestBytes, Byte{7});
    Clock::time_point until_;
    std::atomic<std::uint64_t> answered_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t open_ = 0;
};

void measure(Duration delay, const std::string& where, std::optional<double> goal, Figures& figures) {
    NetworkPair pair;
    net::Handlers right;
    right.on_request = [](const PeerId&, net::Role, net::Method, const SharedBytes& body,
                          const net::Replier& replier) { replier.finish(body); };
    const Relay relay(pair.start_right(std::move(right)), {delay});
    pair.start_left({}, relay.port());
    Asker interactive(pair, net::MessageClass::interactive, net::Method::get_certificates);
    Asker data(pair, net::MessageClass::data, net::Method::submit_transactions);
    const double single = interactive.measure(1);
    const double window = interactive.measure(kInteractiveWindow);
    const double whole = data.measure(kWholeWindow);
    figures.push_back({"one at a time, " + where, single, "1/s"});
    figures.push_back({fmt::format("{} at a time (class 2), {}", kInteractiveWindow, where), window, "1/s"});
    figures.push_back({fmt::format("{} at a time (class 3), {}", kWholeWindow, where), whole, "1/s"});
    figures.push_back({fmt::format("{} at a time beside one, {}", kInteractiveWindow, where), window / single,
                       "times", goal, false});
    figures.push_back({fmt::format("{} at a time beside one, {}", kWholeWindow, where), whole / single,
                       "times", goal, false});
    pair.stop();
}

int run(bool json) {
    Figures figures;
    figures.push_back(machine_load());
    measure(kDelay, "5 ms each way", kGoal, figures);
    measure(Duration{0}, "no delay", {}, figures);
    print(figures, json);
    return 0;
}

}  // namespace

}  // namespace monodon::bench

int main(int argc, char** argv) { return monodon::bench::run(monodon::bench::options_of(argc, argv).json); }
