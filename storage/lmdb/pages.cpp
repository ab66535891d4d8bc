#include "storage/lmdb/pages.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/files.hpp"

namespace monodon::storage::lmdb {

namespace {

// The layout of LMDB 0.9, data version 1, of 64-bit little-endian machines.
static_assert(std::endian::native == std::endian::little && sizeof(void*) == 8);
constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kNodeHeader = 8;
constexpr std::uint16_t kBranch = 0x01;
constexpr std::uint16_t kLeaf = 0x02;
constexpr std::uint16_t kOverflow = 0x04;
constexpr std::uint16_t kMeta = 0x08;
/// The value lies in pages of its own.
constexpr std::uint16_t kBigData = 0x01;
/// The value is the record of a table.
constexpr std::uint16_t kSubData = 0x02;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr unsigned kDepthMax = 32;
/// A table may hold rows of this size and no larger one is read: the longest value is a batch.
constexpr std::uint64_t kValueMax = std::uint64_t{64} << 20;

struct TableRecord {
    std::uint32_t pad = 0;
    std::uint16_t flags = 0;
    std::uint16_t depth = 0;
    std::uint64_t branch_pages = 0;
    std::uint64_t leaf_pages = 0;
    std::uint64_t overflow_pages = 0;
    std::uint64_t entries = 0;
    std::uint64_t root = 0;
};
static_assert(sizeof(TableRecord) == 48);

struct MetaRecord {
    std::uint32_t magic = 0;
    std::uint32_t version = 0;
    std::uint64_t address = 0;
    std::uint64_t map_size = 0;
    TableRecord free_list;
    TableRecord main;
    std::uint64_t last_page = 0;
    std::uint64_t transaction = 0;
};
static_assert(sizeof(MetaRecord) == 136);

template <class T>
T load(ByteView bytes, std::size_t at) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

class File {
 public:
    File() = default;
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (handle_ >= 0) ::close(handle_);
    }
    Result<void> open(const std::filesystem::path& path) {
        handle_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat status {};
        if (handle_ < 0 || ::fstat(handle_, &status) != 0) {
            return fail(StoreError::failed,
                        fmt::format("cannot open {}: {}", path.string(), system_text(errno)));
        }
        size_ = static_cast<std::uint64_t>(status.st_size);
        return {};
    }
    [[nodiscard]] bool read(std::uint64_t offset, std::span<Byte> into) const {
        while (!into.empty()) {
            const auto got = ::pread(handle_, into.data(), into.size(), static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return false;
            offset += static_cast<std::uint64_t>(got);
            into = into.subspan(static_cast<std::size_t>(got));
        }
        return true;
    }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// It may have grown.
    void look_again() {
        struct stat status {};
        if (::fstat(handle_, &status) == 0) size_ = static_cast<std::uint64_t>(status.st_size);
    }

 private:
    int handle_ = -1;
    std::uint64_t size_ = 0;
};

struct Metas {
    std::uint64_t page_bytes = 0;
    std::array<MetaRecord, 2> records;
    std::size_t newest = 0;
    [[nodiscard]] const MetaRecord& current() const { return records.at(newest); }
};

/// Pages that were allocated and freed again within a transaction are counted and never written.
constexpr std::uint64_t kTailPages = 1 << 20;

Result<Metas> read_metas_once(const File& file, const std::filesystem::path& path) {
    const auto bad = [&](std::string_view why) {
        return fail(StoreError::damaged, fmt::format("{} is no store: {}", path.string(), why));
    };
    std::array<Byte, kPageHeader + sizeof(MetaRecord)> raw{};
    if (!file.read(0, raw)) return bad("it is shorter than its first page");
    Metas metas;
    metas.page_bytes = load<MetaRecord>(raw, kPageHeader).free_list.pad;
    if (metas.page_bytes < 512 || metas.page_bytes > 65536 || !std::has_single_bit(metas.page_bytes))
        return bad("its first page is damaged (page size)");
    for (std::size_t at = 0; at < 2; ++at) {
        if (!file.read(at * metas.page_bytes, raw)) return bad("it is shorter than its second page");
        MetaRecord& meta = metas.records.at(at);
        meta = load<MetaRecord>(raw, kPageHeader);
        const bool sound = load<std::uint64_t>(raw, 0) == at && load<std::uint16_t>(raw, 10) == kMeta &&
                           meta.magic == kMagic && meta.version == kVersion && meta.address == 0 &&
                           meta.free_list.pad == metas.page_bytes;
        if (!sound) return bad(fmt::format("meta page {} is damaged", at));
    }
    const std::uint64_t first = metas.records[0].transaction;
    const std::uint64_t second = metas.records[1].transaction;
    metas.newest = second > first ? 1 : 0;
    const bool untouched = first == 0 && second == 0;
    const bool follow = first + 1 == second || second + 1 == first;
    if (!untouched && (!follow || first % 2 != 0 || second % 2 != 1)) {
        return bad(fmt::format("its meta pages are of transactions {} and {}, which do not follow each other",
                               first, second));
    }
    const MetaRecord& newest = metas.current();
    // Nothing is multiplied before it is known to be small.
    const std::uint64_t pages = file.size() / metas.page_bytes;
    if (newest.last_page < 1 || newest.last_page > pages + kTailPages)
        return bad(
            fmt::format("its last page would be {} in a file of {} bytes", newest.last_page, file.size()));
    for (const TableRecord* table : {&newest.free_list, &newest.main}) {
        if (table->root == kNoPage) continue;
        if (table->root >= pages) return bad("it is cut off: the root of its tree lies beyond its end");
        if (table->root > newest.last_page) return bad("the root of its tree lies beyond its last page");
    }
    return metas;
}

/// Another process may be writing: LMDB writes a meta page in place, and the next one soon after, so that two
/// that were read one after the other need not follow each other. What is damaged stays so.
Result<Metas> read_metas(File& file, const std::filesystem::path& path) {
    constexpr int kTries = 10;
    for (int tries = 1;; ++tries) {
        auto metas = read_metas_once(file, path);
        if (metas || tries == kTries) return metas;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        file.look_again();
    }
}

enum class Use : std::uint8_t { unknown, live, free };

class Walker {
 public:
    Walker(const File& file, Metas metas, const PageWalkOptions& options)
        : file_(file), metas_(metas), options_(options), page_(metas.page_bytes) {}

