#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/core/expected.hpp"
#include "net/core/log.hpp"
#include "net/core/time.hpp"
#include "storage/recovery_strategy.hpp"

namespace monodon::node {

/// A validator votes and proposes; an observer, which is no member of the committee, only follows.
enum class NodeRole : std::uint8_t { validator, observer };

/// What an operator may set, with the defaults that hold where he sets nothing. Bytes are plain numbers; what
/// has a unit has it in its type. The keys of config.toml are `section.field`, spelled as here.
struct Settings {
    struct Node {
        std::string name;  ///< shown in logs and status; empty: the member's name in the genesis file
        NodeRole role = NodeRole::validator;
        std::uint64_t threads = 0;  ///< of the pool for sockets and requests; 0: one per processor
    } node;
    struct Net {
        std::string listen = "127.0.0.1:0";
        std::vector<std::string> seeds;      ///< net::Seed
        std::vector<std::string> advertise;  ///< net::PeerAddress
        std::uint64_t clients = 64;
        std::uint64_t observers = 32;
        std::uint64_t observers_per_address = 4;
        std::uint64_t observers_per_network = 16;
        std::uint64_t outbound = 8;  ///< of an observer
        Duration test_every = std::chrono::seconds(10);
        std::uint64_t clients_per_address = 16;
        bool loopback_exempt = true;
        std::uint64_t memory = 192ULL << 20;
        Duration redial_max = std::chrono::seconds(2);
        bool compress_bulk = false;
        Duration penalty_half_life = std::chrono::minutes(10);
        Duration ban_first = std::chrono::minutes(10);
        Duration ban_max = std::chrono::hours(24);
    } net;
    struct Api {
        std::string listen = "127.0.0.1:0";  ///< empty: no public API
        std::vector<std::string> hosts;      ///< names a request may call us by, besides loopback ones
        std::uint64_t connections = 256;
        std::uint64_t connections_per_address = 64;
    } api;
    struct Worker {
        std::uint64_t batch_bytes = 128ULL << 10;
        Duration batch_delay = std::chrono::milliseconds(5);
        std::uint64_t accepted_bytes_max = 64ULL << 20;
        std::uint64_t inflight_bytes_max = 4ULL << 20;  ///< to one peer
        std::uint64_t duplicate_window = 512 * 1024;    ///< transaction ids
        std::uint64_t waiters_max = 16 * 1024;
    } worker;
    struct Consensus {
        Duration min_round_delay = std::chrono::milliseconds(5);
        Duration idle_round = std::chrono::seconds(1);
        Duration leader_timeout = std::chrono::milliseconds(50);
        Duration leader_timeout_max = std::chrono::seconds(1);
        Duration grace = std::chrono::milliseconds(20);
        std::uint64_t retention = 0;  ///< rounds; 0: three ordering windows
    } consensus;
    struct Storage {
        std::uint64_t retention_commits = 100'000;
        std::uint64_t retention_bytes = 20ULL << 30;  ///< of batches
        std::uint64_t consensus_map = 64ULL << 30;
        std::uint64_t batch_map = 64ULL << 30;
        std::uint64_t state_map = 64ULL << 30;
        std::uint64_t batch_cache = 64ULL << 20;
        std::uint64_t disk_low = 2ULL << 30;         ///< free bytes; below, no transactions are taken
        std::uint64_t disk_critical = 512ULL << 20;  ///< free bytes; below, no headers are made
        std::uint64_t map_percent = 80;              ///< of a map's limit; above, no transactions are taken
        storage::RecoveryStrategy recovery = storage::RecoveryStrategy::hybrid;
        std::uint64_t checkpoint_rounds = 100;  ///< 0: no local checkpoints are made
        std::uint64_t checkpoints_kept = 3;
    } storage;
    struct Log {
        log::Level level = log::Level::info;
        std::optional<log::Format> format;  ///< nothing: text on a terminal, else JSON
    } log;
    struct Admin {
        std::string socket;  ///< empty: admin.sock in the home
        std::string group;   ///< its members may read; empty: nobody but the owner
    } admin;
    struct Debug {
        Duration send_delay{0};
        std::vector<std::string> drop_outgoing;  ///< names of net::Method
        std::uint64_t corrupt_replies = 0;
    } debug;
};

/// One key as `config show --origin` and /v1/config give it.
struct ConfigRow {
    std::string key;
    /// As TOML writes it.
    std::string value;
    /// `default`, `config.toml:12`, `MONODON_NET_LISTEN` or `--set`.
    std::string origin;
    std::string help;
};

/// Where values come from; the later ones win.
struct ConfigSources {
    /// Must exist if given.
    std::optional<std::filesystem::path> file;
    /// Name and value; those that do not begin with MONODON_ are passed over.
    std::vector<std::pair<std::string, std::string>> environment;
    /// `key=value`, as --set takes them.
    std::vector<std::string> overrides;
};

/// All that is wrong, a line each, with file:line and a suggestion where there is one.
using ConfigProblems = std::vector<std::string>;
/// Exit code of a process whose configuration (or genesis, or key file) is wrong.
inline constexpr int kExitConfiguration = 78;

/// The settings of one process and where each came from. Immutable once loaded.
class Config {
 public:
    /// Defaults only.
    Config();
    [[nodiscard]] static Expected<Config, ConfigProblems> load(const ConfigSources& sources);

    [[nodiscard]] const Settings& settings() const { return settings_; }
    /// Every key, in the order of the file.
    [[nodiscard]] std::vector<ConfigRow> rows() const;

 private:
    Settings settings_;
    std::vector<std::string> origins_;
};

/// A config.toml with every key at its default, commented out under its explanation. Lines of `set` (key and
/// value as TOML) are written live. Our bug if a key of `set` does not exist.
[[nodiscard]] std::string default_config_text(
    const std::vector<std::pair<std::string, std::string>>& set = {});
/// Fails if the file exists.
[[nodiscard]] Expected<void, std::string> write_default_config(
    const std::filesystem::path& path, const std::vector<std::pair<std::string, std::string>>& set = {});

/// The variables of this process that begin with MONODON_. MONODON_HOME, MONODON_DIR and MONODON_TEST_* are
/// other people's and are left out.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> process_environment();

}  // namespace monodon::node
