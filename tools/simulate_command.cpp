#include "tools/simulate_command.hpp"

#include <iostream>

#include "tools/cli_support.hpp"
#include "tools/simulate/command.hpp"

namespace monodon::tools {

namespace {

struct SimulateOptions {
    sim::CommandWords words;
    Form form = Form::table;
};

int simulate(const SimulateOptions& options) {
    sim::CommandWords words = options.words;
    words.json = options.form == Form::json;
    words.progress = is_terminal(stderr);
    return sim::run_command(words, std::cout, std::cerr);
}

}  // namespace

void add_simulate(CLI::App& app, Invocation& invocation) {
    auto options = std::make_shared<SimulateOptions>();
    sim::CommandWords& words = options->words;
    CLI::App* command =
        add_command(app, "simulate", "Whole committees in virtual time with faults, judged from outside",
                    "  monodon simulate --seeds 1..1000 --validators 4 --rounds 100\n"
                    "  monodon simulate --seed 7 --rounds 30 --trace t.jsonl\n"
                    "  monodon simulate --draw t.jsonl\n"
                    "  monodon simulate --seed 5 --rounds 40 --faults crash,dead,loss --trace t.jsonl");
    CLI::Option* seed = command->add_option("--seed", words.seed, "One run (0)")->type_name("N");
    command->add_option("--seeds", words.seeds, "Many runs")->type_name("A..B")->excludes(seed);
    command->add_option("--validators", words.validators, "Members of the committee (4)")->type_name("N");
    command->add_option("--stakes", words.stakes, "Their stakes, such as 1,2,3,4 (all equal)")
        ->type_name("LIST");
    command->add_option("--observers", words.observers, "Nodes that follow the committee (0)")
        ->type_name("N");
    command->add_option("--rounds", words.rounds, "The faults end when this round is reached (100)")
        ->type_name("N");
    command
        ->add_option("--faults", words.faults,
                     "Names, all, none, benign, byzantine, or a file with such words (drawn per seed)")
        ->type_name("LIST|FILE");
    command
        ->add_option("--leaders", words.leaders,
                     "Shoal with anchors by reputation or round-robin (drawn, mostly reputation)")
        ->type_name("RULE");
    command->add_option("--faulty", words.faulty, "Stake that may be faulty at a time (f); more breaks it")
        ->type_name("STAKE");
    command->add_flag("--real-crypto", words.real_crypto, "Ed25519 instead of stand-ins for signatures");
    command->add_option("--trace", words.trace, "Write what happens in one run, a JSON object a line")
        ->type_name("FILE");
    command->add_option("--jobs", words.jobs, "Threads (1)")->type_name("N")->check(CLI::Range(1, 256));
    command->add_flag("--shrink", words.shrink, "Look for a smaller run that breaks the same invariant");
    command->add_option("--draw", words.draw, "Run nothing: draw the DAG of a trace as text")
        ->type_name("FILE");
    command->add_option("--node", words.node, "Whose DAG to draw (0)")->type_name("N");
    command->add_flag("--timing", words.timing,
                      "Run nothing else: what the timers do over links of all lengths, as tables");
    add_form(*command, options->form);
    on_run(*command, invocation, options, &simulate);
}

}  // namespace monodon::tools
