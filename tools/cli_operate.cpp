#include <algorithm>
#include <iostream>
#include <limits>

#include <fmt/format.h>

#include "node/config_keys.hpp"
#include "node/units.hpp"
#include "tools/cli_support.hpp"
#include "tools/db.hpp"
#include "tools/exit_codes.hpp"
#include "tools/operate.hpp"
#include "tools/replay.hpp"
#include "tools/simulate_command.hpp"
#include "tools/testnet.hpp"
#include "tools/testnet_dir.hpp"

namespace monodon::tools {

namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 done, 1 failed, 2 usage, 3 cannot connect, 4 not ready, 5 timed out, 65 store damaged, 73 "
    "home in "
    "use, 78 configuration wrong.\nEnvironment: MONODON_HOME, MONODON_DIR, NO_COLOR, and MONODON_SECTION_KEY "
    "for every "
    "key of config.toml.";

void add_settings(CLI::App& command, std::vector<std::string>& settings, const std::string& about) {
    command.add_option("--set", settings, about)->type_name("KEY=VALUE")->allow_extra_args(false);
}

void add_init(CLI::App& app, Invocation& invocation) {
    auto options = std::make_shared<InitOptions>();
    CLI::App* command = add_command(
        app, "init", "Make the home of a validator or observer: key and a commented config.toml",
        "  monodon init --home validator-1 --genesis genesis.json\n"
        "  monodon init --home observer-1 --observer --genesis genesis.json\n"
        "  monodon init --home validator-1 --rejoin     # after the disk was lost, with the old key");
    command->add_option("--home", options->home, "Directory to make or complete")
        ->required()
        ->type_name("DIR");
    command->add_option("--genesis", options->genesis, "Genesis file of the chain, copied into the home")
        ->type_name("FILE");
    command->add_flag("--observer", options->observer,
                      "For a node outside the committee, which follows, serves and executes, and never votes "
                      "or proposes");
    command->add_flag(
        "--rejoin", options->rejoin,
        "The key in this home was used before and its store was lost or is an old copy: ask the "
        "other validators where they last saw it before signing anything");
    add_form(*command, options->form);
    on_run(*command, invocation, options, &init);
}

void add_descriptor(CLI::App& command, const std::string& name, std::optional<int>& descriptor,
                    const std::string& about) {
    const auto set = [&descriptor](const std::string& text) {
        const auto number = node::parse_number(text);
        if (!number || *number > std::numeric_limits<int>::max()) {
            throw CLI::ValidationError(text + " is no file descriptor");
        }
        descriptor = static_cast<int>(*number);
    };
    command.add_option_function<std::string>(name, set, about)->type_name("FD");
}

void add_run(CLI::App& app, Invocation& invocation) {
    auto options = std::make_shared<RunOptions>();
    CLI::App* command = add_command(
        app, "run", "Run one node until SIGTERM, SIGINT or SIGHUP; SIGUSR1 and SIGUSR2 do nothing",
        "  monodon run --home validator-1 --set log.level=debug");
    command->add_option("--home", options->home, "Home of the node")->required()->type_name("DIR");
    add_descriptor(*command, "--listen-fd", options->listen_fd,
                   "Socket for peers that the parent process has bound");
    add_descriptor(*command, "--api-fd", options->api_fd, "The same for the public API");
    add_settings(*command, options->settings, "Over config.toml and the environment; may be repeated");
    on_run(*command, invocation, options, &run);
}

void add_testnet_up(CLI::App& testnet, Invocation& invocation) {
    auto options = std::make_shared<TestnetUp>();
    CLI::App* command =
        add_command(testnet, "up", "Make a committee if there is none, and start what does not run",
                    "  monodon testnet up -n 4 --observers 2 --dir net\n"
                    "  monodon testnet up --dir net --without v3 --node-set v0:log.level=debug");
    command->add_option("-n,--validators", options->validators, "Validators of a new committee (4)")
        ->type_name("N");
    command
        ->add_option("--observers", options->observers,
                     "Observers beside it (0); an existing testnet gets those that it lacks")
        ->type_name("N");
    command
        ->add_option("--seeds", options->seeds,
                     "All know the addresses of so many validators and find the others from there; else the "
                     "genesis file has all addresses")
        ->type_name("K");
    command->add_option("--dir", options->dir, "Directory of the testnet (or MONODON_DIR; else ./net)")
        ->type_name("DIR");
    command->add_flag("--api,!--no-api", options->api, "With or without the public API (with)");
    add_settings(*command, options->settings,
                 "A setting of every node, kept for later starts; may be repeated");
    command->add_option("--node-set", options->node_settings, "A setting of one node; may be repeated")
        ->type_name("NAME:KEY=VALUE")
        ->allow_extra_args(false);
    command->add_option("--without", options->without, "Do not start this node; may be repeated")
        ->type_name("NAME")
        ->allow_extra_args(false);
    command->add_flag("--wait,!--no-wait", options->wait, "Wait until all are ready (yes)");
    add_duration(*command, "--timeout", options->timeout, "How long to wait (60s)");
    add_form(*command, options->form);
    command->callback([&invocation, options] {
        invocation.command = [options] {
            options->dir = testnet_root({{}, options->dir, {}}).string();
            return testnet_up(*options);
        };
    });
}

/// The commands that act on named nodes.
template <class Options>
CLI::App* add_testnet_command(CLI::App& testnet, Invocation& invocation, std::shared_ptr<Options> options,
                              const char* name, const char* about, const char* example,
                              int (*function)(const Options&)) {
    CLI::App* command = add_command(testnet, name, about, example);
    command->add_option("--dir", options->dir, "Directory of the testnet (or MONODON_DIR; else ./net)")
        ->type_name("DIR");
    command->callback([&invocation, options, function] {
        invocation.command = [options, function] {
            options->dir = testnet_root({{}, options->dir, {}}).string();
            return function(*options);
        };
    });
    return command;
}

void add_testnet_signals(CLI::App& testnet, Invocation& invocation) {
    auto down = std::make_shared<TestnetDown>();
    CLI::App* command = add_testnet_command(testnet, invocation, down, "down",
                                            "Stop all nodes, or those named: SIGTERM, after 5 s SIGKILL",
                                            "  monodon testnet down --dir net", &testnet_down);
    command->add_option("nodes", down->names, "Names; none: all")->type_name("NAME");
    add_form(*command, down->form);

    auto kill = std::make_shared<TestnetSignal>();
    command = add_testnet_command(
        testnet, invocation, kill, "kill", "Send a signal to nodes, SIGKILL if none is given",
        "  monodon testnet kill v2 --dir net\n  monodon testnet kill v2 --signal TERM", &testnet_kill);
    command->add_option("nodes", kill->names, "Names")->type_name("NAME")->required();
    command->add_option("--signal", kill->signal, "KILL, TERM, INT, ... or a number")->type_name("SIGNAL");
    add_form(*command, kill->form);

    auto pause = std::make_shared<TestnetSignal>();
    command = add_testnet_command(
        testnet, invocation, pause, "pause", "Stop nodes in their tracks (SIGSTOP), or resume them",
        "  monodon testnet pause v2 --dir net\n  monodon testnet pause v2 --resume", &testnet_pause);
    command->add_option("nodes", pause->names, "Names")->type_name("NAME")->required();
    command->add_flag("--resume", pause->resume, "Let them go on (SIGCONT)");
    add_form(*command, pause->form);

    auto partition = std::make_shared<TestnetPartition>();
    command =
        add_testnet_command(testnet, invocation, partition, "partition",
                            "Cut groups of nodes off from each other, until `testnet heal` or a restart",
                            "  monodon testnet partition v3 --dir net            # v3 from all others\n"
                            "  monodon testnet partition v0,v1 v2,v3 --dir net   # two halves",
                            &testnet_partition);
    command->add_option("groups", partition->groups, "Names with commas; those not named are a group, too")
        ->type_name("GROUP")
        ->required();
    add_form(*command, partition->form);
    auto heal = std::make_shared<TestnetPartition>();
    command = add_testnet_command(testnet, invocation, heal, "heal", "Join what `testnet partition` has cut",
                                  "  monodon testnet heal --dir net", &testnet_heal);
    add_form(*command, heal->form);

    auto logs = std::make_shared<TestnetLogs>();
    command = add_testnet_command(testnet, invocation, logs, "logs", "The end of a node's log",
                                  "  monodon testnet logs v2 -n 50 -f --dir net", &testnet_logs);
    command->add_option("node", logs->name, "Name")->type_name("NAME")->required();
    command->add_option("-n,--lines", logs->lines, "Lines (20)")->type_name("N");
    command->add_flag("-f,--follow", logs->follow, "Go on with what is added");
}

void add_testnet_add(CLI::App& testnet, Invocation& invocation) {
    auto up = std::make_shared<TestnetUp>();
    CLI::App* command = add_command(testnet, "add", "Start nodes of the testnet that are down",
                                    "  monodon testnet add v2 --dir net");
    command->add_option("nodes", up->only, "Names")->type_name("NAME")->required();
    command->add_option("--dir", up->dir, "Directory of the testnet (or MONODON_DIR; else ./net)")
        ->type_name("DIR");
    command->add_flag("--wait,!--no-wait", up->wait, "Wait until they are ready (yes)");
    add_duration(*command, "--timeout", up->timeout, "How long to wait (60s)");
    add_form(*command, up->form);
    command->callback([&invocation, up] {
        invocation.command = [up] {
            up->dir = testnet_root({{}, up->dir, {}}).string();
            // A committee is made by `up` alone.
            if (const auto made = TestnetDir::load(up->dir); !made) return report(made.error());
            return testnet_up(*up);
        };
    });
}

void add_testnet(CLI::App& app, Invocation& invocation) {
    CLI::App* testnet =
        add_command(app, "testnet", "A local committee of real processes on loopback",
                    "  monodon testnet up -n 4 --dir net\n  monodon testnet status --dir net\n"
                    "  monodon testnet down --dir net");
    testnet->require_subcommand(1);
    add_testnet_up(*testnet, invocation);
    add_testnet_add(*testnet, invocation);
    add_testnet_signals(*testnet, invocation);
    add_testnet_status(*testnet, invocation);
}

void add_config(CLI::App& app, Invocation& invocation) {
    CLI::App* config =
        add_command(app, "config", "What a node is configured to do, and whether that is right",
                    "  monodon config show --home net/v0 --origin\n  monodon config check --home net/v0");
    config->require_subcommand(1);

    auto show = std::make_shared<ConfigOptions>();
    CLI::App* command =
        add_command(*config, "show", "Every key with its value: flag, then environment, file, default",
                    "  monodon config show --home net/v0 --origin\n"
                    "  MONODON_LOG_LEVEL=debug monodon config show --origin");
    auto diff = std::make_shared<ConfigOptions>();
    CLI::App* differing =
        add_command(*config, "diff", "The keys whose values are not the defaults, with both",
                    "  monodon config diff --home net/v0\n"
                    "  monodon config diff --home net/v0 --running -o json");
    for (auto [each, options] : {std::pair{command, show}, {differing, diff}}) {
        each->add_flag("--origin", options->origin, "Where each value came from");
        each->add_flag("--running", options->running, "What the running node has");
    }
    auto check = std::make_shared<ConfigOptions>();
    CLI::App* checking = add_command(
        *config, "check", "Exit code 78 if a node would not start with it, 65 if its store is gone",
        "  monodon config check --home net/v0");
    for (auto [each, options] : {std::pair{command, show}, {differing, diff}, {checking, check}}) {
        each->add_option("--home", options->home, "Home of a node (or MONODON_HOME)")->type_name("DIR");
        each->add_option("--file", options->file, "Another config.toml")->type_name("FILE");
        add_settings(*each, options->settings, "Over file and environment; may be repeated");
        add_form(*each, options->form);
    }
    on_run(*command, invocation, show, &config_show);
    on_run(*differing, invocation, diff, &config_diff);
    on_run(*checking, invocation, check, &config_check);
}

void add_home(CLI::App& command, std::string& home) {
    command.add_option("--home", home, "Home of a node (or MONODON_HOME)")
        ->envname("MONODON_HOME")
        ->required()
        ->type_name("DIR");
}

std::shared_ptr<DbOptions> add_db_command(CLI::App& db, Invocation& invocation, const char* name,
                                          const char* about, const char* example,
                                          int (*function)(const DbOptions&)) {
    auto options = std::make_shared<DbOptions>();
    CLI::App* command = add_command(db, name, about, example);
    add_home(*command, options->home);
    add_form(*command, options->form);
    on_run(*command, invocation, options, function);
    return options;
}

void add_genesis(CLI::App& db, const char* name, DbOptions& options) {
    db.get_subcommand(name)
        ->add_option("--genesis", options.genesis, "Genesis file, where a copy has none (HOME/genesis.json)")
        ->type_name("FILE");
}

void add_db_backup(CLI::App& db, Invocation& invocation) {
    auto options = std::make_shared<DbBackupOptions>();
    CLI::App* command = add_command(
        db, "backup", "Copy the stores, each as of one moment; also beside a running node",
        "  monodon db backup --home validator-1 --to /backup/validator-1\n\n"
        "Key and configuration are not copied. The copy is marked: a node that runs on it asks the "
        "others\nwhere they last saw this validator before it votes or proposes.");
    add_home(*command, options->home);
    command->add_option("--to", options->destination, "Directory to make")->required()->type_name("DIR");
    add_genesis(db, "backup", *options);
    add_duration(*command, "--time-limit", options->time_limit,
                 "For one environment: a running node cannot use its free pages meanwhile (60s)");
    add_form(*command, options->form);
    on_run(*command, invocation, options, &db_backup);
}

void add_db(CLI::App& app, Invocation& invocation) {
    CLI::App* db = add_command(app, "db", "What the stores of a home hold, and whether they are whole",
                               "  monodon db check --home validator-1\n"
                               "  monodon db backup --home validator-1 --to /backup/validator-1");
    db->require_subcommand(1);
    auto stat = add_db_command(*db, invocation, "stat",
                               "Sizes, rows, floors and the journal; also beside a running node",
                               "  monodon db stat --home validator-1 -o json", &db_stat);
    add_genesis(*db, "stat", *stat);
    auto check =
        add_db_command(*db, invocation, "check",
                       "Read every page and row of a stopped home: is it whole, and what will recovery do?",
                       "  monodon db check --home validator-1\n"
                       "  monodon db check --home /backup/validator-1 --genesis genesis.json\n\n"
                       "Exit code 65: damaged. 73: a node runs in this home.",
                       &db_check);
    add_genesis(*db, "check", *check);
    add_settings(*db->get_subcommand("check"), check->settings, "Over file and environment; may be repeated");
    add_db_backup(*db, invocation);
    add_db_command(*db, invocation, "compact",
                   "Write the stores of a stopped home again without free pages, and their indices anew",
                   "  monodon db compact --home validator-1", &db_compact);
    auto prune = add_db_command(
        *db, invocation, "prune", "Remove at once from a stopped home what retention need not keep",
        "  monodon db prune --home validator-1 --set storage.retention_commits=1000", &db_prune);
    add_genesis(*db, "prune", *prune);
    add_settings(*db->get_subcommand("prune"), prune->settings, "Over file and environment; may be repeated");
}

void add_small(CLI::App& app, Invocation& invocation) {
    auto file = std::make_shared<std::string>();
    CLI::App* command = add_command(app, "replay", "The ordering decisions on a DAG given as JSON",
                                    "  monodon replay dag.json");
    command->add_option("file", *file, "Description of the DAG")->type_name("FILE")->required();
    command->callback([&invocation, file] {
        invocation.command = [file] { return replay(std::filesystem::path(*file), std::cout, std::cerr); };
    });

    auto form = std::make_shared<Form>(Form::table);
    CLI::App* versions = add_command(app, "version", "What this program is", "  monodon version -o json");
    add_form(*versions, *form);
    versions->callback([&invocation, form] { invocation.command = [form] { return version(*form); }; });
}

}  // namespace

