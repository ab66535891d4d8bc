#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "storage/doctor.hpp"
#include "storage/doctor_files.hpp"
#include "storage/files.hpp"
#include "storage/home.hpp"
#include "storage/lmdb/pages.hpp"
#include "storage/rebuild.hpp"
#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage {

namespace {

using Clock = std::chrono::steady_clock;

/// A file descriptor that is closed once.
class Handle {
 public:
    explicit Handle(int handle = -1) : handle_(handle) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { close(); }
    void close() {
        if (handle_ >= 0) ::close(std::exchange(handle_, -1));
    }
    [[nodiscard]] int get() const { return handle_; }

 private:
    int handle_;
};

Unexpected<Failure> cannot_write(const std::filesystem::path& path, int error) {
    return fail(error == ENOSPC || error == EDQUOT ? StoreError::no_space : StoreError::failed,
                fmt::format("cannot write {}: {}", path.string(), system_text(error)));
}

/// Moves bytes from LMDB, which writes to a pipe on a thread of its own, into a file, so that a copy can be
/// ended: LMDB sees that the pipe is closed.
class Copier {
 public:
    using Told = std::function<bool(std::uint64_t bytes)>;
    Copier(std::chrono::seconds limit, Told told) : limit_(limit), told_(std::move(told)) {}

    /// Gives the bytes of the new file, which is durable.
    Result<std::uint64_t> copy(const lmdb::Environment& environment, const std::filesystem::path& file) {
        const Handle out(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (out.get() < 0) return cannot_write(file, errno);
        auto moved = copy(environment, file, out, lmdb::Environment::Pages::live);
        // Pages that are lost are found at the end only: then a copy that has them, too.
        if (!moved && moved.error().error == StoreError::incompatible) {
            if (::ftruncate(out.get(), 0) != 0 || ::lseek(out.get(), 0, SEEK_SET) != 0)
                return cannot_write(file, errno);
            moved = copy(environment, file, out, lmdb::Environment::Pages::all);
        }
        if (moved && ::fsync(out.get()) != 0) return cannot_write(file, errno);
        return moved;
    }

 private:
    Result<std::uint64_t> copy(const lmdb::Environment& environment, const std::filesystem::path& file,
                               const Handle& out, lmdb::Environment::Pages pages) {
        std::array<int, 2> ends{-1, -1};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) return cannot_write(file, errno);
        Handle from(ends[0]);
        Handle to(ends[1]);
        Result<void> copied;
        std::thread source([&] {
            // The signal of a closed pipe is for this thread and ends with it.
            sigset_t signals;
            sigemptyset(&signals);
            sigaddset(&signals, SIGPIPE);
            pthread_sigmask(SIG_BLOCK, &signals, nullptr);
            copied = environment.copy_to(to.get(), pages);
            to.close();
        });
        auto moved = move(from.get(), out.get(), file);
        from.close();
        source.join();
        if (!moved) return moved;
        if (!copied) return Unexpected{copied.error()};
        return moved;
    }

    Result<std::uint64_t> move(int from, int to, const std::filesystem::path& file) {
        const auto begin = Clock::now();
        std::vector<Byte> buffer(std::size_t{1} << 20);
        std::uint64_t sum = 0;
        for (;;) {
            const auto got = ::read(from, buffer.data(), buffer.size());
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return cannot_write(file, errno);
            if (got == 0) return sum;
            for (ByteView rest(buffer.data(), static_cast<std::size_t>(got)); !rest.empty();) {
                const auto done = ::write(to, rest.data(), rest.size());
                if (done < 0 && errno == EINTR) continue;
                if (done < 0) return cannot_write(file, errno);
                rest = rest.subspan(static_cast<std::size_t>(done));
            }
            sum += static_cast<std::uint64_t>(got);
            if (told_ && !told_(sum)) return fail(StoreError::failed, "it was ended");
            if (Clock::now() - begin > limit_) {
                return fail(StoreError::failed,
                            fmt::format("copying took longer than {} s, in which a running node cannot use "
                                        "its pages again; stop the node, or allow more time",
                                        limit_.count()));
            }
        }
    }

