#include "node/config_keys.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "dag/model/types.hpp"
#include "net/peers/peer_address.hpp"
#include "net/peers/seed.hpp"
#include "net/wire/method.hpp"
#include "node/host_port.hpp"
#include "node/units.hpp"

namespace monodon::node {
namespace {

using Done = Expected<void, std::string>;

constexpr std::uint64_t kKiB = 1ULL << 10;
constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;
constexpr std::uint64_t kTiB = 1ULL << 40;

/// A text as TOML writes it in one line.
std::string toml_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
            out += c;
        }
    }
    return out + '"';
}

ConfigValue same_text(const std::string& text) { return text; }

ConfigValue number_of(const std::string& text) {
    const auto number = parse_number(text);
    if (!number || *number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return text;
    return static_cast<std::int64_t>(*number);
}

ConfigValue list_of(const std::string& text) {
    std::vector<std::string> items;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        if (end > at) items.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return items;
}

/// Builds the table. `get` is a function from Settings& (const or not) to the field.
class Table {
 public:
    template <class Get, class Check>
    void text(std::string name, Get get, std::string form, Check valid, std::string help) {
        const auto set = [get, form, valid](Settings& settings, const ConfigValue& value) -> Done {
            const auto* given = std::get_if<std::string>(&value);
            if (given == nullptr || !valid(*given)) return Unexpected{"must be " + form};
            get(settings) = *given;
            return {};
        };
        add(std::move(name), std::move(help), form, set, same_text,
            [get](const Settings& settings) { return toml_text(get(settings)); });
    }

    template <class Get>
    void number(std::string name, Get get, std::uint64_t least, std::uint64_t most, std::string help) {
        const std::string form = fmt::format("a number from {} to {}", least, most);
        const auto set = [get, form, least, most](Settings& settings, const ConfigValue& value) -> Done {
            const auto* given = std::get_if<std::int64_t>(&value);
            if (given == nullptr || *given < 0) return Unexpected{"must be " + form};
            const auto wanted = static_cast<std::uint64_t>(*given);
            if (wanted < least || wanted > most) return Unexpected{"must be " + form};
            get(settings) = wanted;
            return {};
        };
        add(std::move(name), std::move(help), form, set, number_of,
            [get](const Settings& settings) { return std::to_string(get(settings)); });
    }

    template <class Get>
    void bytes(std::string name, Get get, std::uint64_t least, std::uint64_t most, std::string help) {
        const std::string form =
            fmt::format("a size from {} to {}, such as {}", byte_size_text(least), byte_size_text(most),
                        toml_text(byte_size_text(std::clamp(kGiB, least, most))));
        const auto set = [get, form, least, most](Settings& settings, const ConfigValue& value) -> Done {
            std::optional<std::uint64_t> wanted;
            if (const auto* given = std::get_if<std::string>(&value)) wanted = parse_byte_size(*given);
            if (const auto* given = std::get_if<std::int64_t>(&value); given != nullptr && *given >= 0) {
                wanted = static_cast<std::uint64_t>(*given);
            }
            if (!wanted || *wanted < least || *wanted > most) return Unexpected{"must be " + form};
            get(settings) = *wanted;
            return {};
        };
        add(std::move(name), std::move(help), form, set, same_text,
            [get](const Settings& settings) { return toml_text(byte_size_text(get(settings))); });
    }

    template <class Get>
    void duration(std::string name, Get get, Duration least, Duration most, std::string help) {
        const std::string form = fmt::format(
            "a duration from {} to {}, such as {}", duration_text(least), duration_text(most),
            toml_text(duration_text(std::clamp<Duration>(std::chrono::milliseconds(50), least, most))));
        const auto set = [get, form, least, most](Settings& settings, const ConfigValue& value) -> Done {
            const auto* given = std::get_if<std::string>(&value);
            const auto wanted = given != nullptr ? parse_duration(*given) : std::nullopt;
            if (!wanted || *wanted < least || *wanted > most) return Unexpected{"must be " + form};
            get(settings) = *wanted;
            return {};
        };
        add(std::move(name), std::move(help), form, set, same_text,
            [get](const Settings& settings) { return toml_text(duration_text(get(settings))); });
    }

    template <class Get>
    void boolean(std::string name, Get get, std::string help) {
        const std::string form = "true or false";
        const auto set = [get, form](Settings& settings, const ConfigValue& value) -> Done {
            const auto* given = std::get_if<bool>(&value);
            if (given == nullptr) return Unexpected{"must be " + form};
            get(settings) = *given;
            return {};
        };
        const auto parse = [](const std::string& text) -> ConfigValue {
            if (text == "true" || text == "false") return text == "true";
            return text;
        };
        add(std::move(name), std::move(help), form, set, parse,
            [get](const Settings& settings) { return get(settings) ? "true" : "false"; });
    }

    /// `parse` gives the value or nothing, `spell` the text of a value.
    template <class Get, class Parse, class Spell>
    void choice(std::string name, Get get, std::string form, Parse parse, Spell spell, std::string help) {
        const auto set = [get, form, parse](Settings& settings, const ConfigValue& value) -> Done {
            const auto* given = std::get_if<std::string>(&value);
            if (given == nullptr || !parse(*given, get(settings))) return Unexpected{"must be " + form};
            return {};
        };
        add(std::move(name), std::move(help), form, set, same_text,
            [get, spell](const Settings& settings) { return toml_text(spell(get(settings))); });
    }

    template <class Get, class Check>
    void texts(std::string name, Get get, std::string form, Check valid, std::string help) {
        const auto set = [get, form, valid](Settings& settings, const ConfigValue& value) -> Done {
            const auto* given = std::get_if<std::vector<std::string>>(&value);
            if (given == nullptr || given->size() > kListMax ||
                !std::all_of(given->begin(), given->end(), valid)) {
                return Unexpected{"must be " + form};
            }
            get(settings) = *given;
            return {};
        };
        const auto show = [get](const Settings& settings) {
            std::string out = "[";
            for (const std::string& item : get(settings))
                out += (out.size() > 1 ? ", " : "") + toml_text(item);
            return out + "]";
        };
        add(std::move(name), std::move(help), form, set, list_of, show);
    }

    [[nodiscard]] std::vector<ConfigKey> take() { return std::move(keys_); }

 private:
    static constexpr std::size_t kListMax = 64;

    template <class Set, class Parse, class Show>
    void add(std::string name, std::string help, std::string form, Set set, Parse parse, Show show) {
        keys_.push_back({std::move(name), std::move(help), std::move(form), set, parse, show});
    }

    std::vector<ConfigKey> keys_;
};

bool is_address(const std::string& text) { return parse_host_port(text).has_value(); }
bool is_address_or_empty(const std::string& text) { return text.empty() || is_address(text); }
bool is_method(const std::string& text) {
    const auto method = net::parse_method(text);
    return method && *method != net::Method::none;
}
bool is_name(const std::string& text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    };
    return text.size() <= 253 && std::all_of(text.begin(), text.end(), fits);
}
bool is_seed(const std::string& text) { return net::Seed::parse(text).has_value(); }
bool is_peer_address(const std::string& text) { return net::PeerAddress::parse(text).has_value(); }
bool is_label(const std::string& text) { return text.size() <= 32 && is_name(text); }
bool is_host_name(const std::string& text) { return !text.empty() && is_name(text); }
bool is_path(const std::string& text) { return text.size() < 4096 && text.find('\0') == std::string::npos; }

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// The field of a Settings that a key stands for.
#define MONODON_FIELD(path) \
    [](auto& settings) -> auto& { return settings.path; }

