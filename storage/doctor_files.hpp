#pragma once

#include "storage/doctor.hpp"

namespace monodon::storage {

/// An environment of a home as the doctor names it.
struct EnvironmentPath {
    /// `consensus`, `state`, `batches/g12`.
    std::string name;
    std::filesystem::path directory;
    std::uint64_t bytes = 0;
    [[nodiscard]] std::filesystem::path data() const { return directory / "data.mdb"; }
};

/// Those that are there: state, consensus, batches ascending. What comes first in a copy is never newer than
/// what comes after it, so that a copy never holds a state whose commits, or a commit whose batches, it
/// lacks.
[[nodiscard]] std::vector<EnvironmentPath> environments_of(const std::filesystem::path& home);

/// Opens an environment for looking only.
[[nodiscard]] Result<std::unique_ptr<lmdb::Environment>> open_to_read(const std::filesystem::path& directory);

}  // namespace monodon::storage
