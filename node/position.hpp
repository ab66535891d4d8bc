#pragma once

#include <optional>
#include <string>

#include "dag/engine.hpp"

namespace monodon::node {

/// Where this node stands among the others, as far as they have said.
struct Position {
    /// Commits that the committee has and this node has not executed; nothing until members with a quorum of
    /// stake, ourselves included, are connected and have shown a header or certificate of theirs: what is
    /// known before is what was known when this node or its connections went down.
    std::optional<std::uint64_t> lag;
    /// Why no quorum can be reached, in words; empty if one can, and certificates keep coming.
    std::string no_quorum;
};

/// An observer has no `self`. `started` is when this process began, `idle_round` how far apart the rounds of
/// an idle committee are. Both times are of the engine's clock.
[[nodiscard]] Position position_of(const dag::Committee& committee, std::optional<dag::ValidatorIndex> self,
                                   const dag::EngineStatus& engine, Time started, Time now,
                                   Duration idle_round);
/// How old the last commit may be while nothing is wrong: an idle committee commits about once in
/// `idle_round`.
[[nodiscard]] Duration commit_age_max(Duration idle_round);
/// The members to which there is a connection, and ourselves if we are one.
[[nodiscard]] dag::AuthorSet connected_members(const dag::EngineStatus& engine,
                                               std::optional<dag::ValidatorIndex> self);

}  // namespace monodon::node
