#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/ask.hpp"
#include "tools/cli.hpp"
#include "tools/output.hpp"

/// What the units that define commands share. Options live in shared pointers, since the command that reads
/// them runs after the function that defines it has returned.
namespace monodon::tools {

/// A subcommand with an example in its help.
inline CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& about,
                             const std::string& examples) {
    CLI::App* command = parent.add_subcommand(name, about);
    command->footer("Example:\n" + examples);
    return command;
}

/// One of a few words, whatever their case; they are shown in this order.
template <class T>
CLI::Option* add_choice(CLI::App& command, const std::string& name, T& value,
                        const std::vector<std::pair<std::string, T>>& choices, const std::string& about) {
    std::string shown;
    for (const auto& choice : choices) shown += (shown.empty() ? "" : "|") + choice.first;
    const auto set = [&value, choices, shown](const std::string& text) {
        const auto chosen = std::ranges::find(choices, CLI::detail::to_lower(text),
                                              [](const auto& choice) { return choice.first; });
        if (chosen == choices.end()) throw CLI::ValidationError(text + " is none of " + shown);
        value = chosen->second;
    };
    return command.add_option_function<std::string>(name, set, about)->type_name(shown);
}

inline void add_form(CLI::App& command, Form& form) {
    add_choice<Form>(command, "-o,--output", form,
                     {{"table", Form::table}, {"json", Form::json}, {"plain", Form::plain}},
                     "Form of the output (table); plain: tabs, no headings");
}

inline void add_where(CLI::App& command, Where& where) {
    command.add_option("--home", where.home, "Home of one node (or MONODON_HOME)")->type_name("DIR");
    command.add_option("--dir", where.dir, "Directory of a testnet (or MONODON_DIR; else ./net)")
        ->type_name("DIR");
}

/// For commands that ask one node.
inline void add_where_one(CLI::App& command, Where& where) {
    add_where(command, where);
    command.add_option("--node", where.node, "Node of the testnet; else the first that answers")
        ->type_name("NAME");
}

/// `500ms`, `10s`, `2m`.
CLI::Option* add_duration(CLI::App& command, const std::string& name, std::chrono::milliseconds& value,
                          const std::string& about);

/// Runs `function` with the options when the command was given.
template <class Options>
void on_run(CLI::App& command, Invocation& invocation, std::shared_ptr<Options> options,
            int (*function)(const Options&)) {
    command.callback([&invocation, options, function] {
        invocation.command = [options, function] { return function(*options); };
    });
}

}  // namespace monodon::tools
