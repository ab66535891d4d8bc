#include <functional>
#include <thread>

#include <fmt/format.h>

#include "tests/bench/storage_bench.hpp"
#include "tests/storage/support.hpp"

// What it takes until something is durable, beside a bare fdatasync in the same moments.
namespace monodon::storage::bench {

namespace {

constexpr std::size_t kSamples = 400;
constexpr double kBulkBytesPerSecond = 500e6;

/// Batches at a steady rate, as fast as the disk takes them if that is less.
class Bulk {
 public:
    Bulk(BatchStore& store, const Batches& batches)
        : store_(store), batches_(batches), thread_([this] { run(); }) {}
    ~Bulk() {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
    Bulk(const Bulk&) = delete;
    Bulk& operator=(const Bulk&) = delete;

 private:
    void run() {
        const std::chrono::duration<double> each(static_cast<double>(batches_.body->size()) /
                                                 kBulkBytesPerSecond);
        auto due = Clock::now();
        std::unique_lock lock(mutex_);
        for (std::uint64_t number = 0; !stop_;) {
            const auto entry = batches_.entry(number, dag::Round{number / 10'000});
            if (store_.put(entry, batches_.body, Standing::named, {})) {
                ++number;
                due += std::chrono::duration_cast<Clock::duration>(each);
            } else {
                due = Clock::now() + std::chrono::milliseconds(1);
            }
            changed_.wait_until(lock, due, [this] { return stop_; });
        }
    }

    BatchStore& store_;
    const Batches& batches_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool stop_ = false;
    std::thread thread_;
};

using Write = std::function<void(std::function<void()> durable)>;

/// Times of one write after the other, each after a bare sync.
struct Times {
    std::vector<double> ours;
    std::vector<double> bare;
};
Times alternate(BareFile& bare, const Write& write) {
    Times times;
    for (std::size_t at = 0; at < kSamples; ++at) {
        times.bare.push_back(bare.write_and_sync());
        Arrivals durable;
        const auto begin = Clock::now();
        write([&] { durable.arrived(); });
        durable.wait_for(1);
        times.ours.push_back(seconds_since(begin));
    }
    return times;
}

double report(const std::string& name, const Times& times, std::optional<double> goal, const char* required,
              Figures& figures) {
    const double median = quantile_us(times.ours, 0.5);
    const double bare = quantile_us(times.bare, 0.5);
    figures.push_back({name + ", median", median, "us", {}, true, required});
    figures.push_back({name + ", p99", quantile_us(times.ours, 0.99), "us"});
    figures.push_back({name + ", fdatasync beside it, median", bare, "us"});
    figures.push_back({name + ", times an fdatasync", median / bare, "x", goal});
    // LMDB syncs the data, then the page that makes it count.
    figures.push_back({name + ", times two in a row", median / (2 * bare), "x"});
    return quantile_us(times.ours, 0.99);
}

void measure_votes(const std::filesystem::path& home, BareFile& bare, Figures& figures) {
    const auto consensus = open_consensus(home);
    std::uint64_t round = 0;
    const Write vote = [&](std::function<void()> durable) {
        dag::HeaderRef header;
        header.round = dag::Round{++round};
        header.author = dag::ValidatorIndex{1};
        consensus->write({dag::VoteRecord{test::vote_for(header)}}, std::move(durable));
    };
    const double idle_p99 = report("durable vote, alone", alternate(bare, vote), 1.2, "", figures);
    const auto store = open_batches(home);
    const Batches batches(std::size_t{500} << 10);
    const auto begin = Clock::now();
    std::optional<Bulk> bulk(std::in_place, *store, batches);
    const Times beside = alternate(bare, vote);
    const double rate = static_cast<double>(store->stats().written_bytes) / seconds_since(begin) / 1e6;
    bulk.reset();
    figures.push_back({"batches written meanwhile, of 500 offered", rate, "MB/s"});
    const double p99 = report("durable vote, beside batches", beside, 1.2, "", figures);
    figures.push_back({"durable vote, p99 beside batches to p99 alone", p99 / idle_p99, "x", 3.0});
}

/// Records a second, with `each` in a call.
double certificate_rate(const std::filesystem::path& home, std::size_t each) {
    constexpr std::uint64_t kWrittenRounds = 5'000;
    std::vector<std::vector<dag::Record>> calls(1);
    test::DagMaker maker;
    for (std::uint64_t round = 0; round < kWrittenRounds; ++round) {
        for (const auto& certificate : maker.add_round().certificates) {
            if (calls.back().size() == each) calls.emplace_back();
            calls.back().emplace_back(dag::CertificateRecord{certificate});
        }
    }
    const auto store = open_consensus(home);
    Arrivals durable;
    const std::size_t count = calls.size();
    const auto begin = Clock::now();
    for (std::size_t at = 0; at < count; ++at) {
        store->write(std::move(calls[at]), [&] { durable.arrived(); });
        // A transaction of its own for each call of many records.
        if (each > 1) durable.wait_for(at + 1);
    }
    durable.wait_for(count);
    return static_cast<double>(kWrittenRounds * 4) / seconds_since(begin);
}

/// In turns, so that what else the machine does meets both.
void measure_groups(const std::filesystem::path& home, Figures& figures) {
    constexpr int kTurns = 7;
    std::vector<double> singly;
    std::vector<double> thousands;
    for (int turn = 0; turn < kTurns; ++turn) {
        for (const std::size_t each : {std::size_t{1}, std::size_t{1000}}) {
            const auto fresh = home / "group";
            std::filesystem::create_directory(fresh);
            (each == 1 ? singly : thousands).push_back(certificate_rate(fresh, each));
            std::filesystem::remove_all(fresh);
        }
    }
    const double one = median(singly);
    const double many = median(thousands);
    figures.push_back({"certificates with group commit, one a call", one, "1/s"});
    figures.push_back({"certificates, 1,000 a transaction", many, "1/s"});
    figures.push_back({"group commit to 1,000 a transaction", one / many, "x", 0.8, false});
}

}  // namespace

void measure_writes(const std::filesystem::path& directory, Figures& figures) {
    const auto home = directory / "writes";
    std::filesystem::create_directory(home);
    BareFile bare(home / "bare");
    measure_votes(home, bare, figures);
    {
        const auto fresh = home / "saves";
        std::filesystem::create_directory(fresh);
        const auto consensus = open_consensus(fresh);
        test::DagMaker maker;
        const auto save = [&](std::function<void()> durable) {
            auto certificates = maker.add_round().certificates;
            consensus->write({dag::CertificateRecord{certificates[0]}}, std::move(durable));
        };
        report("certificate save, durable", alternate(bare, save), {}, "<1 ms (async)", figures);
        const auto store = open_batches(fresh);
        const Batches batches((std::size_t{128} << 10) - 200);
        std::uint64_t number = 0;
        const auto put = [&](std::function<void()> durable) {
            const auto entry = batches.entry(number++, dag::Round{1});
            if (!store->put(entry, batches.body, Standing::named, std::move(durable))) give_up("refused");
        };
        report("batch save of 128 KiB, durable", alternate(bare, put), {}, "<1 ms", figures);
    }
    measure_groups(home, figures);
    std::filesystem::remove_all(home);
}

}  // namespace monodon::storage::bench