    PageWalk run() {
        const MetaRecord& meta = metas_.current();
        found_.page_bytes = page_;
        found_.transaction = meta.transaction;
        found_.pages = meta.last_page + 1;
        use_.assign(found_.pages, Use::unknown);
        use_[0] = use_[1] = Use::live;
        watch_metas();
        walk_free_list();
        const PageWalk::Table whole = walk_table("", meta.main, 0);
        (void)whole;
        count_pages();
        found_.complete = !ended_;
        return std::move(found_);
    }

 private:
    struct Tree {
        std::string name;
        TableRecord seen;
        std::uint64_t bytes = 0;
        bool free_list = false;
        std::optional<Bytes> last_key;
    };

    template <class... Arguments>
    void fault(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
        if (found_.faults.size() < PageWalk::kFaultsMax)
            found_.faults.push_back(fmt::format(text, std::forward<Arguments>(arguments)...));
    }

    /// Notes that something depends on these bytes of the file.
    void cover(std::uint64_t begin, std::uint64_t size, std::string_view what) {
        if (options_.watch && *options_.watch >= begin && *options_.watch < begin + size)
            found_.watched = std::string(what);
    }

    void watch_metas() {
        for (std::uint64_t at = 0; at < 2; ++at) {
            const std::uint64_t base = at * page_;
            cover(base, 8, "a meta page");
            cover(base + 10, 2, "a meta page");
            cover(base + kPageHeader, 16, "a meta page");
            cover(base + kPageHeader + 24, 4, "a meta page");
            cover(base + kPageHeader + offsetof(MetaRecord, transaction), 8, "a meta page");
        }
        // Flags of the two trees, their counts and roots, and the last page; not the size of the map.
        const std::uint64_t base = metas_.newest * page_ + kPageHeader;
        cover(base + 28, 2 * sizeof(TableRecord) - 4 + 8, kNewestMetaName);
    }

    bool claim(std::uint64_t page, std::uint64_t count, std::string_view by) {
        if (page < 2 || count == 0 || page >= found_.pages || count > found_.pages - page) {
            fault("{} names page {}, which does not exist", by, page);
            return false;
        }
        for (std::uint64_t at = page; at < page + count; ++at) {
            if (use_[at] == Use::live) {
                fault("page {} is used twice, the second time by {}", at, by);
                return false;
            }
            if (use_[at] == Use::free) fault("page {} is in the list of free pages and used by {}", at, by);
            use_[at] = Use::live;
        }
        done_ += count;
        if (options_.progress && done_ - told_ >= 1000) {
            told_ = done_;
            if (!options_.progress(done_, found_.pages)) ended_ = true;
        }
        return !ended_;
    }

