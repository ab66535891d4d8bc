#include "storage/lmdb/environment.hpp"

#include <algorithm>
#include <cerrno>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <lmdb.h>
#include <sys/stat.h>

#include "net/core/check.hpp"
#include "storage/files.hpp"
#include "storage/lmdb/failure.hpp"

namespace monodon::storage::lmdb {

namespace {

/// More threads than ever read at once.
constexpr unsigned kReaders = 254;

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

std::uint64_t used_bytes(MDB_env* env) {
    MDB_envinfo info{};
    MDB_stat status{};
    if (mdb_env_info(env, &info) != MDB_SUCCESS || mdb_env_stat(env, &status) != MDB_SUCCESS) return 0;
    return (std::uint64_t{info.me_last_pgno} + 1) * status.ms_psize;
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
    }
    std::error_code error;
    const auto canonical = std::filesystem::canonical(options_.directory, error);
    if (error) {
        return fail(StoreError::failed, fmt::format("{}: {}", options_.directory.string(), error.message()));
    }
    options_.directory = canonical;
    if (!open_directories().add(canonical)) {
        return fail(StoreError::in_use,
                    fmt::format("{} is already open in this process", canonical.string()));
    }
    registered_ = true;

    int code = mdb_env_create(&env_);
    if (code == MDB_SUCCESS) code = mdb_env_set_maxdbs(env_, options_.tables);
    if (code == MDB_SUCCESS) code = mdb_env_set_maxreaders(env_, kReaders);
    if (code == MDB_SUCCESS) code = mdb_env_set_mapsize(env_, options_.map_size);
    if (code == MDB_SUCCESS) code = mdb_env_open(env_, canonical.c_str(), MDB_NOTLS, 0600);
    if (code != MDB_SUCCESS) return lmdb_failure(code, fmt::format("cannot open {}", canonical.string()));
    if (options_.create) {
        if (auto synced = sync_directory(canonical); !synced) return synced;
    }
    allocated_ = file_size(env_);
    check_readers();
    return {};
}

Environment::~Environment() {
    MONODON_CHECK(inside_ == 0);
    if (env_ != nullptr) mdb_env_close(env_);
    if (registered_) open_directories().remove(options_.directory);
}

Result<std::vector<Table>> Environment::tables(const std::vector<const char*>& names) {
    std::vector<Table> tables;
    auto written = write_growing(*this, 0, [&](WriteTransaction& transaction) -> Result<void> {
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

void Environment::enter() const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !growing_; });
    ++inside_;
}

void Environment::leave() const {
    const std::lock_guard lock(mutex_);
    --inside_;
    if (inside_ == 0) changed_.notify_all();
}

Result<ReadTransaction> Environment::read() const {
    enter();
    MDB_txn* txn = nullptr;
    const int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
    if (code != MDB_SUCCESS) {
        leave();
        return lmdb_failure(code, fmt::format("cannot read {}", options_.directory.string()));
    }
    return ReadTransaction(*this, txn);
}

Result<WriteTransaction> Environment::write() {
    enter();
    MDB_txn* txn = nullptr;
    const int code = mdb_txn_begin(env_, nullptr, 0, &txn);
    if (code != MDB_SUCCESS) {
        leave();
        return lmdb_failure(code, fmt::format("cannot write {}", options_.directory.string()));
    }
    return WriteTransaction(*this, txn);
}

Result<void> Environment::reserve(std::size_t bytes) {
    int error = fault(DiskStep::reserve);
    const std::uint64_t wanted = used_bytes(env_) + bytes;
    if (error == 0 && wanted > allocated_ && options_.preallocate > 0) {
        const std::uint64_t step = options_.preallocate;
        const std::uint64_t size = (wanted + step - 1) / step * step;
        mdb_filehandle_t handle = -1;
        MONODON_CHECK(mdb_env_get_fd(env_, &handle) == MDB_SUCCESS);
        error =
            ::posix_fallocate(handle, static_cast<off_t>(allocated_), static_cast<off_t>(size - allocated_));
        if (error == 0) allocated_ = size;
    }
    if (error == 0) return {};
    return lmdb_failure(error,
                        fmt::format("cannot reserve {} bytes in {}", bytes, options_.directory.string()));
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
    changed_.wait(lock, [this] { return inside_ == 0; });
    const int code = mdb_env_set_mapsize(env_, size);
    growing_ = false;
    changed_.notify_all();
    if (code == MDB_SUCCESS) return {};
    return lmdb_failure(code, fmt::format("cannot map {} bytes of {}", size, options_.directory.string()));
}

void Environment::check_readers() {
    int freed = 0;
    // Failing leaves the slots as they are, until the next time.
    (void)mdb_reader_check(env_, &freed);
}

EnvironmentStats Environment::stats() const {
    EnvironmentStats stats;
    enter();
    MDB_envinfo info{};
    if (mdb_env_info(env_, &info) == MDB_SUCCESS) stats.map_bytes = info.me_mapsize;
    stats.used_bytes = used_bytes(env_);
    stats.file_bytes = file_size(env_);
    leave();
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
