#include "storage/lmdb/environment.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <lmdb.h>
#include <sys/stat.h>

#include "net/core/check.hpp"
#include "storage/files.hpp"
#include "storage/lmdb/failure.hpp"
#include "storage/lmdb/pages.hpp"

namespace monodon::storage::lmdb {

namespace {

/// More threads than ever read at once.
constexpr unsigned kReaders = 254;
constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kAheadMin = std::uint64_t{256} << 10;
/// What making the tables writes, from above: a few pages.
constexpr std::size_t kTablesBytes = std::size_t{128} << 10;

/// A second handle on a file in one process would take the locks of the first with it when it closes.
class OpenDirectories {
 public:
    bool add(const std::filesystem::path& directory) {
        const std::lock_guard lock(mutex_);
        return directories_.insert(directory).second;
    }
    void remove(const std::filesystem::path& directory) {
        const std::lock_guard lock(mutex_);
        directories_.erase(directory);
    }

 private:
    std::mutex mutex_;
    std::set<std::filesystem::path> directories_;
};

OpenDirectories& open_directories() {
    static OpenDirectories directories;
    return directories;
}

std::uint64_t file_size(MDB_env* env) {
    mdb_filehandle_t handle = -1;
    struct stat status {};
    if (mdb_env_get_fd(env, &handle) != MDB_SUCCESS || ::fstat(handle, &status) != 0) return 0;
    return static_cast<std::uint64_t>(status.st_size);
}

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t step) { return (bytes + step - 1) / step * step; }

std::uint64_t used_bytes(MDB_env* env) {
    MDB_envinfo info{};
    MDB_stat status{};
    if (mdb_env_info(env, &info) != MDB_SUCCESS || mdb_env_stat(env, &status) != MDB_SUCCESS) return 0;
    return (std::uint64_t{info.me_last_pgno} + 1) * status.ms_psize;
}

/// The table of readers is written through a shared mapping: where its file has holes, a full disk would end
/// the process by a signal. Twice what LMDB asks for kReaders. While no handle of this process is open:
/// closing a second descriptor gives up the locks of the first.
Result<void> allocate_lock_table(const std::filesystem::path& directory) {
    constexpr off_t kBytes = 2 * kReaders * 64;
    const auto path = directory / "lock.mdb";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const int error = file < 0 ? errno : ::posix_fallocate(file, 0, kBytes);
    if (file >= 0) ::close(file);
    if (error == 0) return {};
    return lmdb_failure(error, fmt::format("cannot reserve {}", path.string()));
}

/// Makes an empty data file beside its place and moves it there: LMDB does not sync the first pages of a new
/// file, and a power loss must not leave half of them in a place where they would count.
Result<void> make_data_file(const std::filesystem::path& directory, const FaultHook& faults) {
    const auto beside = directory / "new";
    std::error_code error;
    const auto refused = [&] { return faults ? faults(DiskStep::make) : 0; };
    const std::string doing = fmt::format("cannot make {}", directory.string());
    if (const int code = refused(); code != 0) return lmdb_failure(code, doing);
    std::filesystem::remove_all(beside, error);
    if (auto made = make_private_directory(beside); !made) return made;
    MDB_env* env = nullptr;
    int code = mdb_env_create(&env);
    // Nobody else knows of it: it needs no table of readers, for which a full disk would have no room.
    if (code == MDB_SUCCESS) code = mdb_env_open(env, beside.c_str(), MDB_NOTLS | MDB_NOLOCK, 0600);
    if (code == MDB_SUCCESS) code = mdb_env_sync(env, 1);
    if (env != nullptr) mdb_env_close(env);
    if (code == MDB_SUCCESS) code = refused();
    if (code != MDB_SUCCESS) return lmdb_failure(code, doing);
    std::filesystem::rename(beside / "data.mdb", directory / "data.mdb", error);
    if (error) return lmdb_failure(error.value(), doing);
    std::filesystem::remove_all(beside, error);
    if (code = refused(); code != 0) return lmdb_failure(code, doing);
    return sync_directory(directory);
}

}  // namespace

