#include <sstream>

#include "node/config_keys.hpp"
#include "node/genesis.hpp"
#include "node/host_port.hpp"
#include "node/strict_json.hpp"
#include "node/units.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"
#include "tests/fuzz/json.hpp"
#include "tests/fuzz/target.hpp"
#include "tools/replay.hpp"

// Files that operators and tools give us, and rows of the store.
namespace monodon::fuzz::file_targets {

namespace {

using namespace node;

// ---- genesis.json

void genesis(ByteView input) {
    const auto parsed = Genesis::parse(as_text(input));
    if (!parsed) {
        MONODON_CHECK(!parsed.error().empty());
        return;
    }
    MONODON_CHECK(!parsed->members().empty() && parsed->members().size() <= dag::kCommitteeMax);
    const std::string written = parsed->to_json();
    const auto again = Genesis::parse(written);
    MONODON_CHECK(again && again->digest() == parsed->digest() && again->to_json() == written);
    MONODON_CHECK(again->committee().digest() == parsed->committee().digest());
    for (const GenesisMember& member : parsed->members()) {
        MONODON_CHECK(parsed->index_of(member.peer) && parsed->index_of(member.name));
        MONODON_CHECK(member.addresses.size() <= kMemberAddressesMax && member.stake > 0);
    }
    MONODON_CHECK(!Genesis::parse(written + "0"));
}

KeyPair key_of(Byte number) {
    std::array<Byte, 32> seed{};
    seed.fill(number);
    return KeyPair::from_seed(seed);
}

std::vector<Seed> genesis_seeds() {
    std::vector<GenesisMember> members;
    for (Byte number = 1; number <= 4; ++number) {
        const std::string name = "v" + std::to_string(number - 1);
        members.push_back(
            {name, key_of(number).peer_id(), number, {"127.0.0.1:710" + std::to_string(number)}});
    }
    members[3].addresses = {"[::1]:7100", "v3.example:1"};
    const auto made = Genesis::make("local-1", dag::Epoch{0}, {}, members);
    const std::string four = made->to_json();
    const std::string one = "{\"chain_id\":\"x\",\"epoch\":1,\"members\":[{\"name\":\"a\",\"peer_id\":\"" +
                            key_of(9).peer_id().text() + "\",\"stake\":1,\"addresses\":[]}]}";
    const std::string ordering =
        "{\"chain_id\":\"x\",\"epoch\":0,\"ordering\":{\"mode\":\"bullshark\",\"window\":9,"
        "\"reputation\":{\"voter_window\":4}},\"members\":[{\"name\":\"a\",\"peer_id\":\"" +
        key_of(9).peer_id().text() + "\",\"stake\":3,\"addresses\":[\"a:1\"]}]}";
    return {{"four", copy_of(as_bytes(four))},
            {"one", copy_of(as_bytes(one))},
            {"ordering", copy_of(as_bytes(ordering))}};
}

std::vector<std::string> genesis_words() {
    std::vector<std::string> words = {"\"chain_id\"",
                                      "\"epoch\"",
                                      "\"ordering\"",
                                      "\"mode\"",
                                      "\"shoal\"",
                                      "\"bullshark\"",
                                      "\"window\"",
                                      "\"batch_life\"",
                                      "\"reputation\"",
                                      "\"proposer_window\"",
                                      "\"voter_window\"",
                                      "\"failed_weight\"",
                                      "\"inactive_weight\"",
                                      "\"active_weight\"",
                                      "\"failure_threshold_percent\"",
                                      "\"members\"",
                                      "\"name\"",
                                      "\"peer_id\"",
                                      "\"stake\"",
                                      "\"addresses\"",
                                      "18446744073709551615",
                                      "1000000"};
    for (Byte number = 1; number <= 3; ++number) words.push_back(key_of(number).peer_id().text());
    return words;
}

// ---- config.toml

/// The file again, from the settings that it gave.
std::string written_anew(const Settings& settings, const std::vector<std::string>& keys) {
    std::vector<std::pair<std::string, std::string>> set;
    for (const std::string& name : keys)
        set.emplace_back(name, config_keys()[find_config_key(name)].show(settings));
    return default_config_text(set);
}

/// What the file sets, by key; what is wrong is said in words.
std::vector<std::string> apply(const ConfigFile& file, Settings& settings) {
    std::vector<std::string> keys;
    for (const ConfigEntry& entry : file.entries) {
        const std::size_t at = find_config_key(entry.key);
        if (at == config_keys().size()) {
            (void)nearest_config_key(entry.key);
            continue;
        }
        const auto done = config_keys()[at].set(settings, entry.value);
        if (!done) MONODON_CHECK(!done.error().empty());
        if (done) keys.push_back(entry.key);
    }
    return keys;
}

void config_file(ByteView input) {
    const ConfigFile file = read_config_file(as_text(input), "config.toml");
    for (const std::string& problem : file.problems) MONODON_CHECK(problem.starts_with("config.toml:"));
    Settings settings;
    const std::vector<std::string> keys = apply(file, settings);
    if (keys.empty()) return;
    const ConfigFile again = read_config_file(written_anew(settings, keys), "again");
    MONODON_CHECK(again.problems.empty() && again.entries.size() == keys.size());
    Settings same_settings;
    MONODON_CHECK(apply(again, same_settings).size() == keys.size());
    for (const ConfigKey& key : config_keys()) MONODON_CHECK(key.show(same_settings) == key.show(settings));
}

std::vector<Seed> config_seeds() {
    const std::string some =
        "[node]\nname = \"v1\"\nthreads = 2\n[net]\nlisten = \"127.0.0.1:0\"\nmemory = \"64MiB\"\n"
        "compress_bulk = true\n[api]\nhosts = [\"a\", \"b\"]\n[consensus]\ngrace = \"20ms\"\n";
    const std::string odd =
        "api.hosts = []\nlog = { level = 'debug', format = \"\"\"json\"\"\" }\nnet.memory = 0x100000\n"
        "[debug]\nsend_delay = \"1h\"\ndrop_outgoing = ['batch']\n[storage]\nrecovery = \"full\"\n";
    return {{"defaults", copy_of(as_bytes(default_config_text()))},
            {"some", copy_of(as_bytes(some))},
            {"odd", copy_of(as_bytes(odd))}};
}

std::vector<std::string> config_words() {
    std::vector<std::string> words = {
        " = ", "[",   "]",      "\"\"\"", "'''", "true", "inf", "0x", "1979-05-27T07:32:00Z",
        "ms",  "MiB", "\\u0000"};
    for (const ConfigKey& key : config_keys()) words.push_back(key.name + " = " + key.show({}));
    return words;
}

// ---- JSON, by both of our strict readers

void strict_json(ByteView input) {
    const auto ours = json_again(as_text(input));
    if (!ours || !ours->whole_numbers) return;
    const auto again = json_again(ours->text);
    MONODON_CHECK(again && again->text == ours->text);
    MONODON_CHECK(!json_again(ours->text + "{}"));
}

std::vector<Seed> json_seeds() {
    const auto of = [](std::string_view text) { return copy_of(as_bytes(text)); };
    return {{"object", of(R"({"a":1,"b":[true,null,-5,1.5e3,"x\u00e9\n"],"c":{"d":{}}})")},
            {"repeated", of(R"({"a":1,"\u0061":2})")},
            {"repeated-empty", of(R"({"":1,"":2})")},
            {"deep", of("[[[[[[[[1]]]]]]]]")},
            {"number", of(" 18446744073709551615 ")}};
}

std::vector<std::string> json_words() {
    return {"\"\"",  "\\u0061", "\\ud83d\\ude00",       "null", "true",
            "1e308", "-0.0",    "18446744073709551616", "[[",   "{}"};
}

// ---- the input of `monodon replay`

void replay_input(ByteView input) {
    std::istringstream in{std::string(as_text(input))};
    std::ostringstream out;
    std::ostringstream err;
    const int code = tools::replay(in, out, err);
    MONODON_CHECK(code == tools::kReplayDone || code == tools::kReplayRefused);
    MONODON_CHECK(out.str().empty() == (code == tools::kReplayRefused));
    MONODON_CHECK(err.str().empty() == (code == tools::kReplayDone));
    if (code == tools::kReplayDone) MONODON_CHECK(json_again(out.str()));
}

std::vector<Seed> replay_seeds() {
    std::string rounds;
    for (int round = 1; round <= 6; ++round) {
        for (int author = 0; author < 4; ++author) {
            rounds += std::string(rounds.empty() ? "" : ",") + "{\"round\":" + std::to_string(round) +
                      ",\"author\":" + std::to_string(author) + ",\"parents\":[" +
                      (round > 1 ? "0,1,2" : "") + "]}";
        }
    }
    const auto of = [&](const std::string& more, const std::string& certificates) {
        return copy_of(
            as_bytes("{\"stakes\":[1,1,1,1]," + more + "\"certificates\":[" + certificates + "]}"));
    };
    return {
        {"shoal", of("", rounds)},
        {"bullshark",
         of("\"mode\":\"bullshark\",\"window\":3,\"leaders\":{\"kind\":\"round-robin\"},", rounds)},
        {"table", of("\"leaders\":{\"kind\":\"table\",\"default\":1,\"table\":{\"1\":2,\"3\":0}},", rounds)},
        {"reputation", of("\"leaders\":{\"kind\":\"reputation\",\"voter_window\":2},\"epoch\":3,", rounds)},
        {"missing-parent", of("", "{\"round\":2,\"author\":0,\"parents\":[0,1,2]}")}};
}

std::vector<std::string> replay_words() {
    return {"\"stakes\"",        "\"chain\"",         "\"epoch\"",           "\"mode\"",
            "\"shoal\"",         "\"bullshark\"",     "\"window\"",          "\"first_instance_round\"",
            "\"leaders\"",       "\"kind\"",          "\"table\"",           "\"default\"",
            "\"reputation\"",    "\"round-robin\"",   "\"proposer_window\"", "\"voter_window\"",
            "\"active_weight\"", "\"failed_weight\"", "\"certificates\"",    "\"round\"",
            "\"author\"",        "\"parents\"",       "18446744073709551615"};
}

// ---- quantities and names in texts

void texts(ByteView input) {
    const std::string_view text = as_text(input);
    if (const auto peer = PeerId::parse(text)) MONODON_CHECK(peer->text() == text && peer->key().is_valid());
    if (const auto place = parse_host_port(text)) {
        MONODON_CHECK(!place->host.empty() && place->host.size() <= 253);
        MONODON_CHECK(parse_host_port(place->text()) == place);
    }
    if (const auto duration = parse_duration(text)) {
        MONODON_CHECK(*duration >= Duration{0} && parse_duration(duration_text(*duration)) == duration);
    }
    if (const auto bytes = parse_byte_size(text))
        MONODON_CHECK(parse_byte_size(byte_size_text(*bytes)) == bytes);
    if (const auto bytes = from_hex(text))
        MONODON_CHECK(from_hex(to_hex(*bytes)) == bytes && bytes->size() * 2 == text.size());
    if (const auto bytes = from_base58(text)) MONODON_CHECK(to_base58(*bytes) == text);
    if (input.size() <= 80) {
        const std::string written = to_base58(input);
        if (written.size() <= 128) MONODON_CHECK(same(from_base58(written).value(), input));
    }
    if (const auto key = from_libp2p(input)) MONODON_CHECK(same(to_libp2p(*key), input) && key->is_valid());
    if (const auto digest = Digest::parse(text)) MONODON_CHECK(Digest::parse(digest->hex()) == digest);
}

std::vector<Seed> text_seeds() {
    const auto of = [](std::string_view text) { return copy_of(as_bytes(text)); };
    return {{"peer-id", of(key_of(1).peer_id().text())},
            {"key", to_libp2p(key_of(2).public_key())},
            {"address", of("validator-3.example:7100")},
            {"address-6", of("[fe80::1%eth0]:65535")},
            {"duration", of("1500ms")},
            {"size", of("128KiB")},
            {"digest", of(sha256({}).hex())}};
}

// ---- rows of the store

/// Byte 0 is the length of the key, byte 1 where a bit is turned.
void stored_record(ByteView input) {
    Cursor cursor(input);
    const std::size_t key_bytes = cursor.u8();
    const std::size_t turned = cursor.u8();
    const ByteView key = cursor.take(key_bytes);
    const ByteView row = cursor.rest();
    if (const auto payload = storage::open_record(key, row)) {
        MONODON_CHECK(payload->size() + storage::kChecksumBytes == row.size());
        Bytes sealed = copy_of(row);
        storage::seal_record(key, sealed);
        MONODON_CHECK(same(sealed, row));
    }
    Bytes sealed = copy_of(row);
    sealed.resize(sealed.size() + storage::kChecksumBytes);
    storage::seal_record(key, sealed);
    const auto opened = storage::open_record(key, sealed);
    MONODON_CHECK(opened && same(*opened, row));
    Bytes damaged = sealed;
    damaged[turned % damaged.size()] ^= static_cast<Byte>(1U << (turned % 8));
    MONODON_CHECK(!storage::open_record(key, damaged));
    MONODON_CHECK(!storage::open_record(with_trailing(key), sealed));

    if (const auto slot = storage::read_slot_key(key))
        MONODON_CHECK(same(storage::slot_key(slot->epoch, slot->slot), key));
    if (const auto slot = storage::read_author_round_key(key))
        MONODON_CHECK(same(storage::author_round_key(slot->epoch, slot->slot), key));
    if (const auto index = storage::read_index_key(key)) MONODON_CHECK(same(storage::index_key(*index), key));
    if (const auto round = storage::read_round_key(key))
        MONODON_CHECK(same(storage::round_key(round->epoch, round->round), key));
    if (const auto reference = storage::read_reference_key(key))
        MONODON_CHECK(same(storage::reference_key(reference->batch, reference->at), key));
    if (const auto batch = storage::read_batch_author_key(key)) {
        MONODON_CHECK(same(storage::batch_author_key(batch->epoch, batch->author, batch->worker,
                                                     batch->sequence, batch->batch),
                           key));
    }
}

std::vector<Seed> record_seeds() {
    const auto of = [](ByteView key) {
        Bytes input = {static_cast<Byte>(key.size()), 77};
        input.insert(input.end(), key.begin(), key.end());
        Bytes row(40);
        storage::seal_record(key, row);
        input.insert(input.end(), row.begin(), row.end());
        return input;
    };
    const dag::Slot slot{dag::Round{7}, dag::ValidatorIndex{2}};
    return {
        {"slot", of(storage::slot_key(dag::Epoch{0}, slot))},
        {"author", of(storage::author_round_key(dag::Epoch{1}, slot))},
        {"index", of(storage::index_key(dag::CommitIndex{300}))},
        {"batch", of(storage::batch_author_key(dag::Epoch{0}, slot.author, dag::WorkerId{0}, 5, sha256({})))},
        {"reference", of(storage::reference_key(sha256({}), {dag::Epoch{0}, slot}))},
        {"round", of(storage::round_key(dag::Epoch{0}, slot.round))}};
}

const Registration kFiles{{
    {"genesis", "written anew it parses to the same digest and text; members and limits hold", 4096, genesis,
     genesis_seeds, genesis_words},
    {"config_file", "what it sets, written anew, sets the same; problems name file and line", 16384,
     config_file, config_seeds, config_words},
    {"strict_json", "both readers take the same texts; written anew it is itself; no key twice", 1024,
     strict_json, json_seeds, json_words},
    {"replay_input", "an answer that is JSON, or a refusal in words, never both", 4096, replay_input,
     replay_seeds, replay_words},
    {"texts", "peer ids, keys, addresses, quantities, hex and base58 are equal after writing", 160, texts,
     text_seeds},
    {"stored_record", "opens what was sealed and nothing with a bit turned; keys are equal after writing",
     512, stored_record, record_seeds},
}};

}  // namespace

}  // namespace monodon::fuzz::file_targets