    /// Reads pages that were claimed; empty if they cannot be read.
    Bytes read_pages(std::uint64_t page, std::uint64_t count, std::string_view name) {
        Bytes bytes(count * page_);
        if (!file_.read(page * page_, bytes)) {
            fault("page {} of {} lies beyond the end of the file", page, name);
            return {};
        }
        if (load<std::uint64_t>(bytes, 0) != page) {
            fault("page {} of {} says that it is page {}", page, name, load<std::uint64_t>(bytes, 0));
            return {};
        }
        return bytes;
    }

    void walk_free_list() {
        Tree tree{std::string(kFreeListName), {}, 0, true, {}};
        walk_tree(tree, metas_.current().free_list);
        // LMDB keeps the flags of the file with those of this table.
        if (metas_.current().free_list.flags != 0x08 || metas_.current().main.pad != 0)
            fault("the newest meta page is damaged");
    }

    PageWalk::Table walk_table(const std::string& name, const TableRecord& record, unsigned nesting) {
        Tree tree{name, {}, 0, false, {}};
        if (nesting > 1) {
            fault("a table within the table {}", name);
            return {};
        }
        const unsigned outer = std::exchange(nesting_, nesting);
        if (record.flags != 0) fault("the flags of table {} are {:#x}", name, record.flags);
        if (nesting > 0 && record.pad != 0) fault("the record of table {} is damaged", name);
        walk_tree(tree, record);
        nesting_ = outer;
        return {name, tree.seen.entries,
                tree.seen.branch_pages + tree.seen.leaf_pages + tree.seen.overflow_pages, tree.bytes};
    }

    void walk_tree(Tree& tree, const TableRecord& record) {
        if (record.root != kNoPage) {
            walk_page(tree, record.root, 1, record.depth);
        } else if (record.depth != 0) {
            fault("{} has a depth and no root", named(tree));
        }
        if (ended_) return;
        const TableRecord& seen = tree.seen;
        const bool same = seen.branch_pages == record.branch_pages && seen.leaf_pages == record.leaf_pages &&
                          seen.overflow_pages == record.overflow_pages && seen.entries == record.entries;
        if (!same) {
            fault("{} has {} rows in {} pages, its record counts {} in {}", named(tree), seen.entries,
                  seen.branch_pages + seen.leaf_pages + seen.overflow_pages, record.entries,
                  record.branch_pages + record.leaf_pages + record.overflow_pages);
        }
    }

    static std::string named(const Tree& tree) {
        if (tree.free_list) return tree.name;
        return tree.name.empty() ? "the table of tables" : "table " + tree.name;
    }

    /// False if the order of the keys ended the walk of this tree.
    void walk_page(Tree& tree, std::uint64_t number, unsigned level, unsigned depth) {
        const std::string name = named(tree);
        if (level > depth || level > kDepthMax) return fault("{} is deeper than its record says", name);
        if (!claim(number, 1, name)) return;
        const Bytes page = read_pages(number, 1, name);
        if (page.empty()) return;
        cover(number * page_, 8, name);
        cover(number * page_ + 10, 6, name);
        const auto flags = load<std::uint16_t>(page, 10);
        const std::uint16_t expected = level < depth ? kBranch : kLeaf;
        if (flags != expected) return fault("page {} of {} is of kind {:#x}", number, name, flags);
        const auto nodes = nodes_of(page, number, name, flags == kBranch);
        if (!nodes) return;
        if (flags == kBranch) {
            ++tree.seen.branch_pages;
            walk_branch(tree, page, number, *nodes, level, depth);
        } else {
            ++tree.seen.leaf_pages;
            for (const std::size_t at : *nodes) {
                if (ended_) return;
                walk_row(tree, page, number, at);
            }
        }
    }

    /// Where the nodes of a page lie, in the order of their keys; they must fill it from `upper` to the end
    /// without a gap, so that no pointer, size or bound can be wrong unnoticed.
    std::optional<std::vector<std::size_t>> nodes_of(const Bytes& page, std::uint64_t number,
                                                     const std::string& name, bool branch) {
        const std::size_t lower = load<std::uint16_t>(page, 12);
        const std::size_t upper = load<std::uint16_t>(page, 14);
        if (lower < kPageHeader || lower % 2 != 0 || lower > upper || upper > page_) {
            fault("the bounds of page {} of {} are damaged", number, name);
            return std::nullopt;
        }
        cover(number * page_ + kPageHeader, lower - kPageHeader, name);
        std::vector<std::size_t> nodes;
        std::vector<std::pair<std::size_t, std::size_t>> extents;
        for (std::size_t at = kPageHeader; at < lower; at += 2) {
            const std::size_t node = load<std::uint16_t>(page, at);
            const std::size_t size =
                node < upper || node + kNodeHeader > page_ ? 0 : node_size(page, node, branch);
            if (size == 0 || size > page_ - node) {
                fault("a row of page {} of {} lies outside of it", number, name);
                return std::nullopt;
            }
            nodes.push_back(node);
            extents.emplace_back(node, size);
            cover(number * page_ + node, kNodeHeader, name);
        }
        std::ranges::sort(extents);
        std::size_t end = upper;
        for (const auto& [begin, size] : extents) {
            if (begin != end) break;
            end += size;
        }
        if (end != page_ || nodes.size() < (branch ? 2 : 1)) {
            fault("the rows of page {} of {} do not fill it", number, name);
            return std::nullopt;
        }
        return nodes;
    }