void add_network_keys(Table& table) {
    table.text("node.name", MONODON_FIELD(node.name), "at most 32 letters, digits, '-', '_' or '.'", is_label,
               "Shown in logs and status. Empty: the name of our key in the genesis file.");
    table.choice(
        "node.role", MONODON_FIELD(node.role), "\"validator\" or \"observer\"",
        [](const std::string& text, NodeRole& role) {
            if (text == "validator") role = NodeRole::validator;
            if (text == "observer") role = NodeRole::observer;
            return text == "validator" || text == "observer";
        },
        [](NodeRole role) { return std::string(role == NodeRole::observer ? "observer" : "validator"); },
        "A validator is a member of the committee. An observer is not: it follows, verifies, stores, serves "
        "and "
        "executes, but never votes or proposes.");
    table.number("node.threads", MONODON_FIELD(node.threads), 0, 256,
                 "Threads for sockets and requests. 0: one per processor.");

    table.text("net.listen", MONODON_FIELD(net.listen), "host:port", is_address,
               "Where peers connect. Port 0 takes a free one.");
    table.texts(
        "net.seeds", MONODON_FIELD(net.seeds),
        "a list of at most 64 addresses as host:port or peer-id@host:port", is_seed,
        "Where to begin when the addresses of others are not known: one node of the chain that is up\n"
        "is enough, it tells of the committee. With the peer id, no other is spoken to there.");
    table.texts("net.advertise", MONODON_FIELD(net.advertise),
                "a list of addresses, host:port, of which four count", is_peer_address,
                "Where others reach this node, if that is not net.listen: it goes into the signed record by\n"
                "which others find us.");
    table.number("net.clients", MONODON_FIELD(net.clients), 0, 4096,
                 "Connections of clients that submit transactions over the peer port; members do not count.");
    table.number("net.observers", MONODON_FIELD(net.observers), 0, 1024,
                 "Connections of observers; each may hold 4 MiB of requests and as much of answers.");
    table.number("net.clients_per_address", MONODON_FIELD(net.clients_per_address), 1, 4096,
                 "The same of clients from one address.");
    table.number("net.observers_per_address", MONODON_FIELD(net.observers_per_address), 1, 4096,
                 "Connections of observers that dial us from one address.");
    table.number("net.observers_per_network", MONODON_FIELD(net.observers_per_network), 1, 4096,
                 "The same from one /24, of IPv6 one /48.");
    table.number("net.outbound", MONODON_FIELD(net.outbound), 0, 128,
                 "Of an observer: as long as it has dialled fewer peers, the committee included, it dials\n"
                 "others that it has heard of.");
    table.duration("net.test_every", MONODON_FIELD(net.test_every), milliseconds(100), minutes(60),
                   "How often somebody in the address book is dialled only to see whether it is there.");
    table.boolean("net.loopback_exempt", MONODON_FIELD(net.loopback_exempt),
                  "Limits per address do not hold for loopback addresses: a local committee shares one.");
    table.bytes("net.memory", MONODON_FIELD(net.memory), 64 * kMiB, 64 * kGiB,
                "What unfinished messages and unanswered requests of all peers together may hold.");
    table.duration("net.redial_max", MONODON_FIELD(net.redial_max), milliseconds(100), minutes(10),
                   "Longest wait before a member that cannot be reached is dialled again.");
    table.boolean("net.compress_bulk", MONODON_FIELD(net.compress_bulk),
                  "Compress bulk transfers where that makes them smaller: for slow links.");
    table.duration("net.penalty_half_life", MONODON_FIELD(net.penalty_half_life), seconds(1), hours(24),
                   "In this time half of what a peer was charged with for time-outs, wrong answers and the\n"
                   "like is forgotten; what it is charged with slows it down or shuts it out.");
    table.duration("net.ban_first", MONODON_FIELD(net.ban_first), seconds(1), hours(24),
                   "How long a peer is shut out the first time; twice as long each further time. Validators\n"
                   "never are: at worst they are served slowly and not in bulk.");
    table.duration("net.ban_max", MONODON_FIELD(net.ban_max), seconds(1), hours(24),
                   "The longest such time.");

    table.text("api.listen", MONODON_FIELD(api.listen), "host:port, or empty", is_address_or_empty,
               "Where the public HTTP API listens. Port 0 takes a free one; empty: no public API.");
    table.texts(
        "api.hosts", MONODON_FIELD(api.hosts), "a list of at most 64 host names", is_host_name,
        "Names by which requests may call this host, besides localhost and the address of api.listen.\n"
        "A request that names another host is refused: it may come from a foreign web page.");
    table.number("api.connections", MONODON_FIELD(api.connections), 1, 65536,
                 "Connections to the public API.");
    table.number("api.connections_per_address", MONODON_FIELD(api.connections_per_address), 1, 65536,
                 "The same from one address that is not a loopback address.");
}

