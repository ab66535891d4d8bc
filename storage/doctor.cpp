#include "storage/doctor.hpp"

#include <algorithm>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <sys/stat.h>

#include "net/core/check.hpp"
#include "storage/doctor_files.hpp"
#include "storage/generations.hpp"
#include "storage/migration.hpp"
#include "storage/tables/batches.hpp"
#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage {

namespace {

/// Blocks on the disk, as the file system counts them.
std::uint64_t disk_bytes(const std::filesystem::path& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return 0;
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

const std::vector<const char*>& names_of(const std::string& environment) {
    static const std::vector<const char*> consensus{CertificateTable::kName,
                                                    CertificateTable::kDigestsName,
                                                    CertificateTable::kAuthorsName,
                                                    VoteTable::kName,
                                                    OwnHeaderTable::kName,
                                                    CommitTable::kName,
                                                    CommitTable::kMarksName,
                                                    MetadataTable::kName,
                                                    BatchReferenceTable::kName,
                                                    CheckpointTables::kLocalName,
                                                    CheckpointTables::kStateName,
                                                    CheckpointTables::kQuorumName,
                                                    JournalTable::kName,
                                                    PeerNoteTable::kBookName,
                                                    PeerNoteTable::kStandingName};
    static const std::vector<const char*> batches{BatchTable::kName, BatchTable::kAuthorsName};
    static const std::vector<const char*> none;
    if (environment == "consensus") return consensus;
    return environment.starts_with("batches/") ? batches : none;
}

Result<void> measure(const EnvironmentPath& path, StatReport& report) {
    auto environment = open_to_read(path.directory);
    if (!environment) return Unexpected{environment.error()};
    const auto& names = names_of(path.name);
    std::uint64_t live = 0;
    if (!names.empty()) {
        auto tables = (*environment)->tables(names);
        if (!tables) return Unexpected{tables.error()};
        auto transaction = (*environment)->read();
        if (!transaction) return Unexpected{transaction.error()};
        for (std::size_t at = 0; at < names.size(); ++at) {
            auto rows = transaction->count(tables->at(at));
            auto bytes = transaction->page_bytes(tables->at(at));
            if (!rows || !bytes) return Unexpected{rows ? bytes.error() : rows.error()};
            report.tables.push_back({path.name, names[at], *rows, *bytes});
            live += *bytes;
        }
    }
    const lmdb::EnvironmentStats stats = (*environment)->stats();
    if (names.empty()) live = stats.used_bytes;
    report.environments.push_back(
        {path.name, disk_bytes(path.data()), live, stats.used_bytes - std::min(live, stats.used_bytes)});
    return {};
}

Result<void> read_records(const std::filesystem::path& directory, dag::Epoch epoch, StatReport& report) {
    constexpr std::size_t kJournalShown = 10;
    auto environment = open_to_read(directory);
    if (!environment) return Unexpected{environment.error()};
    auto tables = ConsensusTables::open(**environment);
    if (!tables) return Unexpected{tables.error()};
    auto transaction = (*environment)->read();
    if (!transaction) return Unexpected{transaction.error()};
    auto identity = tables->metadata.identity(*transaction);
    if (!identity) return Unexpected{identity.error()};
    if (!*identity) return fail(StoreError::missing, "the store was never finished");
    if (auto known = known_schema(**identity, directory); !known) return known;
    report.identity = std::move(**identity);
    auto progress = tables->metadata.progress(*transaction);
    if (!progress) return Unexpected{progress.error()};
    report.progress = *progress;
    auto rounds = tables->checkpoints.rounds(*transaction, epoch);
    if (!rounds) return Unexpected{rounds.error()};
    report.checkpoints = std::move(*rounds);
    auto journal = tables->journal.newest(*transaction, kJournalShown, {});
    if (!journal) return Unexpected{journal.error()};
    report.journal = std::move(*journal);
    return {};
}

/// About how many certificates and commits the floors leave behind, as if rounds were alike.
std::uint64_t leaving(const StoreReader& reader, const PruneTarget& floors) {
    const Progress progress = reader.progress();
    const auto share = [](std::uint64_t rows, std::uint64_t gone, std::uint64_t floor, std::uint64_t last) {
        if (floor <= gone || last <= gone) return std::uint64_t{0};
        return rows * (std::min(floor, last) - gone) / (last - gone);
    };
    return share(progress.certificates, progress.store_floor.value(), floors.certificates.value(),
                 progress.highest_round.value()) +
           share(progress.commits, progress.commit_floor.value(), floors.commits.value(),
                 progress.last_commit.value());
}

std::uint64_t all_bytes(const std::filesystem::path& home) {
    std::uint64_t sum = 0;
    for (const EnvironmentPath& each : environments_of(home)) sum += disk_bytes(each.data());
    return sum;
}

}  // namespace

std::string_view describe(Severity severity) {
    switch (severity) {
        case Severity::note:
            return "note";
        case Severity::healed:
            return "healed";
        case Severity::fatal:
            return "fatal";
    }
    MONODON_CHECK(false);
}

std::vector<EnvironmentPath> environments_of(const std::filesystem::path& home) {
    std::vector<EnvironmentPath> found;
    const auto add = [&](std::string name, const std::filesystem::path& directory) {
        std::error_code error;
        const auto bytes = std::filesystem::file_size(directory / "data.mdb", error);
        if (!error) found.push_back({std::move(name), directory, bytes});
    };
    add("state", home / "state");
    add("consensus", home / "consensus");
    std::map<std::uint64_t, std::string> generations;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(home / "batches", error)) {
        std::string name = entry.path().filename().string();
        if (const auto number = generation_number(name)) generations.emplace(*number, std::move(name));
    }
    for (const auto& [number, name] : generations) add("batches/" + name, home / "batches" / name);
    return found;
}

