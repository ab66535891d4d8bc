#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "storage/checkpoint_files.hpp"
#include "storage/doctor.hpp"
#include "storage/doctor_files.hpp"
#include "storage/generations.hpp"
#include "storage/home.hpp"
#include "storage/lmdb/pages.hpp"
#include "storage/migration.hpp"
#include "storage/record.hpp"
#include "storage/tables/batches.hpp"
#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage {

namespace {

constexpr const char* kRewritten = "; `monodon db compact` writes the index again";

/// Tables whose rows verify_store() looks at one by one.
bool looked_at_later(std::string_view table) {
    return table == CertificateTable::kName || table == CertificateTable::kDigestsName ||
           table == CertificateTable::kAuthorsName || table == BatchReferenceTable::kName ||
           table == CommitTable::kName;
}

/// What a row that does not verify means for the node.
Severity severity_of(std::string_view table) {
    if (table == CommitTable::kMarksName || table == CheckpointTables::kLocalName ||
        table == CheckpointTables::kStateName || table == CheckpointTables::kQuorumName ||
        table == JournalTable::kName || table == PeerNoteTable::kBookName ||
        table == PeerNoteTable::kStandingName) {
        return Severity::healed;
    }
    return Severity::fatal;
}

class HomeCheck {
 public:
    HomeCheck(const std::filesystem::path& home, const dag::Committee& committee, const CheckOptions& options)
        : home_(home), committee_(committee), options_(options), environments_(environments_of(home)) {
        for (const EnvironmentPath& each : environments_) total_ += each.bytes;
    }

    CheckReport run() {
        bool consensus = false;
        for (const EnvironmentPath& each : environments_) {
            const bool sound = check_environment(each);
            if (ended_) return std::move(report_);
            // LMDB reads a file only whose structure was found whole.
            if (each.name == "state" && sound) ask_executed(each);
            if (each.name != "consensus") continue;
            consensus = true;
            if (sound) check_consensus(each);
        }
        report_state();
        check_marks(consensus);
        check_generations();
        report_.complete = true;
        return std::move(report_);
    }

 private:
    void check_marks(bool consensus) {
        const bool fresh = std::filesystem::exists(home_ / Home::kFresh);
        if (std::filesystem::exists(home_ / Home::kAskFirst)) {
            report_.add({Severity::note, "home",
                         "marked: the next start asks the others where they last saw this validator before "
                         "it votes or proposes"});
        }
        if (fresh) return report_.add({Severity::note, "home", "new: the next start makes its store"});
        if (!consensus) {
            report_.add({Severity::fatal, "consensus",
                         "there is no store: put it back, or let the validator rejoin (`monodon init "
                         "--rejoin`)"});
        }
        if (!std::filesystem::exists(home_ / "batches")) {
            report_.add({Severity::fatal, "batches",
                         "the directory is missing, and with it batches that were acknowledged: put it back, "
                         "or make an empty one to go on without them"});
        }
    }

    /// A node refuses to start on what is in the place of a generation.
    void check_generations() {
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(home_ / "batches", error)) {
            const std::string name = entry.path().filename().string();
            if (!generation_number(name) || entry.is_directory(error)) continue;
            report_.add({Severity::fatal, "batches/" + name, "it is no directory: move it away"});
        }
    }

    void ask_executed(const EnvironmentPath& state) {
        if (!options_.executed) return;
        const auto executed = options_.executed(state.directory);
        if (!executed) return add_state(state.name, executed.error().text);
        executed_ = *executed;
    }

    /// What is wrong with the state was found before the consensus store was read, which knows what to do.
    void report_state() {
        std::string advice =
            "whether it can be made again from the commits, only a whole consensus store can tell";
        if (commit_floor_) advice = instead_of_state(home_ / "state", *commit_floor_);
        for (Finding& each : state_) {
            each.text += "; " + advice;
            report_.add(std::move(each));
        }
        // As many as are said are kept, the others are counted.
        for (std::uint64_t at = 0; at < more_state_; ++at) report_.add({Severity::fatal, "state", advice});
    }

    void add_state(std::string place, std::string text) {
        if (state_.size() == CheckReport::kFindingsMax) {
            ++more_state_;
        } else {
            state_.push_back({Severity::fatal, std::move(place), std::move(text)});
        }
    }

