#include "tools/db.hpp"

#include <csignal>
#include <optional>

#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "node/config.hpp"
#include "node/genesis.hpp"
#include "node/home.hpp"
#include "node/kv_store.hpp"
#include "storage/home.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

/// SIGINT and SIGTERM end long work between two steps, so that what was begun can be taken away.
class Interrupt {
 public:
    Interrupt() {
        for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { raised_ = 1; });
    }
    ~Interrupt() {
        for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
    }
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;
    [[nodiscard]] static bool raised() { return raised_ != 0; }

 private:
    static inline volatile std::sig_atomic_t raised_ = 0;
};

/// Shows how far the work is, and ends it when the operator wants.
class Watch {
 public:
    /// `count` of what the work counts are one `unit`.
    explicit Watch(std::string what, std::string unit = "MB", std::uint64_t count = 1'000'000)
        : what_(std::move(what)), unit_(std::move(unit)), count_(count) {}
    [[nodiscard]] storage::DoctorObserver observer() {
        return [this](const storage::DoctorProgress& now) {
            if (!progress_) progress_.emplace(what_, now.total / count_, unit_);
            progress_->update(now.done / count_, now.step);
            return !Interrupt::raised();
        };
    }

 private:
    const Interrupt interrupt_;
    const std::string what_;
    const std::string unit_;
    const std::uint64_t count_;
    std::optional<Progress> progress_;
};

Failure told(const storage::Failure& failure) {
    int code = kExitFailed;
    if (failure.error == storage::StoreError::damaged) code = kExitStoreDamaged;
    if (failure.error == storage::StoreError::incompatible) code = kExitConfiguration;
    return {code, failure.text};
}

Failure told(const storage::HomeError& error) { return {error.exit_code, error.text}; }

Result<node::Genesis> load_genesis(const DbOptions& options) {
    const node::HomePaths paths(options.home);
    auto genesis = node::Genesis::load(options.genesis.empty() ? paths.genesis()
                                                               : std::filesystem::path(options.genesis));
    if (!genesis) return failure(kExitConfiguration, genesis.error());
    return std::move(*genesis);
}

Result<node::Settings> load_settings(const DbOptions& options) {
    const node::HomePaths paths(options.home);
    node::ConfigSources sources;
    std::error_code ignored;
    if (std::filesystem::exists(paths.config(), ignored)) sources.file = paths.config();
    sources.environment = node::process_environment();
    sources.overrides = options.settings;
    const auto config = node::Config::load(sources);
    if (!config) {
        return failure(kExitConfiguration,
                       fmt::format("the configuration is wrong:\n  {}", fmt::join(config.error(), "\n  ")));
    }
    return config->settings();
}

/// Where a restart of the application begins, from its own store.
storage::Result<dag::CommitIndex> executed_in(const std::filesystem::path& directory) {
    storage::lmdb::EnvironmentOptions options;
    options.directory = directory;
    options.read_only = true;
    auto state = node::KvStore::open(std::move(options));
    if (!state) return Unexpected{state.error()};
    return (*state)->durable_index();
}

/// What check and prune need to know of a home that no node runs in.
struct Stopped {
    storage::Home home;
    node::Genesis genesis;
    node::Settings settings;
};

Result<Stopped> open_stopped(const DbOptions& options) {
    auto home = storage::Home::open(options.home);
    if (!home) return Unexpected{told(home.error())};
    auto genesis = load_genesis(options);
    if (!genesis) return Unexpected{genesis.error()};
    auto settings = load_settings(options);
    if (!settings) return Unexpected{settings.error()};
    return Stopped{std::move(*home), std::move(*genesis), std::move(*settings)};
}

/// Why a node with this key would not start in this role; a copy has none.
std::string wrong_key(const std::string& home, const node::Genesis& genesis, node::NodeRole role) {
    const node::HomePaths paths(home);
    std::error_code ignored;
    if (!std::filesystem::exists(paths.key(), ignored)) return {};
    const auto key = node::load_key(paths.key());
    if (!key) return key.error();
    return node::wrong_role(paths, genesis, key->peer_id(), role).value_or("");
}

void print_sizes(Form form, std::uint64_t before, std::uint64_t after, json::object more) {
    if (form == Form::json) {
        more["bytes_before"] = before;
        more["bytes_after"] = after;
        return print_json(more);
    }
    if (form == Form::plain) return print_line(fmt::format("{}\t{}", before, after));
    print_line(fmt::format("{} before, {} now", human_bytes(before), human_bytes(after)));
}

}  // namespace

int db_stat(const DbOptions& options) {
    const auto genesis = load_genesis(options);
    if (!genesis) return report(genesis.error());
    const auto stat = storage::stat_home(options.home, genesis->committee().epoch());
    if (!stat) return report(told(stat.error()));
    print_stat(*stat, options.form);
    return kExitDone;
}