    static std::size_t node_size(const Bytes& page, std::size_t at, bool branch) {
        const std::size_t key = load<std::uint16_t>(page, at + 6);
        std::size_t size = kNodeHeader + key;
        if (!branch) {
            const bool big = (load<std::uint16_t>(page, at + 4) & kBigData) != 0;
            size += big ? 8 : load<std::uint32_t>(page, at);
        }
        return size + size % 2;
    }

    void walk_branch(Tree& tree, const Bytes& page, std::uint64_t number,
                     const std::vector<std::size_t>& nodes, unsigned level, unsigned depth) {
        for (std::size_t at = 0; at < nodes.size() && !ended_; ++at) {
            const std::size_t node = nodes[at];
            const std::uint64_t child =
                load<std::uint32_t>(page, node) | std::uint64_t{load<std::uint16_t>(page, node + 4)} << 32;
            const ByteView key = key_of(page, node);
            // The first key stands for everything below the second, whatever it is.
            if (at > 0) {
                if (tree.last_key && !less(tree, *tree.last_key, key))
                    fault("a key of branch page {} of {} does not divide its children", number, named(tree));
                lower_bound_ = Bytes(key.begin(), key.end());
            }
            walk_page(tree, child, level + 1, depth);
        }
    }

    ByteView key_of(const Bytes& page, std::size_t node) const {
        return ByteView(page).subspan(node + kNodeHeader, load<std::uint16_t>(page, node + 6));
    }

    static bool less(const Tree& tree, ByteView a, ByteView b) {
        if (!tree.free_list) return std::ranges::lexicographical_compare(a, b);
        return a.size() == 8 && b.size() == 8 && load<std::uint64_t>(a, 0) < load<std::uint64_t>(b, 0);
    }

    void walk_row(Tree& tree, const Bytes& page, std::uint64_t number, std::size_t node) {
        const std::string name = named(tree);
        const ByteView key = key_of(page, node);
        cover(number * page_ + node + kNodeHeader, key.size(), name);
        ++tree.seen.entries;
        if (tree.last_key && !less(tree, *tree.last_key, key))
            fault("the keys of page {} of {} are not in order", number, name);
        if (lower_bound_ && less(tree, key, *lower_bound_))
            fault("a key of page {} of {} lies below its branch", number, name);
        lower_bound_.reset();
        tree.last_key = Bytes(key.begin(), key.end());
        const std::uint16_t flags = load<std::uint16_t>(page, node + 4);
        const std::uint64_t size = load<std::uint32_t>(page, node);
        const bool table = tree.name.empty() && !tree.free_list;
        if ((flags & ~kBigData) != (table ? kSubData : 0))
            return fault("a row of page {} of {} is of kind {:#x}", number, name, flags);
        const std::size_t data = node + kNodeHeader + key.size();
        if ((flags & kBigData) == 0) {
            const ByteView value = ByteView(page).subspan(data, size);
            cover(number * page_ + data, size, name);
            return take_row(tree, key, value);
        }
        cover(number * page_ + data, 8, name);
        const auto first = load<std::uint64_t>(page, data);
        const std::uint64_t count = (kPageHeader - 1 + size) / page_ + 1;
        if (size > kValueMax) return fault("a row of {} would have {} bytes", name, size);
        if (!claim(first, count, name)) return;
        const Bytes run = read_pages(first, count, name);
        if (run.empty()) return;
        tree.seen.overflow_pages += count;
        cover(first * page_, 8, name);
        cover(first * page_ + 10, 6 + size, name);
        if (load<std::uint16_t>(run, 10) != kOverflow || load<std::uint32_t>(run, 12) != count)
            return fault("page {} of {} does not begin a long value", first, name);
        take_row(tree, key, ByteView(run).subspan(kPageHeader, size));
    }

