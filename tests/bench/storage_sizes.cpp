#include <numeric>

#include "storage/doctor.hpp"
#include "storage/recovery.hpp"
#include "tests/bench/storage_bench.hpp"
#include "tests/storage/support.hpp"

// What a committee writes in 10,000 rounds, with gc behind it: how long a round takes until it is durable,
// and what the files are to what lives in them in the end.
namespace monodon::storage::bench {

namespace {

constexpr std::uint64_t kRounds = 10'000;
/// Commits that are kept, and the life of a batch.
constexpr std::uint64_t kKept = 1'000;
constexpr std::uint64_t kPage = 4096;

/// Seconds until all of a round was durable, and of a bare sync between rounds.
struct Rounds {
    std::vector<double> ours;
    std::vector<double> bare;
};

Rounds live(const std::filesystem::path& home) {
    BareFile bare(home / "bare");
    Rounds rounds;
    const auto consensus = open_consensus(home);
    const auto store = open_batches(home, kKept);
    const Batches batches(4 * kPage - kBatchOverhead - 120);
    test::DagMaker maker;
    std::uint64_t number = 0;
    for (std::uint64_t at = 1; at <= kRounds; ++at) {
        const dag::Round round{at};
        store->set_highest_round(round);
        std::vector<dag::PayloadEntry> named;
        for (int author = 0; author < 4; ++author) named.push_back(batches.entry(number++, round));
        auto made = maker.add_round(0, named);
        std::vector<dag::Record> records = made.records();
        for (const auto& certificate : made.certificates)
            records.emplace_back(dag::VoteRecord{test::vote_for(certificate->ref())});
        records.emplace_back(dag::GraphFloorRecord{dag::below(round, 60)});
        Arrivals durable;
        const auto begin = Clock::now();
        for (const dag::PayloadEntry& entry : named) {
            if (!store->put(entry, batches.body, Standing::named, [&] { durable.arrived(); }))
                give_up("refused");
        }
        consensus->write(std::move(records), [&] { durable.arrived(); });
        if (at % 10 == 0) {
            consensus->prune({dag::below(round, kKept), dag::CommitIndex{at > kKept ? at - kKept : 0}});
            store->prune(dag::below(round, kKept));
        }
        durable.wait_for(5);
        rounds.ours.push_back(seconds_since(begin));
        if (at % 10 == 0) rounds.bare.push_back(bare.write_and_sync());
    }
    const Consistency found = verify_store(*consensus, test::four_members());
    if (!found.faults.empty()) give_up("the store contradicts itself: " + found.faults.front());
    return rounds;
}

}  // namespace

void measure_sizes(const std::filesystem::path& directory, Figures& figures) {
    const auto home = directory / "sizes";
    std::filesystem::create_directory(home);
    const Rounds rounds = live(home);
    const StatReport stat = must(stat_home(home, test::four_members().epoch()));
    double files[2] = {0, 0};
    double alive[2] = {0, 0};
    for (const EnvironmentSize& each : stat.environments) {
        const int kind = each.environment == "consensus" ? 0 : 1;
        files[kind] += static_cast<double>(each.file_bytes);
        alive[kind] += static_cast<double>(each.live_bytes);
    }
    const std::string persisted = "persistence during multi-round consensus";
    const double took = std::accumulate(rounds.ours.begin(), rounds.ours.end(), 0.0);
    figures.push_back({persisted + ", rounds", static_cast<double>(kRounds) / took, "1/s"});
    figures.push_back({persisted + ", a round durable, median", quantile_us(rounds.ours, 0.5), "us"});
    figures.push_back({persisted + ", p99", quantile_us(rounds.ours, 0.99), "us"});
    figures.push_back({persisted + ", times an fdatasync", median(rounds.ours) / median(rounds.bare), "x"});
    const char* const names[2] = {"consensus", "batches"};
    const double goals[2] = {1.3, 1.1};
    for (int kind = 0; kind < 2; ++kind) {
        const std::string name = std::string(names[kind]) + " after 10,000 rounds with gc";
        figures.push_back({name + ", live", alive[kind] / 1e6, "MB"});
        figures.push_back({name + ", file to live", files[kind] / alive[kind], "x", goals[kind]});
    }
    std::filesystem::remove_all(home);
}

}  // namespace monodon::storage::bench
