#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/recovery.hpp"
#include "storage/retention.hpp"
#include "storage/tables/notebook.hpp"

/// What an operator does with the stores of a home while no node runs in it, and the two things (stat,
/// backup) that may also be done beside a running one. Nothing here takes the lock of the home: who calls
/// check, compact or prune holds a storage::Home.
namespace monodon::storage {

enum class Severity : std::uint8_t {
    note,    ///< worth knowing; nothing depends on it
    healed,  ///< fetched again from the others, made again by the node, or by what the text names
    fatal,   ///< lost to this node: it may not start, or would serve a history with a hole
};
[[nodiscard]] std::string_view describe(Severity severity);

struct Finding {
    Severity severity = Severity::note;
    /// The environment, and the table or file in it: `consensus/votes`, `batches/g3`, `checkpoints`.
    std::string place;
    std::string text;
};

/// How far long work is, in bytes of files; pruning counts certificates and commits.
struct DoctorProgress {
    std::string step;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
};
/// False ends the work; what was made of it is removed.
using DoctorObserver = std::function<bool(const DoctorProgress&)>;

struct TableSize {
    std::string environment;
    std::string table;
    std::uint64_t rows = 0;
    /// Keys and values.
    std::uint64_t bytes = 0;
};

struct EnvironmentSize {
    std::string environment;
    std::uint64_t file_bytes = 0;
    std::uint64_t live_bytes = 0;
    std::uint64_t free_bytes = 0;
};

/// What the next start will do, found by doing it.
struct RecoveryForecast {
    RecoverySummary summary;
    /// Nothing if the node will not start; then a finding says why.
    bool starts = false;
    /// The store is of this schema, which the next start brings to this program's before it recovers: what
    /// that will read is not known yet.
    std::optional<std::uint32_t> older_schema = {};
};

struct CheckOptions {
    DoctorObserver observe = {};
    /// As in ConsensusOptions.
    std::optional<Digest> genesis = {};
    /// But for `executed`, which the check asks for.
    RecoveryOptions recovery;
    /// The last commit that the application has made durable in this directory. Called once the structure of
    /// its environment was found whole; without it nothing is executed.
    std::function<Result<dag::CommitIndex>(const std::filesystem::path& state)> executed = {};
};

struct CheckReport {
    static constexpr std::size_t kFindingsMax = 200;
    /// The first kFindingsMax, as they were found.
    std::vector<Finding> findings;
    std::uint64_t notes = 0;
    std::uint64_t healed = 0;
    std::uint64_t fatal = 0;
    std::vector<TableSize> tables;
    std::vector<EnvironmentSize> environments;
    RecoveryForecast forecast;
    /// The observer let it come to its end.
    bool complete = false;

    [[nodiscard]] bool healthy() const { return complete && healed == 0 && fatal == 0; }
    void add(Finding finding);
};

/// Reads every page and every row of a home in which no node runs: structure, checksums, digests, the chain
/// of commits, the indices against what they index, batches against their digests, checkpoint files against
/// their names. Reads pages without LMDB first, so that no damage ends the process.
[[nodiscard]] CheckReport check_home(const std::filesystem::path& home, const dag::Committee& committee,
                                     const CheckOptions& options);

struct StatReport {
    std::vector<EnvironmentSize> environments;
    std::vector<TableSize> tables;
    Identity identity;
    Progress progress;
    std::vector<dag::Round> checkpoints;
    std::vector<JournalEntry> journal;
    std::size_t generations = 0;
};
/// Numbers only, without reading the rows; also beside a running node.
[[nodiscard]] Result<StatReport> stat_home(const std::filesystem::path& home, dag::Epoch epoch);

/// `incompatible` if the store of a home has a layout that this program does not know, with what to do. A
/// home without a store has none; also beside a running node.
[[nodiscard]] Result<void> known_store(const std::filesystem::path& home);

struct BackupOptions {
    /// Must not exist.
    std::filesystem::path destination;
    /// Of the chain.
    dag::Epoch epoch = {};
    /// For the read transaction of one environment: the running node cannot use pages again meanwhile.
    std::chrono::seconds time_limit{60};
    DoctorObserver observe = {};
};
struct BackupReport {
    std::uint64_t bytes = 0;
    std::size_t environments = 0;
    dag::CommitClaim last_commit;
    dag::Round highest_round;
};
/// Copies state, then consensus, then the batches that are there after it, each as of one moment. The copy is
/// marked before anything is in it: a node that starts on it asks the others where they last saw it before it
/// signs anything. Also beside a running node. Keys, configuration and local checkpoints are not copied. What
/// was made is removed if it fails. `incompatible`, and nothing was made, as known_store().
[[nodiscard]] Result<BackupReport> backup_home(const std::filesystem::path& home,
                                               const BackupOptions& options);

struct CompactReport {
    std::uint64_t bytes_before = 0;
    std::uint64_t bytes_after = 0;
};
/// Writes each environment again without its free pages, row by row where some belong to nothing, and puts it
/// in the place of the old one. The indices of certificates and batches are written anew first. `damaged`,
/// and nothing was done, if the structure of one is not whole; `incompatible` as known_store().
[[nodiscard]] Result<CompactReport> compact_home(const std::filesystem::path& home,
                                                 const DoctorObserver& observe);

struct PruneReport {
    Floors floors;
    std::uint64_t rows = 0;
    std::uint64_t bytes_before = 0;
    std::uint64_t bytes_after = 0;
};
/// Removes at once what retention would let go of, in a home in which no node runs. `executed` is the last
/// commit that the application has made durable. What an observer ends stays removed as far as it came; the
/// rest goes at the next start, or when it is called again.
[[nodiscard]] Result<PruneReport> prune_home(const std::filesystem::path& home,
                                             const dag::Committee& committee, const RetentionOptions& options,
                                             dag::CommitIndex executed, const DoctorObserver& observe);

}  // namespace monodon::storage
