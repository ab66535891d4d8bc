#pragma once

#include <map>
#include <string>

#include "net/core/digest.hpp"

namespace monodon::node::test {

using Content = std::map<std::string, std::string>;

/// The state root of sync.md 3, written a second time without any economy.
[[nodiscard]] Digest naive_bucket(const Content& content, std::size_t bucket);
[[nodiscard]] Digest naive_root(const Content& content);

}  // namespace monodon::node::test
