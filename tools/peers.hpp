#pragma once

#include <string>

#include "tools/ask.hpp"
#include "tools/output.hpp"

namespace monodon::tools {

struct PeersOptions {
    Where where;
    /// How much is shown: 0 how many there are, 1 connections, 2 how each does, 3 its score by terms, 4 all.
    unsigned level = 2;
    /// The address book instead.
    bool book = false;
    Form form = Form::table;
};
/// `monodon peers`: whom one node speaks to, and what it thinks of them; or whom it can find where.
int peers(const PeersOptions& options);
/// `monodon limits`: the limits of its network in force, and their use.
int limits(const PeersOptions& options);

struct PeerOptions {
    Where where;
    /// Name or peer id.
    std::string peer;
    Form form = Form::table;
};
/// `monodon peer ID`: one peer, term by term.
int peer(const PeerOptions& options);

}  // namespace monodon::tools
