#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/ask.hpp"
#include "tools/output.hpp"

namespace monodon::tools {

struct CommitsOptions {
    Where where;
    /// First index; 0 stands for the oldest that is kept.
    std::uint64_t from = 0;
    std::uint64_t count = 20;
    bool tail = false;
    Form form = Form::table;
};
/// `monodon commits get` and `tail`: the ordered stream from an index on. With `tail` it goes on until it is
/// interrupted, and json is one commit a line.
int commits(const CommitsOptions& options);

/// A page of the stream, or where it begins.
struct CommitPage {
    std::vector<boost::json::value> commits;
    /// Set if `from` has been pruned: the oldest index that is kept.
    std::uint64_t oldest = 0;
    /// `from` is beyond the end.
    bool future = false;
};
[[nodiscard]] Result<CommitPage> fetch_commits(Asker& asker, std::uint64_t from, std::uint64_t limit);

struct VerifyOptions {
    Where where;
    /// Homes, sockets, http://host:port or names; empty with `all`.
    std::vector<std::string> nodes;
    bool all = false;
    Form form = Form::table;
};
/// `monodon verify`: are the commit chains of nodes equal. Exit code 0 if all pairs are, 1 if two part, 4 if
/// there is nothing to compare.
int verify(const VerifyOptions& options);

}  // namespace monodon::tools