    const std::chrono::seconds limit_;
    const Told told_;
};

Unexpected<Failure> no_store() { return fail(StoreError::missing, "there is no store in this home"); }

/// Makes the directories of a copy and its mark, in this order: a home without a store is marked as new, too.
/// `batches` is there also where no batch is yet: a home without it does not start.
Result<void> begin_copy(const std::filesystem::path& destination) {
    for (const char* directory : {"", "consensus", "batches"}) {
        if (auto made = make_private_directory(destination / directory); !made) return made;
    }
    auto home = Home::open(destination);
    if (!home) return fail(StoreError::failed, home.error().text);
    if (auto marked = home->mark_ask_first(); !marked) return fail(StoreError::failed, marked.error().text);
    return {};
}

/// Takes the local checkpoints out of a copy, since their files are not in it, and reads how far it is.
Result<void> finish_copy(const BackupOptions& options, BackupReport& report) {
    lmdb::EnvironmentOptions opening;
    opening.directory = options.destination / "consensus";
    auto environment = lmdb::Environment::open(std::move(opening));
    if (!environment) return Unexpected{environment.error()};
    auto tables = ConsensusTables::open(**environment);
    if (!tables) return Unexpected{tables.error()};
    const auto take_out = [&](lmdb::WriteTransaction& transaction) -> Result<void> {
        const auto progress = tables->metadata.progress(transaction);
        if (!progress) return Unexpected{progress.error()};
        report.last_commit = {progress->last_commit, progress->last_commit_digest};
        report.highest_round = progress->highest_round;
        const auto pruned = tables->checkpoints.prune(transaction, options.epoch, 0);
        if (!pruned) return Unexpected{pruned.error()};
        return {};
    };
    if (auto written = lmdb::write_growing(**environment, 0, take_out); !written) return written;
    (*environment)->trim();
    return {};
}

class Backup {
 public:
    Backup(const std::filesystem::path& home, const BackupOptions& options)
        : home_(home), options_(options), environments_(environments_of(home)) {
        for (const EnvironmentPath& each : environments_) total_ += each.bytes;
    }

    Result<BackupReport> run() {
        if (environments_.empty()) return no_store();
        if (std::filesystem::exists(options_.destination)) {
            return fail(StoreError::failed, fmt::format("{} exists already", options_.destination.string()));
        }
        if (auto known = known_store(home_); !known) return Unexpected{known.error()};
        auto done = begin_copy(options_.destination);
        if (done) done = copy_all();
        if (done) return report_;
        std::error_code ignored;
        std::filesystem::remove_all(options_.destination, ignored);
        return Unexpected{done.error()};
    }

 private:
    Result<void> copy_all() {
        for (const EnvironmentPath& each : environments_) {
            if (is_batches(each)) continue;
            if (auto copied = copy_one(each); !copied) return copied;
        }
        // Listed only now: the node may have begun a generation since, and a certificate in the copy name a
        // batch in it.
        std::vector<EnvironmentPath> batches = environments_of(home_);
        std::erase_if(batches, [](const EnvironmentPath& each) { return !is_batches(each); });
        total_ = done_;
        for (const EnvironmentPath& each : batches) total_ += each.bytes;
        for (const EnvironmentPath& each : batches) {
            if (auto copied = copy_one(each); !copied) {
                // Retention took it away meanwhile: nothing refers to it any more.
                if (std::filesystem::exists(each.data())) return copied;
            }
        }
        if (auto finished = finish_copy(options_, report_); !finished) return finished;
        for (const char* directory : {"batches", "consensus", ""}) {
            if (auto synced = sync_directory(options_.destination / directory); !synced) return synced;
        }
        return {};
    }

    Result<void> copy_one(const EnvironmentPath& path) {
        const auto to = options_.destination / path.name;
        if (auto made = make_private_directory(to); !made) return made;
        auto environment = open_to_read(path.directory);
        if (!environment) return Unexpected{environment.error()};
        Copier copier(options_.time_limit, [&](std::uint64_t bytes) {
            return !options_.observe ||
                   options_.observe({path.name, std::min(done_ + bytes, total_), total_});
        });
        auto bytes = copier.copy(**environment, to / "data.mdb");
        if (!bytes) return Unexpected{bytes.error()};
        done_ += path.bytes;
        report_.bytes += *bytes;
        ++report_.environments;
        return sync_directory(to);
    }

    static bool is_batches(const EnvironmentPath& path) { return path.name.starts_with("batches/"); }

    const std::filesystem::path& home_;
    const BackupOptions& options_;
    const std::vector<EnvironmentPath> environments_;
    BackupReport report_;
    std::uint64_t total_ = 0;
    std::uint64_t done_ = 0;
};

/// LMDB copies what it believes: what is damaged must not take the place of what could still be looked at.
Result<lmdb::PageWalk> check_structure(const EnvironmentPath& path) {
    auto walked = lmdb::walk_pages(path.data(), {});
    if (!walked || walked->faults.empty()) return walked;
    return fail(StoreError::damaged,
                fmt::format("{}: {}; `monodon db check` says more", path.name, walked->faults.front()));
}

/// Writes the rows of one environment into another, in order.
class Rewriter {
 public:
    Rewriter(lmdb::Environment& from, lmdb::Environment& to, const Copier::Told& told)
        : from_(from), to_(to), told_(told) {}

    Result<void> rewrite(const std::vector<const char*>& names) {
        const auto sources = from_.tables(names);
        if (!sources) return Unexpected{sources.error()};
        const auto targets = to_.tables(names);
        if (!targets) return Unexpected{targets.error()};
        auto transaction = from_.read();
        if (!transaction) return Unexpected{transaction.error()};
        for (std::size_t at = 0; at < names.size(); ++at) {
            auto done = rewrite(*transaction, sources->at(at), targets->at(at));
            if (!done) return done;
        }
        return {};
    }

 private:
    static constexpr std::size_t kBytesPerTransaction = std::size_t{8} << 20;

