#include "tests/bench/storage_bench.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "storage/recovery_strategy.hpp"
#include "tests/storage/support.hpp"
#include "tests/temporary_directory.hpp"

// storage [json] [DIRECTORY]: what the stores do beside what the disk does, on the file system of DIRECTORY
// (the current one). Everything is made there and removed again.
namespace monodon::storage::bench {

std::unique_ptr<ConsensusStore> open_consensus(const std::filesystem::path& home) {
    ConsensusOptions options;
    options.environment.directory = home / "consensus";
    options.environment.create = true;
    options.fatal = give_up;
    return must(ConsensusStore::open(std::move(options), test::four_members()));
}

std::unique_ptr<BatchStore> open_batches(const std::filesystem::path& home, std::uint64_t life) {
    BatchOptions options;
    options.environment.directory = home / "batches";
    options.environment.create = true;
    options.fatal = give_up;
    options.life = life;
    return must(BatchStore::open(std::move(options)));
}

BareFile::BareFile(const std::filesystem::path& path)
    : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), page_(4096, 'x') {
    const std::string zeroes(std::size_t{4} << 20, '\0');
    if (::pwrite(file_, zeroes.data(), zeroes.size(), 0) < 0 || ::fsync(file_) != 0) give_up("no file");
}

BareFile::~BareFile() { ::close(file_); }

double BareFile::write_and_sync() {
    const auto begin = Clock::now();
    const off_t at = static_cast<off_t>(next_++ % 1024) * 4096;
    if (::pwrite(file_, page_.data(), page_.size(), at) < 0 || ::fdatasync(file_) != 0) give_up("no sync");
    return seconds_since(begin);
}

Batches::Batches(std::size_t bytes) {
    constexpr std::size_t kTransaction = 1024;
    dag::BatchBuilder builder;
    for (std::size_t have = 0; have < bytes; have += kTransaction) {
        if (!builder.add(Bytes(std::min(kTransaction, bytes - have), Byte{7})))
            give_up("the batch is too large");
    }
    body = builder.seal(test::four_members(), {dag::Epoch{0}, dag::ValidatorIndex{0}, {}, 0, {}, 0}).bytes;
}

dag::PayloadEntry Batches::entry(std::uint64_t number, dag::Round sealed) const {
    dag::PayloadEntry entry;
    entry.batch = sha256(as_bytes(std::to_string(number)));
    entry.sealed_round = sealed;
    entry.bytes = static_cast<std::uint32_t>(body->size());
    entry.transactions = 1;
    return entry;
}

std::string recovery_name(std::uint64_t certificates, RecoveryStrategy strategy) {
    return fmt::format("recovery of {} certificates, {}", certificates, describe(strategy));
}

namespace {

/// Certificates above the graph floor.
constexpr std::uint64_t kSizes[] = {1'000, 10'000, 100'000};

/// The requirement's own table, and ours in it.
void print_recovery(const Figures& figures) {
    fmt::print("\n{:<14}", "certificates");
    constexpr RecoveryStrategy kAll[] = {RecoveryStrategy::from_scratch, RecoveryStrategy::from_checkpoint,
                                         RecoveryStrategy::hybrid};
    for (const auto strategy : kAll) fmt::print("{:>24}", describe(strategy));
    fmt::print("\n");
    for (const std::uint64_t certificates : kSizes) {
        fmt::print("{:<14}", certificates);
        for (const auto strategy : kAll) {
            const auto name = recovery_name(certificates, strategy);
            const auto found = std::ranges::find(figures, name, &Figure::name);
            if (found == figures.end()) give_up("no figure for " + name);
            fmt::print("{:>24}", fmt::format("{:.0f} ms ({})", found->value * 1000, found->required));
        }
        fmt::print("\n");
    }
    fmt::print("(in brackets: the table of the requirement)\n");
}

int run(const monodon::bench::Options& options) {
    const monodon::test::TemporaryDirectory temporary(options.directory);
    const std::string directory = temporary.path().string();
    Figures figures;
    figures.push_back(machine_load());
    for (const std::uint64_t certificates : kSizes) measure_recovery(directory, certificates, figures);
    measure_writes(directory, figures);
    measure_sizes(directory, figures);
    print(figures, options.json);
    if (!options.json) print_recovery(figures);
    return 0;
}

}  // namespace

}  // namespace monodon::storage::bench

int main(int argc, char** argv) {
    return monodon::storage::bench::run(monodon::bench::options_of(argc, argv));
}
