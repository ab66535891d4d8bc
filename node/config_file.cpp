#include <fmt/format.h>
#include <toml++/toml.h>

#include "node/config_keys.hpp"

// The only unit that sees toml++.
namespace monodon::node {
namespace {

class Reader {
 public:
    Reader(const std::string& name, ConfigFile& out) : name_(name), out_(out) {}

    void table(const std::string& prefix, const toml::table& table) {
        for (const auto& [key, node] : table) {
            const std::string name =
                prefix.empty() ? std::string(key.str()) : fmt::format("{}.{}", prefix, key.str());
            if (const toml::table* inner = node.as_table()) {
                if (inner->empty()) sections_without_keys(name, line_of(key.source()));
                this->table(name, *inner);
            } else {
                value(name, node, line_of(key.source()));
            }
        }
    }

 private:
    static std::uint32_t line_of(const toml::source_region& source) { return source.begin.line; }

    void problem(std::uint32_t line, const std::string& what) {
        out_.problems.push_back(fmt::format("{}:{}: {}", name_, line, what));
    }

    void sections_without_keys(const std::string& name, std::uint32_t line) {
        for (const ConfigKey& key : config_keys()) {
            if (key.section() == name) return;
        }
        problem(line, fmt::format("there is no section [{}]", name));
    }

    void value(const std::string& name, const toml::node& node, std::uint32_t line) {
        if (const auto* flag = node.as_boolean()) return add(name, flag->get(), line);
        if (const auto* number = node.as_integer()) return add(name, number->get(), line);
        if (const auto* text = node.as_string()) return add(name, text->get(), line);
        const toml::array* array = node.as_array();
        if (array == nullptr) return problem(line, fmt::format("{} is of a type that no key has", name));
        std::vector<std::string> texts;
        for (const toml::node& item : *array) {
            const auto* text = item.as_string();
            if (text == nullptr)
                return problem(line, fmt::format("{} is a list of something else than texts", name));
            texts.push_back(text->get());
        }
        add(name, std::move(texts), line);
    }

    void add(const std::string& name, ConfigValue value, std::uint32_t line) {
        out_.entries.push_back({name, std::move(value), line});
    }

    const std::string& name_;
    ConfigFile& out_;
};

}  // namespace

ConfigFile read_config_file(std::string_view text, const std::string& name) {
    ConfigFile file;
    try {
        const toml::table root = toml::parse(text);
        Reader(name, file).table("", root);
    } catch (const toml::parse_error& error) {
        file.problems.push_back(
            fmt::format("{}:{}: not TOML: {}", name, error.source().begin.line, error.description()));
    }
    return file;
}

}  // namespace monodon::node
