#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "net/core/expected.hpp"

namespace monodon::storage {

/// Why a home can not be used: a sentence for the operator and the exit code of the process.
struct HomeError {
    std::string text;
    int exit_code = 1;
};

inline constexpr int kExitHomeInUse = 73;
inline constexpr int kExitHomeUnusable = 78;

/// The name of the network file system that holds this path; empty if it is a local one.
[[nodiscard]] std::string network_file_system(const std::filesystem::path& path);
/// The same by the number that statfs gives; empty for all others.
[[nodiscard]] std::string_view network_file_system_name(std::uint32_t magic);
using NetworkProbe = std::function<std::string(const std::filesystem::path&)>;

/// The directory that a node lives in, locked for this process. Holds the lock file, the marks `fresh` of a
/// home that no store was made in yet and `rejoin` of one whose store is not all that its key signed, and the
/// directories of the environments.
class Home {
 public:
    static constexpr const char* kFresh = "fresh";
    static constexpr const char* kAskFirst = "rejoin";

    /// Makes the directory (0700) and the mark, if there is no home; an existing one is left as it is.
    static Expected<void, HomeError> create(const std::filesystem::path& directory);
    /// Refuses homes in use (73) and, with 78, those that are missing, not ours, open to others, or on a
    /// network file system, where neither locks nor memory maps hold.
    /// `probe` says which one that is, empty for a local one.
    static Expected<Home, HomeError> open(const std::filesystem::path& directory,
                                          const NetworkProbe& probe = network_file_system);
    Home(Home&& other) noexcept;
    Home& operator=(Home&&) = delete;
    ~Home();

    [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
    [[nodiscard]] std::filesystem::path consensus() const { return directory_ / "consensus"; }
    [[nodiscard]] std::filesystem::path batches() const { return directory_ / "batches"; }
    [[nodiscard]] std::filesystem::path state() const { return directory_ / "state"; }
    [[nodiscard]] std::filesystem::path checkpoints() const { return directory_ / "checkpoints"; }

    /// Brand-new: ConsensusStore::open() may make a store. An old home whose store is gone may not: the
    /// member could vote twice.
    [[nodiscard]] bool fresh() const { return is_fresh(directory_); }
    /// The same of a home that is not open.
    [[nodiscard]] static bool is_fresh(const std::filesystem::path& directory);
    /// After the store was made, durably.
    Expected<void, HomeError> clear_fresh();

    /// The key of this home has signed what its store may not know: ConsensusStore::open() is to mark the
    /// store (ConsensusOptions::ask_first).
    [[nodiscard]] bool ask_first() const;
    /// Makes that mark, durably. Where no store is, one may be made then.
    Expected<void, HomeError> mark_ask_first();
    /// After the store was marked, durably.
    Expected<void, HomeError> clear_ask_first();

 private:
    Expected<void, HomeError> remove_mark(const char* name);
    Home(std::filesystem::path directory, int lock) : directory_(std::move(directory)), lock_(lock) {}

    std::filesystem::path directory_;
    int lock_ = -1;
};

}  // namespace monodon::storage