Result<storage::CheckReport> look_at_home(const DbOptions& options, storage::DoctorObserver observe) {
    const auto stopped = open_stopped(options);
    if (!stopped) return Unexpected{stopped.error()};
    const dag::Committee& committee = stopped->genesis.committee();
    storage::CheckOptions check;
    check.genesis = stopped->genesis.digest();
    check.recovery.life = stopped->genesis.ordering().batch_life;
    check.recovery.history_events = stopped->genesis.ordering().history_events(committee.size());
    check.recovery.strategy = stopped->settings.storage.recovery;
    check.recovery.checkpoints = stopped->home.checkpoints();
    check.executed = executed_in;
    check.observe = std::move(observe);
    storage::CheckReport report = storage::check_home(options.home, committee, check);
    const node::NodeRole role = stopped->settings.node.role;
    if (const std::string wrong = wrong_key(options.home, stopped->genesis, role); !wrong.empty()) {
        report.add({storage::Severity::fatal, "home/key", wrong});
        report.forecast.starts = false;
    }
    return report;
}

int db_check(const DbOptions& options) {
    std::optional<Watch> watch(std::in_place, "checking");
    const auto found = look_at_home(options, watch->observer());
    watch.reset();
    if (!found) return report(found.error());
    if (!found->complete) return report({kExitFailed, "ended before everything was looked at"});
    print_check(*found, options.form);
    return found->healthy() ? kExitDone : kExitStoreDamaged;
}

int db_backup(const DbBackupOptions& options) {
    const auto genesis = load_genesis(options);
    if (!genesis) return report(genesis.error());
    storage::BackupOptions backup;
    backup.epoch = genesis->committee().epoch();
    backup.destination = options.destination;
    backup.time_limit = std::chrono::ceil<std::chrono::seconds>(options.time_limit);
    std::optional<Watch> watch(std::in_place, "copying");
    backup.observe = watch->observer();
    const auto made = storage::backup_home(options.home, backup);
    watch.reset();
    if (!made) return report(told(made.error()));
    if (options.form == Form::json) {
        print_json(json::object{{"destination", options.destination},
                                {"bytes", made->bytes},
                                {"environments", made->environments},
                                {"commit", made->last_commit.index.value()},
                                {"commit_digest", made->last_commit.digest.hex()},
                                {"round", made->highest_round.value()}});
    } else if (options.form == Form::plain) {
        print_line(
            fmt::format("{}\t{}\t{}", options.destination, made->bytes, made->last_commit.index.value()));
    } else {
        print_line(fmt::format("{}: {} up to commit {}, round {}", options.destination,
                               human_bytes(made->bytes), made->last_commit.index.value(),
                               made->highest_round.value()));
        print_line(
            "To restore: put the key, genesis.json and config.toml of this validator there and run it. It "
            "asks "
            "the others where they last saw it before it votes or proposes.");
    }
    return kExitDone;
}

int db_compact(const DbOptions& options) {
    const auto home = storage::Home::open(options.home);
    if (!home) return report(told(home.error()));
    std::optional<Watch> watch(std::in_place, "compacting");
    const auto compacted = storage::compact_home(options.home, watch->observer());
    watch.reset();
    if (!compacted) return report(told(compacted.error()));
    print_sizes(options.form, compacted->bytes_before, compacted->bytes_after, {});
    return kExitDone;
}

int db_prune(const DbOptions& options) {
    const auto stopped = open_stopped(options);
    if (!stopped) return report(stopped.error());
    const dag::OrderingConfig& ordering = stopped->genesis.ordering();
    const dag::Committee& committee = stopped->genesis.committee();
    storage::RetentionOptions retention;
    retention.commits = stopped->settings.storage.retention_commits;
    retention.batch_bytes = stopped->settings.storage.retention_bytes;
    retention.window = ordering.window;
    retention.life = ordering.batch_life;
    retention.history_events = ordering.history_events(committee.size());
    const auto executed = executed_in(stopped->home.state());
    if (!executed) return report(told(executed.error()));
    std::optional<Watch> watch(std::in_place, "pruning", "certificates and commits", 1);
    const auto pruned = storage::prune_home(options.home, committee, retention, *executed, watch->observer());
    watch.reset();
    if (!pruned) return report(told(pruned.error()));
    if (options.form == Form::table) {
        print_line(
            fmt::format("{} rows removed: certificates up to round {}, commits up to {}, batches up to "
                        "round {}; `monodon db compact` gives free pages back",
                        grouped(pruned->rows), pruned->floors.consensus.certificates.value(),
                        pruned->floors.consensus.commits.value(), pruned->floors.batches.value()));
    }
    print_sizes(options.form, pruned->bytes_before, pruned->bytes_after,
                {{"rows", pruned->rows},
                 {"certificates_floor", pruned->floors.consensus.certificates.value()},
                 {"commits_floor", pruned->floors.consensus.commits.value()},
                 {"batches_floor", pruned->floors.batches.value()}});
    return kExitDone;
}

}  // namespace monodon::tools