Result<std::unique_ptr<lmdb::Environment>> open_to_read(const std::filesystem::path& directory) {
    lmdb::EnvironmentOptions options;
    options.directory = directory;
    options.read_only = true;
    return lmdb::Environment::open(std::move(options));
}

Result<void> known_store(const std::filesystem::path& home) {
    const std::filesystem::path directory = home / "consensus";
    std::error_code error;
    if (!std::filesystem::exists(directory / "data.mdb", error)) return {};
    auto environment = open_to_read(directory);
    if (!environment) return Unexpected{environment.error()};
    const auto metadata = (*environment)->tables({MetadataTable::kName});
    // A first start that ended early left no table, and the next one goes on.
    if (!metadata && metadata.error().error == StoreError::incompatible) return {};
    if (!metadata) return Unexpected{metadata.error()};
    auto transaction = (*environment)->read();
    if (!transaction) return Unexpected{transaction.error()};
    const auto identity = MetadataTable(metadata->front()).identity(*transaction);
    if (!identity) return Unexpected{identity.error()};
    return *identity ? known_schema(**identity, directory) : Result<void>{};
}

Result<StatReport> stat_home(const std::filesystem::path& home, dag::Epoch epoch) {
    StatReport report;
    for (const EnvironmentPath& each : environments_of(home)) {
        if (auto measured = measure(each, report); !measured) return Unexpected{measured.error()};
        report.generations += each.name.starts_with("batches/") ? 1 : 0;
    }
    if (auto read = read_records(home / "consensus", epoch, report); !read) return Unexpected{read.error()};
    return report;
}

Result<PruneReport> prune_home(const std::filesystem::path& home, const dag::Committee& committee,
                               const RetentionOptions& options, dag::CommitIndex executed,
                               const DoctorObserver& observe) {
    PruneReport report;
    report.bytes_before = all_bytes(home);
    ConsensusOptions consensus;
    consensus.environment.directory = home / "consensus";
    auto store = ConsensusStore::open(std::move(consensus), committee);
    if (!store) return Unexpected{store.error()};
    BatchOptions bodies;
    bodies.environment.directory = home / "batches";
    bodies.life = options.life;
    auto batches = BatchStore::open(std::move(bodies));
    if (!batches) return Unexpected{batches.error()};
    const StoreReader reader(**store, **batches, committee);
    report.floors = choose_floors(reader, **batches, options, executed);
    const std::uint64_t total = leaving(reader, report.floors.consensus);
    const auto goes_on = [&] {
        return !observe || observe({"consensus", std::min((*store)->pruned(), total), total});
    };
    const auto ended = [] {
        return fail(StoreError::failed, "it was ended; what is left goes at the next start or prune");
    };
    if (!goes_on()) return ended();
    (*store)->prune(report.floors.consensus);
    while ((*store)->pruning()) {
        if (!goes_on()) return ended();
        const WriterStats stats = (*store)->stats();
        if (stats.stalled) return fail(StoreError::no_space, *stats.stalled);
        if (stats.stopped) return fail(StoreError::failed, "the store cannot be written; the log says why");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    (*batches)->prune(report.floors.batches);
    report.rows = (*store)->pruned();
    store->reset();
    batches->reset();
    report.bytes_after = all_bytes(home);
    return report;
}

}  // namespace monodon::storage
