#pragma once

#include <map>
#include <string>
#include <vector>

#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"

namespace monodon::node::test {

using Content = std::map<std::string, std::string>;

/// The state root of sync.md 3, written a second time without any economy.
[[nodiscard]] Digest naive_bucket(const Content& content, std::size_t bucket);
[[nodiscard]] Digest naive_root(const Content& content);
/// The row of the empty key after these changes, listed by commit, in a first segment that is not full.
[[nodiscard]] std::string naive_recent(const std::vector<std::vector<Bytes>>& commits);

}  // namespace monodon::node::test
