#include "storage/generations.hpp"

#include <algorithm>
#include <charconv>
#include <ranges>

#include <fmt/format.h>
#include <sys/stat.h>

#include "net/core/log.hpp"
#include "storage/files.hpp"
#include "storage/lmdb/pages.hpp"

namespace monodon::storage {

namespace {

constexpr std::string_view kRemoved = ".removed";

void remove_files(const std::filesystem::path& directory) {
    std::error_code error;
    std::filesystem::remove_all(directory, error);
    if (error) {
        log::warn(log::Category::storage, "cannot remove old batches",
                  {{"path", directory.string()}, {"error", error.message()}});
    }
}

Result<void> give_back_reserve(const std::filesystem::path& data_file) {
    const auto used = lmdb::used_file_bytes(data_file);
    if (!used) return Unexpected{used.error()};
    std::error_code error;
    const auto size = std::filesystem::file_size(data_file, error);
    // Without effect on what is stored, also if it fails.
    if (!error && *used < size) std::filesystem::resize_file(data_file, *used, error);
    return {};
}

/// What is not a store is found now, and not when a batch has to be written there, and what was reserved is
/// given back. A crash may have come between the directory and its file.
Result<void> inspect(const std::filesystem::path& directory) {
    const auto data_file = directory / "data.mdb";
    std::error_code error;
    const bool there = std::filesystem::is_directory(directory, error);
    if (there && !std::filesystem::exists(data_file, error)) return {};
    Result<void> sound = fail(StoreError::damaged, fmt::format("{} is no directory", directory.string()));
    if (there) sound = lmdb::check_meta_pages(data_file);
    if (sound) sound = give_back_reserve(data_file);
    if (sound) return {};
    return fail(sound.error().error,
                fmt::format("{}; this validator has acknowledged batches that were in it: restore it from a "
                            "backup, or move {} away to go on without them; those that are needed are "
                            "fetched again",
                            sound.error().text, directory.string()));
}

}  // namespace

std::optional<std::uint64_t> generation_number(std::string_view name) {
    if (!name.starts_with('g')) return std::nullopt;
    std::uint64_t number = 0;
    const char* const end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + 1, end, number);
    if (error != std::errc() || stop != end) return std::nullopt;
    return number;
}

Result<void> Generations::scan() {
    if (auto made = make_private_directory(options_.directory); !made) return made;
    std::error_code error;
    auto entries = std::filesystem::directory_iterator(options_.directory, error);
    if (error) {
        return fail(StoreError::failed, fmt::format("{}: {}", options_.directory.string(), error.message()));
    }
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(kRemoved)) {
            remove_files(entry.path());
        } else if (const auto number = generation_number(name)) {
            if (auto sound = inspect(entry.path()); !sound) return sound;
            slots_.try_emplace(*number);
        }
    }
    return {};
}

std::filesystem::path Generations::path(std::uint64_t number) const {
    return options_.directory / fmt::format("g{}", number);
}

Result<GenerationPtr> Generations::obtain(std::uint64_t number) {
    const std::lock_guard making(making_);
    {
        const std::lock_guard lock(mutex_);
        if (number < lowest_) return GenerationPtr();
        const auto known = slots_.find(number);
        if (known != slots_.end()) return open_locked(number, known->second);
    }
    // Nobody else knows of it yet.
    auto made = open_files(number);
    if (!made) return made;
    std::filesystem::path doomed;
    {
        const std::lock_guard lock(mutex_);
        if (number >= lowest_) {
            slots_[number] = {*made, ++uses_};
            close_unused();
            return made;
        }
        doomed = doom(number);
    }
    made->reset();
    remove_files(doomed);
    return GenerationPtr();
}

Result<GenerationPtr> Generations::find(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    const auto found = slots_.find(number);
    if (found == slots_.end()) return GenerationPtr();
    return open_locked(number, found->second);
}

Result<GenerationPtr> Generations::open_locked(std::uint64_t number, Slot& slot) {
    slot.used = ++uses_;
    if (slot.open) return slot.open;
    auto opened = open_files(number);
    if (!opened) return opened;
    slot.open = *opened;
    close_unused();
    return opened;
}

Result<GenerationPtr> Generations::open_files(std::uint64_t number) const {
    lmdb::EnvironmentOptions options = options_;
    options.directory = path(number);
    // Also for one that was found: a crash may have come between its directory and its file.
    options.create = true;
    options.tables = 2;
    auto environment = lmdb::Environment::open(std::move(options));
    if (!environment) return Unexpected{environment.error()};
    auto tables = (*environment)->tables({BatchTable::kName, BatchTable::kAuthorsName});
    if (!tables) return Unexpected{tables.error()};
    return std::make_shared<Generation>(
        Generation{std::move(*environment), BatchTable((*tables)[0], (*tables)[1])});
}

void Generations::close_unused() {
    std::vector<Slot*> open;
    for (auto& [number, slot] : slots_) {
        if (slot.open) open.push_back(&slot);
    }
    if (open.size() <= open_max_) return;
    std::ranges::sort(open, {}, &Slot::used);
    std::size_t excess = open.size() - open_max_;
    for (Slot* slot : open) {
        if (excess == 0) return;
        // Copies are made under the mutex only: if ours is the only one it stays so.
        if (slot->open.use_count() > 1) continue;
        slot->open.reset();
        --excess;
    }
}

std::vector<std::uint64_t> Generations::newest(std::size_t count) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> numbers;
    for (auto at = slots_.rbegin(); at != slots_.rend() && numbers.size() < count; ++at) {
        numbers.push_back(at->first);
    }
    return numbers;
}

std::vector<Generations::Size> Generations::sizes() const {
    const std::lock_guard lock(mutex_);
    std::vector<Size> sizes;
    for (const auto& [number, slot] : slots_) {
        struct stat status {};
        const auto file = path(number) / "data.mdb";
        const bool known = ::stat(file.c_str(), &status) == 0;
        // The file system counts in blocks of 512 bytes, whatever its own are.
        sizes.push_back({number, known ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0});
    }
    return sizes;
}

std::vector<GenerationPtr> Generations::open() const {
    const std::lock_guard lock(mutex_);
    std::vector<GenerationPtr> open;
    for (const auto& [number, slot] : slots_) {
        if (slot.open) open.push_back(slot.open);
    }
    return open;
}

void Generations::remove(std::uint64_t number) {
    std::filesystem::path doomed;
    {
        const std::lock_guard lock(mutex_);
        const auto found = slots_.find(number);
        if (found == slots_.end()) return;
        slots_.erase(found);
        lowest_ = std::max(lowest_, number + 1);
        doomed = doom(number);
    }
    remove_files(doomed);
}

std::filesystem::path Generations::doom(std::uint64_t number) const {
    auto doomed = path(number);
    doomed += kRemoved;
    std::error_code error;
    std::filesystem::rename(path(number), doomed, error);
    return error ? path(number) : doomed;
}

}  // namespace monodon::storage