void add_data_keys(Table& table) {
    table.bytes("worker.batch_bytes", MONODON_FIELD(worker.batch_bytes), 4 * kKiB, dag::kBatchBytesMax,
                "A batch of transactions is sealed when it has this size.");
    table.duration("worker.batch_delay", MONODON_FIELD(worker.batch_delay), Duration{0}, seconds(10),
                   "Or when its first transaction has waited this long; at once when nothing is in flight.");
    table.bytes(
        "worker.accepted_bytes_max", MONODON_FIELD(worker.accepted_bytes_max), kMiB, 64 * kGiB,
        "Bytes of transactions accepted here and not yet executed; beyond that clients are told to wait.");
    table.bytes("worker.inflight_bytes_max", MONODON_FIELD(worker.inflight_bytes_max), dag::kBatchBytesMax,
                4 * kMiB,
                "Bytes of batches sent to one peer and not acknowledged by it. Peers take at most 4MiB.");
    table.number(
        "worker.duplicate_window", MONODON_FIELD(worker.duplicate_window), 1024, 1ULL << 26,
        "How many of the last transactions are recognised when they are submitted again, and have receipts.");
    table.number("worker.waiters_max", MONODON_FIELD(worker.waiters_max), 1, 1'000'000,
                 "Submissions that may wait for their transactions at the same time; more are told to wait.");

    table.duration("consensus.min_round_delay", MONODON_FIELD(consensus.min_round_delay), Duration{0},
                   seconds(10), "Least time between two of our headers.");
    table.duration("consensus.idle_round", MONODON_FIELD(consensus.idle_round), milliseconds(10), minutes(10),
                   "Time between two of our headers while there is nothing to order.");
    table.duration("consensus.leader_timeout", MONODON_FIELD(consensus.leader_timeout), milliseconds(1),
                   minutes(1), "How long a round waits for its anchor. Doubles while no anchor commits.");
    table.duration("consensus.leader_timeout_max", MONODON_FIELD(consensus.leader_timeout_max),
                   milliseconds(1), minutes(10), "Up to this.");
    table.duration("consensus.grace", MONODON_FIELD(consensus.grace), Duration{0}, seconds(10),
                   "How long a round that has a quorum waits for the certificates of slower members.");
    table.number("consensus.retention", MONODON_FIELD(consensus.retention), 0, 1'000'000,
                 "Rounds below the last anchor that stay in memory. 0: three ordering windows.");

    table.number("storage.retention_commits", MONODON_FIELD(storage.retention_commits), 1000,
                 1'000'000'000'000, "How many commits are kept to serve others.");
    table.bytes("storage.retention_bytes", MONODON_FIELD(storage.retention_bytes), 256 * kMiB, 64 * kTiB,
                "How many bytes of batches are kept to serve others, if that is less.");
    table.bytes("storage.consensus_map", MONODON_FIELD(storage.consensus_map), 64 * kMiB, 64 * kTiB,
                "Limit of the address space of consensus/: certificates, votes, commits.");
    table.bytes("storage.batch_map", MONODON_FIELD(storage.batch_map), 64 * kMiB, 64 * kTiB,
                "Size at which a generation below batches/ (1,024 rounds) takes no more offered batches.");
    table.bytes("storage.state_map", MONODON_FIELD(storage.state_map), 64 * kMiB, 64 * kTiB,
                "Limit of the address space of state/: what the application keeps.");
    table.bytes("storage.batch_cache", MONODON_FIELD(storage.batch_cache), 0, 64 * kGiB,
                "The newest batches that stay in memory.");
    table.bytes("storage.disk_low", MONODON_FIELD(storage.disk_low), 0, kTiB,
                "With less free on the disk, no new transactions are taken (429) and the node is not ready.\n"
                "On a small disk a tenth of it is enough.");
    table.bytes("storage.disk_critical", MONODON_FIELD(storage.disk_critical), 0, kTiB,
                "With less free on the disk, we propose nothing more. On a small disk a fortieth is enough.");
    table.number("storage.map_percent", MONODON_FIELD(storage.map_percent), 10, 100,
                 "With more of one of the limits above in use, no new transactions are taken.");
    table.choice(
        "storage.recovery", MONODON_FIELD(storage.recovery),
        "\"from_scratch\", \"from_checkpoint\" or \"hybrid\"",
        [](const std::string& text, storage::RecoveryStrategy& strategy) {
            const auto parsed = storage::parse_recovery_strategy(text);
            if (parsed) strategy = *parsed;
            return parsed.has_value();
        },
        [](storage::RecoveryStrategy strategy) { return std::string(storage::describe(strategy)); },
        "How the graph is read at start: every certificate from its row, or the newest local checkpoint\n"
        "and what came after it. \"hybrid\" takes a checkpoint, and reads the rows where none verifies;\n"
        "with \"from_checkpoint\" the node does not start then.");
    table.number("storage.checkpoint_rounds", MONODON_FIELD(storage.checkpoint_rounds), 0, 1'000'000,
                 "A local checkpoint is made whenever the last anchor has risen by so many rounds. 0: none.");
    table.number("storage.checkpoints_kept", MONODON_FIELD(storage.checkpoints_kept), 1, 100,
                 "The newest local checkpoints that stay.");
}