    /// Structure and rows. True if LMDB may read the file.
    bool check_environment(const EnvironmentPath& path) {
        listing_ = {};
        lmdb::PageWalkOptions walk;
        walk.row = [&](std::string_view table, ByteView key, ByteView value) {
            check_row(path, table, key, value);
        };
        walk.progress = [&](std::uint64_t done, std::uint64_t total) {
            return tell(path.name, done_ + path.bytes / std::max<std::uint64_t>(total, 1) * done);
        };
        const auto found = lmdb::walk_pages(path.data(), walk);
        done_ += path.bytes;
        if (!found) {
            report_structure(path, found.error().text);
            return false;
        }
        for (const std::string& fault : found->faults) report_structure(path, fault);
        if (found->lost_pages > 0) {
            report_.add(
                {Severity::note, path.name,
                 fmt::format("{} pages belong to nothing; compacting gives them back", found->lost_pages)});
        }
        for (const auto& table : found->tables)
            report_.tables.push_back({path.name, table.name, table.rows, table.bytes});
        report_.environments.push_back({path.name, path.bytes, found->live_pages * found->page_bytes,
                                        found->free_pages * found->page_bytes});
        if (found->faults.empty() && !listing_.matches()) {
            report_.add({Severity::healed, place(path, BatchTable::kAuthorsName),
                         fmt::format("the batches are not those that are listed by author{}", kRewritten)});
        }
        if (!found->complete && found->faults.empty()) ended_ = true;
        return found->complete && found->faults.empty();
    }

    void report_structure(const EnvironmentPath& path, const std::string& fault) {
        if (path.name == "state") return add_state(path.name, fault);
        std::string advice = "keep a copy of the home and let the validator rejoin (`monodon init --rejoin`)";
        if (path.name != "consensus") {
            advice = fmt::format("remove the directory {}: its batches are fetched again", path.name);
        }
        report_.add({Severity::fatal, path.name, fmt::format("{}; {}", fault, advice)});
    }

    void check_row(const EnvironmentPath& path, std::string_view table, ByteView key, ByteView value) {
        if (path.name == "consensus") {
            if (!looked_at_later(table)) check_sum(path, table, key, value, severity_of(table));
        } else if (table == BatchTable::kName && path.name != "state") {
            const std::string fault = BatchTable::fault(committee_, key, value);
            const auto listed = BatchTable::listed_under(key, value);
            if (listed) listing_.stored += record_checksum(*listed, {});
            if (!listed || !fault.empty()) {
                listing_.whole = false;
                report_.add({Severity::healed, place(path, table),
                             fmt::format("batch {}: {}; it is fetched again", to_hex(key), fault)});
            }
        } else if (path.name == "state") {
            if (!open_record(key, value))
                add_state(place(path, table), fmt::format("the row {} is damaged", to_hex(key)));
        } else if (open_record(key, value)) {
            listing_.listed += record_checksum(key, {});
        } else {
            listing_.whole = false;
            report_.add({Severity::healed, place(path, table),
                         fmt::format("the row {} is damaged{}", to_hex(key), kRewritten)});
        }
    }

    void check_sum(const EnvironmentPath& path, std::string_view table, ByteView key, ByteView value,
                   Severity severity) {
        if (open_record(key, value)) return;
        report_.add({severity, place(path, table), fmt::format("the row {} is damaged", to_hex(key))});
    }

    static std::string place(const EnvironmentPath& path, std::string_view table) {
        return fmt::format("{}/{}", path.name, table);
    }

    void check_consensus(const EnvironmentPath& path) {
        auto environment = open_to_read(path.directory);
        if (!environment) return report_.add({Severity::fatal, path.name, environment.error().text});
        // An older layout has not all tables.
        const auto metadata = (*environment)->tables({MetadataTable::kName});
        if (!metadata) return report_.add({Severity::fatal, path.name, metadata.error().text});
        if (!check_identity(**environment, MetadataTable(metadata->front()))) return;
        auto tables = ConsensusTables::open(**environment);
        if (!tables) return report_.add({Severity::fatal, path.name, tables.error().text});
        tell("consensus: indices and chain", done_);
        const Consistency found = verify_store(**environment, *tables, committee_);
        for (const std::string& text : found.faults) report_.add({Severity::fatal, path.name, text});
        for (const std::string& text : found.gaps) report_.add({Severity::healed, path.name, text});
        for (const std::string& text : found.indices)
            report_.add({Severity::healed, path.name, text + kRewritten});
        check_checkpoints(**environment, *tables);
        forecast(**environment, *tables);
    }

    /// False if the rows have another layout than this program reads.
    bool check_identity(const lmdb::Environment& environment, const MetadataTable& metadata) {
        const std::string place = "consensus/metadata";
        auto transaction = environment.read();
        if (!transaction) {
            report_.add({Severity::fatal, "consensus", transaction.error().text});
            return true;
        }
        const auto identity = metadata.identity(*transaction);
        if (!identity || !*identity) {
            report_.add({Severity::fatal, place,
                         identity ? std::string("the store was never finished") : identity.error().text});
        } else if (const auto known = known_schema(**identity, environment.directory()); !known) {
            report_.add({Severity::fatal, place, known.error().text});
            return false;
        } else {
            check_chain(**identity);
        }
        const auto genesis = metadata.genesis(*transaction);
        if (genesis && *genesis && options_.genesis && **genesis != *options_.genesis) {
            report_.add({Severity::fatal, place,
                         fmt::format("the store was ordered under genesis {}, the genesis file has digest {}",
                                     (*genesis)->short_hex(), options_.genesis->short_hex())});
        }
        // A row that does not verify was reported with its table.
        if (const auto progress = metadata.progress(*transaction)) commit_floor_ = progress->commit_floor;
        if (!identity || !*identity || (*identity)->schema == kSchemaVersion) return true;
        report_.add(
            {Severity::note, place,
             fmt::format("the store has schema version {}; the next start brings it to {}. Until then "
                         "its certificates and commits are not looked at one by one",
                         (*identity)->schema, kSchemaVersion)});
        report_.forecast.older_schema = (*identity)->schema;
        report_.forecast.starts = report_.fatal == 0 && state_.empty();
        return false;
    }

