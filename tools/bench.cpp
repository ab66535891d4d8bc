#include "tools/bench.hpp"

#include <algorithm>
#include <memory>
#include <random>
#include <set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/bench_lane.hpp"

namespace monodon::tools {

namespace asio = boost::asio;

namespace {

/// What will have been executed of those due in the measured time, if all goes well.
std::uint64_t expected(const BenchOptions& options) {
    return options.rate * static_cast<std::uint64_t>(options.duration.count()) / 1000;
}

using Clock = std::chrono::steady_clock;

/// Transactions that fall due within it travel together.
constexpr auto kBenchTick = std::chrono::milliseconds(5);
constexpr auto kConnectPatience = std::chrono::seconds(10);
constexpr auto kDrainPatience = std::chrono::seconds(20);

/// Connects, runs the clock, waits for the last receipts.
class Bench {
 public:
    Bench(const BenchOptions& options, std::vector<SubmitTarget> targets)
        : options_(options), timer_(io_), progress_("bench", expected(options), "transactions executed") {
        std::random_device random;
        const std::uint64_t run = static_cast<std::uint64_t>(random()) << 32 | random();
        const std::size_t lanes = targets.size() * options.connections;
        std::uint32_t number = 0;
        for (const SubmitTarget& target : targets) {
            result_.validators.push_back(target.name);
            for (unsigned at = 0; at < options.connections; ++at) {
                lanes_.push_back(std::make_unique<BenchLane>(
                    io_.get_executor(), target, TransactionMaker(options.kind, options.size, run, number++),
                    static_cast<double>(options.rate) / static_cast<double>(lanes), result_));
            }
        }
        result_.connections = lanes;
    }

    Result<BenchResult> run() {
        for (const auto& lane : lanes_) lane->open();
        opened_ = Clock::now();
        wait_for_connections();
        io_.run();
        if (!connected_) return failure(kExitCannotConnect, trouble());
        note_endings();
        return std::move(result_);
    }

 private:
    void after(Clock::duration pause, void (Bench::*step)()) {
        timer_.expires_after(pause);
        timer_.async_wait([this, step](boost::system::error_code error) {
            if (!error) (this->*step)();
        });
    }

    void wait_for_connections() {
        const bool all =
            std::ranges::all_of(lanes_, [](const auto& lane) { return lane->channel().connected(); });
        if (!all && Clock::now() - opened_ < kConnectPatience)
            return after(kBenchTick, &Bench::wait_for_connections);
        connected_ =
            std::ranges::any_of(lanes_, [](const auto& lane) { return lane->channel().connected(); });
        if (!connected_) return io_.stop();
        if (!all) note(fmt::format("without {}", trouble()));
        start_ = Clock::now();
        window_ = {start_ + options_.warmup, start_ + options_.warmup + options_.duration};
        next_ = start_ + kBenchTick;
        for (const auto& lane : lanes_) lane->begin(start_, window_);
        schedule();
    }

    void note_endings() const {
        for (const auto& lane : lanes_) {
            for (const auto& [why, count] : lane->channel().endings()) {
                note(fmt::format("a connection to {} ended {} times: {}", lane->channel().target().name,
                                 count, why));
            }
        }
    }

    std::string trouble() const {
        std::set<std::string> lines;
        for (const auto& lane : lanes_) {
            const SubmitChannel& channel = lane->channel();
            if (channel.connected()) continue;
            lines.insert(fmt::format("{} at {}: {}", channel.target().name, channel.target().address,
                                     channel.trouble()));
        }
        return fmt::format("{}", fmt::join(lines, "; "));
    }

    void schedule() {
        timer_.expires_at(next_);
        timer_.async_wait([this](boost::system::error_code error) {
            if (!error) tick();
        });
    }

    void tick() {
        // All ticks that have come, one by one: each gives its transactions their own time.
        for (const auto now = Clock::now(); next_ <= now && next_ < window_.end; next_ += kBenchTick) {
            for (const auto& lane : lanes_) lane->tick(next_);
        }
        progress_.update(result_.executed);
        if (next_ < window_.end) return schedule();
        result_.seconds = std::chrono::duration<double>(window_.end - window_.begin).count();
        drain();
    }

    void drain() {
        const bool idle = std::ranges::all_of(lanes_, [](const auto& lane) { return lane->idle(); });
        if (idle) return io_.stop();
        if (Clock::now() - window_.end > kDrainPatience) {
            for (const auto& lane : lanes_) lane->give_up();
            return io_.stop();
        }
        progress_.update(result_.executed, "the last receipts");
        after(kBenchTick, &Bench::drain);
    }

    const BenchOptions& options_;
    asio::io_context io_{1};
    asio::steady_timer timer_;
    Progress progress_;
    BenchResult result_;
    std::vector<std::unique_ptr<BenchLane>> lanes_;
    Clock::time_point opened_;
    Clock::time_point start_;
    Clock::time_point next_;
    BenchWindow window_;
    bool connected_ = false;
};

}  // namespace

std::optional<std::string> failure_of(const BenchResult& result) {
    if (result.committed_in_window == 0) {
        return "nothing was committed in the measured time; see `monodon status --all`";
    }
    std::vector<std::string> list;
    for (const auto& [why, count] : result.lost) list.push_back(fmt::format("{} lost ({})", count, why));
    for (const auto& [why, count] : result.refused) {
        if (why != node::name(node::Refusal::busy))
            list.push_back(fmt::format("{} refused ({})", count, why));
    }
    if (list.empty()) return std::nullopt;
    return fmt::format("of {} transactions {}", result.offered, fmt::join(list, ", "));
}

Result<BenchResult> run_bench(const BenchOptions& options) {
    auto targets = submit_targets(options.where);
    if (!targets) return Unexpected{targets.error()};
    for (const std::string& name : options.to) {
        const bool known =
            std::ranges::any_of(*targets, [&](const SubmitTarget& target) { return target.name == name; });
        if (!known) return failure(kExitUsage, name + " of --to is no validator that takes transactions");
    }
    if (!options.to.empty()) {
        std::erase_if(*targets, [&](const SubmitTarget& target) {
            return std::ranges::find(options.to, target.name) == options.to.end();
        });
    }
    if (options.rate == 0 || options.connections == 0) {
        return failure(kExitUsage, "--rate and --connections are at least 1");
    }
    return Bench(options, std::move(*targets)).run();
}

int bench(const BenchOptions& options) {
    std::optional<MachineLimits> limits;
    if (options.limits) {
        const auto nodes = find_nodes(options.where);
        if (!nodes) return report(nodes.error());
        const auto measured = measure_machine(nodes->front().home);
        if (!measured) return report(measured.error());
        limits = *measured;
    }
    const auto result = run_bench(options);
    if (!result) return report(result.error());
    print_bench(options, *result, limits ? &*limits : nullptr);
    const auto failed = failure_of(*result);
    return failed ? report({kExitFailed, *failed}) : kExitDone;
}

}  // namespace monodon::tools