Result<std::unique_ptr<Environment>> Environment::open(EnvironmentOptions options) {
    std::unique_ptr<Environment> environment(new Environment(std::move(options)));
    if (auto opened = environment->open_files(); !opened) return Unexpected{opened.error()};
    return environment;
}

Result<void> Environment::open_files() {
    const auto file = options_.directory / "data.mdb";
    const bool exists = std::filesystem::exists(file);
    if (!exists && !options_.create) {
        return fail(StoreError::missing, fmt::format("there is no store in {}", options_.directory.string()));
    }
    if (options_.create) {
        if (auto made = make_private_directory(options_.directory); !made) return made;
        if (!exists) {
            if (auto made = make_data_file(options_.directory, options_.faults); !made) return made;
        }
    }
    std::error_code error;
    const auto canonical = std::filesystem::canonical(options_.directory, error);
    if (error) {
        return fail(StoreError::failed, fmt::format("{}: {}", options_.directory.string(), error.message()));
    }
    options_.directory = canonical;
    // LMDB believes a meta page that was cut off or overwritten, and dies of a signal.
    if (exists) {
        if (auto sound = check_meta_pages(canonical / "data.mdb"); !sound) return sound;
    }
    if (!open_directories().add(canonical)) {
        return fail(StoreError::in_use,
                    fmt::format("{} is already open in this process", canonical.string()));
    }
    registered_ = true;
    if (!options_.read_only) {
        if (auto allocated = allocate_lock_table(canonical); !allocated) return allocated;
    }

    int code = mdb_env_create(&env_);
    if (code == MDB_SUCCESS) code = mdb_env_set_maxdbs(env_, options_.tables);
    if (code == MDB_SUCCESS) code = mdb_env_set_maxreaders(env_, kReaders);
    // Who only looks can not grow with the writer: it takes all the room that there may ever be.
    const std::size_t map = options_.read_only ? options_.map_limit : options_.map_size;
    if (code == MDB_SUCCESS) code = mdb_env_set_mapsize(env_, map);
    const unsigned flags = options_.read_only ? MDB_NOTLS | MDB_RDONLY : MDB_NOTLS;
    if (code == MDB_SUCCESS) code = mdb_env_open(env_, canonical.c_str(), flags, 0600);
    if (code != MDB_SUCCESS) {
        // Half a file that was never used would be taken for a damaged one.
        if (!exists) std::filesystem::remove(canonical / "data.mdb", error);
        return lmdb_failure(code, fmt::format("cannot open {}", canonical.string()));
    }
    if (options_.create) {
        if (const int refused = fault(DiskStep::make); refused != 0)
            return lmdb_failure(refused, fmt::format("cannot open {}", canonical.string()));
        if (auto synced = sync_directory(canonical); !synced) return synced;
    }
    allocated_ = file_size(env_);
    if (!options_.read_only) extend();
    check_readers();
    return {};
}

Environment::~Environment() {
    MONODON_CHECK(inside_.empty());
    if (env_ != nullptr) mdb_env_close(env_);
    if (registered_) open_directories().remove(options_.directory);
}

Result<std::vector<Table>> Environment::find_tables(const std::vector<const char*>& names) const {
    MDB_txn* txn = nullptr;
    int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
    std::vector<Table> tables;
    for (std::size_t at = 0; at < names.size() && code == MDB_SUCCESS; ++at) {
        MDB_dbi handle = 0;
        code = mdb_dbi_open(txn, names[at], 0, &handle);
        if (code == MDB_NOTFOUND) {
            mdb_txn_abort(txn);
            return fail(StoreError::incompatible,
                        fmt::format("{} has no table {}: an older monodon has written it; run this "
                                    "one on it once, which brings it to this version",
                                    options_.directory.string(), names[at]));
        }
        tables.push_back(Table{handle});
    }
    // Ending it otherwise would close the handles.
    if (code == MDB_SUCCESS) code = mdb_txn_commit(txn);
    if (code == MDB_SUCCESS) return tables;
    return lmdb_failure(code, fmt::format("cannot open the tables of {}", options_.directory.string()));
}