CLI::Option* add_duration(CLI::App& command, const std::string& name, std::chrono::milliseconds& value,
                          const std::string& about) {
    const auto set = [&value](const std::string& text) {
        const auto duration = node::parse_duration(text);
        if (!duration) throw CLI::ValidationError(text + " is no duration such as 500ms, 10s or 2m");
        value = std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
    };
    return command.add_option_function<std::string>(name, set, about)->type_name("TIME");
}

/// The words of a command that does not exist, with the one that was probably meant; empty if they all do.
std::string unknown_command(CLI::App& app, const std::vector<std::string>& words) {
    CLI::App* group = &app;
    std::string path;
    for (const std::string& word : words) {
        const auto commands = group->get_subcommands([](const CLI::App*) { return true; });
        if (commands.empty() || word.starts_with('-')) return {};
        const auto found = std::ranges::find(commands, word, &CLI::App::get_name);
        if (found != commands.end()) {
            group = *found;
            path += word + ' ';
            continue;
        }
        const CLI::App* nearest = *std::ranges::min_element(commands, {}, [&word](const CLI::App* command) {
            return node::edit_distance(word, command->get_name());
        });
        return fmt::format("there is no command {0}{1}; did you mean {0}{2}? See `monodon {0}--help`", path,
                           one_line(word), nearest->get_name());
    }
    return {};
}

void add_operating_commands(CLI::App& app, Invocation& invocation) {
    add_init(app, invocation);
    add_run(app, invocation);
    add_testnet(app, invocation);
    add_config(app, invocation);
    add_db(app, invocation);
    add_small(app, invocation);
    add_simulate(app, invocation);
}

int run_command_line(const std::vector<std::string>& words) {
    CLI::App app("Monodon: a validator that orders transactions with a certified DAG", "monodon");
    app.footer(std::string("Example:\n  monodon testnet up -n 4 --dir net\n\n") + kExitCodes);
    app.require_subcommand(1);
    Invocation invocation;
    add_operating_commands(app, invocation);
    add_asking_commands(app, invocation);
    if (const std::string unknown = unknown_command(app, words); !unknown.empty()) {
        return report({kExitUsage, unknown});
    }
    // CLI11 takes them from the back.
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    try {
        app.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
        return app.exit(error, std::cout, std::cerr) == 0 ? kExitDone : kExitUsage;
    }
    return invocation.command();
}

}  // namespace monodon::tools
