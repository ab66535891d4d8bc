#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/local_checkpoints.hpp"
#include "storage/recovery.hpp"
#include "storage/tables/consensus_tables.hpp"
#include "tests/bench/storage_bench.hpp"
#include "tests/storage/support.hpp"

// How long a start takes until the graph is in memory, in a process of its own for each.
namespace monodon::storage::bench {

namespace {

constexpr std::uint64_t kAuthors = 4;
/// Rounds since the last checkpoint: half of what lies between two.
constexpr std::uint64_t kSinceCheckpoint = 50;

struct Run {
    double seconds = 0;
    double peak_megabytes = 0;
    std::uint64_t certificates = 0;
};

double peak_megabytes() {
    struct rusage usage {};
    (void)::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1024;
}

Run recover_once(const std::filesystem::path& home, RecoveryStrategy strategy) {
    const double before = peak_megabytes();
    const auto begin = Clock::now();
    lmdb::EnvironmentOptions opening;
    opening.directory = home / "consensus";
    opening.read_only = true;
    const auto environment = must(lmdb::Environment::open(std::move(opening)));
    const auto tables = must(ConsensusTables::open(*environment));
    RecoveryOptions options;
    options.strategy = strategy;
    options.checkpoints = home / "checkpoints";
    const Recovered recovered = must(recover(*environment, tables, test::four_members(), options));
    if (!verify_consistency(recovered.state).faults.empty()) give_up("the store contradicts itself");
    return {seconds_since(begin), peak_megabytes() - before, recovered.summary.certificates};
}

Run recover_apart(const std::filesystem::path& home, RecoveryStrategy strategy) {
    int ends[2] = {-1, -1};
    if (::pipe(ends) != 0) give_up("no pipe");
    ::malloc_trim(0);
    const auto child = ::fork();
    if (child == 0) {
        const Run run = recover_once(home, strategy);
        ::_exit(::write(ends[1], &run, sizeof run) == sizeof run ? 0 : 1);
    }
    ::close(ends[1]);
    Run run;
    const auto got = ::read(ends[0], &run, sizeof run);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (got != sizeof run || status != 0) give_up("a recovery failed");
    return run;
}

/// What is in the page cache of the system leaves it.
void make_cold(const std::filesystem::path& home) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(home)) {
        const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
        (void)::fsync(file);
        (void)::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
        ::close(file);
    }
}

}  // namespace

void measure_recovery(const std::filesystem::path& directory, std::uint64_t certificates, Figures& figures) {
    const auto home = directory / fmt::format("recovery-{}", certificates);
    std::filesystem::create_directory(home);
    double making = 0;
    {
        const auto store = open_consensus(home);
        CheckpointOptions checkpoints;
        checkpoints.directory = home / "checkpoints";
        checkpoints.every_rounds = 0;
        const auto local = must(LocalCheckpoints::open(checkpoints, *store, test::four_members()));
        test::DagMaker maker;
        const std::uint64_t rounds = certificates / kAuthors;
        for (std::uint64_t round = 1; round <= rounds; ++round) {
            Arrivals durable;
            const bool last = round + kSinceCheckpoint == rounds || round == rounds || round % 1000 == 0;
            store->write(maker.add_round().records(), [&, last] {
                if (last) durable.arrived();
            });
            if (last) durable.wait_for(1);
            if (round + kSinceCheckpoint != rounds) continue;
            (void)must(local->make());
            making = local->stats().seconds;
        }
    }
    struct Wanted {
        RecoveryStrategy strategy;
        std::array<double, 3> goals;
        std::array<const char*, 3> required;
    };
    const Wanted all[] = {
        {RecoveryStrategy::from_scratch, {0.02, 0.15, 1.5}, {"<1 s", "5-10 s", "60-120 s"}},
        {RecoveryStrategy::from_checkpoint, {0.01, 0.03, 0.2}, {"<100 ms", "<500 ms", "<2 s"}},
        {RecoveryStrategy::hybrid, {0.01, 0.03, 0.2}, {"<100 ms", "<500 ms", "<2 s"}}};
    const std::size_t size = certificates >= 100'000 ? 2 : certificates >= 10'000 ? 1 : 0;
    for (const Wanted& each : all) {
        make_cold(home);
        const Run cold = recover_apart(home, each.strategy);
        std::vector<double> warm;
        double peak = cold.peak_megabytes;
        for (int run = 0; run < 5; ++run) {
            const Run one = recover_apart(home, each.strategy);
            if (one.certificates != certificates) give_up("certificates are missing");
            warm.push_back(one.seconds);
            peak = std::max(peak, one.peak_megabytes);
        }
        const auto name = recovery_name(certificates, each.strategy);
        figures.push_back(
            {name, quantile_us(warm, 0.5) / 1e6, "s", each.goals.at(size), true, each.required.at(size)});
        figures.push_back({name + ", cold", cold.seconds, "s"});
        figures.push_back({name + ", peak memory", peak, "MiB"});
    }
    figures.push_back({fmt::format("checkpoint creation, {} certificates", certificates),
                       making * 1000,
                       "ms",
                       {},
                       true,
                       "10-100 ms"});
    std::filesystem::remove_all(home);
}

}  // namespace monodon::storage::bench