    void check_chain(const Identity& identity) {
        if (identity.chain == committee_.chain() && identity.committee == committee_.digest()) return;
        report_.add({Severity::fatal, "consensus/metadata",
                     fmt::format("the store is of chain {}, the genesis file of {}", identity.chain,
                                 committee_.chain())});
    }

    void check_checkpoints(const lmdb::Environment& environment, const ConsensusTables& tables) {
        auto transaction = environment.read();
        if (!transaction) return;
        const CheckpointFiles files(options_.recovery.checkpoints);
        std::set<ContentId> named;
        const auto check_file = [&](const ContentId& id, std::uint32_t plain_bytes) {
            if (!named.insert(id).second) return;
            const auto plain = files.get(id, plain_bytes);
            if (!plain) report_.add({Severity::healed, "checkpoints", plain.error().text});
        };
        const auto rounds = tables.checkpoints.rounds(*transaction, committee_.epoch());
        if (!rounds) return report_.add({Severity::healed, "checkpoints", rounds.error().text});
        for (const dag::Round round : *rounds) {
            tell("checkpoints", done_);
            // A row that does not verify was reported with its table.
            const auto checkpoint = tables.checkpoints.find(*transaction, committee_.epoch(), round);
            if (!checkpoint || !*checkpoint) continue;
            for (const CheckpointSegment& segment : (*checkpoint)->segments)
                check_file(segment.file, segment.plain_bytes);
            const auto state = tables.checkpoints.state(*transaction, (*checkpoint)->last.index);
            if (state && *state) check_file((*state)->file, (*state)->plain_bytes);
        }
    }

    void forecast(const lmdb::Environment& environment, const ConsensusTables& tables) {
        tell("recovery", done_);
        RecoveryOptions options = options_.recovery;
        options.executed = executed_;
        auto recovered = recover(environment, tables, committee_, options);
        if (!recovered) return report_.add({Severity::fatal, "recovery", recovered.error().text});
        report_.forecast.summary = recovered->summary;
        const Consistency found = verify_consistency(recovered->state);
        for (const std::string& text : found.faults) report_.add({Severity::fatal, "recovery", text});
        const dag::CommitIndex floor = recovered->progress.commit_floor;
        const bool hole = options_.executed && executed_ < floor;
        if (hole) {
            add_state("state", fmt::format("it ends at commit {}", executed_.value()));
        }
        report_.forecast.starts = found.faults.empty() && !hole;
    }

    bool tell(const std::string& step, std::uint64_t done) {
        if (options_.observe && !options_.observe({step, std::min(done, total_), total_})) ended_ = true;
        return !ended_;
    }

    /// The batches of a generation against their list by author, in whatever order either comes.
    struct Listing {
        /// Sums of the checksums of what is to be listed, and of what is.
        std::uint64_t stored = 0;
        std::uint64_t listed = 0;
        /// No row on either side was damaged, and reported for it.
        bool whole = true;
        [[nodiscard]] bool matches() const { return !whole || stored == listed; }
    };

    const std::filesystem::path& home_;
    const dag::Committee& committee_;
    const CheckOptions& options_;
    Listing listing_;
    const std::vector<EnvironmentPath> environments_;
    CheckReport report_;
    dag::CommitIndex executed_;
    std::vector<Finding> state_;
    std::uint64_t more_state_ = 0;
    std::optional<dag::CommitIndex> commit_floor_;
    std::uint64_t total_ = 0;
    std::uint64_t done_ = 0;
    bool ended_ = false;
};

}  // namespace

void CheckReport::add(Finding finding) {
    switch (finding.severity) {
        case Severity::note:
            ++notes;
            break;
        case Severity::healed:
            ++healed;
            break;
        case Severity::fatal:
            ++fatal;
            break;
    }
    if (findings.size() < kFindingsMax) findings.push_back(std::move(finding));
}

CheckReport check_home(const std::filesystem::path& home, const dag::Committee& committee,
                       const CheckOptions& options) {
    return HomeCheck(home, committee, options).run();
}

}  // namespace monodon::storage
