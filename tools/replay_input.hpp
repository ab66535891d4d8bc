#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dag/config.hpp"
#include "dag/model/committee.hpp"
#include "net/core/expected.hpp"

namespace monodon::tools {

/// A certificate as an input names it, not yet held against the rules of the DAG.
struct ReplayCertificate {
    dag::Round round;
    /// Author and parents may be beyond the committee.
    std::uint64_t author = 0;
    std::vector<std::uint64_t> parents;
};

struct ReplayInput {
    dag::OrderingConfig config;
    dag::Committee committee;
    /// In order of insertion.
    std::vector<ReplayCertificate> certificates;
};

/// Longest text taken: the value tree of 32 MiB of JSON stays below 1 GiB (24 bytes for each `1,`).
inline constexpr std::size_t kReplayBytesMax = 32 * 1024 * 1024;

/// Strict: unknown and repeated keys, other types, fractions, negative numbers and values out of range are
/// refused with a message that names the place.
[[nodiscard]] Expected<ReplayInput, std::string> parse_replay(std::string_view json);

/// "certificates[7] (round 3, author 1)".
[[nodiscard]] std::string name_of(std::size_t position, const ReplayCertificate& certificate);

}  // namespace monodon::tools
