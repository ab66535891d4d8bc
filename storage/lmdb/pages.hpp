#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/core/bytes.hpp"
#include "storage/error.hpp"

/// Reads the data file of an environment page by page, with plain reads and without LMDB. LMDB believes what
/// it finds in its pages: a file that was damaged or torn lets it read beyond the map, and the process dies
/// of a signal. This reader believes nothing, and so says what is wrong, and of each byte whether anything
/// depends on it.
namespace monodon::storage::lmdb {

/// Parts of a file whose damage may do no more than lose free pages.
inline constexpr std::string_view kFreeListName = "the list of free pages";
inline constexpr std::string_view kNewestMetaName = "the newest meta page";

struct PageWalkOptions {
    /// Gets each row of each named table, in order, whole, with the bytes of its value only here.
    std::function<void(std::string_view table, ByteView key, ByteView value)> row = {};
    /// Pages done and pages in all; false ends the walk. About every 1,000 pages.
    std::function<bool(std::uint64_t done, std::uint64_t total)> progress = {};
    /// An offset in the file of which `watched` is to tell what lies there.
    std::optional<std::uint64_t> watch = {};
};

struct PageWalk {
    /// What is wrong, one sentence each, the first kFaultsMax.
    static constexpr std::size_t kFaultsMax = 100;
    std::vector<std::string> faults;
    std::uint64_t page_bytes = 0;
    /// Up to the last page that was ever used.
    std::uint64_t pages = 0;
    /// In use by the newest transaction, those of the list of free pages included.
    std::uint64_t live_pages = 0;
    std::uint64_t free_pages = 0;
    /// Neither: they are never used again until the file is compacted. Harmless.
    std::uint64_t lost_pages = 0;
    std::uint64_t transaction = 0;
    struct Table {
        std::string name;
        std::uint64_t rows = 0;
        std::uint64_t pages = 0;
        std::uint64_t bytes = 0;
    };
    std::vector<Table> tables;
    /// What depends on the byte at `watch`; nothing if it lies in free space, in padding, in the superseded
    /// meta page, or where any value does: a key of a branch page that still divides its children.
    std::optional<std::string> watched;
    /// The walk came to its end.
    bool complete = false;
};

/// Looks at the whole file as the newest transaction left it. Nobody may write it meanwhile. An error only if
/// the file cannot be read at all.
[[nodiscard]] Result<PageWalk> walk_pages(const std::filesystem::path& data_file,
                                          const PageWalkOptions& options = {});

/// The two meta pages and the size of the file: what a cut-off or foreign file fails at. Also beside a
/// process that writes it: what does not fit together is read again for some 50 ms. Cheap, unless the file is
/// too short: then all of it is looked at, for what is missing may be free.
[[nodiscard]] Result<void> check_meta_pages(const std::filesystem::path& data_file);

/// Up to the end of the last page that was ever used; what the file has beyond it is room that was reserved,
/// and may be cut off. `damaged` if something there is used all the same: then the meta page is wrong.
[[nodiscard]] Result<std::uint64_t> used_file_bytes(const std::filesystem::path& data_file);

}  // namespace monodon::storage::lmdb
