#include "tools/operate.hpp"

#include <map>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "net/core/check.hpp"
#include "node/config.hpp"
#include "node/genesis.hpp"
#include "node/home.hpp"
#include "node/version.hpp"
#include "storage/doctor.hpp"
#include "storage/home.hpp"
#include "tools/ask.hpp"
#include "tools/json_read.hpp"

namespace monodon::tools {

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

Failure wrong(const node::ConfigProblems& problems) {
    std::string message = "the configuration is wrong:";
    for (const std::string& problem : problems) message += "\n  " + problem;
    return {kExitConfiguration, std::move(message)};
}

/// Empty if neither the options nor MONODON_HOME name one.
std::string home_of(const ConfigOptions& options) {
    return options.file.empty() && options.home.empty() ? home_variable() : options.home;
}

Result<node::Config> load_config(const ConfigOptions& options) {
    node::ConfigSources sources;
    sources.environment = node::process_environment();
    sources.overrides = options.settings;
    const std::string home = home_of(options);
    std::error_code ignored;
    if (!options.file.empty()) {
        sources.file = options.file;
    } else if (!home.empty()) {
        if (!fs::is_directory(home, ignored)) return failure(kExitConfiguration, no_home(home));
        // A node runs without one, on its defaults.
        if (fs::exists(node::HomePaths(home).config(), ignored))
            sources.file = node::HomePaths(home).config();
    }
    auto config = node::Config::load(sources);
    if (!config) return Unexpected{wrong(config.error())};
    return std::move(*config);
}

Result<std::vector<node::ConfigRow>> running_rows(const ConfigOptions& options) {
    auto asker = ask_one({options.home, {}, {}});
    if (!asker) return Unexpected{asker.error()};
    const auto answer = asker->get("/v1/config");
    if (!answer) return Unexpected{answer.error()};
    std::vector<node::ConfigRow> rows;
    for (const json::value& item : as_array(*answer)) {
        const json::object& row = as_object(item);
        rows.push_back({text(row, "key"), text(row, "value"), text(row, "origin"), text(row, "help")});
    }
    return rows;
}

/// What a node would have, or has.
Result<std::vector<node::ConfigRow>> rows_of(const ConfigOptions& options) {
    if (options.running) return running_rows(options);
    const auto config = load_config(options);
    if (!config) return Unexpected{config.error()};
    return config->rows();
}

/// By key, in the words of a row.
std::map<std::string, std::string> default_values() {
    std::map<std::string, std::string> values;
    const auto config = node::Config::load({});
    MONODON_CHECK(config.has_value());
    for (node::ConfigRow& row : config->rows()) values.emplace(row.key, std::move(row.value));
    return values;
}

void print_rows(const std::vector<node::ConfigRow>& rows, const ConfigOptions& options) {
    if (options.form == Form::json) {
        json::array list;
        for (const node::ConfigRow& row : rows) {
            list.push_back(json::object{
                {"key", row.key}, {"value", row.value}, {"origin", row.origin}, {"help", row.help}});
        }
        return print_json(list);
    }
    std::vector<Column> columns{{"KEY"}, {"VALUE"}};
    if (options.origin) columns.push_back({"ORIGIN"});
    Table table(std::move(columns));
    for (const node::ConfigRow& row : rows) {
        const Tint tint = row.origin == "default" ? Tint::none : Tint::good;
        std::vector<Cell> cells{row.key, {row.value, tint}};
        if (options.origin) cells.emplace_back(row.origin);
        table.row(std::move(cells));
    }
    table.print(options.form);
}

void print_difference(const std::vector<node::ConfigRow>& rows, const ConfigOptions& options) {
    const std::map<std::string, std::string> defaults = default_values();
    json::array list;
    std::vector<Column> columns{{"KEY"}, {"VALUE"}, {"DEFAULT"}};
    if (options.origin) columns.push_back({"ORIGIN"});
    Table table(std::move(columns));
    for (const node::ConfigRow& row : rows) {
        // A running node of another version may have keys that this program lacks.
        const auto found = defaults.find(row.key);
        const std::string usual = found == defaults.end() ? "-" : found->second;
        if (row.value == usual) continue;
        list.push_back(
            json::object{{"key", row.key}, {"value", row.value}, {"default", usual}, {"origin", row.origin}});
        std::vector<Cell> cells{row.key, {row.value, Tint::good}, usual};
        if (options.origin) cells.emplace_back(row.origin);
        table.row(std::move(cells));
    }
    if (options.form == Form::json) return print_json(list);
    table.print(options.form);
}

/// All that `run` would look at before it opens a store, and whether there is one that it can open.
Result<void> check_home(const std::string& directory, node::NodeRole role) {
    const node::HomePaths home(directory);
    const auto key = node::load_key(home.key());
    if (!key) return failure(kExitConfiguration, key.error());
    const auto genesis = node::Genesis::load(home.genesis());
    if (!genesis) return failure(kExitConfiguration, genesis.error());
    if (auto wrong = node::wrong_role(home, *genesis, key->peer_id(), role)) {
        return failure(kExitConfiguration, std::move(*wrong));
    }
    if (auto missing = node::missing_store(home, role))
        return failure(kExitStoreDamaged, std::move(*missing));
    if (const auto known = storage::known_store(directory); !known) {
        const bool layout = known.error().error == storage::StoreError::incompatible;
        return failure(layout ? kExitConfiguration : kExitStoreDamaged, known.error().text);
    }
    return {};
}

/// What a home that is there must be like for `init --observer` to complete it.
Result<void> may_observe(const InitOptions& options, const std::optional<node::Genesis>& genesis) {
    const node::HomePaths home(options.home);
    std::error_code ignored;
    if (options.rejoin) {
        return failure(kExitUsage, "an observer signs nothing: --rejoin is for validators");
    }
    if (fs::exists(home.config(), ignored)) {
        ConfigOptions there;
        there.home = options.home;
        const auto config = load_config(there);
        if (!config) return Unexpected{config.error()};
        if (config->settings().node.role != node::NodeRole::observer) {
            return failure(kExitUsage,
                           fmt::format("{} is there already and is not an observer's: set node.role = "
                                       "\"observer\" in it, or take another --home",
                                       home.config().string()));
        }
    }
    if (!genesis || !fs::exists(home.key(), ignored)) return {};
    const auto key = node::load_key(home.key());
    if (!key) return failure(kExitFailed, key.error());
    if (auto wrong = node::wrong_role(home, *genesis, key->peer_id(), node::NodeRole::observer)) {
        return failure(kExitUsage, std::move(*wrong));
    }
    return {};
}

Result<void> mark_rejoin(const std::string& directory) {
    auto home = storage::Home::open(directory);
    if (!home) return failure(home.error().exit_code, home.error().text);
    if (const auto marked = home->mark_ask_first(); !marked) {
        return failure(marked.error().exit_code, marked.error().text);
    }
    return {};
}

}  // namespace

