#include "node/config.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include "node/config_keys.hpp"
#include "node/units.hpp"
#include "tests/node/support.hpp"

namespace monodon::node::config_test {
namespace {

using std::chrono::milliseconds;
using test::contains;
using test::TemporaryDirectory;

std::string origin_of(const Config& config, const std::string& key) {
    for (const ConfigRow& row : config.rows()) {
        if (row.key == key) return row.origin;
    }
    return "no such key";
}

/// What load() says of one file; empty if it is fine.
std::string problems_of(const std::string& text) {
    const TemporaryDirectory directory;
    test::write_text(directory / "config.toml", text);
    const auto config = Config::load({directory / "config.toml", {}, {}});
    if (config) return "";
    std::string all;
    for (const std::string& problem : config.error()) all += problem + "\n";
    return all;
}

TEST_CASE("durations and sizes are written as they are read") {
    for (const char* text : {"0", "1us", "250us", "5ms", "50ms", "2s", "90s", "3m", "1h"}) {
        const auto duration = parse_duration(text);
        REQUIRE(duration);
        CHECK(parse_duration(duration_text(*duration)) == duration);
    }
    CHECK(duration_text(milliseconds(1500)) == "1500ms");
    CHECK(duration_text(std::chrono::seconds(120)) == "2m");
    for (const char* text :
         {"", "5", "ms", "-5ms", "5 ms", "1.5s", "5MS", "99999999999h", "18446744073709551616us"}) {
        CHECK_FALSE(parse_duration(text));
    }
    for (const char* text : {"0", "1", "1023", "4KiB", "64MiB", "2GiB", "1TiB"}) {
        const auto size = parse_byte_size(text);
        REQUIRE(size);
        CHECK(parse_byte_size(byte_size_text(*size)) == size);
    }
    for (const char* text : {"", "KiB", "4kb", "4K", "-1", "1.5MiB", "9000000TiB"})
        CHECK_FALSE(parse_byte_size(text));
}

TEST_CASE("a flag is stronger than a variable, a variable than the file, the file than the default") {
    const TemporaryDirectory directory;
    test::write_text(directory / "config.toml",
                     "# a comment\n"
                     "[consensus]\n"
                     "idle_round = \"2s\"\n"
                     "grace = \"21ms\"\n"
                     "leader_timeout = \"60ms\"\n");
    const auto config = Config::load({directory / "config.toml",
                                      {{"MONODON_CONSENSUS_GRACE", "22ms"},
                                       {"MONODON_CONSENSUS_LEADER_TIMEOUT", "70ms"},
                                       {"PATH", "/bin"},
                                       {"MONODON_HOME", "elsewhere"}},
                                      {"consensus.leader_timeout=80ms"}});
    REQUIRE(config);
    const Settings& settings = config->settings();
    CHECK(settings.consensus.idle_round == milliseconds(2000));
    CHECK(settings.consensus.grace == milliseconds(22));
    CHECK(settings.consensus.leader_timeout == milliseconds(80));
    CHECK(settings.consensus.min_round_delay == milliseconds(5));
    CHECK(origin_of(*config, "consensus.idle_round") == "config.toml:3");
    CHECK(origin_of(*config, "consensus.grace") == "MONODON_CONSENSUS_GRACE");
    CHECK(origin_of(*config, "consensus.leader_timeout") == "--set");
    CHECK(origin_of(*config, "consensus.min_round_delay") == "default");
}

TEST_CASE("an unknown key is an error that says where it is and what was probably meant") {
    const std::string text =
        problems_of("[net]\nlisten = \"127.0.0.1:7100\"\n\n[consensus]\nleader_timout = \"50ms\"\n");
    CHECK(text ==
          "config.toml:5: unknown key consensus.leader_timout; did you mean consensus.leader_timeout?\n");
    CHECK(contains(problems_of("listen = \"127.0.0.1:1\"\n"),
                   "config.toml:1: unknown key listen; did you mean "));
    CHECK(contains(problems_of("[consensus]\nbatch_delay = \"1ms\"\n"), "did you mean worker.batch_delay?"));
    CHECK(problems_of("[log]\nfrobnicate = 1\n") == "config.toml:2: unknown key log.frobnicate\n");
    CHECK(contains(problems_of("[konsensus]\n"), "config.toml:1: there is no section [konsensus]"));

    const auto variable = Config::load({std::nullopt, {{"MONODON_NET_LISTEM", "127.0.0.1:1"}}, {}});
    REQUIRE_FALSE(variable);
    CHECK(variable.error().front() ==
          "MONODON_NET_LISTEM: there is no such key; did you mean MONODON_NET_LISTEN?");
    const auto flag = Config::load({std::nullopt, {}, {"net.lisen=127.0.0.1:1", "log.level"}});
    REQUIRE_FALSE(flag);
    CHECK(flag.error().size() == 2);
    CHECK(flag.error().front() == "--set net.lisen: unknown key; did you mean net.listen?");
    CHECK(flag.error().back() == "--set log.level: must be key=value");
}

TEST_CASE("a value of the wrong type or out of bounds is an error that says what it must be") {
    const auto wrong = [](const std::string& text, const std::string& what) {
        INFO(text);
        CHECK(contains(problems_of(text), what));
    };
    wrong("[net]\nlisten = 7100\n", "config.toml:2: net.listen must be host:port");
    wrong("[net]\nlisten = \"127.0.0.1\"\n", "net.listen must be host:port");
    wrong("[net]\nlisten = \"127.0.0.1:70000\"\n", "net.listen must be host:port");
    wrong("[consensus]\ngrace = 20\n", "consensus.grace must be a duration");
    wrong("[consensus]\ngrace = \"20\"\n", "consensus.grace must be a duration");
    wrong("[consensus]\nleader_timeout = \"2h\"\n", "from 1ms to 1m");
    wrong("[worker]\nbatch_bytes = \"1MiB\"\n", "from 4KiB to 512KiB");
    wrong("[worker]\nbatch_bytes = -1\n", "worker.batch_bytes must be a size");
    wrong("[worker]\nwaiters_max = 0\n", "a number from 1 to");
    wrong("[worker]\nwaiters_max = 1.5\n", "config.toml:2: worker.waiters_max is of a type that no key has");
    wrong("[net]\ncompress_bulk = \"yes\"\n", "net.compress_bulk must be true or false");
    wrong("[log]\nlevel = \"loud\"\n", "log.level must be");
    wrong("[log]\nformat = \"xml\"\n", "log.format must be");
    wrong("[debug]\ndrop_outgoing = \"batch\"\n", "debug.drop_outgoing must be a list");
    wrong("[debug]\ndrop_outgoing = [\"bath\"]\n", "debug.drop_outgoing must be a list");
    wrong("[debug]\ndrop_outgoing = [1]\n", "is a list of something else than texts");
    wrong("[api]\nhosts = [\"a b\"]\n", "api.hosts must be a list");
    wrong("[net\n", "config.toml:1: not TOML");
    wrong("[net]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n", "config.toml:3: not TOML");
    wrong("[consensus]\nleader_timeout = \"3s\"\n",
          "consensus.leader_timeout (config.toml:2) is above consensus.leader_timeout_max (default)");
    wrong("[storage]\ndisk_low = \"100MiB\"\n",
          "storage.disk_critical (default) is above storage.disk_low (config.toml:2)");
    CHECK(problems_of("[storage]\ndisk_low = \"100MiB\"\ndisk_critical = \"100MiB\"\n").empty());
}

TEST_CASE("every example that the generated file gives is a value of its key") {
    std::size_t examples = 0;
    for (const ConfigKey& key : config_keys()) {
        const auto accepts = [&key, &examples](const std::string& example) {
            INFO(key.name << " = " << example);
            CHECK(problems_of("[" + key.section() + "]\n" + key.field() + " = " + example + "\n").empty());
            ++examples;
        };
        constexpr std::string_view kSuchAs = "such as ";
        if (const auto at = key.form.find(kSuchAs); at != std::string::npos) {
            accepts(key.form.substr(at + kSuchAs.size()));
            continue;
        }
        // Choices are listed, each in quotes.
        for (auto at = key.form.find('"'); at != std::string::npos;) {
            const auto end = key.form.find('"', at + 1);
            REQUIRE(end != std::string::npos);
            accepts(key.form.substr(at, end + 1 - at));
            at = key.form.find('"', end + 1);
        }
    }
    CHECK(examples > 20);
}

TEST_CASE("all that is wrong is told at once") {
    const std::string text = problems_of("[net]\nlisten = 1\nlisten2 = 1\n[log]\nlevel = \"loud\"\n");
    CHECK(std::count(text.begin(), text.end(), '\n') == 3);
}

TEST_CASE("texts from variables and flags become what the key is") {
    const auto config = Config::load({std::nullopt,
                                      {{"MONODON_DEBUG_DROP_OUTGOING", "batch,vote"},
                                       {"MONODON_WORKER_WAITERS_MAX", "7"},
                                       {"MONODON_NET_COMPRESS_BULK", "true"},
                                       {"MONODON_API_LISTEN", ""}},
                                      {"worker.batch_bytes=65536", "log.format=json"}});
    REQUIRE(config);
    const Settings& settings = config->settings();
    CHECK(settings.debug.drop_outgoing == std::vector<std::string>{"batch", "vote"});
    CHECK(settings.worker.waiters_max == 7);
    CHECK(settings.net.compress_bulk);
    CHECK(settings.api.listen.empty());
    CHECK(settings.worker.batch_bytes == 65536);
    CHECK(settings.log.format == log::Format::json);
    CHECK_FALSE(Config::load({std::nullopt, {{"MONODON_WORKER_WAITERS_MAX", "seven"}}, {}}));
    CHECK_FALSE(Config::load({std::nullopt, {{"MONODON_NET_COMPRESS_BULK", "1"}}, {}}));
}

TEST_CASE("the generated file holds the defaults, names every key and can be read with every line live") {
    const TemporaryDirectory directory;
    const auto path = directory / "config.toml";
    REQUIRE(write_default_config(path));
    CHECK_FALSE(write_default_config(path));
    const auto config = Config::load({path, {}, {}});
    REQUIRE(config);
    std::string text = test::read_text(path);
    for (const ConfigRow& row : config->rows()) {
        CHECK(row.origin == "default");
        CHECK_FALSE(row.help.empty());
        CHECK(contains(text, "\n#" + row.key.substr(row.key.find('.') + 1) + " = " + row.value + "\n"));
    }

    // A line that begins with # and a letter is a value.
    for (std::size_t at = text.find("\n#"); at != std::string::npos; at = text.find("\n#", at + 1)) {
        if (text[at + 2] != ' ') text.erase(at + 1, 1);
    }
    const auto live_path = directory / "live.toml";
    test::write_text(live_path, text);
    const auto live = Config::load({live_path, {}, {}});
    REQUIRE(live);
    const auto before = config->rows();
    const auto after = live->rows();
    REQUIRE(before.size() == after.size());
    for (std::size_t at = 0; at < before.size(); ++at) {
        CHECK(after[at].value == before[at].value);
        CHECK(contains(after[at].origin, "live.toml:"));
    }
}

TEST_CASE("a generated file can have values of its own") {
    const TemporaryDirectory directory;
    REQUIRE(write_default_config(directory / "config.toml", {{"net.listen", "\"127.0.0.1:7100\""}}));
    const auto config = Config::load({directory / "config.toml", {}, {}});
    REQUIRE(config);
    CHECK(config->settings().net.listen == "127.0.0.1:7100");
    CHECK(contains(origin_of(*config, "net.listen"), "config.toml:"));
}

TEST_CASE("a file that is missing or too large is an error") {
    const TemporaryDirectory directory;
    CHECK_FALSE(Config::load({directory / "config.toml", {}, {}}));
    test::write_text(directory / "config.toml", std::string(2 * 1024 * 1024, '\n'));
    CHECK_FALSE(Config::load({directory / "config.toml", {}, {}}));
}

}  // namespace
}  // namespace monodon::node::config_test
