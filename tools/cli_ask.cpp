#include "node/units.hpp"
#include "tools/bench.hpp"
#include "tools/cli_support.hpp"
#include "tools/commits.hpp"
#include "tools/dag_view.hpp"
#include "tools/load.hpp"
#include "tools/peers.hpp"
#include "tools/status.hpp"
#include "tools/transactions.hpp"
#include "tools/why.hpp"

namespace monodon::tools {

namespace {

constexpr const char* kStatusCodes =
    "exit code 3 if one is down, 4 if one is not ready, 5 if --wait was in vain";

void add_watching(CLI::App& command, StatusOptions& options) {
    command.add_flag("-w,--watch", options.watch, "Again every second, until interrupted");
    command
        .add_option_function<std::string>(
            "--wait",
            [&options](const std::string& text) {
                options.wait = parse_awaited(text);
                if (!options.wait) throw CLI::ValidationError(text + " is none of ready, round=N, commit=N");
            },
            "Wait until all asked are there: ready, round=N or commit=N")
        ->type_name("WHAT");
    add_duration(command, "--timeout", options.timeout, "How long to wait (60s)");
    add_form(command, options.form);
}

void add_status(CLI::App& app, Invocation& invocation) {
    auto options = std::make_shared<StatusOptions>();
    CLI::App* command =
        add_command(app, "status", std::string("How one node is, or all: ") + kStatusCodes,
                    "  monodon status --home net/v0\n  monodon status --all --dir net --watch\n"
                    "  monodon status --all --dir net --wait commit=100 --timeout 30s");
    add_where_one(*command, options->where);
    command->add_flag("-a,--all", options->all, "All nodes of the testnet, a line each");
    add_watching(*command, *options);
    on_run(*command, invocation, options, &status);
}

void add_graph(CLI::App& app, Invocation& invocation) {
    auto peer_options = std::make_shared<PeersOptions>();
    CLI::App* command =
        add_command(app, "peers", "Whom one node speaks to, how fast each is and what it is worth",
                    "  monodon peers --dir net --node v0\n  monodon peers -l 3 --home net/v0\n"
                    "  monodon peers --book --home net/v0");
    add_where_one(*command, peer_options->where);
    command
        ->add_option("-l,--level", peer_options->level,
                     "0 how many, 1 connections, 2 speed, score and band, 3 the terms of the score, 4 "
                     "everything (2)")
        ->type_name("N")
        ->check(CLI::Range(0, 4));
    command->add_flag("--book", peer_options->book,
                      "The address book instead: who can be found where, and who said so");
    add_form(*command, peer_options->form);
    on_run(*command, invocation, peer_options, &peers);

    auto one_options = std::make_shared<PeerOptions>();
    command =
        add_command(app, "peer", "One peer of one node: its score term by term, what it did lately, its bans",
                    "  monodon peer v2 --dir net --node v0");
    add_where_one(*command, one_options->where);
    command->add_option("peer", one_options->peer, "Name of a validator, or a peer id")
        ->type_name("ID")
        ->required();
    add_form(*command, one_options->form);
    on_run(*command, invocation, one_options, &peer);

    auto limit_options = std::make_shared<PeersOptions>();
    command = add_command(app, "limits", "The limits of one node's network in force, and their use",
                          "  monodon limits --dir net --node v0");
    add_where_one(*command, limit_options->where);
    add_form(*command, limit_options->form);
    on_run(*command, invocation, limit_options, &limits);

    auto dag_options = std::make_shared<DagOptions>();
    command = add_command(app, "dag", "The newest rounds of one node's DAG as text",
                          "  monodon dag --rounds 20 --dir net\n  monodon dag --follow --home net/v0");
    add_where_one(*command, dag_options->where);
    command->add_option("--rounds", dag_options->rounds, "How many (20)")
        ->type_name("N")
        ->check(CLI::Range(1, 100));
    command->add_flag("-f,--follow", dag_options->follow, "Go on with the rounds that come");
    add_form(*command, dag_options->form);
    on_run(*command, invocation, dag_options, &dag);

    auto why_options = std::make_shared<WhyOptions>();
    command = add_command(app, "why",
                          "What keeps the lowest commit of one node from being made or executed: missing "
                          "certificates and batches, who holds them, what each answered",
                          "  monodon why --dir net --node v2");
    add_where_one(*command, why_options->where);
    add_form(*command, why_options->form);
    on_run(*command, invocation, why_options, &why);

    auto sync_options = std::make_shared<SyncOptions>();
    command = add_command(app, "sync", "How far one node is behind the committee, and how catching up goes",
                          "  monodon sync --dir net --node v2\n  monodon sync --follow --home net/v2");
    add_where_one(*command, sync_options->where);
    command->add_flag("-f,--follow", sync_options->follow, "Show a bar until it has caught up");
    add_form(*command, sync_options->form);
    on_run(*command, invocation, sync_options, &sync);
}

void add_stage(CLI::App& command, node::Stage& stage, const std::string& about) {
    add_choice<node::Stage>(command, "--wait", stage,
                            {{"accepted", node::Stage::accepted},
                             {"durable", node::Stage::durable},
                             {"certified", node::Stage::certified},
                             {"committed", node::Stage::committed},
                             {"executed", node::Stage::executed}},
                            about);
}

void add_from(CLI::App& command, std::uint64_t& from) {
    const auto set = [&from](const std::string& text) {
        const auto index = node::parse_number(text);
        if (!index || *index == 0) {
            throw CLI::ValidationError(text + " is no index of a commit: the first is 1");
        }
        from = *index;
    };
    command.add_option_function<std::string>("--from", set, "First index (the oldest that is kept)")
        ->type_name("N");
}

void add_submit(CLI::App& tx, Invocation& invocation) {
    auto options = std::make_shared<SubmitOptions>();
    CLI::App* command = add_command(tx, "submit", "Give one transaction to a node and print its receipt",
                                    "  echo hello | monodon tx submit - --wait committed\n"
                                    "  monodon tx submit --op put colour blue --dir net --node v2");
    command->add_option("file", options->file, "File with the bytes, - for standard input")
        ->type_name("FILE");
    command
        ->add_option(
            "--op", options->operation,
            "Instead of a file: put KEY VALUE, get KEY, delete KEY, cas KEY EXPECTED VALUE (- if absent)")
        ->type_name("WORDS")
        ->expected(2, 4);
    command
        ->add_option("--nonce", options->nonce,
                     "Of an operation that is asked for again, so that it stays one operation (random)")
        ->type_name("HEX");
    add_stage(*command, options->wait, "Stage to wait for (committed)");
    add_duration(*command, "--timeout", options->timeout, "How long to wait (10s)");
    add_where_one(*command, options->where);
    add_form(*command, options->form);
    on_run(*command, invocation, options, &submit);

    auto get = std::make_shared<ReceiptOptions>();
    command = add_command(tx, "get", "What a node knows of a transaction that was given to it",
                          "  monodon tx get 9f3c0c... --dir net --node v2");
    command->add_option("id", get->id, "SHA-256 of the transaction, 64 hexadecimal digits")
        ->type_name("ID")
        ->required();
    add_where_one(*command, get->where);
    add_form(*command, get->form);
    on_run(*command, invocation, get, &receipt);
}

void add_load(CLI::App& tx, Invocation& invocation) {
    auto options = std::make_shared<LoadOptions>();
    CLI::App* command = add_command(
        tx, "load", "Give the operations of a file to all nodes, a share to each",
        "  monodon tx load operations.jsonl --dir net\n"
        "Lines:\n"
        "  {\"op\":\"put\",\"key\":\"k\",\"value\":\"v\"}   {\"op\":\"delete\",\"key\":\"k\"}   "
        "{\"op\":\"get\",\"key\":\"k\"}\n"
        "  {\"op\":\"cas\",\"key\":\"k\",\"expected\":\"v\",\"value\":\"w\"}   "
        "{\"op\":\"raw\",\"hex\":\"00ff\"}\n"
        "  Bytes that are no text: key_hex, value_hex, expected_hex.\n"
        "  A line is another operation each time it is loaded, unless it has its own nonce_hex of 16 "
        "bytes.");
    command->add_option("file", options->file, "One JSON object a line, - for standard input")
        ->type_name("FILE")
        ->required();
    add_stage(*command, options->wait, "Stage that counts as done (committed)");
    add_duration(*command, "--timeout", options->timeout, "Give up after so long without progress (60s)");
    add_where(*command, options->where);
    add_form(*command, options->form);
    on_run(*command, invocation, options, &load);
}

void add_bench(CLI::App& tx, Invocation& invocation) {
    auto options = std::make_shared<BenchOptions>();
    CLI::App* command =
        add_command(tx, "bench",
                    "Offer transactions at a fixed rate and measure what is committed: exit code 1 if any "
                    "were lost, or refused but for want of room",
                    "  monodon tx bench --rate 15000 --size 512 --duration 10s --limits --dir net");
    command->add_option("--rate", options->rate, "Transactions a second, together (1000)")
        ->type_name("N")
        ->check(CLI::Range(1, 10'000'000));
    command->add_option("--size", options->size, "Bytes of a transaction (512)")
        ->type_name("BYTES")
        ->check(CLI::Range(1, 65'536));
    add_duration(*command, "--duration", options->duration, "Measured time (10s)");
    add_duration(*command, "--warmup", options->warmup, "Load before it (2s)");
    command->add_option("--to", options->to, "Only to these validators, as v0,v1 (all)")
        ->type_name("NAMES")
        ->delimiter(',');
    command->add_option("--connections", options->connections, "To each validator (1)")
        ->type_name("N")
        ->check(CLI::Range(1, 16));
    add_choice<LoadKind>(*command, "--kind", options->kind,
                         {{"opaque", LoadKind::opaque}, {"put", LoadKind::put}},
                         "Opaque bytes, or put operations (opaque)");
    command->add_flag("--limits", options->limits,
                      "Measure memory, SHA-256, TLS and fdatasync of this machine first");
    add_where(*command, options->where);
    add_form(*command, options->form);
    on_run(*command, invocation, options, &bench);
}

void add_transactions(CLI::App& app, Invocation& invocation) {
    CLI::App* tx = add_command(app, "tx", "Transactions: one, a receipt, a file of operations, a load",
                               "  echo hello | monodon tx submit - --wait committed");
    tx->require_subcommand(1);
    add_submit(*tx, invocation);
    add_load(*tx, invocation);
    add_bench(*tx, invocation);
}

void add_commits(CLI::App& app, Invocation& invocation) {
    CLI::App* group = add_command(app, "commits", "The ordered stream of one node",
                                  "  monodon commits get --from 1 --count 5 --dir net\n"
                                  "  monodon commits tail --from 900 --home net/v0 -o json");
    group->require_subcommand(1);
    for (const bool tail : {false, true}) {
        auto options = std::make_shared<CommitsOptions>();
        options->tail = tail;
        CLI::App* command =
            tail ? add_command(*group, "tail", "From an index on, and what comes, until interrupted",
                               "  monodon commits tail --from 900 --dir net -o json")
                 : add_command(*group, "get", "A few commits from an index on",
                               "  monodon commits get --from 1 --count 5 --dir net");
        add_from(*command, options->from);
        if (!tail) {
            command->add_option("--count", options->count, "How many (20)")
                ->type_name("N")
                ->check(CLI::Range(1, 1'000'000));
        }
        add_where_one(*command, options->where);
        add_form(*command, options->form);
        on_run(*command, invocation, options, &commits);
    }

    auto options = std::make_shared<VerifyOptions>();
    CLI::App* command =
        add_command(app, "verify", "Are the commit chains of nodes equal: exit code 1 if two part",
                    "  monodon verify net/v0 net/v1\n  monodon verify --all --dir net");
    command->add_option("nodes", options->nodes, "Homes, sockets, http://host:port, or names of the testnet")
        ->type_name("NODE");
    command->add_flag("-a,--all", options->all, "All pairs of the testnet");
    command->add_option("--dir", options->where.dir, "Directory of a testnet (or MONODON_DIR; else ./net)")
        ->type_name("DIR");
    add_form(*command, options->form);
    on_run(*command, invocation, options, &verify);
}

}  // namespace

void add_testnet_status(CLI::App& testnet, Invocation& invocation) {
    auto options = std::make_shared<StatusOptions>();
    options->all = true;
    CLI::App* command = add_command(testnet, "status", std::string("All nodes, a line each: ") + kStatusCodes,
                                    "  monodon testnet status --dir net");
    command->add_option("--dir", options->where.dir, "Directory of the testnet (or MONODON_DIR; else ./net)")
        ->type_name("DIR");
    add_watching(*command, *options);
    // MONODON_HOME names one node, and a testnet is meant.
    command->callback([&invocation, options] {
        invocation.command = [options] {
            options->where.dir = testnet_root(options->where).string();
            return status(*options);
        };
    });
}

void add_asking_commands(CLI::App& app, Invocation& invocation) {
    add_status(app, invocation);
    add_graph(app, invocation);
    add_transactions(app, invocation);
    add_commits(app, invocation);
}

}  // namespace monodon::tools
