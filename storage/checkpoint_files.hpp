#pragma once

#include <filesystem>
#include <set>

#include "storage/error.hpp"
#include "storage/tables/checkpoints.hpp"

namespace monodon::storage {

/// The files of a directory that are named by what is in them: compressed, and at the end the checksum of a
/// row. What is there already, and whole, is not written again. One writer at a time; readers whenever they
/// like.
class CheckpointFiles {
 public:
    explicit CheckpointFiles(std::filesystem::path directory) : directory_(std::move(directory)) {}

    /// Makes the directory if it is not there.
    [[nodiscard]] Result<void> open();

    struct Written {
        ContentId id;
        /// 0 if a file with these bytes was there.
        std::uint64_t file_bytes = 0;
    };
    /// The file and its bytes are durable; its name is only after sync().
    [[nodiscard]] Result<Written> put(ByteView plain);
    [[nodiscard]] Result<void> sync() const;

    /// `missing`, or `damaged` if it is not exactly what its name says.
    [[nodiscard]] Result<Bytes> get(const ContentId& id, std::size_t plain_bytes) const;
    /// Removes all files but these.
    void keep_only(const std::set<ContentId>& kept) const;
    /// Of all files.
    [[nodiscard]] std::uint64_t bytes() const;

    [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

 private:
    std::filesystem::path directory_;
};

}  // namespace monodon::storage
