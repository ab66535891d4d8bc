#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "net/core/bytes.hpp"

/// Records every write and sync that this process makes to the files below one directory, and builds from the
/// record what a power loss may leave: what was synced is there, what was written after the last sync is
/// there, lost, or torn between sectors. The recorder stands in for write, pwrite, writev, fdatasync, fsync
/// and the like of the C library, which LMDB calls; it records only between begin() and end().
namespace monodon::storage::test {

class RecordedDisk {
 public:
    /// Files below this directory, which are there when it begins. One at a time in a process.
    static void begin(const std::filesystem::path& directory);
    static void end();
    /// How many operations were recorded so far: what was acknowledged now depends on none that comes later.
    static std::size_t position();

    /// Builds in `target` what may be left of the directory if the power was lost after `operations` of them.
    /// Each write since the last sync of its file is kept, lost, or torn at random.
    static void build(const std::filesystem::path& target, std::size_t operations, std::mt19937_64& random);
    /// Positions right after a sync: there a state without its last sync and one with it lie side by side.
    static std::vector<std::size_t> syncs();
};

}  // namespace monodon::storage::test