Result<std::vector<Table>> Environment::tables(const std::vector<const char*>& names) {
    auto known = find_tables(names);
    if (options_.read_only || known || known.error().error != StoreError::incompatible) return known;
    std::vector<Table> tables;
    // A disk that is full is to say so before the commit, where it would be fatal.
    auto written = write_growing(*this, kTablesBytes, [&](WriteTransaction& transaction) -> Result<void> {
        tables.clear();
        for (const char* name : names) {
            MDB_dbi handle = 0;
            const int code = mdb_dbi_open(transaction.txn_, name, MDB_CREATE, &handle);
            if (code != MDB_SUCCESS) return lmdb_failure(code, fmt::format("cannot open table {}", name));
            tables.push_back(Table{handle});
        }
        return {};
    });
    if (!written) return Unexpected{written.error()};
    return tables;
}

Environment::Entry Environment::enter() const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !growing_; });
    inside_.emplace(++entered_, Clock::now());
    return entered_;
}

void Environment::leave(Entry entry) const {
    const std::lock_guard lock(mutex_);
    inside_.erase(entry);
    if (inside_.empty()) changed_.notify_all();
}

Result<ReadTransaction> Environment::read() const {
    const Entry entry = enter();
    MDB_txn* txn = nullptr;
    const int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
    if (code != MDB_SUCCESS) {
        leave(entry);
        return lmdb_failure(code, fmt::format("cannot read {}", options_.directory.string()));
    }
    return ReadTransaction(*this, txn, entry);
}

Result<WriteTransaction> Environment::write() {
    const Entry entry = enter();
    MDB_txn* txn = nullptr;
    const int code = mdb_txn_begin(env_, nullptr, 0, &txn);
    if (code != MDB_SUCCESS) {
        leave(entry);
        return lmdb_failure(code, fmt::format("cannot write {}", options_.directory.string()));
    }
    return WriteTransaction(*this, txn, entry);
}

Result<void> Environment::copy_to(int handle, Pages pages) const {
    const Entry entry = enter();
    const int code = mdb_env_copyfd2(env_, handle, pages == Pages::live ? MDB_CP_COMPACT : 0);
    leave(entry);
    if (code == MDB_SUCCESS) return {};
    return lmdb_failure(code, fmt::format("cannot copy {}", options_.directory.string()));
}

int Environment::allocate(std::uint64_t size) {
    mdb_filehandle_t handle = -1;
    MONODON_CHECK(mdb_env_get_fd(env_, &handle) == MDB_SUCCESS);
    const int error =
        ::posix_fallocate(handle, static_cast<off_t>(allocated_), static_cast<off_t>(size - allocated_));
    if (error == 0) allocated_ = size;
    return error;
}

/// A file that is cut off where its pages are free: a look at them would end the process by a signal.
void Environment::extend() const {
    const std::uint64_t used = used_bytes(env_);
    mdb_filehandle_t handle = -1;
    if (allocated_ >= used || mdb_env_get_fd(env_, &handle) != MDB_SUCCESS) return;
    (void)::ftruncate(handle, static_cast<off_t>(used));
}

Result<void> Environment::reserve(std::size_t bytes) {
    int error = fault(DiskStep::reserve);
    const std::uint64_t used = used_bytes(env_);
    const std::uint64_t wanted = used + bytes;
    const std::uint64_t ahead = std::min<std::uint64_t>(options_.preallocate, std::max(used / 16, kAheadMin));
    if (error == 0 && wanted > allocated_ && options_.preallocate > 0) {
        error = allocate(round_up(wanted + ahead, kPageBytes));
        // On a nearly full disk what is needed now may still fit.
        if (error == ENOSPC || error == EDQUOT) error = allocate(round_up(wanted, kPageBytes));
    }
    if (error == 0) return {};
    return lmdb_failure(error,
                        fmt::format("cannot reserve {} bytes in {}", bytes, options_.directory.string()));
}