void add_operator_keys(Table& table) {
    table.choice(
        "log.level", MONODON_FIELD(log.level),
        "\"trace\", \"debug\", \"info\", \"warn\", \"error\" or \"off\"",
        [](const std::string& text, log::Level& out) {
            const auto level = log::parse_level(text);
            out = level.value_or(out);
            return level.has_value();
        },
        [](log::Level level) { return log::name(level); },
        "Of all categories at the start; a running node changes it by the admin socket.");
    table.choice(
        "log.format", MONODON_FIELD(log.format), "\"auto\", \"text\" or \"json\"",
        [](const std::string& text, std::optional<log::Format>& out) {
            if (text == "auto") out.reset();
            if (text == "text") out = log::Format::text;
            if (text == "json") out = log::Format::json;
            return text == "auto" || text == "text" || text == "json";
        },
        [](const std::optional<log::Format>& format) {
            return !format ? "auto" : *format == log::Format::text ? "text" : "json";
        },
        "\"auto\": text on a terminal, JSON otherwise.");

    table.text("admin.socket", MONODON_FIELD(admin.socket), "a path", is_path,
               "Path of the admin socket, from the home directory. Empty: admin.sock.");
    table.text("admin.group", MONODON_FIELD(admin.group), "at most 32 letters, digits, '-', '_' or '.'",
               is_label,
               "A group whose members may read from the admin socket. Empty: nobody but the owner.");

    table.duration("debug.send_delay", MONODON_FIELD(debug.send_delay), Duration{0}, seconds(10),
                   "For experiments: every message to a peer leaves this much later.");
    table.texts("debug.drop_outgoing", MONODON_FIELD(debug.drop_outgoing),
                "a list of names of messages, such as [\"batch\", \"vote\"]", is_method,
                "For experiments: messages of these methods are never sent.");
    table.number("debug.corrupt_replies", MONODON_FIELD(debug.corrupt_replies), 0, 1'000'000,
                 "For experiments: every so manyth answer to a peer is wrong, those about peers left out. "
                 "0: none.");
}