    void take_row(Tree& tree, ByteView key, ByteView value) {
        tree.bytes += key.size() + value.size();
        if (tree.free_list) return take_free(key, value);
        if (!tree.name.empty()) {
            if (options_.row) options_.row(tree.name, key, value);
            return;
        }
        // Without a name it would be taken for the table of tables.
        if (value.size() != sizeof(TableRecord) || key.empty())
            return fault("the record of a table is damaged");
        const std::string name(as_text(key));
        const auto lower = std::exchange(lower_bound_, std::nullopt);
        found_.tables.push_back(walk_table(name, load<TableRecord>(value, 0), nesting_ + 1));
        lower_bound_ = lower;
    }

    void take_free(ByteView key, ByteView value) {
        const std::uint64_t count = value.size() < 8 ? kNoPage : load<std::uint64_t>(value, 0);
        const bool known = key.size() == 8 && load<std::uint64_t>(key, 0) <= found_.transaction;
        if (!known || count > (value.size() - 8) / 8)
            return fault("a row of the list of free pages is damaged");
        std::uint64_t before = kNoPage;
        for (std::uint64_t at = 0; at < count; ++at) {
            const auto page = load<std::uint64_t>(value, 8 + 8 * at);
            if (page < 2 || page >= found_.pages || page >= before)
                return fault("the list of free pages names page {}", page);
            before = page;
            if (use_[page] == Use::free) fault("page {} is twice in the list of free pages", page);
            if (use_[page] == Use::live) fault("page {} is in the list of free pages and used", page);
            use_[page] = Use::free;
        }
    }

    void count_pages() {
        for (const Use use : use_) {
            found_.live_pages += use == Use::live ? 1 : 0;
            found_.free_pages += use == Use::free ? 1 : 0;
            found_.lost_pages += use == Use::unknown ? 1 : 0;
        }
    }

    const File& file_;
    const Metas metas_;
    const PageWalkOptions& options_;
    const std::uint64_t page_;
    PageWalk found_;
    std::vector<Use> use_;
    /// What the branch above says of the next key.
    std::optional<Bytes> lower_bound_;
    std::uint64_t done_ = 0;
    std::uint64_t told_ = 0;
    unsigned nesting_ = 0;
    bool ended_ = false;
};

bool is_zero(const File& file, std::uint64_t from) {
    std::vector<Byte> buffer(std::size_t{1} << 20);
    while (from < file.size()) {
        const std::span<Byte> part(buffer.data(), std::min<std::uint64_t>(buffer.size(), file.size() - from));
        if (!file.read(from, part)) return false;
        if (std::ranges::any_of(part, [](Byte each) { return each != Byte{0}; })) return false;
        from += part.size();
    }
    return true;
}

}  // namespace

Result<PageWalk> walk_pages(const std::filesystem::path& data_file, const PageWalkOptions& options) {
    File file;
    if (auto opened = file.open(data_file); !opened) return Unexpected{opened.error()};
    auto metas = read_metas(file, data_file);
    if (!metas) {
        if (metas.error().error != StoreError::damaged) return Unexpected{metas.error()};
        PageWalk found;
        found.faults.push_back(metas.error().text);
        return found;
    }
    return Walker(file, *metas, options).run();
}

Result<std::uint64_t> used_file_bytes(const std::filesystem::path& data_file) {
    File file;
    if (auto opened = file.open(data_file); !opened) return Unexpected{opened.error()};
    const auto metas = read_metas(file, data_file);
    if (!metas) return Unexpected{metas.error()};
    const std::uint64_t used = (metas->current().last_page + 1) * metas->page_bytes;
    if (used >= file.size() || is_zero(file, used)) return used;
    // A transaction that a crash cut short has written there, or the meta page is wrong.
    const PageWalk found = Walker(file, *metas, {}).run();
    if (found.faults.empty()) return used;
    return fail(StoreError::damaged,
                fmt::format("{} is damaged: {}", data_file.string(), found.faults.front()));
}

Result<void> check_meta_pages(const std::filesystem::path& data_file) {
    File file;
    if (auto opened = file.open(data_file); !opened) return opened;
    const auto metas = read_metas(file, data_file);
    if (!metas) return Unexpected{metas.error()};
    // Asked for now: who writes the file at this moment makes it longer before it makes the pages count.
    std::error_code error;
    const auto size = std::filesystem::file_size(data_file, error);
    const std::uint64_t used = (metas->current().last_page + 1) * metas->page_bytes;
    if (!error && size >= used) return {};
    // Pages at the end that are free may never have been written.
    const PageWalk found = Walker(file, *metas, {}).run();
    if (found.faults.empty()) return {};
    return fail(StoreError::damaged,
                fmt::format("{} is no store: it is cut off, {} bytes of {} are there ({})",
                            data_file.string(), size, used, found.faults.front()));
}

}  // namespace monodon::storage::lmdb
