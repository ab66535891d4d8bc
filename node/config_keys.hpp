#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "net/core/expected.hpp"
#include "node/config.hpp"

/// The one table that names, types, explains and checks every key. The file, the variables, --set, the
/// generated config.toml and `config show` all come from it.
namespace monodon::node {

/// A value as a TOML file gives it.
using ConfigValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

struct ConfigKey {
    /// `section.field`.
    std::string name;
    std::string help;
    /// What may stand there, in words: for messages and the generated file.
    std::string form;
    /// Stores a value, or says in words what it must be.
    std::function<Expected<void, std::string>(Settings&, const ConfigValue&)> set;
    /// A variable or --set has a text only: the value that it stands for.
    std::function<ConfigValue(const std::string&)> from_text;
    /// As TOML writes it.
    std::function<std::string(const Settings&)> show;

    [[nodiscard]] std::string section() const { return name.substr(0, name.find('.')); }
    [[nodiscard]] std::string field() const { return name.substr(name.find('.') + 1); }
    /// MONODON_SECTION_FIELD.
    [[nodiscard]] std::string variable() const;
};

/// In the order of the file.
[[nodiscard]] const std::vector<ConfigKey>& config_keys();
/// Its place in config_keys(); config_keys().size() if there is none.
[[nodiscard]] std::size_t find_config_key(std::string_view name);
/// How many letters must be put in, left out or changed to get from one word to the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);
/// The key that was probably meant; empty if none is near.
[[nodiscard]] std::string nearest_config_key(std::string_view name);

/// One value of a file.
struct ConfigEntry {
    std::string key;
    ConfigValue value;
    std::uint32_t line = 0;
};
struct ConfigFile {
    std::vector<ConfigEntry> entries;
    /// With file:line.
    ConfigProblems problems;
};
/// Reads TOML; `name` is what messages call the file.
[[nodiscard]] ConfigFile read_config_file(std::string_view text, const std::string& name);

}  // namespace monodon::node
