#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/fwd.hpp>

#include "net/core/expected.hpp"

/// JSON that people and programs give us, read without leniency.
namespace monodon::node {

/// Parses one JSON text of at most `bytes_max` bytes and eight levels. Repeated keys of an object, which
/// parsers settle differently, are refused. The error says line and column.
[[nodiscard]] Expected<boost::json::value, std::string> parse_strict_json(std::string_view text,
                                                                          std::size_t bytes_max);

/// Reads one object member by member. The first thing that is wrong is kept and all later reads give
/// defaults, so that a reader checks once, at the end, with finish().
class JsonObject {
 public:
    /// `path` names the object in messages, for example `members[2]`; empty for the outermost. Keeps a
    /// reference.
    JsonObject(const boost::json::value& value, std::string path);

    [[nodiscard]] bool has(std::string_view key) const;
    /// At most `most` bytes of valid UTF-8 without control characters.
    [[nodiscard]] std::string text(std::string_view key, std::size_t most);
    [[nodiscard]] std::uint64_t number(std::string_view key);
    [[nodiscard]] std::uint64_t number_or(std::string_view key, std::uint64_t otherwise);
    /// At most `most` items.
    [[nodiscard]] const boost::json::array& array(std::string_view key, std::size_t most);
    /// The member itself; null if there is none.
    [[nodiscard]] const boost::json::value& value(std::string_view key);

    /// The name of a member in messages.
    [[nodiscard]] std::string name(std::string_view key) const;
    void fail(std::string what);
    /// What is wrong; a member that nobody asked for is.
    [[nodiscard]] std::optional<std::string> finish();

 private:
    const boost::json::object* object_ = nullptr;
    std::string path_;
    std::set<std::string, std::less<>> asked_;
    std::optional<std::string> error_;
};

}  // namespace monodon::node
