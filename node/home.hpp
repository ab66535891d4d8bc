#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/core/expected.hpp"
#include "net/core/keys.hpp"
#include "node/config.hpp"
#include "node/genesis.hpp"

namespace monodon::node {

/// Where things are in the home directory of a node.
struct HomePaths {
    explicit HomePaths(std::filesystem::path directory) : root(std::move(directory)) {}
    std::filesystem::path root;
    [[nodiscard]] std::filesystem::path config() const { return root / "config.toml"; }
    [[nodiscard]] std::filesystem::path key() const { return root / "key"; }
    [[nodiscard]] std::filesystem::path genesis() const { return root / "genesis.json"; }
    [[nodiscard]] std::filesystem::path admin_socket() const { return root / "admin.sock"; }
    [[nodiscard]] std::filesystem::path admin_path() const { return root / "admin.path"; }
    [[nodiscard]] std::filesystem::path consensus() const { return root / "consensus"; }
    [[nodiscard]] std::filesystem::path batches() const { return root / "batches"; }
    [[nodiscard]] std::filesystem::path state() const { return root / "state"; }
    [[nodiscard]] std::filesystem::path log() const { return root / "node.log"; }
};

/// Makes a key and its file: 64 hexadecimal digits of the seed and a newline, mode 0600 from the first
/// moment, synced. Fails if the file exists.
[[nodiscard]] Expected<KeyPair, std::string> create_key(const std::filesystem::path& file);
/// Refuses a file that others than its owner can read or write, that is not ours, or that holds anything
/// else.
[[nodiscard]] Expected<KeyPair, std::string> load_key(const std::filesystem::path& file);

struct InitialisedHome {
    PeerId peer;
    bool made_key = false;
    bool made_config = false;
};
/// Makes the directory (0700), the key and a commented config.toml, each only where it is missing, so that it
/// can be repeated. `set` is for a new config.toml, as write_default_config() takes it.
[[nodiscard]] Expected<InitialisedHome, std::string> init_home(
    const std::filesystem::path& directory, const std::vector<std::pair<std::string, std::string>>& set = {});

/// Why a node with this key can not have this role on that chain, and what to do; nothing if it can.
[[nodiscard]] std::optional<std::string> wrong_role(const HomePaths& home, const Genesis& genesis,
                                                    const PeerId& key, NodeRole role);

/// Whether this home had a store that is not there, or not whole: in words what was lost and what to do, and
/// nothing where a node would find its store or may make one. A file that is damaged is not seen from here.
[[nodiscard]] std::optional<std::string> missing_store(const HomePaths& home, NodeRole role);

/// A socket address holds a path of 107 bytes and its end.
inline constexpr std::size_t kSocketPathMax = 107;
/// Where the admin socket of this home is to be: `configured` (relative to the home) or admin.sock, if that
/// is short enough; else a short path in a directory of our own below $XDG_RUNTIME_DIR or /tmp, which is
/// recorded in admin.path for find_admin_socket(). Call while holding the home lock.
[[nodiscard]] Expected<std::filesystem::path, std::string> place_admin_socket(const HomePaths& home,
                                                                              const std::string& configured);
/// Where a client finds it.
[[nodiscard]] std::filesystem::path find_admin_socket(const HomePaths& home);

}  // namespace monodon::node