void Environment::trim() {
    const std::uint64_t used = used_bytes(env_);
    mdb_filehandle_t handle = -1;
    if (used >= allocated_ || mdb_env_get_fd(env_, &handle) != MDB_SUCCESS) return;
    // Without effect on what is stored, also if it fails.
    if (::ftruncate(handle, static_cast<off_t>(used)) == 0) allocated_ = used;
}

Result<void> Environment::grow() {
    MDB_envinfo info{};
    MONODON_CHECK(mdb_env_info(env_, &info) == MDB_SUCCESS);
    if (info.me_mapsize >= options_.map_limit) {
        return fail(StoreError::no_space, fmt::format("{} has reached its map limit of {} bytes",
                                                      options_.directory.string(), options_.map_limit));
    }
    const std::size_t size = std::min(options_.map_limit, info.me_mapsize * 2);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !growing_; });
    growing_ = true;
    changed_.wait(lock, [this] { return inside_.empty(); });
    const int code = mdb_env_set_mapsize(env_, size);
    growing_ = false;
    changed_.notify_all();
    if (code == MDB_SUCCESS) return {};
    return lmdb_failure(code, fmt::format("cannot map {} bytes of {}", size, options_.directory.string()));
}

void Environment::check_readers() const {
    int freed = 0;
    // Failing leaves the slots as they are, until the next time.
    (void)mdb_reader_check(env_, &freed);
}

std::uint64_t Environment::oldest_reader_behind() const {
    // LMDB tells its slots as lines of text: process, thread, and the transaction or a dash.
    std::uint64_t oldest = ~std::uint64_t{0};
    const auto take = [](const char* text, void* into) {
        const std::string_view line(text);
        const auto last = line.find_last_of(' ');
        std::uint64_t transaction = 0;
        const char* const begin = line.data() + (last == std::string_view::npos ? 0 : last + 1);
        const auto [stop, error] = std::from_chars(begin, line.data() + line.size(), transaction);
        auto& least = *static_cast<std::uint64_t*>(into);
        if (error == std::errc() && stop != begin) least = std::min(least, transaction);
        return 0;
    };
    MDB_envinfo info{};
    (void)mdb_reader_list(env_, take, &oldest);
    if (mdb_env_info(env_, &info) != MDB_SUCCESS || oldest >= info.me_last_txnid) return 0;
    return info.me_last_txnid - oldest;
}

EnvironmentStats Environment::stats() const {
    EnvironmentStats stats;
    {
        const std::lock_guard lock(mutex_);
        stats.readers = inside_.size();
        if (!inside_.empty()) {
            const std::chrono::duration<double> age = Clock::now() - inside_.begin()->second;
            stats.oldest_reader_seconds = age.count();
        }
    }
    const Entry entry = enter();
    MDB_envinfo info{};
    if (mdb_env_info(env_, &info) == MDB_SUCCESS) stats.map_bytes = info.me_mapsize;
    stats.used_bytes = used_bytes(env_);
    stats.file_bytes = file_size(env_);
    leave(entry);
    return stats;
}

Result<void> write_growing(Environment& environment, std::size_t bytes,
                           const std::function<Result<void>(WriteTransaction&)>& fill) {
    for (;;) {
        if (auto reserved = environment.reserve(bytes); !reserved) return reserved;
        Result<void> written;
        {
            auto transaction = environment.write();
            if (!transaction) return Unexpected{transaction.error()};
            written = fill(*transaction);
            if (written) written = std::move(*transaction).commit();
        }
        if (written || written.error().error != StoreError::map_full) return written;
        if (auto grown = environment.grow(); !grown) return grown;
    }
}

}  // namespace monodon::storage::lmdb
