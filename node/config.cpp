#include "node/config.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

#include "net/core/check.hpp"
#include "node/config_keys.hpp"
#include "node/files.hpp"

namespace monodon::node {
namespace {

constexpr std::size_t kFileBytesMax = 1024 * 1024;
constexpr std::string_view kPrefix = "MONODON_";

/// Variables with our prefix that belong to the command line and to tests.
bool is_foreign(std::string_view variable) {
    return !variable.starts_with(kPrefix) || variable == "MONODON_HOME" || variable == "MONODON_DIR" ||
           variable.starts_with("MONODON_TEST_");
}

std::string did_you_mean(const std::string& suggestion) {
    return suggestion.empty() ? "" : fmt::format("; did you mean {}?", suggestion);
}

/// Collects values and what is wrong with them.
class Loader {
 public:
    Loader(Settings& settings, std::vector<std::string>& origins) : settings_(settings), origins_(origins) {}

    void file(const std::filesystem::path& path) {
        const std::string name = path.filename().string();
        std::ifstream in(path, std::ios::binary);
        std::string text(kFileBytesMax + 1, '\0');
        in.read(text.data(), static_cast<std::streamsize>(text.size()));
        if (in.bad() || (in.fail() && !in.eof()))
            return problem(fmt::format("{}: cannot be read", path.string()));
        if (in.gcount() > static_cast<std::streamsize>(kFileBytesMax)) {
            return problem(fmt::format("{}: larger than 1 MiB", path.string()));
        }
        text.resize(static_cast<std::size_t>(in.gcount()));

        ConfigFile file = read_config_file(text, name);
        problems_.insert(problems_.end(), file.problems.begin(), file.problems.end());
        // Problems and origins in the order of the lines, not of the alphabet.
        std::stable_sort(file.entries.begin(), file.entries.end(),
                         [](const ConfigEntry& a, const ConfigEntry& b) { return a.line < b.line; });
        for (const ConfigEntry& entry : file.entries) {
            const std::string origin = fmt::format("{}:{}", name, entry.line);
            const std::size_t at = find_config_key(entry.key);
            if (at == config_keys().size()) {
                problem(fmt::format("{}: unknown key {}{}", origin, entry.key,
                                    did_you_mean(nearest_config_key(entry.key))));
            } else {
                set(at, entry.value, origin);
            }
        }
    }

    void variable(const std::string& name, const std::string& value) {
        if (is_foreign(name)) return;
        const auto& keys = config_keys();
        for (std::size_t at = 0; at < keys.size(); ++at) {
            if (keys[at].variable() == name) return set(at, keys[at].from_text(value), name);
        }
        problem(fmt::format("{}: there is no such key{}", name, did_you_mean(nearest_variable(name))));
    }

    void override_with(const std::string& assignment) {
        const std::size_t equals = assignment.find('=');
        if (equals == std::string::npos)
            return problem(fmt::format("--set {}: must be key=value", assignment));
        const std::string name = assignment.substr(0, equals);
        const std::size_t at = find_config_key(name);
        if (at == config_keys().size()) {
            return problem(
                fmt::format("--set {}: unknown key{}", name, did_you_mean(nearest_config_key(name))));
        }
        set(at, config_keys()[at].from_text(assignment.substr(equals + 1)), "--set");
    }

    /// What two values must be to each other.
    void relations() {
        not_above("consensus.leader_timeout", settings_.consensus.leader_timeout,
                  "consensus.leader_timeout_max", settings_.consensus.leader_timeout_max);
        not_above("consensus.min_round_delay", settings_.consensus.min_round_delay, "consensus.idle_round",
                  settings_.consensus.idle_round);
        not_above("storage.disk_critical", settings_.storage.disk_critical, "storage.disk_low",
                  settings_.storage.disk_low);
    }

    [[nodiscard]] ConfigProblems take() { return std::move(problems_); }

 private:
    void problem(std::string what) { problems_.push_back(std::move(what)); }

    void set(std::size_t at, const ConfigValue& value, const std::string& origin) {
        const ConfigKey& key = config_keys()[at];
        if (const auto done = key.set(settings_, value); !done) {
            return problem(fmt::format("{}: {} {}", origin, key.name, done.error()));
        }
        origins_[at] = origin;
    }

    template <class Quantity>
    void not_above(const char* low_name, Quantity low, const char* high_name, Quantity high) {
        if (low <= high || !problems_.empty()) return;
        problem(fmt::format("{} ({}) is above {} ({})", low_name, origins_[find_config_key(low_name)],
                            high_name, origins_[find_config_key(high_name)]));
    }

    static std::string nearest_variable(const std::string& name) {
        // In lower case the first underscore after the prefix is the dot of a key.
        std::string key = name.substr(kPrefix.size());
        for (char& c : key) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (const std::size_t underscore = key.find('_'); underscore != std::string::npos)
            key[underscore] = '.';
        const std::size_t at = find_config_key(nearest_config_key(key));
        return at == config_keys().size() ? "" : config_keys()[at].variable();
    }

    Settings& settings_;
    std::vector<std::string>& origins_;
    ConfigProblems problems_;
};

void append_comment(std::string& out, const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) out += "# " + line + "\n";
}

}  // namespace

Config::Config() : origins_(config_keys().size(), "default") {}

Expected<Config, ConfigProblems> Config::load(const ConfigSources& sources) {
    Config config;
    Loader loader(config.settings_, config.origins_);
    if (sources.file) loader.file(*sources.file);
    for (const auto& [name, value] : sources.environment) loader.variable(name, value);
    for (const std::string& assignment : sources.overrides) loader.override_with(assignment);
    loader.relations();
    ConfigProblems problems = loader.take();
    if (!problems.empty()) return Unexpected{std::move(problems)};
    return config;
}

std::vector<ConfigRow> Config::rows() const {
    std::vector<ConfigRow> rows;
    for (std::size_t at = 0; at < config_keys().size(); ++at) {
        const ConfigKey& key = config_keys()[at];
        rows.push_back({key.name, key.show(settings_), origins_[at], key.help});
    }
    return rows;
}

std::string default_config_text(const std::vector<std::pair<std::string, std::string>>& set) {
    for (const auto& [name, value] : set) MONODON_CHECK(find_config_key(name) < config_keys().size());
    const std::map<std::string, std::string> live(set.begin(), set.end());
    const Settings defaults;
    std::string out =
        "# Configuration of a Monodon node. A key that is commented out has the value that is shown.\n"
        "# A MONODON_SECTION_KEY variable is stronger than this file, --set section.key=value than both.\n"
        "# `monodon config show --origin` tells what holds and why.\n";
    std::string section;
    for (const ConfigKey& key : config_keys()) {
        if (key.section() != section) {
            section = key.section();
            out += fmt::format("\n[{}]\n", section);
        }
        append_comment(out, key.help + "\nIs " + key.form + ".");
        const auto given = live.find(key.name);
        if (given != live.end()) {
            out += fmt::format("{} = {}\n", key.field(), given->second);
        } else {
            out += fmt::format("#{} = {}\n", key.field(), key.show(defaults));
        }
    }
    return out;
}

Expected<void, std::string> write_default_config(
    const std::filesystem::path& path, const std::vector<std::pair<std::string, std::string>>& set) {
    return write_new_file(path, default_config_text(set), 0644);
}

std::vector<std::pair<std::string, std::string>> process_environment() {
    std::vector<std::pair<std::string, std::string>> out;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos || is_foreign(text.substr(0, equals))) continue;
        out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return out;
}

}  // namespace monodon::node