int init(const InitOptions& options) {
    std::optional<node::Genesis> genesis;
    if (!options.genesis.empty()) {
        auto loaded = node::Genesis::load(options.genesis);
        if (!loaded) return report({kExitConfiguration, loaded.error()});
        genesis = std::move(*loaded);
    }
    const node::HomePaths home(options.home);
    if (options.observer) {
        if (const auto may = may_observe(options, genesis); !may) return report(may.error());
    }
    if (options.rejoin) {
        if (const auto key = node::load_key(home.key()); !key) {
            return report(
                {kExitUsage, fmt::format("{}: --rejoin is for a key that was used before; put it there "
                                         "first (mode 600, in a directory of mode 700)",
                                         key.error())});
        }
    }
    std::vector<std::pair<std::string, std::string>> set;
    if (options.observer) set.emplace_back("node.role", "\"observer\"");
    const auto made = node::init_home(options.home, set);
    if (!made) return report({kExitFailed, made.error()});
    if (options.rejoin) {
        if (const auto marked = mark_rejoin(options.home); !marked) return report(marked.error());
    }
    if (genesis) {
        if (auto saved = genesis->save(home.genesis()); !saved) return report({kExitFailed, saved.error()});
    }
    const std::string peer = made->peer.text();
    if (options.form == Form::json) {
        print_json(json::object{{"home", options.home},
                                {"peer_id", peer},
                                {"made_key", made->made_key},
                                {"made_config", made->made_config},
                                {"rejoin", options.rejoin},
                                {"observer", options.observer},
                                {"genesis", genesis.has_value()}});
    } else if (options.form == Form::plain) {
        print_line(peer);
    } else {
        print_line(fmt::format("{}  {}", made->made_key ? "made " : "kept ", home.key().string()));
        print_line(fmt::format("{}  {}", made->made_config ? "made " : "kept ", home.config().string()));
        print_line(fmt::format("peer id {}", peer));
        if (options.rejoin) {
            print_line(
                "rejoins: asks the others where they last saw this validator before it votes or proposes");
        }
        if (genesis) {
            print_line(fmt::format("genesis of chain {}, {} members", genesis->committee().chain(),
                                   genesis->members().size()));
        } else if (!fs::exists(home.genesis()) && options.observer) {
            print_line(
                fmt::format("next: put the genesis file of the chain at {}, then `monodon run --home {}`",
                            home.genesis().string(), options.home));
        } else if (!fs::exists(home.genesis())) {
            print_line(fmt::format(
                "next: name this peer id in the genesis file of the committee, put that file at {}, "
                "then `monodon run --home {}`",
                home.genesis().string(), options.home));
        }
    }
    return kExitDone;
}

int config_show(const ConfigOptions& options) {
    const auto rows = rows_of(options);
    if (!rows) return report(rows.error());
    print_rows(*rows, options);
    return kExitDone;
}

int config_diff(const ConfigOptions& options) {
    const auto rows = rows_of(options);
    if (!rows) return report(rows.error());
    print_difference(*rows, options);
    return kExitDone;
}

int config_check(const ConfigOptions& options) {
    const auto config = load_config(options);
    if (!config) return report(config.error());
    const std::string home = home_of(options);
    if (!home.empty()) {
        if (const auto checked = check_home(home, config->settings().node.role); !checked)
            return report(checked.error());
    }
    if (options.form == Form::json) {
        print_json(json::object{{"ok", true}, {"home", home.empty() ? json::value() : json::value(home)}});
    } else {
        print_line(home.empty() ? "ok: the configuration; with --home also key, genesis and store"
                                : fmt::format("ok: configuration, key, genesis and store of {}", home));
    }
    return kExitDone;
}

int version(Form form) {
    if (form == Form::json) {
        print_json(json::object{{"name", "monodon"}, {"version", node::kVersion}, {"compiler", __VERSION__}});
    } else if (form == Form::plain) {
        print_line(node::kVersion);
    } else {
        print_line(fmt::format("monodon {} (compiler {})", node::kVersion, __VERSION__));
    }
    return kExitDone;
}

}  // namespace monodon::tools
