#include "node/home.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/core/digest.hpp"
#include "node/config.hpp"
#include "node/files.hpp"
#include "storage/home.hpp"

namespace monodon::node {
namespace {

namespace fs = std::filesystem;

/// 64 digits and a newline.
constexpr std::size_t kKeyBytes = 65;

/// Ours alone: nobody else can put a socket there or take ours away.
bool is_private_directory(const fs::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid() &&
           (status.st_mode & 077) == 0;
}

Expected<fs::path, std::string> runtime_directory() {
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    const bool usable = runtime != nullptr && runtime[0] == '/' && is_private_directory(runtime);
    const fs::path directory =
        (usable ? fs::path(runtime) : fs::path("/tmp")) / fmt::format("monodon-{}", ::geteuid());
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        return Unexpected{fmt::format("{}: cannot be made: {}", directory.string(), std::strerror(errno))};
    }
    if (!is_private_directory(directory)) {
        return Unexpected{fmt::format("{}: is not a directory that only we can use", directory.string())};
    }
    return directory;
}

std::optional<std::string> permission_problem(const fs::path& file) {
    struct stat status {};
    if (::lstat(file.c_str(), &status) != 0)
        return fmt::format("{}: {}", file.string(), std::strerror(errno));
    if (!S_ISREG(status.st_mode)) return fmt::format("{}: is not a file", file.string());
    if (status.st_uid != ::geteuid()) return fmt::format("{}: belongs to another user", file.string());
    if ((status.st_mode & 077) != 0) {
        return fmt::format("{}: others can use this key (mode {:03o}); run chmod 600 on it", file.string(),
                           status.st_mode & 0777);
    }
    return std::nullopt;
}

}  // namespace

Expected<KeyPair, std::string> create_key(const fs::path& file) {
    const KeyPair key = KeyPair::generate();
    std::array<Byte, 32> seed = key.seed();
    std::string text = to_hex(seed) + "\n";
    const auto written = write_new_file(file, text, 0600);
    ::explicit_bzero(seed.data(), seed.size());
    ::explicit_bzero(text.data(), text.size());
    if (!written) return Unexpected{written.error()};
    return key;
}

Expected<KeyPair, std::string> load_key(const fs::path& file) {
    if (const auto problem = permission_problem(file)) return Unexpected{*problem};
    auto text = read_file(file, kKeyBytes);
    if (!text) return Unexpected{text.error()};
    const bool ended = text->size() == kKeyBytes && text->back() == '\n';
    std::optional<Bytes> seed =
        ended ? from_hex(std::string_view(*text).substr(0, kKeyBytes - 1)) : std::nullopt;
    ::explicit_bzero(text->data(), text->size());
    if (!seed)
        return Unexpected{fmt::format("{}: must be 64 hexadecimal digits and a newline", file.string())};
    std::array<Byte, 32> array{};
    std::copy(seed->begin(), seed->end(), array.begin());
    KeyPair key = KeyPair::from_seed(array);
    ::explicit_bzero(seed->data(), seed->size());
    ::explicit_bzero(array.data(), array.size());
    return key;
}

Expected<InitialisedHome, std::string> init_home(
    const fs::path& directory, const std::vector<std::pair<std::string, std::string>>& set) {
    const HomePaths home(directory);
    if (const auto made = storage::Home::create(directory); !made) return Unexpected{made.error().text};
    InitialisedHome result;
    std::error_code error;
    result.made_key = !fs::exists(home.key(), error);
    const auto key = result.made_key ? create_key(home.key()) : load_key(home.key());
    if (!key) return Unexpected{key.error()};
    result.peer = key->peer_id();
    result.made_config = !fs::exists(home.config(), error);
    if (result.made_config) {
        if (const auto written = write_default_config(home.config(), set); !written)
            return Unexpected{written.error()};
    }
    return result;
}

std::optional<std::string> wrong_role(const HomePaths& home, const Genesis& genesis, const PeerId& key,
                                      NodeRole role) {
    const auto member = genesis.index_of(key);
    if (role == NodeRole::validator && !member) {
        return fmt::format(
            "{} names no member with the key of this home ({}): take the genesis file of the chain that this "
            "validator belongs to; to follow a chain without being a member of its committee, make a home "
            "with "
            "`monodon init --observer` (node.role = \"observer\")",
            home.genesis().string(), key.text());
    }
    if (role == NodeRole::observer && member) {
        return fmt::format(
            "the key of this home is that of {}, a member of the committee: as an observer it would stand "
            "beside a validator with the same key, and the others refuse it; an observer has a home and a "
            "key "
            "of its own (`monodon init --observer`)",
            genesis.member(*member).name);
    }
    return std::nullopt;
}

std::optional<std::string> missing_store(const HomePaths& home, NodeRole role) {
    std::error_code ignored;
    if (storage::Home::is_fresh(home.root)) return std::nullopt;
    const bool whole =
        fs::exists(home.consensus() / "data.mdb", ignored) && fs::exists(home.batches(), ignored);
    if (role == NodeRole::observer && !whole) {
        return fmt::format(
            "the store in {} is not there, or not whole: put it back, or make another home with `monodon "
            "init "
            "--observer`, which fetches what the validators keep",
            home.root.string());
    }
    if (!fs::exists(home.consensus() / "data.mdb", ignored)) {
        return fmt::format(
            "there is no store in {}: this home is not new, and without its store this validator could sign "
            "twice; put the store back, or run `monodon init --home {} --rejoin`",
            home.consensus().string(), home.root.string());
    }
    if (!fs::exists(home.batches(), ignored)) {
        return fmt::format(
            "{} is missing: this validator has acknowledged batches that were in it; restore it from a "
            "backup, or make an empty directory there to go on without them",
            home.batches().string());
    }
    return std::nullopt;
}

Expected<fs::path, std::string> place_admin_socket(const HomePaths& home, const std::string& configured) {
    std::error_code error;
    const fs::path root = fs::absolute(home.root, error);
    if (error) return Unexpected{fmt::format("{}: {}", home.root.string(), error.message())};
    const fs::path usual = root / home.admin_socket().filename();
    const fs::path wanted = configured.empty() ? usual : (root / configured).lexically_normal();
    fs::path place = wanted;
    if (place.string().size() > kSocketPathMax) {
        const auto directory = runtime_directory();
        if (!directory) return Unexpected{directory.error()};
        place = *directory / (sha256(as_bytes(wanted.string())).hex().substr(0, 16) + ".sock");
    }
    if (place == usual) {
        fs::remove(home.admin_path(), error);
        return place;
    }
    const auto recorded = replace_file(home.admin_path(), place.string() + "\n", 0644);
    if (!recorded) return Unexpected{recorded.error()};
    return place;
}

fs::path find_admin_socket(const HomePaths& home) {
    const auto text = read_file(home.admin_path(), 4096);
    if (!text || text->empty()) return home.admin_socket();
    return text->substr(0, text->find('\n'));
}

}  // namespace monodon::node
