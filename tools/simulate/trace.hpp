#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dag/model/commit.hpp"
#include "net/core/time.hpp"
#include "tools/simulate/packet.hpp"

namespace monodon::sim {

/// Everything that happened in a run as one number, and as JSON lines if they are wanted: README.md says what
/// each line holds.
class Trace {
 public:
    Trace(Time begin, bool lines) : begin_(begin), keep_lines_(lines) {}

    /// Something about a node without a slot; `what` is plain text without quotes.
    void event(Time now, NodeId node, std::string_view kind, std::string_view what = {});
    /// A header left, a vote left, or a certificate entered the graph of a node.
    void slot(Time now, NodeId node, std::string_view kind, const dag::HeaderRef& ref);
    void certificate(Time now, NodeId node, const dag::Certificate& certificate);
    void commit(Time now, NodeId node, const dag::Commit& commit);

    [[nodiscard]] std::uint64_t hash() const { return hash_; }
    [[nodiscard]] const std::string& lines() const { return lines_; }

 private:
    void fold(std::uint64_t value);
    void fold(Time now, NodeId node, std::string_view kind);
    void fold(const dag::HeaderRef& ref);
    [[nodiscard]] std::string head(Time now, NodeId node, std::string_view kind) const;

    Time begin_;
    bool keep_lines_;
    std::uint64_t hash_ = 0;
    std::string lines_;
};

}  // namespace monodon::sim