    Result<void> rewrite(const lmdb::Transaction& transaction, lmdb::Table source, lmdb::Table target) {
        auto cursor = transaction.cursor(source);
        if (!cursor) return Unexpected{cursor.error()};
        std::vector<lmdb::Row> rows;
        std::size_t bytes = 0;
        auto row = cursor->first();
        for (; row && *row; row = cursor->next()) {
            rows.push_back(**row);
            bytes += (*row)->key.size() + (*row)->value.size() + kPerRow;
            if (bytes < kBytesPerTransaction) continue;
            if (auto done = write(target, rows, bytes); !done) return done;
            rows.clear();
            bytes = 0;
        }
        if (!row) return Unexpected{row.error()};
        return write(target, rows, bytes);
    }

    Result<void> write(lmdb::Table target, const std::vector<lmdb::Row>& rows, std::size_t bytes) {
        auto written =
            lmdb::write_growing(to_, bytes, [&](lmdb::WriteTransaction& transaction) -> Result<void> {
                for (const lmdb::Row& row : rows) {
                    if (auto put = transaction.append(target, row.key, row.value); !put) return put;
                }
                return {};
            });
        sum_ += bytes;
        if (written && told_ && !told_(sum_)) return fail(StoreError::failed, "it was ended");
        return written;
    }

    static constexpr std::size_t kPerRow = 32;
    lmdb::Environment& from_;
    lmdb::Environment& to_;
    const Copier::Told& told_;
    std::uint64_t sum_ = 0;
};

/// The rows of a file with lost pages, which LMDB does not copy without its free ones, into `fresh`.
Result<void> rewrite_one(const EnvironmentPath& path, const lmdb::PageWalk& walk,
                         const std::filesystem::path& fresh, const Copier::Told& told) {
    const auto beside = path.directory / "rewritten";
    std::error_code error;
    std::filesystem::remove_all(beside, error);
    std::vector<const char*> names;
    for (const auto& table : walk.tables) names.push_back(table.name.c_str());
    auto from = open_to_read(path.directory);
    if (!from) return Unexpected{from.error()};
    lmdb::EnvironmentOptions options;
    options.directory = beside;
    options.create = true;
    options.map_limit = std::max<std::size_t>(options.map_limit, 4 * path.bytes);
    auto to = lmdb::Environment::open(options);
    if (!to) return Unexpected{to.error()};
    auto done = Rewriter(**from, **to, told).rewrite(names);
    if (done) (*to)->trim();
    to->reset();
    if (done) {
        std::filesystem::rename(beside / "data.mdb", fresh, error);
        if (error) done = fail(StoreError::failed, fmt::format("{}: {}", fresh.string(), error.message()));
    }
    std::filesystem::remove_all(beside, error);
    return done;
}

Result<void> compact_one(const EnvironmentPath& path, const lmdb::PageWalk& walk, const Copier::Told& told) {
    auto fresh = path.data();
    fresh += ".compact";
    std::error_code ignored;
    std::filesystem::remove(fresh, ignored);
    if (walk.lost_pages > 0) {
        if (auto rewritten = rewrite_one(path, walk, fresh, told); !rewritten) return rewritten;
    } else {
        auto environment = open_to_read(path.directory);
        if (!environment) return Unexpected{environment.error()};
        auto bytes = Copier(std::chrono::hours(24), told).copy(**environment, fresh);
        if (!bytes) {
            std::filesystem::remove(fresh, ignored);
            return Unexpected{bytes.error()};
        }
    }
    std::error_code error;
    std::filesystem::rename(fresh, path.data(), error);
    if (error) return fail(StoreError::failed, fmt::format("{}: {}", fresh.string(), error.message()));
    return sync_directory(path.directory);
}

}  // namespace

Result<BackupReport> backup_home(const std::filesystem::path& home, const BackupOptions& options) {
    return Backup(home, options).run();
}

Result<CompactReport> compact_home(const std::filesystem::path& home, const DoctorObserver& observe) {
    CompactReport report;
    auto environments = environments_of(home);
    if (environments.empty()) return no_store();
    for (const EnvironmentPath& each : environments) {
        if (auto sound = check_structure(each); !sound) return Unexpected{sound.error()};
        report.bytes_before += each.bytes;
    }
    if (auto known = known_store(home); !known) return Unexpected{known.error()};
    std::uint64_t done = 0;
    for (const EnvironmentPath& each : environments) {
        if (each.name == "consensus") {
            if (auto rebuilt = rebuild_indices(each.directory); !rebuilt) return Unexpected{rebuilt.error()};
        }
        if (each.name.starts_with("batches/")) {
            if (auto rebuilt = rebuild_batch_list(each.directory); !rebuilt)
                return Unexpected{rebuilt.error()};
        }
        const auto walk = check_structure(each);
        if (!walk) return Unexpected{walk.error()};
        auto compacted = compact_one(each, *walk, [&](std::uint64_t bytes) {
            return !observe ||
                   observe({each.name, std::min(done + bytes, report.bytes_before), report.bytes_before});
        });
        if (!compacted) return Unexpected{compacted.error()};
        done += each.bytes;
    }
    for (const EnvironmentPath& each : environments_of(home)) report.bytes_after += each.bytes;
    return report;
}

}  // namespace monodon::storage