#undef MONODON_FIELD

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
        }
    }
    return row[b.size()];
}

std::string ConfigKey::variable() const {
    std::string out = "MONODON_" + name;
    for (char& c : out) {
        if (c == '.') c = '_';
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return out;
}

const std::vector<ConfigKey>& config_keys() {
    static const std::vector<ConfigKey> keys = [] {
        Table table;
        add_network_keys(table);
        add_data_keys(table);
        add_operator_keys(table);
        return table.take();
    }();
    return keys;
}

std::size_t find_config_key(std::string_view name) {
    const auto& keys = config_keys();
    const auto found =
        std::find_if(keys.begin(), keys.end(), [name](const ConfigKey& key) { return key.name == name; });
    return static_cast<std::size_t>(found - keys.begin());
}

std::string nearest_config_key(std::string_view name) {
    // A key in the wrong section is as likely a slip as a letter.
    const std::string_view field =
        name.substr(name.rfind('.') == std::string_view::npos ? 0 : name.rfind('.') + 1);
    std::string best;
    std::size_t least = std::max<std::size_t>(2, name.size() / 4) + 1;
    for (const ConfigKey& key : config_keys()) {
        const std::size_t whole = edit_distance(name, key.name);
        const std::size_t distance = field == key.field() ? std::min<std::size_t>(whole, 2) : whole;
        if (distance < least) {
            least = distance;
            best = key.name;
        }
    }
    return best;
}

}  // namespace monodon::node
