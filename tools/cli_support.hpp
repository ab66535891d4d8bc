#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

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

inline void add_form(CLI::App& command, Form& form) {
    static const std::map<std::string, Form> kForms{
        {"table", Form::table}, {"json", Form::json}, {"plain", Form::plain}};
    command.add_option("-o,--output", form, "Output: table, json or plain (tabs, no headings)")
        ->transform(CLI::CheckedTransformer(kForms, CLI::ignore_case))
        ->type_name("FORM");
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
